//! Why a calibration is not made.

use crate::calibrate::PredictError;
use crate::engine::EngineError;
use crate::measure::MeasureError;
use crate::metrics::MetricError;
use crate::optics::OpticsError;
use crate::twin::ConfigError;

/// A calibration that is not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EstimateError {
    /// The measurement.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// Its bench.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A comparison of frames.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A choice of parameters.
    #[error("{name}: {problem}")]
    Choice {
        /// What was asked for.
        name: String,
        /// What there is.
        problem: String,
    },
    /// Nothing to fit to.
    #[error(
        "{dir}: no frame has role \"fit\" without a reference beam; `ffm calibrate --plan` proposes frames to record"
    )]
    NoFrames {
        /// The measurement folder.
        dir: String,
    },
    /// Frames that are mirrored or turned.
    #[error(
        "frames look mirrored or turned: as they are they correlate by {upright:.2} with the twin, and by {correlation:.2} with {}; \
         correct [camera] in measurement.toml", keys(.turn)
    )]
    Turned {
        /// Exchange of rows and columns, reversal of rows, of columns, on top of what `[camera]` does.
        turn: [bool; 3],
        /// Correlation when that is done.
        correlation: f64,
        /// Correlation as they are.
        upright: f64,
    },
    /// Frames that show something else than is said.
    #[error("frames are not in order: {0}; correct [[frames]] in measurement.toml")]
    Order(String),
    /// The twin does not meet the frames.
    #[error(
        "the twin does not meet the frames: {what}. Likely causes: wavelength, pitch or distance wrong in measurement.toml (also by \
         a factor of 1000), frames out of order, a mirrored camera (camera.flip_x, flip_y, transpose), another modulator response \
         than expected. No calibration is written"
    )]
    Poor {
        /// The figures.
        what: String,
    },
    /// The twin's field is another one than that of a reference set.
    #[error(
        "set {set:?}: its field does not resemble the twin's, overlap {overlap:.2} with the best wavefront between them. Likely causes: \
         show or distance of its frames wrong in measurement.toml, steps given in the wrong order or with the wrong sign, a \
         reference that was not steady. No calibration is written; --fix camera_aberration leaves fields out"
    )]
    Unlike {
        /// The set.
        set: String,
        /// Overlap of the fields, 1 of equal ones.
        overlap: f64,
    },
    /// The search did not come to rest.
    #[error(
        "the search did not come to rest in {steps} steps; fix what is not of interest (--fix NAME,..), begin nearer \
         (--start FILE), or record more frames. No calibration is written"
    )]
    Unfinished {
        /// Steps that were made.
        steps: usize,
    },
}

fn keys(turn: &[bool; 3]) -> String {
    let names = ["camera.transpose", "camera.flip_y", "camera.flip_x"];
    let changed = names.iter().zip(turn).filter(|(_, on)| **on).map(|(name, _)| format!("{name} changed"));
    changed.collect::<Vec<_>>().join(" and ")
}

impl From<PredictError> for EstimateError {
    fn from(error: PredictError) -> Self {
        match error {
            PredictError::Measure(e) => Self::Measure(e),
            PredictError::Config(e) => Self::Config(e),
            PredictError::Engine(e) => Self::Engine(e),
        }
    }
}

impl From<OpticsError> for EstimateError {
    fn from(error: OpticsError) -> Self {
        Self::Config(error.into())
    }
}
