//! Rectangular sampling grids.

use super::OpticsError;

/// A rectangular grid of `rows x cols` pixels with pitch `dy`, `dx` in metres.
///
/// Pixel `(rows / 2, cols / 2)` lies on the optical axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Pixels along y.
    pub rows: usize,
    /// Pixels along x.
    pub cols: usize,
    /// Pitch along y, metres.
    pub dy: f64,
    /// Pitch along x, metres.
    pub dx: f64,
}

impl Grid {
    /// A grid of `rows x cols` pixels with pitch `dy`, `dx` (metres).
    ///
    /// # Errors
    /// [`OpticsError::BadGrid`] when a side is zero or a pitch is not positive and finite.
    pub fn new(rows: usize, cols: usize, dy: f64, dx: f64) -> Result<Self, OpticsError> {
        let good = |pitch: f64| pitch.is_finite() && pitch > 0.0;
        if rows == 0 || cols == 0 || !good(dy) || !good(dx) {
            return Err(OpticsError::BadGrid { rows, cols, dy, dx });
        }
        Ok(Self { rows, cols, dy, dx })
    }

    /// A square grid with square pixels.
    ///
    /// # Errors
    /// As [`Grid::new`].
    pub fn square(side: usize, pitch: f64) -> Result<Self, OpticsError> {
        Self::new(side, side, pitch, pitch)
    }

    /// The y coordinate of a row, metres from the axis.
    pub fn y(&self, row: usize) -> f64 {
        (row as f64 - (self.rows / 2) as f64) * self.dy
    }

    /// The x coordinate of a column, metres from the axis.
    pub fn x(&self, col: usize) -> f64 {
        (col as f64 - (self.cols / 2) as f64) * self.dx
    }

    /// `[rows, cols]`.
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.cols]
    }

    /// Number of pixels.
    pub fn len(&self) -> usize {
        self.rows * self.cols
    }

    /// Always false: a grid has at least one pixel.
    pub fn is_empty(&self) -> bool {
        false
    }
}
