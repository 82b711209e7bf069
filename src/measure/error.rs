//! What can be wrong with a measurement.

use crate::holography::HolographyError;
use crate::io::IoError;

/// A measurement that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// A file that cannot be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// `measurement.toml` is not what it must be.
    #[error("{file}: {message}")]
    Config {
        /// The file.
        file: String,
        /// Key, value, and what to do.
        message: String,
    },
    /// A frame that does not fit its description.
    #[error("{file} (frame {number}): {problem}")]
    Frame {
        /// The frame's file.
        file: String,
        /// Its number in `measurement.toml`, from 1.
        number: usize,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Frames of which no field can be made.
    #[error("set {set:?}: {source}")]
    Field {
        /// The set.
        set: String,
        /// Why.
        source: HolographyError,
    },
    /// Frames that cannot be used.
    #[error("{} in the measurement:\n  {}", count(.problems.len()), .problems.join("\n  "))]
    Unusable {
        /// What is wrong with each, and what to do.
        problems: Vec<String>,
    },
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".into() } else { format!("{problems} problems") }
}
