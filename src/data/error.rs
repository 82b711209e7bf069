//! What can be wrong with a data set.

use std::path::Path;

/// Images or labels that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file that cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file whose content is wrong.
    #[error("{path}: {problem}")]
    Invalid {
        /// The file or folder.
        path: String,
        /// What is wrong, with numbers, and what to do.
        problem: String,
    },
    /// A named set that is not on this machine.
    #[error("data set {name:?} is not here (looked in {places}); get it with: ffm data fetch {name}")]
    Missing {
        /// The set.
        name: String,
        /// Where it was looked for.
        places: String,
    },
    /// Neither a name nor a folder.
    #[error("no data set {source_name:?}: neither a known name ({names}) nor a folder")]
    Unknown {
        /// What was asked for.
        source_name: String,
        /// The names there are.
        names: String,
    },
    /// No image is left.
    #[error("data set {name:?} gives no {split} images{}; at least one is needed", limited(split, *limit))]
    Empty {
        /// The set.
        name: String,
        /// Training or test.
        split: &'static str,
        /// The limit asked for, `data.train` or `data.test`.
        limit: Option<usize>,
    },
    /// A folder or file that a download cannot be written to.
    #[error("cannot write {path}: {source}; choose another folder with --to")]
    Unwritable {
        /// The folder or file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A download that failed everywhere.
    #[error("cannot fetch {file}: {reasons}")]
    Download {
        /// The file.
        file: String,
        /// What every mirror said, and what to do.
        reasons: String,
    },
}

/// The limit in the words of the settings.
fn limited(split: &str, limit: Option<usize>) -> String {
    let key = if split == "test" { "test" } else { "train" };
    limit.map_or_else(String::new, |n| format!(" with data.{key} = {n}"))
}

impl DataError {
    pub(super) fn invalid(path: &Path, problem: impl Into<String>) -> Self {
        Self::Invalid { path: path.display().to_string(), problem: problem.into() }
    }

    pub(super) fn unreadable(path: &Path, source: std::io::Error) -> Self {
        Self::Unreadable { path: path.display().to_string(), source }
    }

    pub(super) fn unwritable(path: &Path, source: std::io::Error) -> Self {
        Self::Unwritable { path: path.display().to_string(), source }
    }
}
