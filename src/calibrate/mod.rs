//! What is wrong with a real set-up: the parameters, presets, and how unknown ones are drawn.

pub mod caustic;
mod devices;
mod drift;
pub mod estimate;
mod file;
mod gray;
mod imperfections;
pub mod predict;
mod preset;
mod range_map;
pub mod response;

pub use devices::{Devices, devices};
pub use drift::{Drift, Motion};
pub use file::{
    Bench, Calibration, CalibrationError, Estimate, FieldFit, Fit, Registration, Response, Unclear,
};
pub use gray::gray_phases;
pub use imperfections::{Aberration, CameraConfig, Illumination, Imperfections, LayerErrors};
pub use predict::{PredictError, Prediction, Predictor};
pub use preset::{PresetError, resolve};
pub use range_map::RangeMap;
