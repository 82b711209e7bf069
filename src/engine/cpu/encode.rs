//! Images to input fields.

use num_complex::Complex;
use num_traits::Zero;

use super::real::Real;
use crate::engine::{Encoding, Input};

/// One bilinear tap pair: `low + (high - low) * weight`.
#[derive(Clone, Copy)]
struct Tap<T> {
    low: usize,
    high: usize,
    weight: T,
}

/// [`Input`] with its interpolation tables.
pub(super) struct Encoder<T> {
    source: Vec<Complex<T>>,
    cols: usize,
    origin: [usize; 2],
    encoding: Encoding,
    width: usize,
    rows: Vec<Tap<T>>,
    columns: Vec<Tap<T>>,
}

impl<T: Real> Encoder<T> {
    pub(super) fn new(input: &Input) -> Self {
        Self {
            source: super::convert(&input.source),
            cols: input.source.ncols(),
            origin: input.origin,
            encoding: input.encoding,
            width: input.image[1],
            rows: taps(input.image[0], input.window[0]),
            columns: taps(input.image[1], input.window[1]),
        }
    }

    /// Writes `U_0` of an image and returns the mean of its intensity.
    pub(super) fn encode(&self, image: &[u8], field: &mut [Complex<T>]) -> f64 {
        let dark = match self.encoding {
            Encoding::Amplitude => false,
            Encoding::Phase { .. } => true,
        };
        // Gray value 0 outside the window: no light (amplitude), or the plain source (phase).
        if dark {
            field.copy_from_slice(&self.source)
        } else {
            field.fill(Complex::zero())
        }
        let white = T::of(1.0 / 255.0);
        let gray = |r: usize, c: usize| T::of(f64::from(image[r * self.width + c])) * white;
        for (dy, row) in self.rows.iter().enumerate() {
            let start = (self.origin[0] + dy) * self.cols + self.origin[1];
            for (dx, col) in self.columns.iter().enumerate() {
                let mix = |r: usize| gray(r, col.low) + (gray(r, col.high) - gray(r, col.low)) * col.weight;
                let (top, bottom) = (mix(row.low), mix(row.high));
                let a = top + (bottom - top) * row.weight;
                let pixel = start + dx;
                field[pixel] = match self.encoding {
                    Encoding::Amplitude => self.source[pixel] * a,
                    Encoding::Phase { range } => {
                        let (c, s) = T::cos_sin(a * T::of(range));
                        self.source[pixel] * Complex::new(c, s)
                    }
                };
            }
        }
        mean_intensity(field)
    }
}

/// Mean of `|u|^2`, summed in `f64`.
pub(super) fn mean_intensity<T: Real>(field: &[Complex<T>]) -> f64 {
    let per_row = |part: &[Complex<T>]| part.iter().map(|u| u.norm_sqr()).sum::<T>().wide();
    field.chunks(256).map(per_row).sum::<f64>() / field.len() as f64
}

fn taps<T: Real>(from: usize, to: usize) -> Vec<Tap<T>> {
    let tap = |i: usize| {
        let at = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
        let low = at.floor() as usize;
        Tap { low, high: (low + 1).min(from - 1), weight: T::of(at - low as f64) }
    };
    (0..to).map(tap).collect()
}
