//! Wavefronts and amplitudes of one side of a layer, evaluated anywhere.

use num_complex::Complex64;

use super::error::LabError;
use crate::calibrate::Aberration;
use crate::optics::{Grid, zernike};

/// Radial and azimuthal order of a Zernike term, and its coefficient, radians rms.
pub(super) type Term = ((usize, isize), f64);

/// Phase and amplitude of one side of a layer, anywhere.
pub(super) struct Side {
    orders: Vec<Term>,
    radius: f64,
    /// Logarithm of the amplitude in the middle of an edge.
    fall: f64,
    half: [f64; 2],
}

impl Side {
    pub(super) fn new(
        aberration: Option<&Aberration>,
        edge: Option<f64>,
        grid: &Grid,
    ) -> Result<Self, LabError> {
        Ok(Self {
            orders: orders(aberration.map_or(&[], |a| &a.zernike))?,
            radius: zernike::enclosing_radius(grid),
            fall: edge.unwrap_or(1.0).ln(),
            half: [0.5 * grid.rows as f64 * grid.dy, 0.5 * grid.cols as f64 * grid.dx],
        })
    }

    pub(super) fn is_perfect(&self) -> bool {
        self.orders.is_empty() && self.fall == 0.0
    }

    pub(super) fn at(&self, [y, x]: [f64; 2]) -> Complex64 {
        let psi = match self.orders.is_empty() {
            true => 0.0,
            false => sum(&self.orders, y / self.radius, x / self.radius),
        };
        let amplitude = (self.fall * ((y / self.half[0]).powi(2) + (x / self.half[1]).powi(2))).exp();
        Complex64::from_polar(amplitude, psi)
    }
}

/// Terms by their orders.
pub(super) fn orders(terms: &[(usize, f64)]) -> Result<Vec<Term>, LabError> {
    terms.iter().map(|&(j, c)| Ok((zernike::noll(j)?, c))).collect()
}

/// The sum of the terms at a place in units of the disc's radius, radians.
pub(super) fn sum(orders: &[Term], y: f64, x: f64) -> f64 {
    let (rho, theta) = (y.hypot(x), y.atan2(x));
    orders.iter().map(|&((n, m), c)| c * zernike::value(n, m, rho, theta)).sum()
}
