//! Scalar wave optics in `f64`: grids, transfer functions, sources, lenses, apertures, Zernike polynomials.
//!
//! Lengths in metres, phases in radians, time convention `exp(-i w t)`, forward DFT `exp(-2 pi i f x)`.

pub mod aperture;
pub mod effects;
mod grid;
mod material;
mod propagation;
pub mod source;
mod units;
pub mod zernike;

pub use grid::Grid;
pub use material::Material;
pub(crate) use propagation::dft;
pub use propagation::{Method, Propagation, propagate, reversed};
pub use units::{Angle, Length};

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};
use num_complex::Complex64;
use num_traits::Zero;

/// A complex field `U[y, x]`, or any complex array of that shape.
pub type Field = Array2<Complex64>;

/// A value for every pixel of a grid, worked out on all cores.
pub(crate) fn map<T: Clone + Zero + Send + Sync>(
    shape: [usize; 2],
    value: impl Fn(usize, usize) -> T + Sync,
) -> Array2<T> {
    let mut all = Array2::zeros(shape);
    all.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(r, mut row)| {
        row.iter_mut().enumerate().for_each(|(c, v)| *v = value(r, c));
    });
    all
}

/// What can be wrong with an optical description.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum OpticsError {
    /// A side of zero pixels or a pitch that is not positive.
    #[error(
        "a grid needs at least one pixel a side and a positive pitch, not {rows} x {cols} pixels of {dy} x {dx} m"
    )]
    BadGrid {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        cols: usize,
        /// Pitch along y, metres.
        dy: f64,
        /// Pitch along x, metres.
        dx: f64,
    },
    /// A quantity that cannot be read.
    #[error("{text:?} is not a {kind}: write a number and a unit ({units})")]
    Quantity {
        /// What was written.
        text: String,
        /// Length or angle.
        kind: &'static str,
        /// The units there are.
        units: String,
    },
    /// A material whose index is not known there.
    #[error("optics.material has no use at {wavelength} m: {problem}")]
    Material {
        /// Vacuum wavelength, metres.
        wavelength: f64,
        /// What is wrong.
        problem: String,
    },
    /// No such propagation method.
    #[error("unknown propagation method {text:?}; there are {names}")]
    UnknownMethod {
        /// What was written.
        text: String,
        /// The names there are.
        names: String,
    },
    /// A quantity that must be positive (a distance: finite).
    #[error("the {name} is {value}; it must be a positive, finite number (a distance may be negative)")]
    NotPositive {
        /// Which quantity.
        name: &'static str,
        /// Its value in SI units.
        value: f64,
    },
    /// The kernel of the chosen method varies too fast for the grid.
    #[error(
        "{method} undersamples its kernel: |distance| = {} m, but on this grid transfer functions are good up to {up_to:.6} m \
         and impulse responses from {from:.6} m; use another method (auto chooses), change pixels, pitch or padding, or go on \
         with optics.allow_undersampled=true (ffm propagate: --allow-undersampled)", .distance.abs()
    )]
    Undersampled {
        /// The method.
        method: &'static str,
        /// The distance, metres.
        distance: f64,
        /// Transfer functions are sampled well up to here, metres.
        up_to: f64,
        /// Impulse responses are sampled well from here on, metres.
        from: f64,
    },
    /// No such Zernike term.
    #[error("Zernike index {index} ({ordering} order) does not exist; the first is {first}")]
    Zernike {
        /// The index.
        index: usize,
        /// The ordering.
        ordering: &'static str,
        /// Its first index.
        first: usize,
    },
}
