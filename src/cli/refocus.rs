//! `ffm refocus`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use num_complex::Complex64;

use super::args::{Common, Refocus};
use super::propagate::{self, Output};
use super::{print, print_json, progress};
use crate::holography::{self, Best, Focus, Search, SideBand};
use crate::io;
use crate::optics::{Field, Length, Method};
use crate::twin::ConfigError;

/// Averaging of speckle where one transform shows rough objects, pixels.
const SPECKLE: usize = 8;

/// Searches the distance at which a field or hologram is sharp.
pub(super) fn refocus(args: &Refocus, common: &Common) -> anyhow::Result<ExitCode> {
    let length =
        |name: &str, text: &str| text.parse::<Length>().map(|l| l.0).with_context(|| format!("--{name}"));
    let search = Search {
        wavelength: length("wavelength", &args.wavelength)?,
        index: args.index,
        pitch: length("pitch", &args.pitch)?,
        from: length("from", &args.from)?,
        to: length("to", &args.to)?,
        steps: args.steps,
        metric: args.metric.into(),
        best: if args.lowest { Best::Min } else { Best::Max },
        speckle: args.speckle.unwrap_or(if args.single_transform { SPECKLE } else { 1 }),
        method: args.method.parse::<Method>().context("--method")?,
        single_transform: args.single_transform,
    };
    let kind = Output::of(&args.out)?;
    io::check_writable(&args.out)?;
    let (field, band) = read(args)?;
    let shown = !common.quiet && std::io::stderr().is_terminal();
    let bar = progress::bar(0, shown, "  {bar:24} {pos}/{len} distances  {elapsed} < {eta}");
    let found = holography::refocus(&field, &search, &mut |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let found = found?;
    let mut files = propagate::write(&args.out, &kind, &found.field)?;
    files.push(curve(&args.out, &found)?);
    if !common.quiet {
        print(&format!(
            "sharpest at {:.6} m, to {:.6} m by {}; pixel pitch there {:.4e} x {:.4e} m\nwritten: {}",
            found.distance,
            found.uncertainty,
            search.metric.name(),
            found.pitch[0],
            found.pitch[1],
            files.join(", ")
        ));
    }
    if common.json {
        print_json(&serde_json::json!({
            "distance": found.distance, "uncertainty": found.uncertainty, "metric": search.metric.name(),
            "pitch": found.pitch, "side_band": band, "files": files,
        }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The field to refocus, and the side-band that it came from.
fn read(args: &Refocus) -> anyhow::Result<(Field, Option<SideBand>)> {
    let npy = args.input.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    if npy && !args.off_axis && !args.hologram {
        return Ok((io::read_field(&args.input)?, None));
    }
    let frame = io::read_counts(&args.input)?;
    if args.off_axis {
        let band = args.side_band.map(|centre| SideBand {
            centre,
            radius: args.window.unwrap_or(0.5 * centre[0].hypot(centre[1])),
        });
        let found = holography::off_axis(frame.view(), band, args.other)?;
        return Ok((found.field, Some(found.side_band)));
    }
    if !args.hologram {
        return Err(ConfigError::Value {
            key: "FILE".into(),
            value: args.input.display().to_string(),
            problem:
                "has no phase; say --off-axis (take the field from a side-band) or --hologram (refocus the \
                      hologram as it is), or give a complex .npy"
                    .into(),
        }
        .into());
    }
    let mean = frame.mean().unwrap_or(0.0);
    Ok((frame.mapv(|v| Complex64::new(v - mean, 0.0)), None))
}

/// Distance and sharpness beside the picture.
fn curve(out: &Path, found: &Focus) -> anyhow::Result<String> {
    let stem = out.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let path: PathBuf = out.with_file_name(format!("{stem}-curve.csv"));
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["distance_m", "sharpness"])?;
    for (z, sharpness) in &found.curve {
        table.write_record([z.to_string(), sharpness.to_string()])?;
    }
    io::write_atomic(&path, &table.into_inner().context("the curve")?)?;
    Ok(path.display().to_string())
}
