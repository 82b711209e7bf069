//! Thin elements: apertures and lenses.

use std::f64::consts::TAU;

use ndarray::Array2;
use num_complex::Complex64;

use super::{Field, Grid};

/// Samples along each side of a pixel that an edge may cross.
const SUB: usize = 16;

/// Transmission 0..=1 of an opening: pixels that the edge crosses transmit the covered share of their area.
fn opening(grid: &Grid, inside: impl Fn(f64, f64) -> bool) -> Array2<f64> {
    let part = |i: usize| (i as f64 + 0.5) / SUB as f64 - 0.5;
    Array2::from_shape_fn((grid.rows, grid.cols), |(r, c)| {
        let hits = (0..SUB * SUB)
            .filter(|k| inside(grid.x(c) + part(k % SUB) * grid.dx, grid.y(r) + part(k / SUB) * grid.dy));
        hits.count() as f64 / (SUB * SUB) as f64
    })
}

/// A circular opening of diameter `diameter` (metres) on the axis.
pub fn circle(grid: &Grid, diameter: f64) -> Array2<f64> {
    let r2 = (0.5 * diameter).powi(2);
    opening(grid, |x, y| x * x + y * y <= r2)
}

/// A rectangular opening `width x height` (metres, along x and y) on the axis.
pub fn rectangle(grid: &Grid, width: f64, height: f64) -> Array2<f64> {
    opening(grid, |x, y| x.abs() <= 0.5 * width && y.abs() <= 0.5 * height)
}

/// A slit of width `width` (metres, along x), as high as the grid.
pub fn slit(grid: &Grid, width: f64) -> Array2<f64> {
    opening(grid, |x, _| x.abs() <= 0.5 * width)
}

/// A thin lens of focal length `focal` (metres, positive converges): `exp(-i k (x^2 + y^2) / 2 f)`
/// (Goodman, *Introduction to Fourier Optics*, eq. 5-10).
pub fn lens(grid: &Grid, wavelength: f64, focal: f64) -> Field {
    let curvature = -0.5 * TAU / (wavelength * focal);
    Field::from_shape_fn((grid.rows, grid.cols), |(r, c)| {
        Complex64::cis(curvature * (grid.x(c).powi(2) + grid.y(r).powi(2)))
    })
}
