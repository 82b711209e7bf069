//! The result of a run in numbers.

use serde::{Deserialize, Serialize};

use crate::experiment::WavelengthResult;
use crate::report::DriftPoint;
use crate::train::{BenchCost, Outcome, best_epoch};

/// The result of a run, as `--json` prints it and `summary.json` holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Accuracies on the test images, 0..=1.
    pub accuracy: Shares,
    /// Shares of the input's light that fall on the detectors, means over the test images.
    pub light_on_detectors: Shares,
    /// The same at each wavelength, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wavelengths: Vec<WavelengthResult>,
    /// Method of the third stage.
    pub method: String,
    /// What the third stage would take on a real bench.
    pub bench: BenchCost,
    /// Mean SSIM of output intensities.
    pub ssim: Likeness,
    /// Cosine between the gradient of the method and the true gradient of the same twin, per layer; none where a mask is not
    /// trained or its gradient is zero.
    pub gradient_cosine: Vec<Option<f64>>,
    /// Training samples per second of the third stage (measurements included).
    pub samples_per_second: f64,
    /// Training samples per second in silico.
    pub samples_per_second_in_silico: f64,
    /// Seconds of both trainings.
    pub seconds: f64,
    /// How both trainings went.
    pub training: Trainings,
    /// Distances after the masks, metres, where they learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distances: Option<Vec<f64>>,
    /// Accuracies as the bench drifts; absent where it stands still.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<DriftPoint>,
    /// Images held out of the training set.
    pub validation_samples: usize,
    /// Test images.
    pub test_samples: usize,
    /// The device.
    pub device: String,
    /// `cpu` or `gpu`.
    pub engine: String,
    /// The seed.
    pub seed: u64,
    /// The run folder.
    pub run_dir: String,
    /// The final table, as text.
    #[serde(skip)]
    pub table: String,
}

/// Shares (0..=1) of the three systems.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Shares {
    /// In-silico masks on the ideal system.
    pub ideal: f64,
    /// The same masks on the imperfect twin.
    pub in_silico_deployed: f64,
    /// Masks trained by FFM on the twin; absent with another method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ffm: Option<f64>,
    /// Masks of the third stage, whatever its method, on the twin.
    pub trained: f64,
}

/// SSIM of output intensities; none where images are dark or smaller than its window.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Likeness {
    /// In-silico masks: ideal system against twin.
    pub ideal_vs_twin: Option<f64>,
    /// Ideal system with in-silico masks against twin with the third stage's masks.
    pub ideal_vs_ffm: Option<f64>,
    /// The third stage's masks: what the camera measures on the twin against the ideal system as theory.
    pub measured_vs_ideal: Option<f64>,
    /// The third stage's masks: what the camera measures on the twin against the noise-free twin as theory.
    pub measured_vs_calibrated: Option<f64>,
}

/// Courses of the two trainings.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trainings {
    /// In silico.
    pub in_silico: Course,
    /// On the twin, by the method of the third stage.
    pub trained: Course,
}

/// How a training went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Course {
    /// Epochs done.
    pub epochs: usize,
    /// The epoch of the highest validation accuracy, without validation test accuracy (of several the one with the lowest
    /// loss).
    pub best_epoch: usize,
    /// The epoch whose masks count as the result: the last or the best, as `train.keep` says.
    pub kept_epoch: usize,
    /// Validation accuracy of that epoch; absent without validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_validation_accuracy: Option<f64>,
    /// Why training was over, in words.
    pub ended: String,
}

impl Course {
    /// Of a finished training.
    pub(super) fn of(outcome: &Outcome) -> Self {
        Self {
            epochs: outcome.rows.len(),
            best_epoch: best_epoch(&outcome.rows).map_or(0, |row| row.epoch),
            kept_epoch: outcome.epoch,
            kept_validation_accuracy: outcome
                .rows
                .iter()
                .find(|r| r.epoch == outcome.epoch)
                .and_then(|r| r.validation_accuracy),
            ended: outcome.ending.map_or_else(|| "interrupted".to_owned(), |e| e.to_string()),
        }
    }
}
