//! The virtual laboratory: writes the measurement folder that a real bench would have left, from a hidden truth.
//!
//! It shares nothing with the twin but formulas of optics: light is computed in `f64` on a grid with several points along each
//! modulator pixel, with the pixels' active squares and gaps, fringing fields, masks turned and scaled by geometry, wavefronts
//! evaluated where they are, and camera pixels integrated over their area wherever they look (`docs/physics.md`, *The virtual
//! laboratory*).

mod bench;
mod bench_file;
mod camera;
mod error;
mod fft;
mod folder;
mod mask;
mod plan;
mod record;
mod side;
mod truth;

pub use bench_file::bench;
pub use error::LabError;
pub use plan::Extent;
pub use record::{Asked, Recorded, record};
pub use truth::{FrameTruth, Illumination, LabCamera, ReferenceBeam, Truth};
