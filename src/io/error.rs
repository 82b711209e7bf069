//! What can be wrong with a file.

use std::path::Path;

/// A file that cannot be read, written, or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// Writing failed.
    #[error("cannot write {path}: {reason}")]
    Write {
        /// The file or folder.
        path: String,
        /// Why, and what to do.
        reason: String,
    },
    /// Reading failed.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The content is damaged, or of another kind.
    #[error("{path}: {problem}")]
    Content {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file type that is not supported.
    #[error("{path}: files of type {kind:?} are not supported; use {supported}")]
    Unsupported {
        /// The file.
        path: String,
        /// Its extension.
        kind: String,
        /// What is supported.
        supported: String,
    },
}

impl IoError {
    /// Whether an output could not be written (otherwise an input could not be read).
    pub fn is_output(&self) -> bool {
        matches!(self, Self::Write { .. })
    }

    /// A file type that is not supported.
    pub fn unsupported(path: &Path, kind: &str, supported: &str) -> Self {
        Self::Unsupported { path: path.display().to_string(), kind: kind.into(), supported: supported.into() }
    }

    pub(crate) fn write(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let remedy = match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "; choose a folder that you may write to"
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "; the disk is full: free some space, then go on"
            }
            _ => "",
        };
        Self::Write { path: path.display().to_string(), reason: format!("{error}{remedy}") }
    }

    pub(crate) fn read(path: &Path, error: &dyn std::fmt::Display) -> Self {
        Self::Read { path: path.display().to_string(), reason: error.to_string() }
    }

    pub(crate) fn content(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Content { path: path.display().to_string(), problem: problem.to_string() }
    }
}
