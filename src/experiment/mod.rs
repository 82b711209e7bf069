//! Experiments: one file per kind; settings in, run folder out.

pub mod bench;
pub mod classify;
mod config;
mod merge;

pub use config::{DEFAULT, DataConfig, Experiment};
pub use merge::{SettingsError, read_text, settings};

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
