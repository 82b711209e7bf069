//! Models of devices: modulators, cameras and their noise, in the form the engines share.

mod bitmap;
mod files;
mod modulators;
pub mod noise;

pub use bitmap::{Misfit, Preparation, Prepared};
pub use files::{read_flatness, read_phases};
pub use modulators::Panel;
