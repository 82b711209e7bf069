//! `ffm propagate`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use num_complex::Complex64;

use super::args::{Common, Propagate};
use super::{print, print_json};
use crate::io;
use crate::optics::{self, Field, Length, Method, Propagation};
use crate::report::{Picture, PictureKind};
use crate::twin::ConfigError;

/// Propagates a file's field through free space, in `f64`.
pub(super) fn propagate(args: &Propagate, common: &Common) -> anyhow::Result<ExitCode> {
    let length =
        |name: &str, text: &str| text.parse::<Length>().map(|l| l.0).with_context(|| format!("--{name}"));
    let pitch = length("pitch", &args.pitch)?;
    let space = Propagation {
        wavelength: length("wavelength", &args.wavelength)?,
        index: args.index,
        distance: length("distance", &args.distance)?,
        method: args.method.parse::<Method>().context("--method")?,
        allow_undersampled: args.allow_undersampled,
    };
    check(pitch, args.padding)?;
    let kind = Output::of(&args.out)?;
    let field = read(&args.input, args.intensity)?;
    let padded = [field.nrows(), field.ncols()].map(|n| padded_length(n, args.padding));
    let (h, method) = space.transfer(padded, pitch, pitch)?;
    let bounds = space.bounds(padded, pitch, pitch);
    let out = optics::propagate(&field, &h);
    let files = write(&args.out, &kind, &out)?;
    let energy = |u: &Field| u.iter().map(|v| v.norm_sqr()).sum::<f64>() * pitch * pitch;
    let (before, after) = (energy(&field), energy(&out));
    if !common.quiet {
        print(&format!(
            "{} x {} pixels, padded to {} x {}, method {} (transfer function good up to {:.4} m, impulse response from {:.4} m)\n\
             energy in the window: {:.3} % of the input's\nwritten: {}",
            field.nrows(),
            field.ncols(),
            padded[0],
            padded[1],
            method.name(),
            bounds.0,
            bounds.1,
            if before > 0.0 { 100.0 * after / before } else { 0.0 },
            files.join(", ")
        ));
    }
    if common.json {
        print_json(&serde_json::json!({
            "method": method.name(), "padded": padded, "bounds": [bounds.0, bounds.1],
            "energy_in": before, "energy_out": after, "files": files,
        }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses what [`Propagation`] does not see.
fn check(pitch: f64, padding: f64) -> Result<(), ConfigError> {
    if !(pitch.is_finite() && pitch > 0.0) {
        return Err(bad("--pitch (m)", pitch, "must be a positive number"));
    }
    if !(1.0..=8.0).contains(&padding) {
        return Err(bad("--padding", padding, "must be 1 (periodic) to 8; 2 makes convolution linear"));
    }
    Ok(())
}

fn bad(key: &str, value: impl std::fmt::Display, problem: impl Into<String>) -> ConfigError {
    ConfigError::Value { key: key.into(), value: value.to_string(), problem: problem.into() }
}

/// The next length with small factors; a periodic grid keeps its own.
fn padded_length(n: usize, padding: f64) -> usize {
    if padding == 1.0 { n } else { crate::engine::next_fast_length((n as f64 * padding).ceil() as usize) }
}

/// What to write.
pub(super) enum Output {
    Complex,
    Pictures,
}

impl Output {
    pub(super) fn of(path: &Path) -> Result<Self, ConfigError> {
        match extension(path).as_str() {
            "npy" => Ok(Self::Complex),
            "png" => Ok(Self::Pictures),
            other => Err(bad(
                "--out",
                path.display(),
                format!(
                    "{other:?} files are not written; use .npy (complex field) or .png (amplitude and phase)"
                ),
            )),
        }
    }
}

fn extension(path: &Path) -> String {
    path.extension().map_or_else(String::new, |e| e.to_string_lossy().to_lowercase())
}

fn read(path: &Path, intensity: bool) -> anyhow::Result<Field> {
    if extension(path) == "npy" {
        return Ok(io::read_field(path)?);
    }
    let gray = io::read_gray(path)?;
    Ok(gray.mapv(|v| Complex64::new(if intensity { v.sqrt() } else { v }, 0.0)))
}

/// Writes a field as it was asked for; returns the files.
pub(super) fn write(path: &Path, kind: &Output, field: &Field) -> anyhow::Result<Vec<String>> {
    if let Output::Complex = kind {
        io::write_field(path, field)?;
        return Ok(vec![path.display().to_string()]);
    }
    let side = field.nrows().max(field.ncols());
    let picture = |kind, value: &dyn Fn(&Complex64) -> f32| Picture {
        rows: field.nrows(),
        cols: field.ncols(),
        values: field.iter().map(value).collect(),
        kind,
    };
    io::write_atomic(path, &picture(PictureKind::Amplitude, &|v| v.norm() as f32).to_png(side)?)?;
    let stem = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let beside = path.with_file_name(format!("{stem}-phase.png"));
    io::write_atomic(&beside, &picture(PictureKind::Phase, &|v| v.arg() as f32).to_png(side)?)?;
    Ok([path, &beside].map(|p| p.display().to_string()).to_vec())
}
