//! `ffm eval`.

use std::path::Path;
use std::process::ExitCode;

use super::args::{Common, Eval};
use super::{print, print_json, train};
use crate::calibrate::Calibration;
use crate::experiment::classify::{retest, retest_elsewhere};
use crate::experiment::{read_text, settings};
use crate::io::RunDir;
use crate::lab::{Illumination, Truth};
use crate::train::Method;

/// Tests the masks of a run on its test images, or on another set.
pub(super) fn eval(args: &Eval, common: &Common) -> anyhow::Result<ExitCode> {
    let dir = RunDir::open(&args.run)?;
    let mut experiment = train::read_run(&dir)?;
    let bench = args.calibration.as_ref().or(args.truth.as_ref());
    if let Some(file) = bench {
        experiment.calibrate(&another(file, args.truth.is_some(), common)?, &file.display().to_string())?;
    }
    let data = experiment.load_data(args.data.as_deref())?;
    let mut engine = train::open(&experiment, &args.device, common)?;
    let test = if bench.is_some() { retest_elsewhere } else { retest };
    let found = test(&experiment, &data, &mut *engine, &dir)?;
    print(&format!(
        "{} test images of {}\n  ideal                 {:6.2} %\n  in-silico, deployed   {:6.2} %\n  {:<20}  {:6.2} %",
        found.samples,
        data.name,
        100.0 * found.ideal,
        100.0 * found.in_silico_deployed,
        found.method.label(),
        100.0 * found.trained
    ));
    if common.json {
        let info = engine.device();
        let mut accuracy = serde_json::json!({
            "ideal": found.ideal,
            "in_silico_deployed": found.in_silico_deployed,
            "trained": found.trained,
        });
        if found.method == Method::Ffm {
            accuracy["ffm"] = found.trained.into();
        }
        print_json(&serde_json::json!({
            "accuracy": accuracy,
            "method": found.method.name(),
            "samples": found.samples,
            "data": data.name,
            "bench": bench,
            "device": info.name,
            "engine": info.engine,
        }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The bench of a calibration or, where it may be, of a laboratory's truth.
fn another(file: &Path, truth: bool, common: &Common) -> anyhow::Result<Calibration> {
    let text = read_text(file)?;
    let table: toml::Table = text.parse().unwrap_or_default();
    let laboratory =
        ["illumination", "camera", "reference", "frames"].iter().any(|key| table.contains_key(*key));
    if !(truth && laboratory) {
        return Ok(Calibration::read(file)?);
    }
    let truth: Truth = settings(&text, &file.display().to_string(), &[])?;
    if truth.illumination != Illumination::default() && !common.quiet {
        eprintln!(
            "note: [illumination] of {} lights single masks in the laboratory; networks are lit by [source]",
            file.display()
        );
    }
    Ok(Calibration { imperfections: truth.imperfections, ..Calibration::default() })
}
