//! Measured data: a folder with camera frames, and a `measurement.toml` that says what was shown and how it was recorded.

mod config;
mod error;
mod folder;
pub mod patterns;

pub use config::{CameraSheet, Frame, MeasurementConfig, Role, Shown};
pub use error::MeasureError;
pub use folder::{FILE, Measurement};
