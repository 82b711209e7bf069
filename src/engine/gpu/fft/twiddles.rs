//! Twiddle tables, computed in `f64`.

use std::f64::consts::TAU;

/// `W_N^k = exp(-2 pi i k / N)` for `k = 0..N`, twice over: the second transform of a loop reads the second copy, so that
/// compilers do not keep the loads of the first in registers.
pub(in crate::engine::gpu) fn twiddles(length: usize) -> Vec<[f32; 2]> {
    let once = (0..length).map(|k| {
        let angle = TAU * k as f64 / length as f64;
        [angle.cos() as f32, -angle.sin() as f32]
    });
    once.clone().chain(once).collect()
}
