//! Training: what is minimised by which method, with which optimiser and schedule, step by step, resumable at any step.
//!
//! The trainer does not know whether light is simulated on the CPU or the GPU, nor whether the system is perfect: both are
//! in the [`crate::engine::Engine`] and the program it was given. The exact adjoint and fully forward mode differ only in
//! the error pass that the program describes.

mod checkpoint;
mod config;
mod course;
mod distance;
mod divergence;
mod evaluate;
mod exposure;
mod job;
mod laboratory;
mod method;
mod perturb;
mod recompute;
mod sampler;
mod schedule;
mod trainer;

pub use checkpoint::{Checkpoint, Effort, Position};
pub use config::{Optimizer, Registered, Robust, Start, TrainConfig};
pub use course::{Ending, Keep, Monitor, best_epoch};
pub use distance::{CompileAt, DistanceConfig, Distances, slopes};
pub use divergence::Trend;
pub use evaluate::{Evaluation, evaluate};
pub use exposure::measure_exposure;
pub use job::{EpochRow, Job, Moving, Observer, Outcome, StepNews};
pub use laboratory::{BenchCost, LaboratoryConfig, Work};
pub use method::{Method, MethodFacts, Passes};
pub use perturb::{Estimate, estimate};
pub use recompute::Recompute;
pub use sampler::{epoch_order, held_out, initial_commands, initial_phases, interleaved_order};
pub use schedule::Schedule;
pub use trainer::{evaluation_key, train};

use crate::engine::EngineError;

/// What can end a training run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file could not be written or read.
    #[error(transparent)]
    Io(#[from] crate::io::IoError),
    /// An impossible setting.
    #[error("train.{key} = {value}: {problem}")]
    Config {
        /// Key below `train`.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The optical system that is trained.
    #[error(transparent)]
    System(#[from] crate::twin::ConfigError),
    /// An impossible speed of the bench.
    #[error("laboratory.{key} = {value}: must be a positive number")]
    Laboratory {
        /// Key below `laboratory`.
        key: &'static str,
        /// Its value.
        value: f64,
    },
    /// The loss is not a number any more, or has risen for long.
    #[error("training diverged: loss {} at step {step} (epoch {epoch}); {cause}", in_words(*loss))]
    Diverged {
        /// Mean loss of late.
        loss: f64,
        /// Step, from 1.
        step: u64,
        /// Epoch, from 1.
        epoch: usize,
        /// What was found, and what to do.
        cause: String,
    },
    /// The device was lost; the run can go on from its last checkpoint.
    #[error(
        "{device} was lost (noticed after step {step} of {steps}): {reason}; the last checkpoint is of step {kept}, so that {} \
         steps have to be repeated",
        step.saturating_sub(*kept)
    )]
    Lost {
        /// The device.
        device: String,
        /// What is known of the cause.
        reason: String,
        /// Steps done when the loss was noticed.
        step: u64,
        /// Steps of the stage.
        steps: u64,
        /// Steps done at the last checkpoint.
        kept: u64,
    },
    /// A checkpoint that does not belong to this run.
    #[error("checkpoint {path}: {problem}")]
    Checkpoint {
        /// The file.
        path: String,
        /// What does not fit.
        problem: String,
    },
}

/// A loss for people: one that ran away is told by its power of ten.
fn in_words(loss: f64) -> String {
    if loss.abs() < 1e6 { loss.to_string() } else { format!("{loss:.3e}") }
}
