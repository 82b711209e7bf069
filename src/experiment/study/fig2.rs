//! Fig. 2 of Xue et al., Nature 632, 280 (2024): deep free-space networks, and the fields behind one layer.

use serde::Serialize;

use super::{Entry, Spread};
use crate::experiment::classify::Summary;
use crate::experiment::{Experiment, SettingsError, settings};

/// Layers of the networks in the paper.
pub const DEPTHS: [usize; 4] = [2, 4, 6, 8];
const SMALL: &str = include_str!("../../../assets/fig2-small.toml");
const PAPER: &str = include_str!("../../../assets/fig2-paper.toml");

/// How large the networks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// For two processor cores and half an hour.
    Small,
    /// 400 x 400 pixels of 8 um and all images, for a GPU.
    Paper,
}

impl Scale {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Paper => "paper",
        }
    }

    /// Settings of the deep networks.
    pub fn settings(self) -> &'static str {
        match self {
            Self::Small => SMALL,
            Self::Paper => PAPER,
        }
    }
}

/// The runs of the figure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For every seed the deep networks in order of depth; then the single layer.
    pub entries: Vec<Entry>,
    /// Layers.
    pub depths: Vec<usize>,
    /// Seeds.
    pub seeds: Vec<u64>,
}

/// Plans the figure. `overrides` (`key=value`) go on top of the settings of the scale; they hold for every run.
///
/// # Errors
/// Overrides that do not fit.
pub fn plan(
    scale: Scale,
    depths: &[usize],
    seeds: &[u64],
    overrides: &[String],
) -> Result<Plan, SettingsError> {
    let origin = format!("fig2, scale {}", scale.name());
    let base: Experiment = settings(scale.settings(), &origin, overrides)?;
    let deep = |seed: u64, layers: usize| {
        let mut experiment = Experiment { seed, ..base.clone() };
        experiment.optics.layers = layers;
        Entry { name: format!("layers-{layers}-seed-{seed}"), experiment, same_in_silico: None }
    };
    let mut entries: Vec<Entry> = seeds
        .iter()
        .flat_map(|&seed| depths.iter().map(move |&d| (seed, d)))
        .map(|(s, d)| deep(s, d))
        .collect();
    if let Some(&seed) = seeds.first() {
        let mut experiment = Experiment { seed, ..base };
        experiment.optics.layers = 1;
        if experiment.data.source == "fashion-mnist" {
            experiment.data.source = "mnist".into();
        }
        entries.push(Entry { name: "single-layer".into(), experiment, same_in_silico: None });
    }
    Ok(Plan { entries, depths: depths.to_vec(), seeds: seeds.to_vec() })
}

/// Results of the figure.
#[derive(Clone, Debug, Serialize)]
pub struct Fig2 {
    /// How large the networks were.
    pub scale: Scale,
    /// Data set of the deep networks.
    pub data: String,
    /// Seeds; each draws masks, imperfections and noise.
    pub seeds: Vec<u64>,
    /// Test images of a run.
    pub test_samples: usize,
    /// One row a depth.
    pub depths: Vec<DepthRow>,
    /// The single layer.
    pub fields: OutputFields,
    /// Seconds of training and tests, all runs.
    pub seconds: f64,
    /// The device.
    pub device: String,
}

/// Networks of one depth; accuracies are shares of the test images.
#[derive(Clone, Debug, Serialize)]
pub struct DepthRow {
    /// Layers.
    pub layers: usize,
    /// Trained in silico, on the ideal system.
    pub ideal: Spread,
    /// The same masks on the imperfect twin.
    pub deployed: Spread,
    /// Trained on the imperfect twin by FFM.
    pub ffm: Spread,
    /// Ideal minus FFM, seed by seed.
    pub gap: Spread,
    /// The paper's accuracies at this depth, where it has them.
    pub paper: Option<Published>,
}

/// Accuracies in the paper, shares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Published {
    /// Ideal simulation.
    pub ideal: f64,
    /// Trained on a computer, run on the real system.
    pub deployed: f64,
    /// Two standard deviations of that.
    pub deployed_two_sigma: f64,
    /// Trained by FFM on the real system.
    pub ffm: f64,
}

impl Published {
    /// Fashion-MNIST with 2, 4, 6, 8 layers.
    pub fn at(layers: usize) -> Option<Self> {
        let [ideal, deployed, deployed_two_sigma, ffm] = match layers {
            2 => [0.922, 0.440, 0.351, 0.865],
            4 => [0.938, 0.524, 0.088, 0.910],
            6 => [0.960, 0.584, 0.184, 0.923],
            8 => [0.960, 0.588, 0.055, 0.925],
            _ => return None,
        };
        Some(Self { ideal, deployed, deployed_two_sigma, ffm })
    }
}

