//! `ffm eval`.

use std::process::ExitCode;

use super::args::{Common, Eval};
use super::{print, print_json, train};
use crate::experiment::classify::{retest, retest_elsewhere};
use crate::io::RunDir;
use crate::train::Method;

/// Tests the masks of a run on its test images, or on another set.
pub(super) fn eval(args: &Eval, common: &Common) -> anyhow::Result<ExitCode> {
    let dir = RunDir::open(&args.run)?;
    let mut experiment = train::read_run(&dir)?;
    train::calibrate(&mut experiment, &args.twin)?;
    let bench = args.twin.calibration.as_ref().or(args.twin.truth.as_ref());
    let data = experiment.load_data(args.data.as_deref())?;
    let mut engine = train::open(&experiment, &args.device, common)?;
    let test = if bench.is_some() { retest_elsewhere } else { retest };
    let mut found = test(&experiment, &data, &mut *engine, &dir)?;
    if let Some(source) = &args.data {
        found.wavelengths.iter_mut().for_each(|one| one.data.clone_from(source));
    }
    print(&format!(
        "{} test images of {}\n  ideal                 {:6.2} %\n  in-silico, deployed   {:6.2} %\n  {:<20}  {:6.2} %",
        found.samples,
        data.name,
        100.0 * found.ideal,
        100.0 * found.in_silico_deployed,
        found.method.label(),
        100.0 * found.trained
    ));
    for one in &found.wavelengths {
        print(&format!("  {:<20}  {}", one.title(), one.accuracies(found.method.label())));
    }
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
            "wavelengths": found.wavelengths,
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
