//! Pixelwise comparison of two images.

use ndarray::{ArrayView2, Zip};

use super::{MetricError, finite, same_shape};

/// Peak signal-to-noise ratio `10 log10(range^2 / mse)`, dB; infinite for equal images.
///
/// # Errors
/// Different shapes, no pixel, a value that is not finite, a range that is not positive.
pub fn psnr(
    reference: ArrayView2<'_, f64>,
    image: ArrayView2<'_, f64>,
    data_range: f64,
) -> Result<f64, MetricError> {
    check("psnr", reference, image)?;
    if !(data_range.is_finite() && data_range > 0.0) {
        return Err(MetricError::Range { metric: "psnr", range: data_range });
    }
    let mse = squared_distance(reference, image) / reference.len() as f64;
    Ok(10.0 * (data_range * data_range / mse).log10())
}

/// Root-mean-square error relative to the reference's root mean square: `|image - reference| / |reference|`.
///
/// # Errors
/// Different shapes, no pixel, a value that is not finite, a reference of zeros.
pub fn nrmse(reference: ArrayView2<'_, f64>, image: ArrayView2<'_, f64>) -> Result<f64, MetricError> {
    check("nrmse", reference, image)?;
    let norm: f64 = reference.iter().map(|v| v * v).sum();
    if norm == 0.0 {
        return Err(MetricError::Degenerate { metric: "nrmse", what: "the reference".to_owned() });
    }
    Ok((squared_distance(reference, image) / norm).sqrt())
}

/// Pearson correlation of the pixels, -1 to 1.
///
/// # Errors
/// Different shapes, no pixel, a value that is not finite, an image that is constant.
pub fn pearson(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Result<f64, MetricError> {
    check("pearson", a, b)?;
    let count = a.len() as f64;
    let (mean_a, mean_b) = (a.sum() / count, b.sum() / count);
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    Zip::from(a).and(b).for_each(|&x, &y| {
        let (x, y) = (x - mean_a, y - mean_b);
        aa += x * x;
        bb += y * y;
        ab += x * y;
    });
    for (sum, what) in [(aa, "the first image"), (bb, "the second image")] {
        if sum == 0.0 {
            return Err(MetricError::Degenerate { metric: "pearson", what: what.to_owned() });
        }
    }
    Ok(ab / (aa.sqrt() * bb.sqrt()))
}

/// Energy of an intensity image relative to that of the reference: `sum(image) / sum(reference)`.
///
/// # Errors
/// Different shapes, no pixel, a value that is not finite, a reference whose sum is zero.
pub fn energy_ratio(reference: ArrayView2<'_, f64>, image: ArrayView2<'_, f64>) -> Result<f64, MetricError> {
    check("energy ratio", reference, image)?;
    let total = reference.sum();
    if total == 0.0 {
        return Err(MetricError::Degenerate { metric: "energy ratio", what: "the reference".to_owned() });
    }
    Ok(image.sum() / total)
}

/// The checks all figures here share.
fn check(metric: &'static str, a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Result<(), MetricError> {
    same_shape(metric, a.shape(), b.shape())?;
    finite(metric, "the first image", a)?;
    finite(metric, "the second image", b)
}

/// `sum (a - b)^2`.
fn squared_distance(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> f64 {
    Zip::from(a).and(b).fold(0.0, |sum, x, y| sum + (x - y).powi(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    /// A few roundings on numbers of order one.
    const ROUNDING: f64 = 1e-12;

    #[test]
    fn psnr_of_a_known_error() {
        let a = Array2::<f64>::zeros((4, 5));
        let b = Array2::from_elem((4, 5), 0.1);
        assert!((psnr(a.view(), b.view(), 1.0).expect("valid") - 20.0).abs() < ROUNDING);
        assert_eq!(psnr(a.view(), a.view(), 1.0), Ok(f64::INFINITY));
    }

    #[test]
    fn nrmse_is_relative_to_the_reference() {
        let a = array![[3.0, 4.0]];
        let b = array![[3.0, 5.0]];
        assert!((nrmse(a.view(), b.view()).expect("valid") - 0.2).abs() < ROUNDING);
        let zero = array![[0.0, 0.0]];
        assert!(matches!(nrmse(zero.view(), b.view()), Err(MetricError::Degenerate { .. })));
    }

    #[test]
    fn pearson_ignores_gain_and_offset_but_not_sign() {
        let a = array![[1.0, 2.0, 4.0], [0.5, -3.0, 7.0]];
        let b = a.mapv(|v| 5.0 - 2.0 * v);
        assert!((pearson(a.view(), b.view()).expect("valid") + 1.0).abs() < ROUNDING);
        let flat = Array2::ones((2, 3));
        assert!(matches!(pearson(a.view(), flat.view()), Err(MetricError::Degenerate { .. })));
        let orthogonal = (array![[1.0, -1.0, 1.0, -1.0]], array![[1.0, 1.0, -1.0, -1.0]]);
        assert!(pearson(orthogonal.0.view(), orthogonal.1.view()).expect("valid").abs() < ROUNDING);
    }

    #[test]
    fn energy_ratio_is_image_over_reference() {
        let a = array![[1.0, 3.0]];
        let b = array![[1.0, 0.0]];
        assert_eq!(energy_ratio(a.view(), b.view()), Ok(0.25));
    }

    #[test]
    fn nan_and_shapes_are_refused() {
        let a = array![[1.0, f64::NAN]];
        let b = array![[1.0, 2.0]];
        assert!(matches!(nrmse(b.view(), a.view()), Err(MetricError::NotFinite { .. })));
        assert!(matches!(nrmse(b.view(), b.t()), Err(MetricError::Shape { .. })));
        let none = Array2::<f64>::zeros((0, 3));
        assert_eq!(pearson(none.view(), none.view()), Err(MetricError::Empty { metric: "pearson" }));
    }
}
