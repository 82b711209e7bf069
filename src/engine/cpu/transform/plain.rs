//! The portable transform: rustfft, row by row, and columns in blocks that fit the cache.

use std::sync::Arc;

use ffm_fft::Fft;
use num_complex::Complex;
use num_traits::Zero;

use super::Transform;
use crate::engine::cpu::buffer::Layout;
use crate::engine::cpu::pixelwise::{multiply, product};
use crate::engine::cpu::real::Real;
use crate::optics::Field;

/// Columns transformed together: eight `f32` complex numbers are one cache line of every row.
const BLOCK: usize = 8;

/// Plans, and transfer functions column by column.
pub(super) struct Plain<T: Real> {
    rows: usize,
    cols: usize,
    /// Padded length of a column.
    tall: usize,
    /// Padded length of a row.
    long: usize,
    row: [Arc<dyn Fft<T>>; 2],
    col: [Arc<dyn Fft<T>>; 2],
    transfers: Vec<Vec<Complex<T>>>,
}

impl<T: Real> Plain<T> {
    pub(super) fn new(shape: [usize; 2], padded: [usize; 2]) -> Self {
        let [col, row] = padded.map(T::both);
        Self {
            rows: shape[0],
            cols: shape[1],
            tall: padded[0],
            long: padded[1],
            row,
            col,
            transfers: Vec::new(),
        }
    }

    /// Distance of rows in the work array: a cache line longer than a row, because a distance that is a power of two maps a
    /// column to a few cache sets.
    fn pitch(&self) -> usize {
        self.long + BLOCK
    }

    fn line<'a>(&self, row: usize, work: &'a mut [T]) -> &'a mut [Complex<T>] {
        let work: &mut [Complex<T>] = bytemuck::cast_slice_mut(work);
        &mut work[row * self.pitch()..row * self.pitch() + self.long]
    }

    /// The part of the scratch that holds a block of columns, and the rest.
    fn split<'a>(&self, scratch: &'a mut [T]) -> (&'a mut [Complex<T>], &'a mut [Complex<T>]) {
        let scratch: &mut [Complex<T>] = bytemuck::cast_slice_mut(scratch);
        scratch.split_at_mut(BLOCK * (self.tall + BLOCK))
    }
}

impl<T: Real> Transform<T> for Plain<T> {
    fn layout(&self) -> Layout {
        Layout { rows: self.rows, cols: self.cols, lanes: 1 }
    }

    fn work_len(&self) -> usize {
        2 * self.rows * self.pitch()
    }

    fn scratch_len(&self) -> usize {
        let fft = self.row.iter().chain(&self.col).map(|f| f.get_inplace_scratch_len()).max().unwrap_or(0);
        2 * (BLOCK * (self.tall + BLOCK) + fft)
    }

    fn add_transfer(&mut self, h: &Field) -> usize {
        let scale = 1.0 / h.len() as f64;
        let number = |v: &num_complex::Complex64| Complex::new(T::of(v.re * scale), T::of(v.im * scale));
        self.transfers.push(h.t().iter().map(number).collect());
        self.transfers.len() - 1
    }

    fn forward(&self, block: usize, rows: &[T], times: Option<&[T]>, work: &mut [T], scratch: &mut [T]) {
        let line = self.line(block, work);
        let (lit, dark) = line.split_at_mut(self.cols);
        match times {
            Some(times) => product(1, bytemuck::cast_slice_mut(lit), rows, times),
            None => lit.copy_from_slice(bytemuck::cast_slice(rows)),
        }
        dark.fill(Complex::zero());
        self.row[0].process_with_scratch(line, self.split(scratch).1);
    }

    fn dark(&self, block: usize, work: &mut [T]) {
        self.line(block, work).fill(Complex::zero());
    }

    fn columns(&self, transfer: usize, work: &mut [T], scratch: &mut [T]) {
        let h = &self.transfers[transfer];
        let work: &mut [Complex<T>] = bytemuck::cast_slice_mut(work);
        let (columns, scratch) = self.split(scratch);
        let pitch = self.tall + BLOCK;
        for x0 in (0..self.long).step_by(BLOCK) {
            let width = BLOCK.min(self.long - x0);
            for y in 0..self.rows {
                let line = &work[y * self.pitch() + x0..y * self.pitch() + x0 + width];
                for (c, value) in line.iter().enumerate() {
                    columns[c * pitch + y] = *value;
                }
            }
            for c in 0..width {
                let column = &mut columns[c * pitch..c * pitch + self.tall];
                column[self.rows..].fill(Complex::zero());
                self.col[0].process_with_scratch(column, scratch);
                let h = &h[(x0 + c) * self.tall..(x0 + c + 1) * self.tall];
                multiply::<T>(1, bytemuck::cast_slice_mut(column), bytemuck::cast_slice(h));
                self.col[1].process_with_scratch(column, scratch);
            }
            for y in 0..self.rows {
                let line = &mut work[y * self.pitch() + x0..y * self.pitch() + x0 + width];
                for (c, value) in line.iter_mut().enumerate() {
                    *value = columns[c * pitch + y];
                }
            }
        }
    }

    fn inverse(&self, block: usize, work: &mut [T], rows: &mut [T], scratch: &mut [T]) {
        let line = self.line(block, work);
        self.row[1].process_with_scratch(line, self.split(scratch).1);
        rows.copy_from_slice(bytemuck::cast_slice(&line[..self.cols]));
    }
}
