//! Measured data: a folder with camera frames, and a `measurement.toml` that says what was shown and how it was recorded.

mod check;
#[cfg(test)]
mod check_tests;
mod config;
mod correct;
mod description;
mod error;
mod exposure;
mod fields;
mod folder;
mod init;
pub mod patterns;
mod problem;
mod statistics;

pub use check::{Check, FrameCheck};
pub use config::{CameraSheet, Frame, MeasurementConfig, Role, Shown};
pub use correct::Corrections;
pub use error::MeasureError;
pub use fields::{FieldOptions, Flatten, MeasuredField};
pub use folder::{FILE, Measurement};
pub use init::init;
pub use problem::{Kind, Problem, Severity};
pub use statistics::{BINS, Statistics};
