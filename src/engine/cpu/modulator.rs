//! From commanded phases to complex masks: the response of [`Modulator`], once per update.

use ndarray::Array2;
use num_complex::Complex;
use num_traits::Zero;
use rayon::prelude::*;

use super::buffer::{Buffer, Layout, by_lanes};
use super::real::{Real, wide};
use crate::engine::{Affine, Modulator};
use crate::optics::Field;

/// A modulator in the engine's precision.
pub(super) struct Response<T> {
    /// Whether there are amplitudes.
    graded: bool,
    levels: Option<u32>,
    lut: Option<Vec<T>>,
    /// Factors on phases.
    stretch: Option<Buffer<T>>,
    kernel: Vec<T>,
    gain: T,
    leak: T,
    resample: Option<Affine>,
    factor: Option<Buffer<T>>,
}

/// Arrays, row-major, for responses that look at neighbouring pixels.
pub(super) struct Spare<T> {
    phases: Vec<T>,
    smoothed: Vec<T>,
    values: Vec<Complex<T>>,
    carriers: Vec<Complex<T>>,
}

impl<T: Real> Spare<T> {
    /// Scratch for a response; empty where none is used.
    pub(super) fn new(response: &Response<T>, pixels: usize) -> Self {
        let real = if response.looks_around() { pixels } else { 0 };
        let complex = if response.resample.is_some() { pixels } else { 0 };
        let carriers = if response.graded { complex } else { 0 };
        Self {
            phases: vec![T::of(0.0); real],
            smoothed: vec![T::of(0.0); real],
            values: vec![Complex::zero(); complex],
            carriers: vec![Complex::zero(); carriers],
        }
    }

    /// Bytes that [`Spare::new`] would take.
    pub(super) fn bytes(m: &Modulator, pixels: usize) -> usize {
        let real = if m.crosstalk.len() > 1 || m.resample.is_some() { 2 * pixels } else { 0 };
        let arrays = if m.kind.has_amplitude() { 2 } else { 1 };
        let complex = if m.resample.is_some() { arrays * pixels } else { 0 };
        real * size_of::<T>() + complex * size_of::<Complex<T>>()
    }
}

/// The complex mask of a phase modulator with these commands (radians), in `f64`.
pub fn mask(m: &Modulator, commands: &Array2<f32>) -> Field {
    let (rows, cols) = commands.dim();
    let layout = Layout { rows, cols, lanes: 1 };
    let response = Response::<f64>::new(m, layout);
    let mut spare = Spare::new(&response, rows * cols);
    let mut out = Buffer::zeros(2 * layout.pixels());
    let phases: Vec<f32> = commands.iter().copied().collect();
    response.apply(&phases, layout, &mut out, &mut spare);
    layout.field(&out)
}

impl<T: Real> Response<T> {
    pub(super) fn new(m: &Modulator, layout: Layout) -> Self {
        Self {
            graded: m.kind.has_amplitude(),
            levels: m.levels,
            lut: m.lut.as_ref().map(|l| l.iter().map(|&v| T::of(v)).collect()),
            stretch: m.stretch.as_ref().map(|s| layout.real(s)),
            kernel: m.crosstalk.iter().map(|&v| T::of(v)).collect(),
            gain: T::of(m.gain()),
            leak: T::of(m.leak),
            resample: m.resample,
            factor: m.factor.as_ref().map(|f| layout.complex(f)),
        }
    }

    /// Whether a pixel of the mask depends on other pixels' phases.
    fn looks_around(&self) -> bool {
        self.kernel.len() > 1 || self.resample.is_some()
    }

    /// The mask of `phases`, both in the order of `layout`.
    pub(super) fn apply(&self, phases: &[f32], layout: Layout, mask: &mut [T], spare: &mut Spare<T>) {
        let block = layout.block_pixels();
        if self.looks_around() {
            self.smooth(phases, layout, spare);
        }
        let Spare { phases: smooth, values, .. } = spare;
        if self.resample.is_some() {
            values.par_chunks_mut(layout.cols).zip(smooth.par_chunks(layout.cols)).for_each(
                |(values, phases)| {
                    light(phases, self.gain, self.leak, values);
                },
            );
        }
        let one = |(b, (mask, phases)): (usize, (&mut [T], &[f32]))| {
            let rows = b * layout.lanes..((b + 1) * layout.lanes).min(layout.rows);
            match &self.resample {
                Some(affine) => {
                    for (lane, row) in rows.enumerate() {
                        resample(values, layout, affine, row, &mut mask[lane..]);
                    }
                }
                None if self.looks_around() => {
                    // Phases go where the real parts will be.
                    for (lane, row) in rows.enumerate() {
                        for x in 0..layout.cols {
                            mask[x * 2 * layout.lanes + lane] = smooth[row * layout.cols + x];
                        }
                    }
                    by_lanes!(layout.lanes, unit_in_place::<T>(self.gain, self.leak, mask));
                }
                None if self.levels.is_none() && self.lut.is_none() && self.stretch.is_none() => {
                    by_lanes!(layout.lanes, unit::<T>(phases, self.gain, self.leak, mask));
                }
                None => {
                    for (x, phases) in phases.chunks_exact(layout.lanes).enumerate() {
                        for (lane, &phase) in phases.iter().enumerate() {
                            let place = b * block + x * layout.lanes + lane;
                            mask[x * 2 * layout.lanes + lane] = self.respond(T::of(f64::from(phase)), place);
                        }
                    }
                    by_lanes!(layout.lanes, unit_in_place::<T>(self.gain, self.leak, mask));
                }
            }
            if let Some(factor) = &self.factor {
                let part = 2 * b * block..2 * (b + 1) * block;
                super::pixelwise::multiply(layout.lanes, mask, &factor[part]);
            }
            // Masks let nothing through in the dark rows of the last block.
            layout.darken(mask, b);
        };
        mask.par_chunks_mut(2 * block).zip(phases.par_chunks(block)).enumerate().for_each(one);
    }

