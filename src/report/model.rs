//! The data of a classification report, filled by the experiment.

use serde::{Deserialize, Serialize};

use super::Picture;
use crate::metrics::{Confusion, GradientCosine};
use crate::train::{BenchCost, MethodFacts};

/// Everything a classification run reports. Three systems are compared throughout:
///
/// * *ideal*: masks trained in silico, run on the perfect model they were trained on;
/// * *deployed*: the same masks on the imperfect twin;
/// * *FFM*, or the name of another method: masks trained for the imperfect twin.
#[derive(Clone, Debug, Serialize)]
pub struct ClassificationReport {
    /// Headline, such as `"Fashion-MNIST, four layers"`.
    pub title: String,
    /// Name of the run (its folder).
    pub run: String,
    /// When the run ended, as a person reads it.
    pub date: String,
    /// The command that repeats the run.
    pub command: String,
    /// Seed of the run.
    pub seed: u64,
    /// Device line: name, engine, precision.
    pub device: String,
    /// Program name and version.
    pub version: String,
    /// Data set line: name, images for training and testing.
    pub data: String,
    /// One name per class.
    pub class_names: Vec<String>,
    /// Test set on the ideal system.
    pub ideal: Confusion,
    /// Test set, in-silico masks on the imperfect twin.
    pub deployed: Confusion,
    /// Test set, FFM-trained masks on the imperfect twin.
    pub ffm: Confusion,
    /// Share of the input's light that falls on the detectors: ideal, deployed, FFM.
    pub light: [f64; 3],
    /// How training in silico went.
    pub in_silico_training: Training,
    /// How FFM training went.
    pub ffm_training: Training,
    /// Name of the method of the third stage, at the head of its column.
    pub method: String,
    /// The same in words.
    pub method_title: String,
    /// What the third stage would take on a real bench.
    pub bench: BenchCost,
    /// The methods there are.
    pub methods: Vec<MethodFacts>,
    /// Its gradient against the true gradient of the imperfect twin, when it was measured.
    pub gradient: Option<GradientCosine>,
    /// Likeness of the twin's output to the ideal one, when it was measured.
    pub fidelity: Option<Fidelity>,
    /// Accuracies as the bench drifts; empty where it stands still.
    pub drift: Vec<DriftPoint>,
    /// Phase masks, layer by layer.
    pub masks: Vec<LayerMasks>,
    /// Detector regions in pixels of the output pictures.
    pub detectors: Vec<Detector>,
    /// Test images followed through the three systems.
    pub examples: Vec<Example>,
    /// The optical system.
    pub optics: Optics,
    /// What was wrong with the twin.
    pub imperfections: Vec<Imperfection>,
    /// The resolved configuration, as TOML.
    pub config: String,
}

impl ClassificationReport {
    /// Whether classes are named by their numbers.
    pub fn classes_are_numbers(&self) -> bool {
        self.class_names.iter().enumerate().all(|(k, name)| *name == k.to_string())
    }
}

/// One training: what it cost, and its course.
#[derive(Clone, Debug, Serialize)]
pub struct Training {
    /// Wall-clock time, seconds.
    pub seconds: f64,
    /// Training samples per second, over the whole training.
    pub samples_per_second: f64,
    /// Epoch by epoch.
    pub history: History,
    /// The epoch of the highest test accuracy.
    pub best_epoch: usize,
    /// The epoch whose masks count as the result.
    pub kept_epoch: usize,
    /// Why training was over, such as `"all epochs were done"`.
    pub ended: String,
}

/// Course of a training, one entry per epoch, in order.
pub type History = Vec<Epoch>;