/// Output fields of the single layer, FFM-trained mask, mean SSIM over test images between what the camera measures and
/// what theory says; the paper has more than 0.97.
#[derive(Clone, Debug, Serialize)]
pub struct OutputFields {
    /// The data set.
    pub data: String,
    /// Theory: the calibrated twin without noise.
    pub calibrated: f64,
    /// Theory: the ideal system.
    pub uncalibrated: f64,
    /// Test accuracy of the mask on the twin.
    pub accuracy: f64,
}

/// The figure, from the summaries of [`Plan::entries`].
pub fn fig2(scale: Scale, plan: &Plan, summaries: &[Summary]) -> Fig2 {
    let depths = plan.depths.len();
    let deep = &summaries[..depths * plan.seeds.len()];
    let row = |(k, &layers): (usize, &usize)| {
        let of = |value: fn(&Summary) -> f64| Spread::of(deep.iter().skip(k).step_by(depths).map(value));
        DepthRow {
            layers,
            ideal: of(|s| s.accuracy.ideal),
            deployed: of(|s| s.accuracy.in_silico_deployed),
            ffm: of(|s| s.accuracy.trained),
            gap: of(|s| s.accuracy.ideal - s.accuracy.trained),
            paper: Published::at(layers),
        }
    };
    let source = |k: usize| plan.entries.get(k).map(|e| e.experiment.data.source.clone()).unwrap_or_default();
    let single = summaries.last();
    let of_single = |value: fn(&Summary) -> Option<f64>| single.and_then(value).unwrap_or(f64::NAN);
    Fig2 {
        scale,
        data: source(0),
        seeds: plan.seeds.clone(),
        test_samples: deep.first().map_or(0, |s| s.test_samples),
        depths: plan.depths.iter().enumerate().map(row).collect(),
        fields: OutputFields {
            data: source(plan.entries.len().saturating_sub(1)),
            calibrated: of_single(|s| s.ssim.measured_vs_calibrated),
            uncalibrated: of_single(|s| s.ssim.measured_vs_ideal),
            accuracy: of_single(|s| Some(s.accuracy.trained)),
        },
        seconds: summaries.iter().map(|s| s.seconds).sum(),
        device: single.map(|s| s.device.clone()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optics::Length;
    use crate::twin::Pair;

    #[test]
    fn every_seed_has_every_depth_and_the_single_layer_comes_last() {
        let plan = plan(Scale::Small, &[2, 8], &[1, 2, 3], &[]).unwrap();
        let layers: Vec<_> =
            plan.entries.iter().map(|e| (e.experiment.seed, e.experiment.optics.layers)).collect();
        assert_eq!(layers, [(1, 2), (1, 8), (2, 2), (2, 8), (3, 2), (3, 8), (1, 1)]);
        assert_eq!(plan.entries[6].experiment.data.source, "mnist");
        assert!(plan.entries.iter().all(|e| e.experiment.imperfections.preset.as_deref() == Some("bench")));
    }

    #[test]
    fn the_paper_s_scale_is_the_paper_s() {
        let plan = plan(Scale::Paper, &DEPTHS, &[1], &[]).unwrap();
        let optics = &plan.entries[3].experiment.optics;
        assert_eq!((optics.pixels, optics.pitch), (Pair::One(400), Pair::One(Length(8e-6))));
        assert_eq!((optics.layers, optics.distance, optics.wavelength), (8, Length(0.388), Length(532e-9)));
        let data = &plan.entries[3].experiment.data;
        assert_eq!((data.source.as_str(), data.train, data.test), ("fashion-mnist", None, None));
        // 1.28 million parameters.
        assert_eq!(8 * 400 * 400, 1_280_000);
    }

    #[test]
    fn overrides_hold_for_every_run_and_wrong_ones_are_named() {
        let sets = ["data.source=strokes".to_owned(), "train.epochs=7".to_owned()];
        let plan = plan(Scale::Small, &[2], &[1], &sets).unwrap();
        assert!(plan.entries.iter().all(|e| e.experiment.train.epochs == 7));
        assert_eq!(plan.entries[1].experiment.data.source, "strokes");
        let error = super::plan(Scale::Small, &[2], &[1], &["train.epoch=7".into()]).unwrap_err().to_string();
        assert!(error.contains("train.epochs"), "{error}");
    }
}
