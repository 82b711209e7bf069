//! An experiment file: the optical system, the data, the training.

use serde::{Deserialize, Serialize};

use super::WavelengthConfig;
use crate::calibrate::Imperfections;
use crate::data::DataSet;
use crate::engine::{ImageSet, Program, Relay, Store};
use crate::train::{LaboratoryConfig, TrainConfig, held_out};
use crate::twin::{
    ActivationConfig, ConfigError, DetectorConfig, HardwareConfig, InputConfig, LossConfig, MasksConfig,
    OpticsConfig, SourceConfig, SystemConfig,
};

/// The embedded default experiment.
pub const DEFAULT: &str = include_str!("../../assets/default.toml");

/// Everything a run depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Experiment {
    /// Name, part of the run folder's.
    pub name: String,
    /// Seed of everything random.
    pub seed: u64,
    /// `[data]`.
    pub data: DataConfig,
    /// `[optics]`.
    pub optics: OpticsConfig,
    /// `[masks]`.
    pub masks: MasksConfig,
    /// `[source]`.
    pub source: SourceConfig,
    /// `[input]`.
    pub input: InputConfig,
    /// `[detectors]`.
    pub detectors: DetectorConfig,
    /// `[loss]`.
    pub loss: LossConfig,
    /// `[hardware]`.
    pub hardware: HardwareConfig,
    /// `[activation]`.
    pub activation: ActivationConfig,
    /// `[imperfections]`.
    pub imperfections: Imperfections,
    /// `[train]`.
    pub train: TrainConfig,
    /// `[laboratory]`.
    pub laboratory: LaboratoryConfig,
    /// `[engine]`.
    pub engine: EngineConfig,
    /// `[[wavelengths]]`: with some, the masks serve all of them, and `optics.wavelength` is the one they are designed for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wavelengths: Vec<WavelengthConfig>,
}

impl Default for Experiment {
    fn default() -> Self {
        Self {
            name: "experiment".into(),
            seed: 1,
            data: DataConfig::default(),
            optics: OpticsConfig::default(),
            masks: MasksConfig::default(),
            source: SourceConfig::default(),
            input: InputConfig::default(),
            detectors: DetectorConfig::default(),
            loss: LossConfig::default(),
            hardware: HardwareConfig::default(),
            activation: ActivationConfig::default(),
            imperfections: Imperfections { preset: Some("bench".into()), ..Imperfections::default() },
            train: TrainConfig::default(),
            laboratory: LaboratoryConfig::default(),
            engine: EngineConfig::default(),
            wavelengths: Vec::new(),
        }
    }
}

/// `[data]`: which images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// `strokes` (built in), `mnist`, `fashion-mnist`, or a folder.
    pub source: String,
    /// Training images at most (the first of the set).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<usize>,
    /// Test images at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<usize>,
    /// Training images that are held out and choose epochs (`train.patience`, `train.keep`) in place of the test images:
    /// below 1 a share, from 1 on a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// Whether every training image is there a second time, mirrored left to right: an epoch has twice as many, and the network
    /// learns less of single images by heart. Not for images whose meaning a mirror changes, such as digits.
    pub mirror: bool,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { source: "strokes".into(), train: None, test: None, validation: None, mirror: false }
    }
}

/// `[engine]`: how the engine computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// `f32`, or `f16`: recorded fields wait for the error pass in half precision.
    pub store: Store,
}

impl Experiment {
    /// The tables that describe the optical system.
    pub fn system(&self) -> SystemConfig {
        SystemConfig {
            optics: self.optics.clone(),
            masks: self.masks.clone(),
            source: self.source,
            input: self.input,
            detectors: self.detectors.clone(),
            loss: self.loss,
            hardware: self.hardware,
            activation: self.activation,
            imperfections: self.imperfections.clone(),
        }
    }

    /// A compiled program with its records kept as the settings say.
    ///
    /// # Errors
    /// [`ConfigError::Value`] where what is recorded is not what went on, so that nothing can be computed again from it.
    pub fn recording(&self, program: Program) -> Result<Program, ConfigError> {
        let (store, recompute) = (self.engine.store, self.train.recompute.length(program.hops.len()));
        let observed = program.relay == Relay::Optical && program.camera.is_some();
        let problem = match (recompute > 1, store == Store::F16, observed) {
            (true, true, _) => {
                "with engine.store = \"f16\" records are rounded, and what is computed from a rounded field is not what was \
                 measured; choose one of the two"
            }
            (true, _, true) => {
                "with hardware.kind = \"cascade\" cameras only observe, and what goes on cannot be computed from what they saw; \
                 set it to 0"
            }
            _ => return Ok(Program { store, recompute, ..program }),
        };
        Err(ConfigError::Value {
            key: "train.recompute".into(),
            value: recompute.to_string(),
            problem: problem.into(),
        })
    }

