//! Plans of one-dimensional discrete Fourier transforms, rustfft's, behind functions without type parameters.
//!
//! Generic code is compiled where its types are named. All algorithms of rustfft take a minute of a core for both precisions; here
//! they are compiled once, and not in the library, in its tests and in every test program again.

use std::sync::Arc;

pub use rustfft::{Fft, FftNum};
use rustfft::{FftDirection, FftPlanner};

/// Numbers that can be transformed.
pub trait Planned: FftNum {
    /// An unnormalised transform of `length` numbers: `sum_n x_n exp(-+ 2 pi i n k / length)`, plus where `inverse`.
    fn plan(length: usize, inverse: bool) -> Arc<dyn Fft<Self>>;

    /// Forward and inverse.
    fn both(length: usize) -> [Arc<dyn Fft<Self>>; 2] {
        [false, true].map(|inverse| Self::plan(length, inverse))
    }
}

fn direction(inverse: bool) -> FftDirection {
    if inverse { FftDirection::Inverse } else { FftDirection::Forward }
}

impl Planned for f32 {
    fn plan(length: usize, inverse: bool) -> Arc<dyn Fft<Self>> {
        FftPlanner::new().plan_fft(length, direction(inverse))
    }
}

impl Planned for f64 {
    fn plan(length: usize, inverse: bool) -> Arc<dyn Fft<Self>> {
        FftPlanner::new().plan_fft(length, direction(inverse))
    }
}
