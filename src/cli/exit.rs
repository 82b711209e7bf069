//! Exit codes, part of the interface.

use std::process::ExitCode;

use crate::calibrate::caustic::CausticError;
use crate::calibrate::estimate::EstimateError;
use crate::calibrate::response::ResponseError;
use crate::calibrate::{CalibrationError, PredictError};
use crate::data::DataError;
use crate::device::Misfit;
use crate::engine::EngineError;
use crate::experiment::{RunError, SettingsError};
use crate::holography::HolographyError;
use crate::io::IoError;
use crate::lab::LabError;
use crate::measure::MeasureError;
use crate::metrics::MetricError;
use crate::optics::OpticsError;
use crate::report::ReportError;
use crate::train::TrainError;
use crate::twin::ConfigError;

/// An unforeseen failure.
pub(super) const INTERNAL: u8 = 1;
/// Wrong arguments or configuration (clap uses the same).
pub(super) const USAGE: u8 = 2;
/// Bad input data: images, labels, fields, checkpoints.
pub(super) const DATA: u8 = 3;
/// No device, or too little memory, or a lost device.
pub(super) const DEVICE: u8 = 4;
/// Output that could not be written.
pub(super) const OUTPUT: u8 = 5;
/// NaN, divergence.
pub(super) const NUMERICS: u8 = 6;
/// Interrupted by the user.
pub(super) const INTERRUPTED: u8 = 130;

/// The exit code of an error: the first known cause decides.
pub(super) fn code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(error.chain().find_map(known).unwrap_or(INTERNAL))
}

fn known(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(e) = cause.downcast_ref::<RunError>() {
        return run(e);
    }
    if let Some(e) = cause.downcast_ref::<TrainError>() {
        return train(e);
    }
    if let Some(e) = cause.downcast_ref::<EngineError>() {
        return Some(engine(e));
    }
    if let Some(e) = cause.downcast_ref::<IoError>() {
        return Some(io(e));
    }
    if let Some(e) = cause.downcast_ref::<MeasureError>() {
        return Some(measure(e));
    }
    if let Some(e) = cause.downcast_ref::<HolographyError>() {
        return Some(holography(e));
    }
    if let Some(e) = cause.downcast_ref::<DataError>() {
        return Some(data(e));
    }
    if let Some(e) = cause.downcast_ref::<ConfigError>() {
        return Some(config(e));
    }
    if let Some(e) = cause.downcast_ref::<LabError>() {
        return Some(lab(e));
    }
    if let Some(e) = cause.downcast_ref::<CalibrationError>() {
        return Some(calibration(e));
    }
    if cause.is::<Misfit>() {
        return Some(USAGE);
    }
    if let Some(e) = cause.downcast_ref::<EstimateError>() {
        return Some(estimate(e));
    }
    if let Some(e) = cause.downcast_ref::<ResponseError>() {
        return Some(match e {
            ResponseError::Measure(e) => measure(e),
            _ => DATA,
        });
    }
    if let Some(e) = cause.downcast_ref::<PredictError>() {
        return Some(match e {
            PredictError::Measure(e) => measure(e),
            PredictError::Config(e) => config(e),
            PredictError::Engine(e) => engine(e),
        });
    }
    if cause.is::<super::study::Wrong>() || cause.is::<SettingsError>() || cause.is::<OpticsError>() {
        return Some(USAGE);
    }
    if cause.is::<MetricError>() || cause.is::<CausticError>() {
        return Some(DATA);
    }
    if cause.is::<super::study::Diverged>() {
        return Some(NUMERICS);
    }
    cause.is::<ReportError>().then_some(OUTPUT)
}

fn run(error: &RunError) -> Option<u8> {
    match error {
        RunError::Lost { .. } => Some(DEVICE),
        RunError::Engine(e) => Some(engine(e)),
        RunError::Train(e) => train(e),
        RunError::Io(e) => Some(io(e)),
        RunError::Data(e) => Some(data(e)),
        RunError::Config(e) => Some(config(e)),
        RunError::Settings(_) => Some(USAGE),
        RunError::Metric(_) => Some(NUMERICS),
        RunError::Report(_) => Some(OUTPUT),
    }
}

fn train(error: &TrainError) -> Option<u8> {
    match error {
        TrainError::Engine(e) => Some(engine(e)),
        TrainError::Lost { .. } => Some(DEVICE),
        TrainError::Io(e) => Some(io(e)),
        TrainError::System(e) => Some(config(e)),
        TrainError::Config { .. } | TrainError::Laboratory { .. } => Some(USAGE),
        TrainError::Diverged { .. } => Some(NUMERICS),
        TrainError::Checkpoint { .. } => Some(DATA),
    }
}

fn config(error: &ConfigError) -> u8 {
    match error {
        ConfigError::Engine(e) => engine(e),
        _ => USAGE,
    }
}

fn data(error: &DataError) -> u8 {
    if matches!(error, DataError::Unwritable { .. }) { OUTPUT } else { DATA }
}

fn measure(error: &MeasureError) -> u8 {
    match error {
        MeasureError::Io(e) => io(e),
        MeasureError::Config { .. } => USAGE,
        MeasureError::Field { source, .. } => holography(source),
        _ => DATA,
    }
}

fn holography(error: &HolographyError) -> u8 {
    match error {
        HolographyError::Setting { .. } | HolographyError::Optics(_) => USAGE,
        HolographyError::AtEnd { .. } => NUMERICS,
        _ => DATA,
    }
}

fn engine(error: &EngineError) -> u8 {
    match error {
        EngineError::NotFinite { .. } => NUMERICS,
        EngineError::Shape { .. } => DATA,
        EngineError::Length { .. } => USAGE,
        _ => DEVICE,
    }
}

fn lab(error: &LabError) -> u8 {
    match error {
        LabError::Truth { .. } | LabError::Optics(_) | LabError::Settings(_) => USAGE,
        LabError::Config(e) => config(e),
        LabError::Measure(e) => measure(e),
        LabError::Stopped => INTERRUPTED,
        LabError::Io(e) => io(e),
    }
}

fn calibration(error: &CalibrationError) -> u8 {
    match error {
        CalibrationError::Settings(_) => USAGE,
        CalibrationError::Io(e) => io(e),
    }
}

fn estimate(error: &EstimateError) -> u8 {
    match error {
        EstimateError::Measure(e) => measure(e),
        EstimateError::Config(e) => config(e),
        EstimateError::Engine(e) => engine(e),
        EstimateError::Choice { .. } => USAGE,
        EstimateError::NoFrames { .. } | EstimateError::Metric(_) => DATA,
        EstimateError::Turned { .. }
        | EstimateError::Order(_)
        | EstimateError::Poor { .. }
        | EstimateError::Unlike { .. }
        | EstimateError::Unfinished { .. } => NUMERICS,
    }
}

fn io(error: &IoError) -> u8 {
    if error.is_output() { OUTPUT } else { DATA }
}
