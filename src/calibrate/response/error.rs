//! Why a response cannot be told.

use crate::measure::MeasureError;

/// A response that cannot be told from what was recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// Too little, or not what it must be; what is wrong, and what to record.
    #[error("{0}")]
    Unfit(String),
    /// Frames of a single order: two phases have one intensity in every pixel.
    #[error(
        "all pixels change alike, as in a single order of the grating, and two phases have one intensity; use the order's \
         intensity, or show broader stripes nearer to the camera"
    )]
    Alike,
    /// The search for the phases did not settle.
    #[error(
        "the phases of the sweep did not settle after {steps} steps; record more gray values, or frames with more light"
    )]
    Unsettled {
        /// Steps taken.
        steps: usize,
    },
    /// The frames.
    #[error(transparent)]
    Measure(#[from] MeasureError),
}

pub(super) fn unfit(message: impl Into<String>) -> ResponseError {
    ResponseError::Unfit(message.into())
}
