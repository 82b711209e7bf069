//! Illumination: plane waves and Gaussian beams.

use std::f64::consts::{PI, TAU};

use num_complex::Complex64;

use super::{Field, Grid};

/// A plane wave along the axis, amplitude 1.
pub fn plane(grid: &Grid) -> Field {
    Field::from_elem((grid.rows, grid.cols), Complex64::ONE)
}

/// A Gaussian beam of waist radius `waist` (metres, where the amplitude is 1/e), at distance `z` behind its waist, with
/// amplitude 1 in the centre of the waist (Saleh & Teich, *Fundamentals of Photonics*, eq. 3.1-7):
///
/// `w0/w exp(-rho^2/w^2) exp(i k z + i k rho^2 / 2R - i atan(z/z0))`, `z0 = pi w0^2 / lambda`.
pub fn gaussian(grid: &Grid, wavelength: f64, waist: f64, z: f64) -> Field {
    let z0 = PI * waist * waist / wavelength;
    let w = waist * (1.0 + (z / z0).powi(2)).sqrt();
    // 1/R is finite in the waist, R is not.
    let curvature = z / (z * z + z0 * z0);
    let k = TAU / wavelength;
    let axis = TAU * (z / wavelength).fract() - (z / z0).atan();
    Field::from_shape_fn((grid.rows, grid.cols), |(r, c)| {
        let rho2 = grid.x(c).powi(2) + grid.y(r).powi(2);
        Complex64::from_polar(waist / w * (-rho2 / (w * w)).exp(), axis + 0.5 * k * rho2 * curvature)
    })
}
