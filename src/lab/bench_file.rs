//! The bench of a laboratory, for whoever trains or tests on it.

use std::path::Path;

use super::error::{LabError, wrong};
use super::truth::Truth;
use crate::calibrate::{Calibration, CalibrationError, Illumination};
use crate::io;
use crate::optics::Length;
use crate::twin::{HardwareKind, SourceConfig, SystemConfig};

/// Tables that a truth has and a calibration has not.
const TRUTH: [&str; 4] = ["illumination", "camera", "reference", "frames"];

/// The twin of a bench that a calibration or a (hidden or revealed) truth describes, as the laboratory would light it.
///
/// # Errors
/// A file that is missing or wrong; an illumination that would have to replace `[source]`.
pub fn bench(file: &Path, system: &SystemConfig) -> Result<Calibration, LabError> {
    let text = io::read_text(file)?;
    let table: toml::Table = text.parse().unwrap_or_default();
    if !TRUTH.iter().any(|key| table.contains_key(*key)) {
        return Calibration::read(file).map_err(|e| match e {
            CalibrationError::Settings(e) => e.into(),
            CalibrationError::Io(e) => e.into(),
        });
    }
    let truth: Truth = io::settings(&text, &file.display().to_string(), &[])?;
    let mut imperfections = truth.imperfections.clone();
    if let Some(lit) = lit(&truth, system)? {
        // One modulator that is used again and again is lit every time; of a cascade only the first.
        let layers = match system.hardware.kind {
            HardwareKind::Reload => system.optics.layers,
            HardwareKind::Cascade => 1,
        };
        for number in 1..=layers {
            let errors = imperfections.layer.entry(number.to_string()).or_default();
            errors.illumination.get_or_insert(lit);
        }
    }
    Ok(Calibration { imperfections, ..Calibration::default() })
}

fn lit(truth: &Truth, system: &SystemConfig) -> Result<Option<Illumination>, LabError> {
    let beam = &truth.illumination;
    match (system.source, beam.waist) {
        (SourceConfig::Plane, Some(waist)) => {
            Ok(Some(Illumination { centre: beam.centre, waist: [waist; 2] }))
        }
        (SourceConfig::Gaussian { .. }, Some(waist)) => Err(wrong(
            "illumination.waist",
            waist,
            "[source] of the experiment has one already; set source.kind = \"plane\"",
        )),
        (SourceConfig::Gaussian { .. }, None) if beam.centre != [Length(0.0); 2] => Err(wrong(
            "illumination.centre",
            format!("[{}, {}]", beam.centre[0], beam.centre[1]),
            "the Gaussian [source] of the experiment is on the axis; set source.kind = \"plane\" and illumination.waist",
        )),
        (_, None) => Ok(None),
    }
}
