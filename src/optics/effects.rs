//! Imperfect propagation as changes of the transfer function: shifts, pixels that are no points, aberrations of the pupil.

use std::f64::consts::{PI, TAU};

use ndarray::Axis;
use ndarray::parallel::prelude::*;
use num_complex::Complex64;

use super::{Field, Grid, OpticsError, map, zernike};

/// Spatial frequency of DFT index `k` of `n` at pitch `d`, 1/m; cycles per sample at pitch 1.
pub(crate) fn frequency(k: usize, n: usize, d: f64) -> f64 {
    let signed = if 2 * k < n { k as f64 } else { k as f64 - n as f64 };
    signed / (n as f64 * d)
}

/// Moves the propagated field by `+x`, `+y` metres: `H exp(-2 pi i (fx x + fy y))` (Fourier shift theorem), to any
/// fraction of a pixel.
pub fn shift(h: &mut Field, dy: f64, dx: f64, x: f64, y: f64) {
    let line = |n: usize, d: f64, by: f64| -> Vec<Complex64> {
        (0..n).map(|k| Complex64::cis(-TAU * frequency(k, n, d) * by)).collect()
    };
    let (rows, cols) = h.dim();
    let (y, x) = (line(rows, dy, y), line(cols, dx, x));
    change(h, |[r, c], v| v * (y[r] * x[c]));
}

/// Changes every value of a grid, on all cores.
pub(crate) fn change(h: &mut Field, by: impl Fn([usize; 2], Complex64) -> Complex64 + Sync) {
    h.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(r, mut row)| {
        row.iter_mut().enumerate().for_each(|(c, v)| *v = by([r, c], *v));
    });
}

/// Light that leaves squares of `side` pitches in place of points: `H sinc(side dx fx) sinc(side dy fy)`, the spectrum of the
/// square relative to its value at frequency 0 (Goodman, *Introduction to Fourier Optics*, section 2.1); `sinc(t) = sin(pi t) / pi t`.
pub fn pixel_aperture(h: &mut Field, side: f64) {
    // In units of the pitch the frequencies of a DFT do not depend on the pitch.
    let along = |n: usize| -> Vec<f64> { (0..n).map(|k| sinc(side * frequency(k, n, 1.0))).collect() };
    let (rows, cols) = h.dim();
    let (y, x) = (along(rows), along(cols));
    change(h, |[r, c], v| v * (y[r] * x[c]));
}

/// `sin(pi t) / (pi t)`.
pub fn sinc(t: f64) -> f64 {
    if t == 0.0 { 1.0 } else { (PI * t).sin() / (PI * t) }
}

/// Multiplies by `exp(i psi(f))`, `psi` a sum of Zernike polynomials (Noll index, rad rms) over the disc of the highest
/// frequency of the coarser axis; nothing outside the disc. The odd part of `psi` makes the propagation asymmetric.
///
/// # Errors
/// [`OpticsError::Zernike`] for index 0.
pub fn pupil_aberration(h: &mut Field, dy: f64, dx: f64, terms: &[(usize, f64)]) -> Result<(), OpticsError> {
    let (rows, cols) = h.dim();
    let edge = 0.5 / dy.max(dx);
    let orders: Vec<_> =
        terms.iter().map(|&(j, c)| Ok((zernike::noll(j)?, c))).collect::<Result<_, OpticsError>>()?;
    change(h, |[r, c], v| {
        let (fy, fx) = (frequency(r, rows, dy) / edge, frequency(c, cols, dx) / edge);
        let rho = fy.hypot(fx);
        if rho > 1.0 {
            return v;
        }
        let theta = fy.atan2(fx);
        let psi: f64 = orders.iter().map(|&((n, m), c)| c * zernike::value(n, m, rho, theta)).sum();
        v * Complex64::cis(psi)
    });
    Ok(())
}

/// The linear phase of a tilted modulator or wave: light leaves at angles `x`, `y` (radians) to the axis.
pub fn tilt(grid: &Grid, wavelength: f64, x: f64, y: f64) -> Field {
    map(grid.shape(), |r, c| tilt_at([grid.y(r), grid.x(c)], wavelength, x, y))
}

/// [`tilt`] at one place, `[y, x]` in metres from the axis.
pub fn tilt_at(place: [f64; 2], wavelength: f64, x: f64, y: f64) -> Complex64 {
    Complex64::cis(TAU / wavelength * (place[1] * x.sin() + place[0] * y.sin()))
}
