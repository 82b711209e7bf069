//! Aligned arrays, and the order of pixels in them.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use ndarray::Array2;
use num_complex::Complex64;

use super::real::Real;
use crate::optics::Field;

/// A cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct CacheLine([u8; 64]);

/// An array of numbers that begins with a cache line; zero at first.
#[derive(Clone)]
pub(super) struct Buffer<T> {
    lines: Vec<CacheLine>,
    len: usize,
    numbers: PhantomData<T>,
}

impl<T: Real> Buffer<T> {
    pub(super) fn zeros(len: usize) -> Self {
        let lines = (len * size_of::<T>()).div_ceil(size_of::<CacheLine>());
        Self { lines: vec![CacheLine([0; 64]); lines], len, numbers: PhantomData }
    }
}

impl<T: Real> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl<T: Real> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

/// How pixels lie in the engine's arrays.
///
/// `lanes` rows make a block; in a block, column after column, `lanes` real parts are followed by their imaginary parts, so that
/// one vector instruction works on as many rows. The last block is filled up with dark rows. One lane is plain row-major order.
/// Real arrays (gradients, phases) have the same order with one number a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) lanes: usize,
}

impl Layout {
    pub(super) fn blocks(&self) -> usize {
        self.rows.div_ceil(self.lanes)
    }

    /// Pixels of a block, dark rows included.
    pub(super) fn block_pixels(&self) -> usize {
        self.lanes * self.cols
    }

    /// Pixels of an array, dark rows included.
    pub(super) fn pixels(&self) -> usize {
        self.blocks() * self.block_pixels()
    }

    /// Sets the dark rows of a block of complex numbers to zero.
    pub(super) fn darken<T: Real>(&self, rows: &mut [T], block: usize) {
        let lit = (self.rows - block * self.lanes).min(self.lanes);
        if lit < self.lanes {
            rows.chunks_exact_mut(self.lanes).for_each(|part| part[lit..].fill(T::of(0.0)));
        }
    }

    /// Place of a pixel in a real array.
    pub(super) fn place(&self, row: usize, col: usize) -> usize {
        (row / self.lanes * self.cols + col) * self.lanes + row % self.lanes
    }

    /// Place of a pixel's real part in a complex array; the imaginary part is `lanes` further on.
    pub(super) fn complex_place(&self, row: usize, col: usize) -> usize {
        (row / self.lanes * self.cols + col) * 2 * self.lanes + row % self.lanes
    }

    /// An array in the engine's order and precision.
    pub(super) fn complex<T: Real>(&self, field: &Field) -> Buffer<T> {
        let mut buffer = Buffer::zeros(2 * self.pixels());
        self.write(field, &mut buffer);
        buffer
    }

    /// Writes a field in the engine's order.
    pub(super) fn write<T: Real>(&self, field: &Field, to: &mut [T]) {
        for ((r, c), v) in field.indexed_iter() {
            let at = self.complex_place(r, c);
            (to[at], to[at + self.lanes]) = (T::of(v.re), T::of(v.im));
        }
    }

    /// The opposite of [`Layout::complex`].
    pub(super) fn field<T: Real>(&self, values: &[T]) -> Field {
        Array2::from_shape_fn((self.rows, self.cols), |(r, c)| {
            let at = self.complex_place(r, c);
            Complex64::new(values[at].wide(), values[at + self.lanes].wide())
        })
    }

    /// A real array in the engine's order.
    pub(super) fn real<T: Real>(&self, array: &Array2<impl Into<f64> + Copy>) -> Buffer<T> {
        let mut buffer = Buffer::zeros(self.pixels());
        self.write_real(array, &mut buffer);
        buffer
    }

    /// Writes a real array in the engine's order.
    pub(super) fn write_real<T: Real>(&self, array: &Array2<impl Into<f64> + Copy>, to: &mut [T]) {
        for ((r, c), v) in array.indexed_iter() {
            to[self.place(r, c)] = T::of((*v).into());
        }
    }

    /// The opposite of [`Layout::real`].
    pub(super) fn array<T: Real>(&self, values: &[T]) -> Array2<f32> {
        Array2::from_shape_fn((self.rows, self.cols), |(r, c)| values[self.place(r, c)].wide() as f32)
    }
}

/// Calls a function of a number of lanes with the number known to the compiler.
macro_rules! by_lanes {
    ($lanes:expr, $function:ident::<$t:ty>($($arg:expr),* $(,)?)) => {
        match $lanes {
            1 => $function::<$t, 1>($($arg),*),
            _ => $function::<$t, 8>($($arg),*),
        }
    };
}
pub(super) use by_lanes;
