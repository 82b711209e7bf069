//! Structural similarity (Wang, Bovik, Sheikh & Simoncelli, IEEE Trans. Image Process. 13, 600 (2004), eq. 13).
//!
//! ```text
//! SSIM = (2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sx^2 + sy^2 + C2))
//! C1 = (K1 L)^2, C2 = (K2 L)^2, L = data range
//! ```
//!
//! Means, variances and covariance are weighted by a Gaussian window; variances are those of the population (no
//! `n / (n - 1)`). Borders are mirrored at the edge of the outermost pixel for the map, and the mean leaves out the
//! frame of half a window where that mirroring matters. This is what scikit-image computes with
//! `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`.

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip, s};

use super::{MetricError, finite, same_shape};

/// Standard deviation of the window, pixels.
pub const SIGMA: f64 = 1.5;
/// The window is cut at this many standard deviations.
const TRUNCATE: f64 = 3.5;
/// Pixels on either side of the window's centre.
pub(super) const RADIUS: usize = (TRUNCATE * SIGMA + 0.5) as usize;
/// Side of the window, pixels.
pub const WINDOW: usize = 2 * RADIUS + 1;
/// Stabiliser of the luminance term.
pub const K1: f64 = 0.01;
/// Stabiliser of the contrast and structure term.
pub const K2: f64 = 0.03;

/// Structural similarity of two images.
#[derive(Clone, Debug, PartialEq)]
pub struct Ssim {
    /// Mean over the map without a frame of half a window (5 pixels); 1 for equal images.
    pub mean: f64,
    /// Similarity around every pixel, same shape as the images.
    pub map: Array2<f64>,
}

/// Structural similarity of `a` and `b`, whose values can span `data_range` (255 for 8-bit images).
///
/// # Errors
/// Different shapes, images below 11 x 11 pixels, values that are not finite, a range that is not positive.
pub fn ssim(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, data_range: f64) -> Result<Ssim, MetricError> {
    same_shape("ssim", a.shape(), b.shape())?;
    let (rows, cols) = a.dim();
    if rows.min(cols) < WINDOW {
        return Err(MetricError::TooSmall { window: WINDOW, rows, cols });
    }
    if !(data_range.is_finite() && data_range > 0.0) {
        return Err(MetricError::Range { metric: "ssim", range: data_range });
    }
    finite("ssim", "the first image", a)?;
    finite("ssim", "the second image", b)?;
    let map = similarity_map(a, b, data_range);
    let mean = map.slice(s![RADIUS..rows - RADIUS, RADIUS..cols - RADIUS]).mean().unwrap_or(f64::NAN);
    Ok(Ssim { mean, map })
}

