//! Two-dimensional transforms of large grids of which only a part is lit or looked at.

use std::ops::Range;
use std::sync::Arc;

use ffm_fft::{Fft, Planned};
use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayView2, Axis, s};
use num_complex::Complex64;

/// Columns that are gathered at once: whole cache lines.
const BLOCK: usize = 8;

/// Plans for one size.
pub(super) struct Convolver {
    forward: [Arc<dyn Fft<f64>>; 2],
    inverse: [Arc<dyn Fft<f64>>; 2],
    shape: [usize; 2],
}

impl Convolver {
    pub(super) fn new(shape: [usize; 2]) -> Self {
        Self {
            forward: shape.map(|n| f64::plan(n, false)),
            inverse: shape.map(|n| f64::plan(n, true)),
            shape,
        }
    }

    /// `IDFT(H DFT(field))`, circular. Rows outside `lit` must be zero; rows outside `wanted` are left undefined.
    pub(super) fn apply(
        &self,
        field: &mut Array2<Complex64>,
        transfer: ArrayView2<'_, Complex64>,
        lit: Range<usize>,
        wanted: Range<usize>,
    ) {
        let scale = 1.0 / (self.shape[0] * self.shape[1]) as f64;
        rows(field, lit, &*self.forward[1]);
        let (forward, inverse) = (&*self.forward[0], &*self.inverse[0]);
        field
            .axis_chunks_iter_mut(Axis(1), BLOCK)
            .into_par_iter()
            .zip(transfer.axis_chunks_iter(Axis(1), BLOCK))
            .for_each(|(mut block, h)| {
                let n = block.nrows();
                let mut lines = vec![Complex64::ZERO; n * block.ncols()];
                for ((r, c), v) in block.indexed_iter() {
                    lines[c * n + r] = *v;
                }
                forward.process(&mut lines);
                for ((r, c), h) in h.indexed_iter() {
                    lines[c * n + r] *= h * scale;
                }
                inverse.process(&mut lines);
                for ((r, c), v) in block.indexed_iter_mut() {
                    *v = lines[c * n + r];
                }
            });
        rows(field, wanted, &*self.inverse[1]);
    }
}

fn rows(field: &mut Array2<Complex64>, range: Range<usize>, plan: &dyn Fft<f64>) {
    let mut part = field.slice_mut(s![range, ..]);
    part.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut row| {
        if let Some(line) = row.as_slice_mut() {
            plan.process(line);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optics::propagate;

    #[test]
    fn a_convolution_is_that_of_the_plain_propagator() {
        let shape = [30, 36];
        let wave = |r: usize, c: usize| Complex64::new((r * r + c) as f64 % 7.0, (r + 3 * c) as f64 % 5.0);
        let h = Array2::from_shape_fn((30, 36), |(r, c)| wave(c, r));
        let mut field =
            Array2::from_shape_fn(
                (30, 36),
                |(r, c)| {
                    if (5..20).contains(&r) { wave(r, c) } else { Complex64::ZERO }
                },
            );
        let expected = propagate(&field, &h);
        Convolver::new(shape).apply(&mut field, h.view(), 5..20, 3..25);
        for ((r, c), v) in field.indexed_iter().filter(|((r, _), _)| (3..25).contains(r)) {
            assert!((v - expected[[r, c]]).norm() < 1e-10, "{r} {c}");
        }
    }
}
