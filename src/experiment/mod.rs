//! Experiments: one file per kind; settings in, run folder out.

pub mod bench;
pub mod bits;
mod calibrated;
pub mod classify;
mod config;
pub mod frames;
mod spectrum;
pub mod study;
pub mod versus;

pub use config::{DEFAULT, DataConfig, EngineConfig, Experiment};
pub use spectrum::{WavelengthConfig, WavelengthResult};

pub use crate::io::{SettingsError, read_text, settings};

use std::path::Path;

use crate::data::DataError;
use crate::engine::EngineError;
use crate::io::IoError;
use crate::metrics::MetricError;
use crate::report::ReportError;
use crate::train::TrainError;
use crate::twin::ConfigError;

/// What can end a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The device was lost; the run folder holds all that is needed to go on.
    #[error(
        "{what}. Go on with: ffm resume {run} (once the device is back), or without it: ffm resume {run} --device cpu"
    )]
    Lost {
        /// Which device, when, what is lost with it.
        what: String,
        /// The run folder.
        run: String,
    },
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The description of the system.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Images.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Files.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A figure that is not defined.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportError),
}

impl RunError {
    /// After the loss of a device: how the run in this folder goes on.
    fn resumable(self, run: &Path) -> Self {
        let lost = matches!(
            self,
            Self::Engine(EngineError::Lost { .. })
                | Self::Train(TrainError::Lost { .. } | TrainError::Engine(EngineError::Lost { .. }))
        );
        match lost {
            true => Self::Lost { what: self.to_string(), run: run.display().to_string() },
            false => self,
        }
    }
}
