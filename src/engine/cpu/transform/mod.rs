//! Two-dimensional transforms in two passes over a work array that only this module understands.
//!
//! Rows go in and come out in blocks, in the order of [`Layout`]; the column pass transforms along y, multiplies by a transfer
//! function and transforms back. Zero padding is never stored: the work array has the rows that carry light.
//!
//! [`plain`] is rustfft, for any length and any precision, and the yardstick; [`mod@packed`] is our own, eight lines at a time
//! in vector registers, for `f32` and lengths `2^a 3^b 5^c` on processors with AVX2.

#[cfg(target_arch = "x86_64")]
mod butterfly;
#[cfg(target_arch = "x86_64")]
mod kernels;
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod packed;
mod plain;
#[cfg(target_arch = "x86_64")]
mod plan;
#[cfg(test)]
mod tests;

use std::any::Any;

use super::buffer::Layout;
use super::real::Real;
use crate::optics::Field;

/// A pair of passes for one shape. `work` and `scratch` are a thread's own [`Buffer`](super::buffer::Buffer)s; their content is
/// the implementation's.
pub(super) trait Transform<T: Real>: Send + Sync {
    /// How rows lie in the arrays that go in and out.
    fn layout(&self) -> Layout;

    /// Length of the work array.
    fn work_len(&self) -> usize;

    /// Length of the scratch array.
    fn scratch_len(&self) -> usize;

    /// Takes a transfer function in DFT order; the `1 / (rows cols)` of the inverse transform is folded in. Returns its number.
    fn add_transfer(&mut self, h: &Field) -> usize;

    /// Multiplies the rows of a block by `times`, pads and transforms them.
    fn forward(&self, block: usize, rows: &[T], times: Option<&[T]>, work: &mut [T], scratch: &mut [T]);

    /// What [`Transform::forward`] makes of dark rows.
    fn dark(&self, block: usize, work: &mut [T]);

    /// Column pass: transform, times transfer function `transfer`, inverse transform.
    fn columns(&self, transfer: usize, work: &mut [T], scratch: &mut [T]);

    /// Transforms the rows of a block back and crops them. Dark rows of the last block are zero.
    fn inverse(&self, block: usize, work: &mut [T], rows: &mut [T], scratch: &mut [T]);
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
        let kernels = kernels::Kernels::detect()?;
        packed::Packed::new(shape, padded, kernels).map(|p| Box::new(p) as Box<dyn Transform<f32>>)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (shape, padded);
        None
    }
}