/// Structural similarity of two intensity images of unknown scale.
///
/// 1. Each image is divided by its own mean, so that both carry the same energy: a brighter lamp, a longer exposure or
///    a lossy element does not count as a difference, a different distribution of light does.
/// 2. The data range is the largest value that then occurs in either image (the smallest possible one is 0).
///
/// Both steps treat the images alike, so the result does not depend on their order.
///
/// # Errors
/// As [`ssim`]; also a negative value or an image without any light.
pub fn ssim_intensity(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Result<Ssim, MetricError> {
    same_shape("ssim", a.shape(), b.shape())?;
    let a = unit_mean(a, "the first image")?;
    let b = unit_mean(b, "the second image")?;
    let range = a.iter().chain(&b).copied().fold(0.0, f64::max);
    ssim(a.view(), b.view(), range)
}

/// The image divided by its mean.
fn unit_mean(image: ArrayView2<'_, f64>, what: &'static str) -> Result<Array2<f64>, MetricError> {
    finite("ssim", what, image)?;
    if let Some(&value) = image.iter().find(|v| **v < 0.0) {
        return Err(MetricError::Negative { metric: "ssim", what, value });
    }
    let mean = image.sum() / image.len() as f64;
    if mean > 0.0 {
        Ok(image.mapv(|v| v / mean))
    } else {
        Err(MetricError::Degenerate { metric: "ssim", what: what.to_owned() })
    }
}

/// The amplitude divided by its root mean square.
pub(super) fn unit_rms(image: &Array2<f64>, what: &'static str) -> Result<Array2<f64>, MetricError> {
    finite("ssim", what, image)?;
    let rms = (image.iter().map(|v| v * v).sum::<f64>() / image.len() as f64).sqrt();
    if rms > 0.0 {
        Ok(image.mapv(|v| v / rms))
    } else {
        Err(MetricError::Degenerate { metric: "ssim", what: what.to_owned() })
    }
}

/// The local similarity around every pixel.
fn similarity_map(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, data_range: f64) -> Array2<f64> {
    let kernel = gaussian();
    let blur = |image: Array2<f64>| blur_axis(&blur_axis(&image, &kernel, Axis(0)), &kernel, Axis(1));
    let mean_a = blur(a.to_owned());
    let mean_b = blur(b.to_owned());
    let square_a = blur(&a * &a);
    let square_b = blur(&b * &b);
    let product = blur(&a * &b);
    let (c1, c2) = ((K1 * data_range).powi(2), (K2 * data_range).powi(2));

    let mut map = product;
    Zip::from(&mut map).and(&mean_a).and(&mean_b).and(&square_a).and(&square_b).for_each(
        |value, &ma, &mb, &saa, &sbb| {
            let (var_a, var_b, covariance) = (saa - ma * ma, sbb - mb * mb, *value - ma * mb);
            *value = (2.0 * ma * mb + c1) * (2.0 * covariance + c2)
                / ((ma * ma + mb * mb + c1) * (var_a + var_b + c2));
        },
    );
    map
}

/// The window along one axis, sum 1.
fn gaussian() -> [f64; WINDOW] {
    let weight = |i: usize| (-0.5 * ((i as f64 - RADIUS as f64) / SIGMA).powi(2)).exp();
    let kernel: [f64; WINDOW] = std::array::from_fn(weight);
    let sum: f64 = kernel.iter().sum();
    kernel.map(|w| w / sum)
}

/// Correlates every lane along `axis` with the kernel; beyond the ends the lane is mirrored (`b a | a b c`).
fn blur_axis(image: &Array2<f64>, kernel: &[f64; WINDOW], axis: Axis) -> Array2<f64> {
    let mut out = Array2::zeros(image.raw_dim());
    let length = image.len_of(axis);
    let mut padded = Array1::zeros(length + 2 * RADIUS);
    Zip::from(image.lanes(axis)).and(out.lanes_mut(axis)).for_each(|lane, mut target| {
        for (i, value) in padded.iter_mut().enumerate() {
            *value = lane[mirror(i as isize - RADIUS as isize, length)];
        }
        for (window, value) in padded.windows(WINDOW).into_iter().zip(target.iter_mut()) {
            *value = window.iter().zip(kernel).map(|(v, w)| v * w).sum();
        }
    });
    out
}

/// The pixel seen at position `i` of a mirrored lane; `length` exceeds the kernel's radius, so one fold is enough.
fn mirror(i: isize, length: usize) -> usize {
    let length = length as isize;
    let folded = if i < 0 {
        -i - 1
    } else if i >= length {
        2 * length - 1 - i
    } else {
        i
    };
    folded as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    /// Two programs that evaluate the same formula in `f64`; libm and the order of sums differ in the last digits.
    const GOLDEN_TOLERANCE: f64 = 1e-9;
    /// Rounding of a similarity that is exactly 1 on paper.
    const ROUNDING: f64 = 1e-12;

    /// One pair of images compared by scikit-image; see `tests/golden/README.md`.
    #[derive(Deserialize)]
    struct Golden {
        name: String,
        rows: usize,
        cols: usize,
        data_range: f64,
        mean: f64,
        map: Vec<(usize, usize, f64)>,
    }

    /// The formula of `tests/golden/make_ssim.py`.
    fn pair(rows: usize, cols: usize) -> (Array2<f64>, Array2<f64>) {
        let a = Array2::from_shape_fn((rows, cols), |(r, c)| {
            let (r, c) = (r as f64, c as f64);
            2.0 + (0.31 * r + 0.017 * r * c).sin() + 0.5 * (0.23 * c).cos()
        });
        let b = Array2::from_shape_fn((rows, cols), |(r, c)| {
            let (y, x) = (r as f64, c as f64);
            0.8 * a[(r, c)] + 0.3 * (0.7 * x - 0.4 * y).sin() + 0.1 * ((r * 7 + c * 13) % 5) as f64
        });
        (a, b)
    }

    #[test]
    fn equals_scikit_image() {
        let text = include_str!("../../tests/golden/ssim.json");
        let cases: Vec<Golden> = serde_json::from_str(text).expect("golden file");
        assert!(cases.len() >= 3);
        for case in cases {
            let (a, b) = pair(case.rows, case.cols);
            let got = if case.name == "intensity" {
                ssim_intensity(a.view(), b.view())
            } else {
                ssim(a.view(), b.view(), case.data_range)
            }
            .expect("valid images");
            assert!(
                (got.mean - case.mean).abs() < GOLDEN_TOLERANCE,
                "{}: {} {}",
                case.name,
                got.mean,
                case.mean
            );
            for (r, c, want) in case.map {
                let have = got.map[(r, c)];
                assert!((have - want).abs() < GOLDEN_TOLERANCE, "{} ({r}, {c}): {have} {want}", case.name);
            }
        }
    }

    #[test]
    fn equal_images_score_one_and_different_ones_less() {
        let (a, b) = pair(20, 30);
        let same = ssim(a.view(), a.view(), 4.0).expect("valid images");
        assert!((same.mean - 1.0).abs() < ROUNDING);
        assert!(ssim(a.view(), b.view(), 4.0).expect("valid images").mean < 0.99);
    }

    #[test]
    fn intensity_forgets_scale_and_order() {
        let (a, b) = pair(24, 17);
        let forward = ssim_intensity(a.view(), b.view()).expect("valid images").mean;
        let scaled = ssim_intensity((&a * 37.0).view(), b.view()).expect("valid images").mean;
        let swapped = ssim_intensity(b.view(), a.view()).expect("valid images").mean;
        assert!((forward - scaled).abs() < ROUNDING && (forward - swapped).abs() < ROUNDING);
        assert!(forward < 0.99);
    }

    #[test]
    fn bad_input_is_named() {
        let (a, b) = pair(12, 12);
        let small = Array2::<f64>::ones((10, 30));
        let view = small.view();
        assert_eq!(ssim(view, view, 1.0), Err(MetricError::TooSmall { window: 11, rows: 10, cols: 30 }));
        assert!(matches!(ssim(a.view(), b.view(), 0.0), Err(MetricError::Range { .. })));
        assert!(matches!(ssim(a.view(), view, 1.0), Err(MetricError::Shape { .. })));
        let dark = Array2::<f64>::zeros((12, 12));
        assert!(matches!(ssim_intensity(a.view(), dark.view()), Err(MetricError::Degenerate { .. })));
        assert!(matches!(ssim_intensity((-&a).view(), b.view()), Err(MetricError::Negative { .. })));
    }
}