    /// Mask and carrier of phases and amplitudes, all in the order of `layout`. No carrier is made where it has no room.
    pub(super) fn apply_graded(
        &self,
        [phases, amplitudes]: [&[f32]; 2],
        layout: Layout,
        [mask, carrier]: [&mut [T]; 2],
        spare: &mut Spare<T>,
    ) {
        let (cols, part) = (layout.cols, 2 * layout.block_pixels());
        if self.looks_around() {
            self.smooth(phases, layout, spare);
        }
        let Spare { phases: smooth, values, carriers, .. } = spare;
        let pixel = |row: usize, x: usize| {
            let at = layout.place(row, x);
            let phase = match self.looks_around() {
                true => smooth[row * cols + x],
                false => self.respond(T::of(f64::from(phases[at])), at),
            };
            let (c, s) = T::cos_sin(phase);
            let carrier = Complex::new(self.gain * c, self.gain * s);
            [carrier * self.grade(T::of(f64::from(amplitudes[at]))) + self.leak, carrier]
        };
        if self.resample.is_some() {
            let rows = values.par_chunks_mut(cols).zip(carriers.par_chunks_mut(cols));
            rows.enumerate().for_each(|(row, (values, carriers))| {
                for (x, (value, carrier)) in values.iter_mut().zip(carriers).enumerate() {
                    [*value, *carrier] = pixel(row, x);
                }
            });
        }
        let there = |row: usize, x: usize| match &self.resample {
            Some(affine) => {
                let one = |from| sample(from, [layout.rows, cols], affine, row, x);
                [one(values), one(carriers)]
            }
            None => pixel(row, x),
        };
        // Dark rows of the last block are never written and stay zero.
        let fill = |out: &mut [T], block: usize, which: usize| {
            let first = block * layout.lanes;
            for row in first..(first + layout.lanes).min(layout.rows) {
                for x in 0..cols {
                    let at = x * 2 * layout.lanes + row - first;
                    let v = there(row, x)[which];
                    (out[at], out[at + layout.lanes]) = (v.re, v.im);
                }
            }
            if let Some(factor) = &self.factor {
                super::pixelwise::multiply(layout.lanes, out, &factor[block * part..(block + 1) * part]);
            }
        };
        mask.par_chunks_mut(part).enumerate().for_each(|(block, out)| fill(out, block, 0));
        carrier.par_chunks_mut(part).enumerate().for_each(|(block, out)| fill(out, block, 1));
    }

    /// Amplitude after quantisation.
    fn grade(&self, amplitude: T) -> T {
        let Some(levels) = self.levels else { return amplitude };
        let steps = T::of(f64::from(levels.max(2) - 1));
        (amplitude * steps + T::of(0.5)).floor() / steps
    }

    /// Phases after look-up table, factors and cross-talk, row-major, in `spare.phases`.
    fn smooth(&self, phases: &[f32], layout: Layout, spare: &mut Spare<T>) {
        let Spare { phases: out, smoothed, .. } = spare;
        let cols = layout.cols;
        let respond = |(row, out): (usize, &mut [T])| respond_row(self, phases, layout, row, out);
        out.par_chunks_mut(cols).enumerate().for_each(respond);
        if self.kernel.len() > 1 {
            let along = |(to, from): (&mut [T], &[T])| self.along(from, to);
            smoothed.par_chunks_mut(cols).zip(out.par_chunks(cols)).for_each(along);
            let across = |(row, to): (usize, &mut [T])| self.across(smoothed, cols, row, to);
            out.par_chunks_mut(cols).enumerate().for_each(across);
        }
    }

    /// Cross-talk within a row, border repeated.
    fn along(&self, from: &[T], to: &mut [T]) {
        let last = from.len() - 1;
        for (x, to) in to.iter_mut().enumerate() {
            *to = self.kernel[0] * from[x];
            for (r, &w) in self.kernel.iter().enumerate().skip(1) {
                *to += w * (from[x.saturating_sub(r)] + from[(x + r).min(last)]);
            }
        }
    }

