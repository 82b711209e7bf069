//! A training run from outside: what it needs, what it tells, how it ends.

use std::sync::atomic::AtomicBool;

use super::{Checkpoint, CompileAt, Ending, Evaluation, Method, TrainConfig, TrainError};
use crate::engine::{Exposure, Program, SetId, State, Tally};

/// One training run.
pub struct Job<'a> {
    /// Settings.
    pub config: &'a TrainConfig,
    /// How gradients are obtained, as far as the program does not say it.
    pub method: Method,
    /// Where the system changes while it is trained.
    pub moving: Option<Moving<'a>>,
    /// Compiles the system with other distances, where distances learn ([`TrainConfig::distances`]).
    pub distances: Option<CompileAt<'a>>,
    /// Seed of shuffling and noise.
    pub seed: u64,
    /// The program that the engine has loaded.
    pub program: &'a Program,
    /// Training images, uploaded.
    pub train: SetId,
    /// The same on the host (exposures are measured with them).
    pub train_images: &'a crate::engine::ImageSet,
    /// Test images, uploaded.
    pub test: SetId,
    /// Their labels.
    pub test_labels: &'a [u8],
    /// Images of the training set that were held out, uploaded, and their labels: they choose epochs in place of the test
    /// images.
    pub validation: Option<(SetId, &'a [u8])>,
    /// Steps between two looks at the tally: 1 where looking is free, more where it waits for a device.
    pub tally_every: u64,
    /// Set from outside to stop after the step in flight.
    pub stop: &'a AtomicBool,
}

/// A system that changes while it is trained: a bench that drifts, a model that is drawn anew.
#[derive(Clone, Copy)]
pub struct Moving<'a> {
    /// Steps between two of its states.
    pub every: u64,
    /// Compiles state `n`; all have the structure of [`Job::program`].
    pub compile: &'a dyn Fn(u64) -> Result<Program, TrainError>,
    /// Whether it is a bench that moves on by itself: then tests and exposures meet it as it is at their step. Otherwise
    /// they meet what was trained on last.
    pub bench: bool,
}

/// News after some steps.
#[derive(Clone, Copy, Debug)]
pub struct StepNews {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Steps done, of [`StepNews::steps`].
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// Sums over this epoch so far.
    pub tally: Tally,
    /// Samples per second of the whole run, tests not counted.
    pub samples_per_second: f64,
}

/// One finished epoch.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EpochRow {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Steps done.
    pub step: u64,
    /// Learning rate of the epoch's last step.
    pub rate: f64,
    /// Mean training loss over the epoch.
    pub train_loss: f64,
    /// Share of training samples right, while learning.
    pub train_accuracy: f64,
    /// Mean test loss.
    pub test_loss: f64,
    /// Share of test images right.
    pub test_accuracy: f64,
    /// Share of the input's light on the detectors, test images.
    pub test_light: f64,
    /// Mean loss of the images that were held out; `None` without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// Share of them right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
}

impl EpochRow {
    /// The accuracy that epochs are compared by: of validation, without one of test images.
    pub fn choosing_accuracy(&self) -> f64 {
        self.validation_accuracy.unwrap_or(self.test_accuracy)
    }

    /// The same for the loss.
    pub fn choosing_loss(&self) -> f64 {
        self.validation_loss.unwrap_or(self.test_loss)
    }
}

/// Whoever watches a run: progress bar, metrics file, checkpoints.
pub trait Observer {
    /// Some steps are done.
    fn step(&mut self, news: StepNews);
    /// An epoch is done and tested.
    ///
    /// # Errors
    /// When its record cannot be written.
    fn epoch(&mut self, row: EpochRow) -> Result<(), TrainError>;
    /// The state after an epoch that is the best so far ([`super::best_epoch`]); it is a [`Observer::checkpoint`] next.
    ///
    /// # Errors
    /// When it cannot be written.
    fn best(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError>;
    /// A state from which the run can go on.
    ///
    /// # Errors
    /// When it cannot be written.
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError>;
}

/// How a run ended. From [`super::train`] with the last masks; whoever wants others replaces them with their test.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Masks and moments.
    pub state: State,
    /// Exposures in use.
    pub exposure: Option<Exposure>,
    /// Their test.
    pub evaluation: Evaluation,
    /// The epoch they are of, from 1.
    pub epoch: usize,
    /// Distances after the masks, metres, where they learned.
    pub distances: Option<Vec<f64>>,
    /// Why training was over; `None` when it was stopped from outside.
    pub ending: Option<Ending>,
    /// All epochs, those before a resumption included.
    pub rows: Vec<EpochRow>,
    /// Samples per second, tests not counted.
    pub samples_per_second: f64,
    /// Seconds spent, tests included, those before a resumption as well.
    pub seconds: f64,
}

impl Outcome {
    /// Whether it was stopped from outside; then the last checkpoint is where it goes on.
    pub fn interrupted(&self) -> bool {
        self.ending.is_none()
    }
}
