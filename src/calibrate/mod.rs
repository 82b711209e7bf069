//! What is wrong with a real set-up: the parameters, presets, and how unknown ones are drawn.

mod imperfections;
mod preset;

pub use imperfections::{Aberration, CameraConfig, Imperfections, LayerErrors};
pub use preset::{PresetError, resolve};