    /// Cross-talk between rows, border repeated.
    fn across(&self, from: &[T], cols: usize, row: usize, to: &mut [T]) {
        let last = from.len() / cols - 1;
        let line = |r: usize| &from[r * cols..(r + 1) * cols];
        for (to, from) in to.iter_mut().zip(line(row)) {
            *to = self.kernel[0] * *from;
        }
        for (r, &w) in self.kernel.iter().enumerate().skip(1) {
            let (above, below) = (line(row.saturating_sub(r)), line((row + r).min(last)));
            for ((to, a), b) in to.iter_mut().zip(above).zip(below) {
                *to += w * (*a + *b);
            }
        }
    }

    /// Commanded phase -> quantisation -> look-up table -> factor of the pixel at a place in the engine's order.
    #[inline(always)]
    fn respond(&self, phase: T, place: usize) -> T {
        let even = self.even(phase);
        self.stretch.as_ref().map_or(even, |s| even * s[place])
    }

    /// The response that all pixels have in common.
    #[inline(always)]
    fn even(&self, phase: T) -> T {
        let tau = T::TAU();
        let mut turns = phase / tau;
        turns = turns - turns.floor();
        if let Some(levels) = self.levels {
            let n = T::of(f64::from(levels));
            let level = (turns * n + T::of(0.5)).floor();
            turns = if level >= n { T::of(0.0) } else { level / n };
        }
        let Some(lut) = &self.lut else { return turns * tau };
        let at = turns * T::of((lut.len() - 1) as f64);
        let k = (at.floor().wide() as usize).min(lut.len() - 2);
        let t = at - T::of(k as f64);
        lut[k] + (lut[k + 1] - lut[k]) * t
    }
}

wide! {
    /// `gain exp(i phase) + leak` of row-major phases.
    fn light<T: Real>(phases: &[T], gain: T, leak: T, values: &mut [Complex<T>]) {
        for (v, phase) in values.iter_mut().zip(phases) {
            let (c, s) = T::cos_sin(*phase);
            *v = Complex::new(gain * c + leak, gain * s);
        }
    }
}

wide! {
    /// `gain exp(i phase) + leak`.
    fn unit<T: Real, const L: usize>(phases: &[f32], gain: T, leak: T, mask: &mut [T]) {
        for (m, phases) in mask.chunks_exact_mut(2 * L).zip(phases.chunks_exact(L)) {
            for l in 0..L {
                let (c, s) = T::cos_sin(T::of(f64::from(phases[l])));
                m[l] = gain * c + leak;
                m[L + l] = gain * s;
            }
        }
    }
}

wide! {
    /// The same of phases that are where the real parts will be.
    fn unit_in_place<T: Real, const L: usize>(gain: T, leak: T, mask: &mut [T]) {
        for m in mask.chunks_exact_mut(2 * L) {
            for l in 0..L {
                let (c, s) = T::cos_sin(m[l]);
                m[l] = gain * c + leak;
                m[L + l] = gain * s;
            }
        }
    }
}

wide! {
    /// Phases of a row after quantisation, look-up table and factors. (Rounding down is a call without the wider instructions.)
    fn respond_row<T: Real>(response: &Response<T>, phases: &[f32], layout: Layout, row: usize, out: &mut [T]) {
        for (x, out) in out.iter_mut().enumerate() {
            let place = layout.place(row, x);
            *out = response.respond(T::of(f64::from(phases[place])), place);
        }
    }
}

wide! {
    /// A row of the resampled mask; `lane` is the mask's block from the row's lane on.
    fn resample<T: Real>(values: &[Complex<T>], layout: Layout, affine: &Affine, row: usize, lane: &mut [T]) {
        for x in 0..layout.cols {
            let v = sample(values, [layout.rows, layout.cols], affine, row, x);
            let at = x * 2 * layout.lanes;
            (lane[at], lane[at + layout.lanes]) = (v.re, v.im);
        }
    }
}

/// Bilinear sample at the affine position of a pixel, zero outside.
#[inline(always)]
fn sample<T: Real>(
    from: &[Complex<T>],
    [rows, cols]: [usize; 2],
    a: &Affine,
    r: usize,
    c: usize,
) -> Complex<T> {
    let at = |r: isize, c: isize| {
        let inside = r >= 0 && c >= 0 && (r as usize) < rows && (c as usize) < cols;
        if inside { from[r as usize * cols + c as usize] } else { Complex::zero() }
    };
    let (m, t) = (a.matrix.map(|row| row.map(T::of)), a.offset.map(T::of));
    let (rf, cf) = (T::of(r as f64), T::of(c as f64));
    let y = m[0][0] * rf + m[0][1] * cf + t[0];
    let x = m[1][0] * rf + m[1][1] * cf + t[1];
    let (y0, x0) = (y.floor(), x.floor());
    let (wy, wx) = (y - y0, x - x0);
    let (i, j) = (y0.wide() as isize, x0.wide() as isize);
    let one = T::of(1.0);
    (at(i, j) * (one - wx) + at(i, j + 1) * wx) * (one - wy)
        + (at(i + 1, j) * (one - wx) + at(i + 1, j + 1) * wx) * wy
}
