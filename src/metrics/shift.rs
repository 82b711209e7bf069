//! Displacement of one image against another, to a fraction of a pixel.

use std::f64::consts::TAU;

use ndarray::{Array2, ArrayView2};
use num_complex::Complex64;

use super::{MetricError, finite, same_shape};
use crate::optics::dft;

/// Steps a pixel in which the displacement is searched.
pub const UPSAMPLING: usize = 100;

/// How far `image` is displaced against `reference`, `[along rows, along columns]`, pixels, in steps of
/// `1 /` [`UPSAMPLING`]: positive where features of the image have larger row (column) numbers.
///
/// The peak of the cross-correlation, first to a pixel by a transform of the whole image, then by a matrix-multiplied
/// transform of the 1.5 pixels around it (Guizar-Sicairos, Thurman & Fienup, Opt. Lett. 33, 156 (2008)). It is minus what
/// scikit-image's `phase_cross_correlation(reference, image, upsample_factor=100, normalization=None)` returns. Images are
/// taken as periodic.
///
/// # Errors
/// Different shapes, no pixel, values that are not finite, an image that is constant (nothing to register).
pub fn residual_shift(
    reference: ArrayView2<'_, f64>,
    image: ArrayView2<'_, f64>,
) -> Result<[f64; 2], MetricError> {
    same_shape("residual shift", reference.shape(), image.shape())?;
    for (view, what) in [(reference, "the first image"), (image, "the second image")] {
        finite("residual shift", what, view)?;
        if view.iter().all(|v| *v == view[[0, 0]]) {
            return Err(MetricError::Degenerate { metric: "residual shift", what: what.to_owned() });
        }
    }
    let (rows, cols) = reference.dim();
    let mut product = spectrum(reference);
    product.zip_mut_with(&spectrum(image), |a, b| *a *= b.conj());

    // 1. To a pixel. The largest absolute value, as of a correlation of either sign.
    let mut correlation = product.clone();
    dft(&mut correlation, true);
    let (peak, _) = largest(&correlation);
    let signed = |i: usize, n: usize| if i > n / 2 { i as f64 - n as f64 } else { i as f64 };
    let coarse = [signed(peak[0], rows), signed(peak[1], cols)];

    // 2. To a fraction of it.
    let side = (1.5 * UPSAMPLING as f64).ceil() as usize;
    let (near, _) = largest(&upsampled(&product, coarse, side));
    let fine = |k: usize| coarse[k] + (near[k] as f64 - (side / 2) as f64) / UPSAMPLING as f64;
    Ok([-fine(0), -fine(1)])
}

/// The correlation in `side x side` points around `centre`, `1 / UPSAMPLING` pixels apart.
fn upsampled(product: &Array2<Complex64>, centre: [f64; 2], side: usize) -> Array2<Complex64> {
    let (rows, cols) = product.dim();
    let at = |k: usize, i: usize| centre[k] + (i as f64 - (side / 2) as f64) / UPSAMPLING as f64;
    let wave = |k: usize, length: usize, i: usize, f: usize| {
        let frequency = if 2 * f < length { f as f64 } else { f as f64 - length as f64 };
        Complex64::from_polar(1.0, TAU * (frequency / length as f64 * at(k, i)).fract())
    };
    let across = Array2::from_shape_fn((cols, side), |(f, j)| wave(1, cols, j, f));
    let down = Array2::from_shape_fn((side, rows), |(i, f)| wave(0, rows, i, f));
    down.dot(&product.dot(&across))
}

/// Place and absolute value of the largest entry; of equal ones the first.
fn largest(values: &Array2<Complex64>) -> ([usize; 2], f64) {
    values.indexed_iter().fold(([0, 0], -1.0), |best, ((r, c), v)| {
        let size = v.norm();
        if size > best.1 { ([r, c], size) } else { best }
    })
}

fn spectrum(image: ArrayView2<'_, f64>) -> Array2<Complex64> {
    let mut out = image.mapv(|v| Complex64::new(v, 0.0));
    dft(&mut out, false);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A spot of 3 pixels around `(y, x)`.
    fn spot(y: f64, x: f64) -> Array2<f64> {
        Array2::from_shape_fn((40, 31), |(r, c)| {
            (-((r as f64 - y).powi(2) + (c as f64 - x).powi(2)) / 18.0).exp()
        })
    }

    #[test]
    fn the_sign_is_that_of_growing_row_and_column_numbers() {
        let reference = spot(20.0, 15.0);
        let shift = |y: f64, x: f64| residual_shift(reference.view(), spot(y, x).view()).unwrap();
        assert_eq!(shift(20.0, 15.0), [0.0, 0.0]);
        for (got, want) in [(shift(22.4, 11.8), [2.4, -3.2]), (shift(17.63, 15.01), [-2.37, 0.01])] {
            // Half a step of the search.
            assert!((0..2).all(|k| (got[k] - want[k]).abs() <= 0.5 / UPSAMPLING as f64 + 1e-9), "{got:?}");
        }
    }

    #[test]
    fn what_cannot_be_registered_is_refused() {
        let flat = Array2::from_elem((40, 31), 2.0);
        let error = residual_shift(flat.view(), spot(1.0, 1.0).view()).unwrap_err().to_string();
        assert!(error.contains("residual shift") && error.contains("the first image"), "{error}");
        assert!(residual_shift(flat.view(), flat.t()).is_err());
    }
}
