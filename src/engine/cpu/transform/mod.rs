//! Two-dimensional transforms in two passes over a work array that only this module understands.
//!
//! Rows go in and come out in blocks, as plain row-major complex numbers; the column pass transforms along y, multiplies by
//! a transfer function and transforms back. Zero padding is never stored: the work array has the rows that carry light.
//!
//! [`plain`] is rustfft, for any length and any precision, and the yardstick; [`mod@packed`] is our own, eight lines at a time
//! in vector registers, for `f32` and lengths `2^a 3^b 5^c` on processors with AVX2.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod packed;
mod plain;
#[cfg(target_arch = "x86_64")]
mod stockham;
#[cfg(test)]
mod tests;

use std::any::Any;

use num_complex::Complex;

use super::real::Real;
use crate::optics::Field;

/// A pair of passes for one shape. `work` and `scratch` are a thread's own; their content is the implementation's.
pub(super) trait Transform<T: Real>: Send + Sync {
    /// Rows a block holds.
    fn block_rows(&self) -> usize;

    /// Length of the work array.
    fn work_len(&self) -> usize;

    /// Length of the scratch array.
    fn scratch_len(&self) -> usize;

    /// Takes a transfer function in DFT order; the `1 / (rows cols)` of the inverse transform is folded in. Returns its number.
    fn add_transfer(&mut self, h: &Field) -> usize;

    /// Pads and transforms the rows of a block (`rows` is row-major, whole rows).
    fn forward(&self, block: usize, rows: &[Complex<T>], work: &mut [Complex<T>], scratch: &mut [Complex<T>]);

    /// What [`Transform::forward`] makes of dark rows.
    fn dark(&self, block: usize, work: &mut [Complex<T>]);

    /// Column pass: transform, times transfer function `transfer`, inverse transform.
    fn columns(&self, transfer: usize, work: &mut [Complex<T>], scratch: &mut [Complex<T>]);

    /// Transforms the rows of a block back and crops them.
    fn inverse(
        &self,
        block: usize,
        work: &mut [Complex<T>],
        rows: &mut [Complex<T>],
        scratch: &mut [Complex<T>],
    );
}

/// The fastest transform there is for a shape on a padded grid.
pub(super) fn transform<T: Real>(shape: [usize; 2], padded: [usize; 2]) -> Box<dyn Transform<T>> {
    // Only `f32` has a transform of our own; the cast fails for every other type.
    let own = packed(shape, padded).map(|own| Box::new(own) as Box<dyn Any>);
    match own.map(|own| own.downcast::<Box<dyn Transform<T>>>()) {
        Some(Ok(own)) => *own,
        _ => Box::new(plain::Plain::new(shape, padded)),
    }
}

/// Our own transform, where the processor and the lengths allow it.
fn packed(shape: [usize; 2], padded: [usize; 2]) -> Option<Box<dyn Transform<f32>>> {
    #[cfg(target_arch = "x86_64")]
    {
        packed::Packed::new(shape, padded).map(|p| Box::new(p) as Box<dyn Transform<f32>>)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (shape, padded);
        None
    }
}
