//! What a check finds.

use serde::Serialize;

use super::Frame;

/// Something wrong with a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Frame, from 1; `None` of the description as a whole.
    pub frame: Option<usize>,
    /// The frame's file, or the description's.
    pub file: String,
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is.
    pub kind: Kind,
    /// What is wrong, and what to do.
    pub message: String,
}

/// A problem of frame `number`, from 1.
pub(super) fn of_frame(
    number: usize,
    frame: &Frame,
    severity: Severity,
    kind: Kind,
    message: String,
) -> Problem {
    Problem { frame: Some(number), file: frame.file.clone(), severity, kind, message }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.frame {
            Some(number) => write!(f, "{} (frame {number}): {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing that is computed from it can be trusted.
    Error,
    /// It may be meant; results lose accuracy if not.
    Warning,
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A value of the description that cannot be meant.
    Description,
    /// A length that is off by a power of a thousand.
    Unit,
    /// A file that is missing or cannot be read.
    Missing,
    /// Another number of pixels than described.
    Size,
    /// Counts that the camera cannot give.
    Range,
    /// Pixels at the largest count.
    Saturated,
    /// Too little light.
    UnderExposed,
    /// A background with light, or a flat frame that is not even.
    Correction,
    /// Frames in the wrong order.
    Order,
    /// One frame twice.
    Duplicate,
}

impl Kind {
    /// One or two words for a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Description => "description",
            Self::Unit => "unit",
            Self::Missing => "missing",
            Self::Size => "size",
            Self::Range => "range",
            Self::Saturated => "saturated",
            Self::UnderExposed => "under-exposed",
            Self::Correction => "correction",
            Self::Order => "order",
            Self::Duplicate => "duplicate",
        }
    }
}
