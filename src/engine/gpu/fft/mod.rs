//! The line FFT as WGSL text: butterflies, stages and twiddle tables.

mod butterfly;
mod line;
mod twiddles;

pub(super) use line::LineFft;
pub(super) use twiddles::twiddles;
