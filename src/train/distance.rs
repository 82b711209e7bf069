//! Distances between layers as trainable parameters.
//!
//! Their gradient is a central difference of a batch's loss, as a laboratory takes it with a stage that is moved to and fro: for each
//! layer two forward passes, exact up to the square of the probe. The update is Adam's (Kingma & Ba 2015), within bounds.

use serde::{Deserialize, Serialize};

use super::TrainError;
use crate::engine::{Batch, Engine, Program};
use crate::optics::Length;

/// `train.distances`: how distances learn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistanceConfig {
    /// Learning rate: an update moves a layer by about as much.
    pub rate: Length,
    /// Steps of the masks between two updates.
    pub every: u64,
    /// How far a layer is moved to either side to find the slope.
    pub probe: Length,
    /// Shortest distance.
    pub least: Length,
    /// Longest distance.
    pub most: Length,
}

impl Default for DistanceConfig {
    fn default() -> Self {
        Self { rate: Length(1e-3), every: 5, probe: Length(1e-4), least: Length(1e-3), most: Length(10.0) }
    }
}

impl DistanceConfig {
    /// Refuses impossible values.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let bad = |key, value: f64, problem: &str| {
            Err(TrainError::Config { key, value: value.to_string(), problem: problem.into() })
        };
        for (key, value) in [
            ("distances.rate (m)", self.rate.0),
            ("distances.probe (m)", self.probe.0),
            ("distances.least (m)", self.least.0),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return bad(key, value, "must be a positive length");
            }
        }
        if self.every == 0 {
            return bad("distances.every", 0.0, "at least 1 step lies between two updates");
        }
        if self.least.0 <= self.probe.0 {
            return bad(
                "distances.least (m)",
                self.least.0,
                "must be longer than the probe, which goes below it",
            );
        }
        if !(self.most.0.is_finite() && self.most.0 > self.least.0) {
            return bad("distances.most (m)", self.most.0, "must be longer than distances.least");
        }
        Ok(())
    }

    /// Refuses a distance (metres) to begin with that is out of bounds.
    pub(super) fn check_start(&self, distance: f64) -> Result<(), TrainError> {
        if (self.least.0..=self.most.0).contains(&distance) {
            return Ok(());
        }
        let (least, most) = (self.least.0, self.most.0);
        let problem = format!(
            "optics.distance is {distance} m; it must lie within {least} to {most} m (train.distances)"
        );
        Err(TrainError::Config { key: "distances", value: format!("{least} to {most} m"), problem })
    }
}

/// Distances of all layers, metres, with Adam's moments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distances {
    /// Free space after each mask.
    pub metres: Vec<f64>,
    /// First moment.
    first: Vec<f64>,
    /// Second moment.
    second: Vec<f64>,
    /// Updates done.
    updates: u64,
}

impl Distances {
    /// Distances with moments of zero.
    pub fn fresh(metres: Vec<f64>) -> Self {
        let zeros = vec![0.0; metres.len()];
        Self { metres, first: zeros.clone(), second: zeros, updates: 0 }
    }

    /// Moves down the slopes (loss per metre); `share` is that of the learning rate.
    pub(super) fn update(
        &mut self,
        slopes: &[f64],
        config: &DistanceConfig,
        [beta1, beta2]: [f64; 2],
        share: f64,
    ) {
        self.updates += 1;
        let t = self.updates as f64;
        for (l, &g) in slopes.iter().enumerate() {
            self.first[l] = beta1 * self.first[l] + (1.0 - beta1) * g;
            self.second[l] = beta2 * self.second[l] + (1.0 - beta2) * g * g;
            let (m, v) = (self.first[l] / (1.0 - beta1.powf(t)), self.second[l] / (1.0 - beta2.powf(t)));
            if v > 0.0 {
                let moved = self.metres[l] - share * config.rate.0 * m / v.sqrt();
                self.metres[l] = moved.clamp(config.least.0, config.most.0);
            }
        }
    }
}

/// Compiles the system with these distances after the masks, metres; all have the same structure.
pub type CompileAt<'a> = &'a dyn Fn(&[f64]) -> Result<Program, TrainError>;

/// Slopes of a batch's mean loss along every distance, per metre: `(L(z + probe) - L(z - probe)) / (2 probe)`. Leaves a moved system in
/// the engine.
///
/// # Errors
/// As [`Engine::replace`] and [`Engine::infer`], and those of `compile`.
pub fn slopes(
    engine: &mut dyn Engine,
    batch: Batch<'_>,
    distances: &[f64],
    probe: f64,
    compile: CompileAt<'_>,
) -> Result<Vec<f64>, TrainError> {
    let mut loss = |layer: usize, by: f64| -> Result<f64, TrainError> {
        let mut moved = distances.to_vec();
        moved[layer] += by;
        engine.replace(&compile(&moved)?)?;
        Ok(engine.infer(batch)?.losses.iter().sum::<f64>() / batch.of as f64)
    };
    let one = |layer| Ok((loss(layer, probe)? - loss(layer, -probe)?) / (2.0 * probe));
    (0..distances.len()).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_move_down_the_slope_by_the_rate_and_keep_their_bounds() {
        let config = DistanceConfig { least: Length(0.099), ..DistanceConfig::default() };
        let mut d = Distances::fresh(vec![0.1, 0.2, 0.3]);
        d.update(&[5.0, -0.01, 0.0], &config, [0.9, 0.999], 1.0);
        for (found, expected) in d.metres.iter().zip([0.099, 0.201, 0.3]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        d.update(&[5.0, -0.01, 0.0], &config, [0.9, 0.999], 1.0);
        assert_eq!(d.metres[0], 0.099);
    }
}
