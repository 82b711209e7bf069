//! The transfer functions themselves.
//!
//! Phases reach 1e6 rad. The part that varies over the grid is formed without its carrier, `k z` times a small number that
//! keeps all its digits, and the carrier `k z` is reduced by itself.

use std::f64::consts::TAU;

use ndarray::Array2;
use num_complex::Complex64;

use super::plain;
use crate::optics::{Field, map};

/// What a kernel is sampled on.
pub(super) struct Sampling {
    pub(super) padded: [usize; 2],
    pub(super) pitch: [f64; 2],
    pub(super) lambda: f64,
    pub(super) distance: f64,
}

impl Sampling {
    /// `lambda f` along one axis, in DFT order.
    fn direction_cosines(&self, axis: usize) -> Vec<f64> {
        let (n, pitch) = (self.padded[axis], self.pitch[axis]);
        (0..n).map(|k| self.lambda * signed(k, n) as f64 / (n as f64 * pitch)).collect()
    }

    /// Coordinates along one axis, in DFT order: the origin is element 0.
    fn coordinates(&self, axis: usize) -> Vec<f64> {
        (0..self.padded[axis]).map(|k| signed(k, self.padded[axis]) as f64 * self.pitch[axis]).collect()
    }

    /// `exp(i k z)`, the number of waves reduced before it is multiplied by 2 pi.
    fn carrier(&self) -> Complex64 {
        Complex64::cis(TAU * (self.distance / self.lambda).fract())
    }

    /// `k z`, radians.
    fn kz(&self) -> f64 {
        TAU * self.distance / self.lambda
    }

    /// Fills a grid from the values of two axes.
    fn fill(&self, y: &[f64], x: &[f64], value: impl Fn(f64, f64) -> Complex64 + Sync) -> Field {
        map(self.padded, |r, c| value(y[r], x[c]))
    }
}

/// DFT index `k` of `n` as a signed number; `n / 2` of an even `n` is negative.
fn signed(k: usize, n: usize) -> isize {
    if 2 * k < n { k as isize } else { k as isize - n as isize }
}

/// `exp(i k z sqrt(1 - s))`, `s = a^2 + b^2` the squared sine; waves with `s > 1` decay whichever way they go.
pub(super) fn angular_spectrum(grid: &Sampling) -> Field {
    let (carrier, kz) = (grid.carrier(), grid.kz());
    grid.fill(&grid.direction_cosines(0), &grid.direction_cosines(1), |a, b| {
        exact(carrier, kz, a * a + b * b)
    })
}

fn exact(carrier: Complex64, kz: f64, s: f64) -> Complex64 {
    if s > 1.0 {
        return Complex64::new((-kz.abs() * (s - 1.0).sqrt()).exp(), 0.0);
    }
    // sqrt(1 - s) - 1 = -s / (1 + sqrt(1 - s)) loses no digit where s is small.
    carrier * Complex64::cis(-kz * s / (1.0 + (1.0 - s).sqrt()))
}

/// As [`angular_spectrum`] within `|f| <= 1 / (lambda sqrt((2 df z)^2 + 1))` along each axis
/// (Matsushima & Shimobaba, Opt. Express 17, 19662 (2009), eq. 21).
pub(super) fn band_limited(grid: &Sampling) -> Field {
    let (carrier, kz) = (grid.carrier(), grid.kz());
    let limit = |axis: usize| {
        let df = 1.0 / (grid.padded[axis] as f64 * grid.pitch[axis]);
        1.0 / ((2.0 * df * grid.distance).powi(2) + 1.0).sqrt()
    };
    let (limit_y, limit_x) = (limit(0), limit(1));
    grid.fill(&grid.direction_cosines(0), &grid.direction_cosines(1), |a, b| {
        if a.abs() > limit_y || b.abs() > limit_x {
            Complex64::ZERO
        } else {
            exact(carrier, kz, a * a + b * b)
        }
    })
}

/// DFT of `h = z / (2 pi r^2) (1/r - i k) exp(i k r) dx dy` (Goodman, *Introduction to Fourier Optics*, eq. 3-40 ff.).
///
/// For `z < 0` the conjugate of the kernel for `|z|`: propagating light goes back, evanescent light stays damped.
pub(super) fn rayleigh_sommerfeld(grid: &Sampling) -> Field {
    let z = grid.distance.abs();
    if z == 0.0 {
        return Array2::from_elem((grid.padded[0], grid.padded[1]), Complex64::ONE);
    }
    let k = TAU / grid.lambda;
    let carrier = Complex64::cis(TAU * (z / grid.lambda).fract());
    let area = grid.pitch[0] * grid.pitch[1];
    let mut h = grid.fill(&grid.coordinates(0), &grid.coordinates(1), |y, x| {
        let d2 = x * x + y * y;
        let r = (z * z + d2).sqrt();
        // r - z without cancellation.
        let phase = Complex64::cis(k * (d2 / (r + z)));
        carrier * phase * Complex64::new(1.0 / r, -k) * (z * area / (TAU * r * r))
    });
    plain::dft(&mut h, false);
    if grid.distance < 0.0 {
        // The kernel is even, so the conjugate of the transfer function is that of the conjugate kernel.
        h.mapv_inplace(|v| v.conj());
    }
    h
}

/// `exp(i k z) exp(-i k z s / 2)`.
pub(super) fn fresnel_transfer(grid: &Sampling) -> Field {
    let (carrier, kz) = (grid.carrier(), grid.kz());
    grid.fill(&grid.direction_cosines(0), &grid.direction_cosines(1), |a, b| {
        carrier * Complex64::cis(-0.5 * kz * (a * a + b * b))
    })
}

/// DFT of `exp(i k z) / (i lambda z) exp(i k (x^2 + y^2) / 2 z) dx dy`.
pub(super) fn fresnel_impulse(grid: &Sampling) -> Field {
    let z = grid.distance;
    if z == 0.0 {
        return Array2::from_elem((grid.padded[0], grid.padded[1]), Complex64::ONE);
    }
    let area = grid.pitch[0] * grid.pitch[1];
    let front = grid.carrier() * Complex64::new(0.0, -area / (grid.lambda * z));
    let curvature = 0.5 * TAU / (grid.lambda * z);
    let mut h = grid.fill(&grid.coordinates(0), &grid.coordinates(1), |y, x| {
        front * Complex64::cis(curvature * (x * x + y * y))
    });
    plain::dft(&mut h, false);
    h
}
