//! The plain way, in `f64`: what every engine is measured against.

use ffm_fft::Planned;
use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis, s};
use num_complex::Complex64;

use crate::optics::Field;

/// `crop . IDFT2 . H . DFT2 . pad`: the field, at the origin of the padded grid of `h`, propagated by `h`.
pub fn propagate(field: &Field, h: &Field) -> Field {
    let (rows, cols) = field.dim();
    let mut padded = Array2::zeros(h.dim());
    padded.slice_mut(s![..rows, ..cols]).assign(field);
    dft(&mut padded, false);
    padded *= h;
    dft(&mut padded, true);
    padded.slice(s![..rows, ..cols]).mapv(|v| v / h.len() as f64)
}

/// `H(-f)`: the transfer function of the transposed propagation, `<a, T b> = <T^T a, b>` without conjugates.
pub fn reversed(h: &Field) -> Field {
    let (rows, cols) = h.dim();
    Array2::from_shape_fn((rows, cols), |(r, c)| h[[(rows - r) % rows, (cols - c) % cols]])
}

/// Unnormalised two-dimensional DFT in place.
pub(crate) fn dft(field: &mut Field, inverse: bool) {
    for axis in [1, 0] {
        let n = field.len_of(Axis(axis));
        let plan = f64::plan(n, inverse);
        field.axis_iter_mut(Axis(1 - axis)).into_par_iter().for_each(|mut lane| {
            let mut line: Vec<Complex64> = lane.to_vec();
            plan.process(&mut line);
            lane.iter_mut().zip(line).for_each(|(v, l)| *v = l);
        });
    }
}
