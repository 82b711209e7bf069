//! Images to input fields.

use super::buffer::{Buffer, Layout, by_lanes};
use super::pixelwise::mean_intensity;
use super::real::{Real, wide};
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
    source: Buffer<T>,
    layout: Layout,
    origin: [usize; 2],
    encoding: Encoding,
    width: usize,
    rows: Vec<Tap<T>>,
    columns: Vec<Tap<T>>,
}

impl<T: Real> Encoder<T> {
    pub(super) fn new(input: &Input, layout: Layout) -> Self {
        Self {
            source: layout.complex(&input.source),
            layout,
            origin: input.origin,
            encoding: input.encoding,
            width: input.image[1],
            rows: taps(input.image[0], input.window[0]),
            columns: taps(input.image[1], input.window[1]),
        }
    }

    /// Numbers of scratch that [`Encoder::encode`] uses.
    pub(super) fn scratch_len(&self) -> usize {
        // Two resampled image rows, and a block of gray values.
        (2 + self.layout.lanes) * self.columns.len()
    }

    /// Writes `U_0` of an image and returns the mean of its intensity.
    pub(super) fn encode(&self, image: &[u8], field: &mut [T], scratch: &mut [T]) -> f64 {
        // Gray value 0 outside the window: no light (amplitude), or the plain source (phase).
        match self.encoding {
            Encoding::Amplitude => field.fill(T::of(0.0)),
            Encoding::Phase { .. } => field.copy_from_slice(&self.source),
        }
        let (layout, width) = (self.layout, self.columns.len());
        let (lines, gray) = scratch.split_at_mut(2 * width);
        let mut lines = Lines { encoder: self, image, lines, held: [usize::MAX; 2] };
        let last = self.origin[0] + self.rows.len();
        for block in self.origin[0] / layout.lanes..last.div_ceil(layout.lanes) {
            gray[..layout.lanes * width].fill(T::of(0.0));
            for lane in 0..layout.lanes {
                let row = block * layout.lanes + lane;
                if let Some(tap) = row.checked_sub(self.origin[0]).and_then(|r| self.rows.get(r)) {
                    lines.mix(*tap, &mut gray[lane * width..(lane + 1) * width]);
                }
            }
            let start = 2 * (block * layout.block_pixels() + self.origin[1] * layout.lanes);
            let pixels = start..start + 2 * layout.lanes * width;
            let (source, field) = (&self.source[pixels.clone()], &mut field[pixels]);
            by_lanes!(layout.lanes, load::<T>(self.encoding, source, gray, width, field));
        }
        mean_intensity(field, layout.rows * layout.cols)
    }
}

wide! {
    /// Source times what the gray values make of it. `gray` is lane after lane, `width` columns each.
    fn load<T: Real, const L: usize>(encoding: Encoding, source: &[T], gray: &[T], width: usize, field: &mut [T]) {
        for (x, (source, field)) in source.chunks_exact(2 * L).zip(field.chunks_exact_mut(2 * L)).enumerate() {
            for l in 0..L {
                let a = gray[l * width + x];
                (field[l], field[L + l]) = match encoding {
                    Encoding::Amplitude => (source[l] * a, source[L + l] * a),
                    Encoding::Phase { range } => {
                        let (c, s) = T::cos_sin(a * T::of(range));
                        (source[l] * c - source[L + l] * s, source[l] * s + source[L + l] * c)
                    }
                };
            }
        }
    }
}

/// The two image rows, resampled along x, that window rows lie between.
struct Lines<'a, T> {
    encoder: &'a Encoder<T>,
    image: &'a [u8],
    lines: &'a mut [T],
    /// Which image rows `lines` holds: row `r` is in half `r % 2`.
    held: [usize; 2],
}

impl<T: Real> Lines<'_, T> {
    /// Gray values of a window row.
    fn mix(&mut self, tap: Tap<T>, out: &mut [T]) {
        let width = out.len();
        self.hold(tap.low);
        self.hold(tap.high);
        let line = |r: usize| &self.lines[r % 2 * width..(r % 2 + 1) * width];
        for ((out, top), bottom) in out.iter_mut().zip(line(tap.low)).zip(line(tap.high)) {
            *out = *top + (*bottom - *top) * tap.weight;
        }
    }

    fn hold(&mut self, row: usize) {
        if self.held[row % 2] == row {
            return;
        }
        self.held[row % 2] = row;
        let e = self.encoder;
        let image = &self.image[row * e.width..(row + 1) * e.width];
        let white = T::of(1.0 / 255.0);
        let gray = |c: usize| T::of(f64::from(image[c])) * white;
        let width = e.columns.len();
        let line = &mut self.lines[row % 2 * width..(row % 2 + 1) * width];
        for (out, tap) in line.iter_mut().zip(&e.columns) {
            *out = gray(tap.low) + (gray(tap.high) - gray(tap.low)) * tap.weight;
        }
    }
}

fn taps<T: Real>(from: usize, to: usize) -> Vec<Tap<T>> {
    let tap = |i: usize| {
        let at = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
        let low = at.floor() as usize;
        Tap { low, high: (low + 1).min(from - 1), weight: T::of(at - low as f64) }
    };
    (0..to).map(tap).collect()
}
