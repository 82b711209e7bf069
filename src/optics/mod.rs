//! Scalar wave optics in `f64`: grids, transfer functions, sources, lenses, apertures, Zernike polynomials.
//!
//! Lengths in metres, phases in radians, time convention `exp(-i w t)`, forward DFT `exp(-2 pi i f x)`.

mod grid;

pub use grid::Grid;

use ndarray::Array2;
use num_complex::Complex64;

/// A complex field `U[y, x]`, or any complex array of that shape.
pub type Field = Array2<Complex64>;

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
}
