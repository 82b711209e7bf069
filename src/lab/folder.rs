//! Frames and patterns as files.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma};
use ndarray::Array2;

use super::error::LabError;
use super::plan::{Light, Planned};
use crate::io::{self, IoError};
use crate::measure::{Measurement, Role};
use crate::optics::Angle;
use crate::twin::SystemConfig;

/// Writes counts as a 16-bit PNG.
pub(super) fn write_counts(path: &Path, counts: &Array2<u16>) -> Result<(), IoError> {
    let (rows, cols) = counts.dim();
    let pixels: Vec<u16> = counts.iter().copied().collect();
    let picture = ImageBuffer::<Luma<u16>, _>::from_raw(cols as u32, rows as u32, pixels)
        .ok_or_else(|| IoError::content(path, "its size does not match its pixels"))?;
    let mut out = Cursor::new(Vec::new());
    DynamicImage::ImageLuma16(picture)
        .write_to(&mut out, ImageFormat::Png)
        .map_err(|e| IoError::content(path, e))?;
    io::write_atomic(path, &out.into_inner())
}

/// The frames that a folder describes, as if they had not been recorded yet.
pub(super) fn planned(folder: &Path, config: &SystemConfig) -> Result<Vec<Planned>, LabError> {
    let plan = Measurement::open(folder)?;
    let (asked, here) = (&plan.config.optics, &config.optics);
    let of = |o: &crate::twin::OpticsConfig| (o.pixels.both(), o.pitch.both(), o.wavelength, o.distance);
    if of(asked) != of(here) {
        return Err(crate::measure::MeasureError::Config {
            file: folder.join(crate::measure::FILE).display().to_string(),
            message: format!(
                "[optics] is of another bench ({:?}) than the experiment's ({:?}); plan for this experiment, or give --plan's",
                of(asked),
                of(here)
            ),
        }
        .into());
    }
    let mut all = Vec::new();
    for (k, frame) in plan.config.frames.iter().enumerate() {
        let mut patterns = Vec::new();
        for (name, shown) in &frame.show {
            let layer = name.parse::<usize>().ok().filter(|l| (1..=here.layers).contains(l));
            let Some(layer) = layer else {
                let problem = format!("show has layer {name:?}; there are layers 1 to {}", here.layers);
                return Err(problem_of(&frame.file, k, problem));
            };
            if let (crate::measure::Shown::File(file), Some(gray)) = (shown, plan.shown(k + 1, layer)?) {
                patterns.push((file.clone(), gray));
            }
        }
        let light = match frame.role {
            Role::Background => Light::Dark,
            Role::Flat => Light::Even(0.6),
            // Exposures of a plan say how even light is to grow.
            Role::PhotonTransfer => Light::Even(0.6 * frame.exposure),
            Role::Fit | Role::Test | Role::Sweep => Light::Bench,
        };
        let mut frame = frame.clone();
        if frame.file.is_empty() {
            frame.file = format!("frames/frame-{:03}.png", k + 1);
        }
        if frame.step.is_some_and(|s| s != Angle(0.0)) && !frame.reference {
            return Err(problem_of(
                &frame.file,
                k,
                "has a step but no reference; set reference = true".into(),
            ));
        }
        let safe = Path::new(&frame.file).components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if !safe || !frame.file.to_lowercase().ends_with(".png") {
            let problem = "frames are written as 16-bit PNG into the folder; name it frames/NAME.png".into();
            return Err(problem_of(&frame.file, k, problem));
        }
        all.push(Planned { frame, light, patterns });
    }
    match all.is_empty() {
        false => Ok(all),
        true => Err(crate::measure::MeasureError::Config {
            file: folder.join(crate::measure::FILE).display().to_string(),
            message: "there are no [[frames]] to record".into(),
        }
        .into()),
    }
}

fn problem_of(file: &str, index: usize, problem: String) -> LabError {
    crate::measure::MeasureError::Frame { file: file.into(), number: index + 1, problem }.into()
}
