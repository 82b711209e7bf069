//! Similarity of complex fields: amplitude and phase apart.

use ndarray::{Array2, ArrayView2, Zip, s};
use num_complex::Complex64;

use super::ssim::{RADIUS, unit_rms};
use super::{MetricError, Ssim, overlap, same_shape, ssim};

/// The data range of the cosine and of the sine of a phase.
pub const PHASE_RANGE: f64 = 2.0;

/// How alike two complex fields are.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldSimilarity {
    /// `|<a, b>|^2 / (<a, a> <b, b>)`, 0 to 1.
    pub overlap: f64,
    /// Phase of the second field against the first as a whole, `arg <a, b>`, radians.
    pub global_phase: f64,
    /// Structural similarity of the amplitudes; see [`compare_fields`].
    pub amplitude: Ssim,
    /// Structural similarity of the phases; see [`compare_fields`].
    pub phase: Ssim,
}

/// Compares two fields that are known up to one complex factor.
///
/// 1. Amplitudes: each is divided by its own root mean square; the data range is the largest value that then occurs in
///    either. Mean and map as in [`ssim()`].
/// 2. Phases: the global phase `arg <a, b>` is taken from `b`. Phases have no range that does not wrap, so the maps of
///    their cosines and of their sines are computed (data range [`PHASE_RANGE`]) and averaged. The phase of darkness is
///    noise, so the mean is weighted by `|a| |b|`, over the map without a frame of half a window.
///
/// # Errors
/// As [`ssim()`] and [`overlap`]; also fields that are orthogonal (they have no common phase), or without light inside the frame.
pub fn compare_fields(
    a: ArrayView2<'_, Complex64>,
    b: ArrayView2<'_, Complex64>,
) -> Result<FieldSimilarity, MetricError> {
    same_shape("field similarity", a.shape(), b.shape())?;
    let overlap = overlap(a, b)?;
    let inner = Zip::from(a).and(b).fold(Complex64::ZERO, |sum, x, y| sum + x.conj() * y);
    if inner.norm() == 0.0 {
        let what = "the inner product of the fields".to_owned();
        return Err(MetricError::Degenerate { metric: "field similarity", what });
    }
    let common = Complex64::from_polar(1.0, -inner.arg());
    let (phase_a, phase_b) = (a.mapv(Complex64::arg), b.mapv(|v| (v * common).arg()));
    let (size_a, size_b) = (a.mapv(Complex64::norm), b.mapv(Complex64::norm));
    Ok(FieldSimilarity {
        overlap,
        global_phase: inner.arg(),
        amplitude: amplitude(&size_a, &size_b)?,
        phase: phase(&phase_a, &phase_b, &(size_a * size_b))?,
    })
}

fn amplitude(a: &Array2<f64>, b: &Array2<f64>) -> Result<Ssim, MetricError> {
    let (a, b) = (unit_rms(a, "the first field")?, unit_rms(b, "the second field")?);
    let range = a.iter().chain(&b).copied().fold(0.0, f64::max);
    ssim(a.view(), b.view(), range)
}

fn phase(a: &Array2<f64>, b: &Array2<f64>, weight: &Array2<f64>) -> Result<Ssim, MetricError> {
    let part = |of: fn(f64) -> f64| ssim(a.mapv(of).view(), b.mapv(of).view(), PHASE_RANGE);
    let map = (part(f64::cos)?.map + part(f64::sin)?.map) * 0.5;
    let (rows, cols) = map.dim();
    let inside = s![RADIUS..rows - RADIUS, RADIUS..cols - RADIUS];
    let (weight, inner) = (weight.slice(inside), map.slice(inside));
    let total = weight.sum();
    if total > 0.0 {
        let mean = (&inner * &weight).sum() / total;
        Ok(Ssim { mean, map })
    } else {
        Err(MetricError::Degenerate { metric: "phase ssim", what: "a field inside the frame".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounding of a similarity that is exactly 1 on paper.
    const ROUNDING: f64 = 1e-9;

    fn wave(tilt: f64) -> Array2<Complex64> {
        Array2::from_shape_fn((24, 30), |(r, c)| {
            let size = (-((r as f64 - 12.0).powi(2) + (c as f64 - 15.0).powi(2)) / 60.0).exp();
            Complex64::from_polar(size, 0.2 * r as f64 + tilt * c as f64)
        })
    }

    #[test]
    fn one_complex_factor_does_not_count() {
        let a = wave(0.1);
        let got = compare_fields(a.view(), (&a * Complex64::from_polar(0.2, 2.5)).view()).unwrap();
        assert!((got.global_phase - 2.5).abs() < ROUNDING);
        for figure in [got.overlap, got.amplitude.mean, got.phase.mean] {
            assert!((figure - 1.0).abs() < ROUNDING, "{figure}");
        }
    }

    #[test]
    fn a_tilt_is_a_matter_of_phase_alone() {
        let got = compare_fields(wave(0.1).view(), wave(0.4).view()).unwrap();
        assert!((got.amplitude.mean - 1.0).abs() < ROUNDING);
        assert!(got.phase.mean < 0.6 && got.overlap < 0.6, "{} {}", got.phase.mean, got.overlap);
    }

    #[test]
    fn noise_in_the_dark_weighs_little() {
        let a = wave(0.1);
        let mut b = a.clone();
        // Far from the beam, where its amplitude is below 1e-3 of the largest.
        b.indexed_iter_mut().filter(|((r, c), _)| *r < 4 && *c < 8).for_each(|((r, c), v)| {
            *v = Complex64::from_polar(1e-4, (r * 7 + c * 5) as f64);
        });
        let phase = compare_fields(a.view(), b.view()).unwrap().phase;
        assert!(phase.mean > 0.995 && phase.map[[2, 4]] < 0.5, "{} {}", phase.mean, phase.map[[2, 4]]);
    }

    #[test]
    fn fields_without_a_common_phase_are_refused() {
        let even = wave(0.0);
        let odd =
            Array2::from_shape_fn(
                (24, 30),
                |(r, c)| {
                    if (r + c) % 2 == 0 { Complex64::ONE } else { -Complex64::ONE }
                },
            );
        let flat = odd.mapv(|_| Complex64::ONE);
        assert!(matches!(compare_fields(flat.view(), odd.view()), Err(MetricError::Degenerate { .. })));
        assert!(matches!(compare_fields(even.view(), even.t()), Err(MetricError::Shape { .. })));
    }
}
