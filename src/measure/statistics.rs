//! What a frame says of itself: range, saturation, noise.

use ndarray::{Array2, ArrayView2};
use serde::Serialize;

/// Bins of the histogram, from 0 to the largest count of the camera.
pub const BINS: usize = 64;
/// From the median of absolute values to the standard deviation, for normal noise.
const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

/// Figures of one frame, in counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// Smallest count.
    pub min: f64,
    /// Mean count.
    pub mean: f64,
    /// Largest count.
    pub max: f64,
    /// Largest median of 3 x 3 pixels: the bright end without hot pixels.
    pub bright: f64,
    /// Share of pixels at the camera's largest count.
    pub saturated: f64,
    /// Standard deviation of the noise, counts.
    pub noise: f64,
    /// Mean above the dark over noise; a lower bound, as structure from pixel to pixel counts as noise.
    pub signal_to_noise: f64,
    /// Pixels in each of [`BINS`] bins.
    pub histogram: Vec<u32>,
}

impl Statistics {
    /// Figures of `counts` from a camera whose largest count is `top`, `dark` being its mean reading without light.
    pub fn of(counts: ArrayView2<'_, f64>, top: f64, dark: f64) -> Self {
        let pixels = counts.len().max(1) as f64;
        let mean = counts.sum() / pixels;
        let mut histogram = vec![0; BINS];
        let bin = |v: f64| ((v / (top + 1.0) * BINS as f64).max(0.0) as usize).min(BINS - 1);
        counts.iter().for_each(|&v| histogram[bin(v)] += 1);
        let noise = noise(counts);
        Self {
            min: counts.iter().copied().fold(f64::INFINITY, f64::min),
            mean,
            max: counts.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            bright: bright(counts),
            saturated: counts.iter().filter(|&&v| v >= top).count() as f64 / pixels,
            noise,
            signal_to_noise: (mean - dark).max(0.0) / noise,
            histogram,
        }
    }
}

fn bright(counts: ArrayView2<'_, f64>) -> f64 {
    let middle = |window: ArrayView2<'_, f64>| quantile(window.iter().copied().collect(), 0.5);
    match counts.nrows() < 3 || counts.ncols() < 3 {
        true => counts.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        false => counts.windows((3, 3)).into_iter().map(middle).fold(f64::NEG_INFINITY, f64::max),
    }
}

/// Standard deviation of the noise from `[1 -2 1; -2 4 -2; 1 -2 1]`, which planes and parabolas pass without a trace
/// (Immerkaer, Comput. Vis. Image Underst. 64, 300 (1996)), by the median of its absolute value, which edges do not move.
/// At least that of rounding to whole counts.
fn noise(counts: ArrayView2<'_, f64>) -> f64 {
    let weights = [[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]];
    let response = |window: ArrayView2<'_, f64>| {
        window.indexed_iter().map(|((r, c), v)| weights[r][c] * v).sum::<f64>().abs()
    };
    let rounding = (1.0_f64 / 12.0).sqrt();
    if counts.nrows() < 3 || counts.ncols() < 3 {
        return rounding;
    }
    let all = counts.windows((3, 3)).into_iter().map(response).collect();
    (MAD_TO_SIGMA * quantile(all, 0.5) / 6.0).max(rounding)
}

/// The value that a share of all does not exceed; 0 of none.
pub(super) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    let at = (share * values.len().saturating_sub(1) as f64).round() as usize;
    match values.is_empty() {
        true => 0.0,
        false => *values.select_nth_unstable_by(at, f64::total_cmp).1,
    }
}

/// The frame with no side above `side`: blocks replaced by their mean.
pub(super) fn thumbnail(counts: ArrayView2<'_, f64>, side: usize) -> Array2<f32> {
    let block = counts.nrows().max(counts.ncols()).div_ceil(side.max(1)).max(1);
    let shape = [counts.nrows().div_ceil(block), counts.ncols().div_ceil(block)];
    let chunks: Vec<f32> = (0..shape[0] * shape[1])
        .map(|k| {
            let (r, c) = (k / shape[1] * block, k % shape[1] * block);
            let (rows, cols) = ((r + block).min(counts.nrows()), (c + block).min(counts.ncols()));
            let part = counts.slice(ndarray::s![r..rows, c..cols]);
            (part.sum() / part.len() as f64) as f32
        })
        .collect();
    // The vector was made with exactly this shape.
    Array2::from_shape_vec((shape[0], shape[1]), chunks).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn noise_is_found_under_structure() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        // Sum of twelve uniform numbers: variance 1.
        let mut normal = || (0..12).map(|_| f64::from(rng.random::<f32>())).sum::<f64>() - 6.0;
        let counts = Array2::from_shape_fn((120, 150), |(r, c)| {
            let smooth = 800.0 + 500.0 * (0.05 * r as f64).sin() * (0.04 * c as f64).cos();
            (smooth + if r > 60 { 400.0 } else { 0.0 } + 9.0 * normal()).round()
        });
        let s = Statistics::of(counts.view(), 4095.0, 100.0);
        assert!((s.noise / 9.0 - 1.0).abs() < 0.05, "{}", s.noise);
        assert!((s.signal_to_noise - (s.mean - 100.0) / s.noise).abs() < 1e-9);
        assert_eq!(s.histogram.iter().sum::<u32>(), 120 * 150);
        assert_eq!(s.saturated, 0.0);
    }

    #[test]
    fn hot_pixels_do_not_make_the_bright_end() {
        let mut counts = Array2::from_elem((100, 100), 50.0);
        counts[[3, 4]] = 255.0;
        let s = Statistics::of(counts.view(), 255.0, 0.0);
        assert_eq!((s.min, s.max, s.bright, s.saturated), (50.0, 255.0, 50.0, 1e-4));
        assert_eq!(s.histogram[(50.0 / 256.0 * BINS as f64) as usize], 9999);
        assert_eq!(thumbnail(counts.view(), 30).dim(), (25, 25));
        assert_eq!(thumbnail(counts.view(), 30)[[0, 1]], (50.0 + 205.0 / 16.0) as f32);
    }
}
