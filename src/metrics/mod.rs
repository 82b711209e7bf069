//! Figures of merit: image similarity, overlap of fields, agreement of gradients, classification.
//!
//! Everything is computed in `f64` on the host; images and fields are row-major `[rows, cols]`. A figure that is
//! undefined for its input (the correlation of a constant, the overlap with a dark field) is an error, never NaN.

mod classify;
mod field;
mod frame;
#[cfg(test)]
mod golden;
mod image;
mod shift;
mod similarity;
mod ssim;

pub use classify::{Confusion, accuracy};
pub use field::{FieldSimilarity, PHASE_RANGE, compare_fields};
pub use frame::{FrameSimilarity, compare_frames};
pub use image::{energy_ratio, nrmse, pearson, psnr};
pub use shift::{UPSAMPLING, residual_shift};
pub use similarity::{GradientCosine, cosine, gradient_cosine, overlap};
pub use ssim::{K1, K2, SIGMA, Ssim, WINDOW, ssim, ssim_intensity};

/// Why a figure of merit could not be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// The two arrays differ in shape.
    #[error("{metric}: the two arrays must have one shape, not {left:?} and {right:?}")]
    Shape {
        /// The figure asked for.
        metric: &'static str,
        /// Shape of the first array.
        left: Vec<usize>,
        /// Shape of the second array.
        right: Vec<usize>,
    },
    /// Nothing to compute from.
    #[error("{metric}: needs at least one value, got none")]
    Empty {
        /// The figure asked for.
        metric: &'static str,
    },
    /// An image smaller than the window that slides over it.
    #[error(
        "ssim: the image must be at least {window} pixels a side for a {window} x {window} window, not {rows} x {cols}"
    )]
    TooSmall {
        /// Side of the window, pixels.
        window: usize,
        /// Rows of the image.
        rows: usize,
        /// Columns of the image.
        cols: usize,
    },
    /// The data range is not a positive finite number.
    #[error(
        "{metric}: the data range must be positive and finite, not {range}; pass the span of values the images can take"
    )]
    Range {
        /// The figure asked for.
        metric: &'static str,
        /// The range given.
        range: f64,
    },
    /// A norm or variance in the denominator is zero.
    #[error("{metric}: undefined, because {what} is zero everywhere or constant")]
    Degenerate {
        /// The figure asked for.
        metric: &'static str,
        /// The array at fault.
        what: String,
    },
    /// NaN or infinity in an array.
    #[error("{metric}: {what} holds a value that is not finite ({value})")]
    NotFinite {
        /// The figure asked for.
        metric: &'static str,
        /// The array at fault.
        what: &'static str,
        /// The first such value.
        value: f64,
    },
    /// An intensity below zero.
    #[error("{metric}: {what} is an intensity and must not be negative, but holds {value}")]
    Negative {
        /// The figure asked for.
        metric: &'static str,
        /// The array at fault.
        what: &'static str,
        /// The first such value.
        value: f64,
    },
    /// A class number at or above the number of classes.
    #[error("{metric}: class {class} at position {position} does not exist, there are {classes} classes (0 to {})", classes.saturating_sub(1))]
    Class {
        /// The figure asked for.
        metric: &'static str,
        /// The class found.
        class: u8,
        /// Where it was found.
        position: usize,
        /// Number of classes.
        classes: usize,
    },
}

/// Checks that two arrays have one shape and at least one value.
fn same_shape(metric: &'static str, left: &[usize], right: &[usize]) -> Result<(), MetricError> {
    if left != right {
        return Err(MetricError::Shape { metric, left: left.to_vec(), right: right.to_vec() });
    }
    if left.iter().product::<usize>() == 0 {
        return Err(MetricError::Empty { metric });
    }
    Ok(())
}

/// Checks that all values are finite.
fn finite<'a>(
    metric: &'static str,
    what: &'static str,
    values: impl IntoIterator<Item = &'a f64>,
) -> Result<(), MetricError> {
    match values.into_iter().find(|v| !v.is_finite()) {
        Some(&value) => Err(MetricError::NotFinite { metric, what, value }),
        None => Ok(()),
    }
}
