//! What can be wrong with a description of a system.

use crate::calibrate::PresetError;
use crate::engine::EngineError;
use crate::optics::OpticsError;

/// An impossible or contradictory setting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value out of its range.
    #[error("{key} = {value}: {problem}")]
    Value {
        /// Full key, as in the file.
        key: String,
        /// Its value.
        value: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Optics.
    #[error(transparent)]
    Optics(#[from] OpticsError),
    /// A preset of imperfections.
    #[error(transparent)]
    Preset(#[from] PresetError),
    /// No transform of the length needed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Builds [`ConfigError::Value`].
pub(super) fn value(
    key: impl Into<String>,
    value: impl std::fmt::Display,
    problem: impl Into<String>,
) -> ConfigError {
    ConfigError::Value { key: key.into(), value: value.to_string(), problem: problem.into() }
}

/// Refuses what is not positive and finite.
pub(super) fn positive(key: &str, number: f64) -> Result<(), ConfigError> {
    match number.is_finite() && number > 0.0 {
        true => Ok(()),
        false => Err(value(key, number, "must be a positive number")),
    }
}