/// State after an epoch.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Epoch {
    /// Number of the epoch, from 1; fractions are allowed.
    pub epoch: f64,
    /// Mean loss of the training samples.
    pub train_loss: f64,
    /// Accuracy on the training samples, 0 to 1.
    pub train_accuracy: f64,
    /// Mean loss of the test samples, when it was evaluated.
    pub test_loss: Option<f64>,
    /// Accuracy on the test samples, 0 to 1, when it was evaluated.
    pub test_accuracy: Option<f64>,
    /// Mean loss of the samples that were held out, where there are any.
    pub validation_loss: Option<f64>,
    /// Accuracy on them, 0 to 1.
    pub validation_accuracy: Option<f64>,
}

/// Test accuracies (0 to 1) on the bench at one moment of its drift.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftPoint {
    /// Bench step.
    pub step: u64,
    /// Masks trained on the ideal model.
    pub in_silico: f64,
    /// Masks trained on the calibrated twin of bench step 0.
    pub calibrated: f64,
    /// Masks of the third stage: as they are at this step while it trains, the final ones afterwards. `None` where there is
    /// no test.
    pub trained: Option<f64>,
}

/// Mean structural similarity ([`crate::metrics::ssim_intensity`]) of output intensities to those of the ideal system.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Fidelity {
    /// In-silico masks on the twin.
    pub deployed: f64,
    /// FFM-trained masks on the twin.
    pub ffm: f64,
    /// Test samples averaged over.
    pub samples: usize,
}

/// Two masks of a layer: phases in radians, or amplitude transmissions.
#[derive(Clone, Debug, Serialize)]
pub struct LayerMasks {
    /// Layer, and what is shown of it: `"Layer 2, amplitude"`.
    pub name: String,
    /// Trained in silico.
    pub ideal: Picture,
    /// Trained by FFM.
    pub ffm: Picture,
}

/// A rectangular detector region.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Detector {
    /// The class it stands for.
    pub class: usize,
    /// First row.
    pub row: usize,
    /// First column.
    pub col: usize,
    /// Height in pixels.
    pub rows: usize,
    /// Width in pixels.
    pub cols: usize,
    /// Whether its energy counts against the class (differential detection).
    pub negative: bool,
}

/// A test image and what the three systems make of it.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// Number of the image in the test set.
    pub index: usize,
    /// True class.
    pub truth: usize,
    /// The input.
    pub input: Picture,
    /// Output of the ideal system.
    pub ideal: Output,
    /// Output of the twin with in-silico masks.
    pub deployed: Output,
    /// Output of the twin with FFM-trained masks.
    pub ffm: Output,
}

/// Light on the detector plane, and what is read from it.
#[derive(Clone, Debug, Serialize)]
pub struct Output {
    /// Intensity on the detector plane.
    pub picture: Picture,
    /// One score per class.
    pub scores: Vec<f64>,
    /// The class with the largest score.
    pub predicted: usize,
}

/// The optical system; lengths in metres.
#[derive(Clone, Debug, Serialize)]
pub struct Optics {
    /// Vacuum wavelength, metres.
    pub wavelength: f64,
    /// Pixel pitch along y and x, metres.
    pub pitch: [f64; 2],
    /// Rows and columns that hold light.
    pub shape: [usize; 2],
    /// Rows and columns of the transforms.
    pub padded: [usize; 2],
    /// Free-space distance after each mask and before the first, in the order light takes them, metres.
    pub distances: Vec<f64>,
    /// Propagation method used, such as `"angular spectrum"`.
    pub method: String,
    /// Further lines: hardware, encoding, detectors, camera.
    pub more: Vec<Fact>,
}

/// A named value for a table.
#[derive(Clone, Debug, Serialize)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// Its value, with unit.
    pub value: String,
}

/// One kind of imperfection that was injected into the twin.
#[derive(Clone, Debug, Serialize)]
pub struct Imperfection {
    /// What it is, such as `"lateral shift x"`.
    pub name: String,
    /// Unit of the values; empty for plain numbers.
    pub unit: String,
    /// Value in each layer; `None` where there is none. A single value holds for the whole system.
    pub values: Vec<Option<f64>>,
}
