//! From commanded phases to complex masks: the response of [`Modulator`], once per update.

use num_complex::Complex;
use num_traits::Zero;

use super::real::{Real, wide};
use crate::engine::{Affine, Modulator};

/// A modulator in the engine's precision.
pub(super) struct Response<T> {
    levels: Option<u32>,
    lut: Option<Vec<T>>,
    kernel: Vec<T>,
    gain: T,
    leak: T,
    resample: Option<Affine>,
    factor: Option<Vec<Complex<T>>>,
}

impl<T: Real> Response<T> {
    pub(super) fn new(m: &Modulator) -> Self {
        Self {
            levels: m.levels,
            lut: m.lut.as_ref().map(|l| l.iter().map(|&v| T::of(v)).collect()),
            kernel: m.crosstalk.iter().map(|&v| T::of(v)).collect(),
            gain: T::of((1.0 - m.leak * m.leak).max(0.0).sqrt()),
            leak: T::of(m.leak),
            resample: m.resample,
            factor: m.factor.as_ref().map(|f| super::convert(f)),
        }
    }

    /// Whether the chain needs a second buffer (neighbourhoods are read).
    fn plain(&self) -> bool {
        self.levels.is_none() && self.lut.is_none() && self.kernel.len() < 2 && self.resample.is_none()
    }

    /// The mask of `phases` (`rows x cols`). `spare` is scratch of the same length as `mask`.
    pub(super) fn apply(
        &self,
        phases: &[f32],
        [rows, cols]: [usize; 2],
        mask: &mut [Complex<T>],
        spare: &mut [Complex<T>],
    ) {
        if self.plain() {
            unit(phases, self.gain, self.leak, mask);
        } else {
            for (m, &phi) in mask.iter_mut().zip(phases) {
                m.re = self.respond(T::of(f64::from(phi)));
            }
            if self.kernel.len() > 1 {
                self.crosstalk(mask, spare, rows, cols);
            }
            for m in mask.iter_mut() {
                let (c, s) = T::cos_sin(m.re);
                *m = Complex::new(self.gain * c + self.leak, self.gain * s);
            }
            if let Some(affine) = &self.resample {
                spare.copy_from_slice(mask);
                resample(spare, [rows, cols], affine, mask);
            }
        }
        if let Some(factor) = &self.factor {
            super::pixelwise::multiply(mask, factor);
        }
    }

    /// Commanded phase -> quantisation -> look-up table.
    fn respond(&self, phase: T) -> T {
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

    /// Separable smoothing of the phase (kept in the real part), rows then columns, border repeated.
    fn crosstalk(&self, mask: &mut [Complex<T>], spare: &mut [Complex<T>], rows: usize, cols: usize) {
        let convolve = |get: &dyn Fn(isize) -> T, i: usize, n: usize| {
            let clamp = |k: isize| k.clamp(0, n as isize - 1);
            let mut sum = self.kernel[0] * get(i as isize);
            for (r, &w) in self.kernel.iter().enumerate().skip(1) {
                sum += w * (get(clamp(i as isize - r as isize)) + get(clamp(i as isize + r as isize)));
            }
            sum
        };
        for y in 0..rows {
            for x in 0..cols {
                spare[y * cols + x].re = convolve(&|k| mask[y * cols + k as usize].re, x, cols);
            }
        }
        for y in 0..rows {
            for x in 0..cols {
                mask[y * cols + x].re = convolve(&|k| spare[k as usize * cols + x].re, y, rows);
            }
        }
    }
}

wide! {
    /// `gain exp(i phase) + leak`.
    fn unit<T: Real>(phases: &[f32], gain: T, leak: T, mask: &mut [Complex<T>]) {
        for (m, &phi) in mask.iter_mut().zip(phases) {
            let (c, s) = T::cos_sin(T::of(f64::from(phi)));
            *m = Complex::new(gain * c + leak, gain * s);
        }
    }
}

/// Bilinear sampling at affine positions, zero outside.
fn resample<T: Real>(from: &[Complex<T>], [rows, cols]: [usize; 2], a: &Affine, to: &mut [Complex<T>]) {
    let m = a.matrix.map(|row| row.map(T::of));
    let t = a.offset.map(T::of);
    let at = |r: isize, c: isize| {
        let inside = r >= 0 && c >= 0 && (r as usize) < rows && (c as usize) < cols;
        if inside { from[r as usize * cols + c as usize] } else { Complex::zero() }
    };
    for r in 0..rows {
        for c in 0..cols {
            let (rf, cf) = (T::of(r as f64), T::of(c as f64));
            let y = m[0][0] * rf + m[0][1] * cf + t[0];
            let x = m[1][0] * rf + m[1][1] * cf + t[1];
            let (y0, x0) = (y.floor(), x.floor());
            let (wy, wx) = (y - y0, x - x0);
            let (i, j) = (y0.wide() as isize, x0.wide() as isize);
            let one = T::of(1.0);
            to[r * cols + c] = (at(i, j) * (one - wx) + at(i, j + 1) * wx) * (one - wy)
                + (at(i + 1, j) * (one - wx) + at(i + 1, j + 1) * wx) * wy;
        }
    }
}
