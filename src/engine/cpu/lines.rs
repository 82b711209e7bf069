//! Line transforms: rows in place, columns in cache-sized blocks, zero padding never stored.

use std::sync::Arc;

use num_complex::Complex;
use num_traits::Zero;
use rustfft::{Fft, FftPlanner};

use super::real::{Real, wide};

/// Columns transformed together: eight `f32` complex numbers are one cache line of every row.
const BLOCK: usize = 8;

/// Plans for one pair of transform lengths.
///
/// The work array holds only the `rows` rows that carry light, each a whole padded line: `rows x padded columns`, with a
/// row pitch a cache line longer than the line, because a pitch that is a power of two maps a column to a few cache sets.
pub(super) struct Lines<T: Real> {
    pub(super) rows: usize,
    /// Padded length of a column.
    pub(super) tall: usize,
    /// Padded length of a row.
    pub(super) long: usize,
    /// Distance of rows in the work array.
    pub(super) pitch: usize,
    row: [Arc<dyn Fft<T>>; 2],
    col: [Arc<dyn Fft<T>>; 2],
}

/// Scratch of one thread.
pub(super) struct Scratch<T> {
    block: Vec<Complex<T>>,
    fft: Vec<Complex<T>>,
}

impl<T: Real> Lines<T> {
    /// Plans for fields of `shape` on a padded grid.
    pub(super) fn new(shape: [usize; 2], padded: [usize; 2]) -> Self {
        let mut planner = FftPlanner::new();
        let mut pair = |n| [planner.plan_fft_forward(n), planner.plan_fft_inverse(n)];
        let (col, row) = (pair(padded[0]), pair(padded[1]));
        Self { rows: shape[0], tall: padded[0], long: padded[1], pitch: padded[1] + BLOCK, row, col }
    }

    /// Length of the work array.
    pub(super) fn work_len(&self) -> usize {
        self.rows * self.pitch
    }

    /// Scratch for one thread.
    pub(super) fn scratch(&self) -> Scratch<T> {
        let fft = self.row.iter().chain(&self.col).map(|f| f.get_inplace_scratch_len()).max().unwrap_or(0);
        Scratch { block: vec![Complex::zero(); BLOCK * (self.tall + BLOCK)], fft: vec![Complex::zero(); fft] }
    }

    /// Bytes of [`Lines::scratch`].
    pub(super) fn scratch_bytes(&self) -> usize {
        let fft = self.row.iter().chain(&self.col).map(|f| f.get_inplace_scratch_len()).max().unwrap_or(0);
        (BLOCK * (self.tall + BLOCK) + fft) * size_of::<Complex<T>>()
    }

    /// Forward transform of one padded row.
    pub(super) fn row_forward(&self, line: &mut [Complex<T>], scratch: &mut Scratch<T>) {
        self.row[0].process_with_scratch(&mut line[..self.long], &mut scratch.fft);
    }

    /// Inverse transform of one padded row, unnormalised.
    pub(super) fn row_inverse(&self, line: &mut [Complex<T>], scratch: &mut Scratch<T>) {
        self.row[1].process_with_scratch(&mut line[..self.long], &mut scratch.fft);
    }

    /// The column pass: transform along y, times `h` (column-major, `long x tall`), back; only `rows` rows are read and written.
    pub(super) fn columns(&self, work: &mut [Complex<T>], h: &[Complex<T>], scratch: &mut Scratch<T>) {
        let pitch = self.tall + BLOCK;
        for x0 in (0..self.long).step_by(BLOCK) {
            let width = BLOCK.min(self.long - x0);
            gather(work, self.pitch, x0, width, self.rows, &mut scratch.block, pitch);
            for c in 0..width {
                let column = &mut scratch.block[c * pitch..c * pitch + self.tall];
                column[self.rows..].fill(Complex::zero());
                self.col[0].process_with_scratch(column, &mut scratch.fft);
                multiply(column, &h[(x0 + c) * self.tall..(x0 + c + 1) * self.tall]);
                self.col[1].process_with_scratch(column, &mut scratch.fft);
            }
            scatter(work, self.pitch, x0, width, self.rows, &scratch.block, pitch);
        }
    }
}

wide! {
    /// `a *= b`, pixel by pixel.
    pub(super) fn multiply<T: Real>(a: &mut [Complex<T>], b: &[Complex<T>]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a = Complex::new(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re);
        }
    }
}

wide! {
    /// `out = a * b`, pixel by pixel.
    pub(super) fn product<T: Real>(out: &mut [Complex<T>], a: &[Complex<T>], b: &[Complex<T>]) {
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = Complex::new(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re);
        }
    }
}

fn gather<T: Real>(
    work: &[Complex<T>],
    pitch: usize,
    x0: usize,
    width: usize,
    rows: usize,
    block: &mut [Complex<T>],
    tall: usize,
) {
    for y in 0..rows {
        let line = &work[y * pitch + x0..y * pitch + x0 + width];
        for (c, value) in line.iter().enumerate() {
            block[c * tall + y] = *value;
        }
    }
}

fn scatter<T: Real>(
    work: &mut [Complex<T>],
    pitch: usize,
    x0: usize,
    width: usize,
    rows: usize,
    block: &[Complex<T>],
    tall: usize,
) {
    for y in 0..rows {
        let line = &mut work[y * pitch + x0..y * pitch + x0 + width];
        for (c, value) in line.iter_mut().enumerate() {
            *value = block[c * tall + y];
        }
    }
}