    /// Refuses images that cannot be trained on: every class needs a detector, every detector a class.
    ///
    /// # Errors
    /// [`ConfigError::Value`] with both numbers.
    pub fn check_training_data(&self, data: &DataSet) -> Result<(), ConfigError> {
        match data.classes.len() == self.detectors.count() {
            true => Ok(()),
            false => Err(self.classes_differ(data)),
        }
    }

    /// Refuses images of classes that have no detector.
    ///
    /// # Errors
    /// [`ConfigError::Value`] with both numbers.
    pub fn check_test_data(&self, data: &DataSet) -> Result<(), ConfigError> {
        match data.classes.len() <= self.detectors.count() {
            true => Ok(()),
            false => Err(self.classes_differ(data)),
        }
    }

    fn classes_differ(&self, data: &DataSet) -> ConfigError {
        let classes = data.classes.len();
        ConfigError::Value {
            key: "detectors.classes".into(),
            value: self.detectors.count().to_string(),
            problem: format!("data set {:?} has {classes} classes; train with as many", data.name),
        }
    }

    /// The data to train and test on: without the validation images, which are beside it, `None` where none are asked for; with
    /// the mirrored copies of what is left.
    ///
    /// # Errors
    /// [`ConfigError::Value`] when nothing would be left of training or validation.
    pub fn split(&self, data: &DataSet) -> Result<(DataSet, Option<ImageSet>), ConfigError> {
        let (train, held) = self.hold_out(data)?;
        let train = if self.data.mirror { train.with_mirrored() } else { train };
        let DataSet { name, origin, classes, test, .. } = data;
        let (name, origin, classes) = (name.clone(), origin.clone(), classes.clone());
        Ok((DataSet { name, origin, classes, train, test: test.clone() }, held))
    }

    /// Training images, and those of them that are held out.
    fn hold_out(&self, data: &DataSet) -> Result<(ImageSet, Option<ImageSet>), ConfigError> {
        let Some(asked) = self.data.validation else { return Ok((data.train.clone(), None)) };
        let n = data.train.len();
        // Wavelengths take turns in the set, and go on to do so in both parts.
        let turns = self.wavelengths.len().max(1);
        let held = if asked < 1.0 { (asked * n as f64).round() } else { asked };
        let few = (held / turns as f64).ceil() < (n / turns) as f64;
        if !(held >= 1.0 && few && held.fract() == 0.0) {
            let problem = format!(
                "must be a share below 1, or a whole number, and leave some of the {n} training images"
            );
            return Err(ConfigError::Value {
                key: "data.validation".into(),
                value: asked.to_string(),
                problem,
            });
        }
        let groups = held_out(self.seed, n / turns, (held as usize).div_ceil(turns));
        let all = |g: u32| (0..turns as u32).map(move |k| g * turns as u32 + k);
        let chosen: Vec<u32> = groups.into_iter().flat_map(all).collect();
        let rest: Vec<u32> = (0..n as u32).filter(|i| chosen.binary_search(i).is_err()).collect();
        Ok((data.train.only(&rest), Some(data.train.only(&chosen))))
    }

    /// Samples that run at once at most: a batch, but no more than there are images.
    pub fn batch(&self, data: &DataSet) -> usize {
        self.train.batch.min(data.train.len().max(data.test.len()))
    }

    /// The whole file, as it reads back.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::settings;
    use crate::train::{Keep, Monitor, Recompute, Schedule};

    #[test]
    fn the_store_is_f32_or_f16() {
        let read = |text: &str| settings::<Experiment>(text, "test", &[]);
        assert_eq!(read("").unwrap().engine.store, Store::F32);
        let half = read("[engine]\nstore = \"f16\"").unwrap();
        assert_eq!(half.engine.store, Store::F16);
        assert_eq!(read(&half.to_toml()).unwrap(), half);
        let error = read("[engine]\nstore = \"f17\"").unwrap_err().to_string();
        assert!(error.contains("engine.store") && error.contains("f16"), "{error}");
        let error = read("[engine]\nstores = \"f16\"").unwrap_err().to_string();
        assert!(error.contains("engine.stores"), "{error}");
    }

    #[test]
    fn validation_images_leave_the_training_set() {
        let data =
            crate::data::load("strokes", crate::data::Limits { train: Some(50), test: Some(5) }, 1).unwrap();
        let split = |validation: f64| {
            let mut experiment = Experiment::default();
            experiment.data.validation = Some(validation);
            experiment.split(&data)
        };
        let (rest, held) = split(0.1).unwrap();
        let held = held.unwrap();
        assert_eq!((rest.train.len(), held.len(), rest.test.len()), (45, 5, 5));
        assert_eq!(split(5.0).unwrap().1, Some(held.clone()));
        let sum = |set: &ImageSet| set.pixels.iter().map(|&p| u64::from(p)).sum::<u64>();
        assert_eq!(sum(&rest.train) + sum(&held), sum(&data.train));
        for bad in [0.0, 0.001, 50.0, 2.5, -1.0, f64::NAN] {
            assert!(split(bad).unwrap_err().to_string().starts_with("data.validation = "), "{bad}");
        }
        let read: Experiment = settings("[data]\nvalidation = 7", "test", &[]).unwrap();
        assert_eq!(read.data.validation, Some(7.0));
        assert_eq!(settings::<Experiment>(&read.to_toml(), "written", &[]).unwrap(), read);
    }

