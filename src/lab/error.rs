//! What can be wrong with a laboratory.

use crate::io::{IoError, SettingsError};
use crate::measure::MeasureError;
use crate::optics::OpticsError;
use crate::twin::ConfigError;

/// A laboratory that cannot record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// A value of the hidden truth that no bench can have.
    #[error("hidden truth: {key} = {value}: {problem}")]
    Truth {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A value of the bench.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The optics.
    #[error(transparent)]
    Optics(#[from] OpticsError),
    /// The frames that were asked for.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// The text of a truth or calibration.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Stopped too early.
    #[error("stopped before the first frame was recorded; nothing is written")]
    Stopped,
    /// Files.
    #[error(transparent)]
    Io(#[from] IoError),
}

pub(super) fn wrong(key: impl Into<String>, value: impl ToString, problem: impl Into<String>) -> LabError {
    LabError::Truth { key: key.into(), value: value.to_string(), problem: problem.into() }
}
