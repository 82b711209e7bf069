//! What training would take on a real bench: time, frames, light.

use serde::{Deserialize, Serialize};

use super::method::Passes;
use super::{Method, TrainError};
use crate::twin::HardwareKind;

/// `[laboratory]`: speeds of the bench. Defaults: Xue et al. 2024 (modulators of 60 Hz with 17 ms update, cameras of 42 Hz);
/// laser power, samples on a modulator and phase steps are our choice.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LaboratoryConfig {
    /// Seconds from loading a field to its being there.
    pub modulator_seconds: f64,
    /// Frames a second.
    pub camera_rate: f64,
    /// Frames of a complex field, one after the other.
    pub phase_steps: u32,
    /// Samples side by side on the modulator.
    pub multiplexed: u32,
    /// Power of the light while a frame is taken, watts.
    pub laser_power: f64,
}

impl Default for LaboratoryConfig {
    fn default() -> Self {
        Self {
            modulator_seconds: 0.017,
            camera_rate: 42.0,
            phase_steps: 4,
            multiplexed: 1,
            laser_power: 0.01,
        }
    }
}

/// What was done on the bench.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchCost {
    /// Seconds on the bench: training and tests.
    pub seconds: f64,
    /// Seconds of training alone.
    pub training_seconds: f64,
    /// Fields loaded.
    pub loads: u64,
    /// Camera frames.
    pub frames: u64,
    /// Optical energy while frames are taken, joules.
    pub energy: f64,
    /// Measured computing time, seconds.
    pub compute_seconds: f64,
}

/// What was done: samples in training, test images, batch size, tests.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// The method.
    pub method: Method,
    /// Layers.
    pub layers: usize,
    /// Hardware.
    pub kind: HardwareKind,
    /// Training samples over all epochs.
    pub trained: u64,
    /// Test images over all tests.
    pub tested: u64,
    /// Computing time, seconds.
    pub compute_seconds: f64,
}

impl LaboratoryConfig {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`TrainError::Laboratory`] with key, value and remedy.
    pub fn validate(&self) -> Result<(), TrainError> {
        let numbers = [
            ("modulator_seconds", self.modulator_seconds),
            ("camera_rate", self.camera_rate),
            ("phase_steps", self.phase_steps.into()),
            ("multiplexed", self.multiplexed.into()),
            ("laser_power", self.laser_power),
        ];
        match numbers.into_iter().find(|(_, v)| !(v.is_finite() && *v > 0.0)) {
            Some((key, value)) => Err(TrainError::Laboratory { key, value }),
            None => Ok(()),
        }
    }

    /// The cost of some work. A computer's method trains without the bench; its masks are tested there once an epoch all
    /// the same, as the others are.
    pub fn cost(&self, work: &Work) -> BenchCost {
        let training = self.of(work.method.passes(work.layers, work.kind), work.trained);
        let tests = self.of(Method::inference(work.layers, work.kind), work.tested);
        let frames = training.frames + tests.frames;
        BenchCost {
            seconds: training.seconds + tests.seconds,
            training_seconds: training.seconds,
            loads: training.loads + tests.loads,
            frames,
            energy: (training.exposures + tests.exposures) as f64 / self.camera_rate * self.laser_power,
            compute_seconds: work.compute_seconds,
        }
    }

    fn of(&self, passes: Passes, samples: u64) -> Part {
        let shots = samples.div_ceil(u64::from(self.multiplexed));
        let steps = u64::from(self.phase_steps);
        let loads = passes.loads * shots;
        let exposures = passes.exposures * shots * steps;
        Part {
            loads,
            frames: passes.fields * shots * steps,
            exposures,
            seconds: loads as f64 * self.modulator_seconds + exposures as f64 / self.camera_rate,
        }
    }
}

struct Part {
    loads: u64,
    frames: u64,
    exposures: u64,
    seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(method: Method, kind: HardwareKind) -> Work {
        Work { method, layers: 4, kind, trained: 100, tested: 10, compute_seconds: 1.5 }
    }

    #[test]
    fn a_bench_takes_what_one_counts_by_hand() {
        let lab = LaboratoryConfig::default();
        let cost = lab.cost(&work(Method::Ffm, HardwareKind::Reload));
        // 100 samples x 8 fields and 10 x 4, each 17 ms and 4 frames of 1/42 s.
        assert_eq!((cost.loads, cost.frames), (840, 3360));
        assert!((cost.seconds - 840.0 * (0.017 + 4.0 / 42.0)).abs() < 1e-9);
        assert!((cost.training_seconds - 800.0 * (0.017 + 4.0 / 42.0)).abs() < 1e-9);
        assert!((cost.energy - 0.01 * 3360.0 / 42.0).abs() < 1e-9);
        let half = lab.cost(&work(Method::PhysicsAware, HardwareKind::Reload));
        assert_eq!(2 * (half.loads - 40), 800);
        let computed = lab.cost(&work(Method::InSilicoRobust, HardwareKind::Reload));
        assert_eq!((computed.training_seconds, computed.loads), (0.0, 40));
    }

    #[test]
    fn multiplexing_and_cascades_save_time() {
        let lab = LaboratoryConfig { multiplexed: 7, ..LaboratoryConfig::default() };
        let cost = lab.cost(&work(Method::InSituBackprop, HardwareKind::Reload));
        assert_eq!(cost.loads, 8 * 15 + 4 * 2);
        let cascade = LaboratoryConfig::default().cost(&work(Method::InSituBackprop, HardwareKind::Cascade));
        // All planes at once: 2 illuminations a sample, 8 measured fields.
        assert_eq!((cascade.loads, cascade.frames), (210, 4 * (800 + 10)));
        assert!((cascade.seconds - 210.0 * (0.017 + 4.0 / 42.0)).abs() < 1e-9);
    }

    #[test]
    fn impossible_benches_are_refused() {
        let lab = LaboratoryConfig { camera_rate: 0.0, ..LaboratoryConfig::default() };
        assert!(lab.validate().unwrap_err().to_string().contains("laboratory.camera_rate = 0"));
    }
}