    #[test]
    fn mirrored_copies_are_of_training_images_alone() {
        let limits = crate::data::Limits { train: Some(40), test: Some(5) };
        let data = crate::data::load("strokes", limits, 1).unwrap();
        let read: Experiment = settings("[data]\nvalidation = 10\nmirror = true", "test", &[]).unwrap();
        let (found, held) = read.split(&data).unwrap();
        assert_eq!((found.train.len(), held.unwrap().len(), found.test), (60, 10, data.test.clone()));
        assert_eq!(found.train.labels[..30], found.train.labels[30..]);
        let [rows, cols] = found.train.size;
        let pixel = |image: usize, r: usize, c: usize| found.train.pixels[(image * rows + r) * cols + c];
        for (image, r, c) in [(0, 3, 9), (17, 14, 0), (29, rows - 1, cols - 2)] {
            assert_eq!(pixel(image, r, c), pixel(30 + image, r, cols - 1 - c));
        }
        assert_eq!(settings::<Experiment>(&read.to_toml(), "written", &[]).unwrap(), read);
    }

    #[test]
    fn segments_are_a_length_or_auto() {
        let read = |text: &str| settings::<Experiment>(text, "test", &[]);
        assert_eq!(read("").unwrap().train.recompute, Recompute::Every(0));
        assert_eq!(read("[train]\nrecompute = 3").unwrap().train.recompute, Recompute::Every(3));
        let auto = read("[train]\nrecompute = \"auto\"").unwrap();
        assert_eq!(auto.train.recompute.length(9), 3);
        assert_eq!(read(&auto.to_toml()).unwrap(), auto);
        for wrong in ["-1", "\"some\"", "true"] {
            let error = read(&format!("[train]\nrecompute = {wrong}")).unwrap_err().to_string();
            assert!(error.contains("train.recompute") && error.contains("segment"), "{wrong}: {error}");
        }
    }

    #[test]
    fn schedules_and_stopping_read_back() {
        let text =
            "[train]\nschedule = { kind = 'step', every = 3 }\npatience = 4\nmonitor = 'loss'\nkeep = 'best'";
        let read: Experiment = settings(text, "test", &[]).unwrap();
        assert_eq!(read.train.schedule, Schedule::Step { factor: 0.5, every: Some(3) });
        assert_eq!(read.train.patience, Some(4));
        assert_eq!((read.train.monitor, read.train.keep), (Monitor::Loss, Keep::Best));
        assert_eq!(settings::<Experiment>(&read.to_toml(), "written", &[]).unwrap(), read);
        let plain = Experiment::default().to_toml();
        assert!(plain.contains("schedule = \"cosine\"") && plain.contains("keep = \"last\""), "{plain}");
        let error = settings::<Experiment>("[train]\nkeep = 'first'", "test", &[]).unwrap_err().to_string();
        assert!(error.contains("train.keep") && error.contains("best"), "{error}");
    }

    #[test]
    fn an_activation_can_be_set_by_its_kind_alone() {
        let read = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
            settings::<Experiment>("", "test", &sets)
        };
        assert_eq!(read(&[]).unwrap().activation, ActivationConfig::None);
        for kind in ["none", "intensity", "saturable", "relu", "electro-optic"] {
            let one = read(&[&format!("activation.kind={kind}")]).unwrap();
            assert_eq!(settings::<Experiment>(&one.to_toml(), "written", &[]).unwrap(), one, "{kind}");
        }
        let relu = read(&["activation.kind=relu", "activation.threshold=0.3"]).unwrap().activation;
        assert_eq!(relu, ActivationConfig::Relu { gain: 1.0, threshold: 0.3 });
        let error = read(&["activation.kind=relu", "activation.depth=2"]).unwrap_err().to_string();
        assert!(error.contains("depth"), "{error}");
        let error = read(&["activation.kind=tanh"]).unwrap_err().to_string();
        assert!(error.contains("electro-optic"), "{error}");
    }

    #[test]
    fn the_default_experiment_reads_and_reads_back() {
        let read: Experiment = settings(DEFAULT, "default", &[]).unwrap();
        assert_eq!(settings::<Experiment>(&read.to_toml(), "written", &[]).unwrap(), read);
        assert_eq!(read.imperfections.preset.as_deref(), Some("bench"));
    }
}
