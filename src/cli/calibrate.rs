//! `ffm calibrate`.

use std::path::Path;
use std::process::ExitCode;

use super::args::{Calibrate, Common};
use super::{measure, print, print_json, progress, train};
use crate::calibrate::estimate::wavefront::{self, Overlaps, References};
use crate::calibrate::estimate::{self, Choice, EstimateError, Extent, Outcome, Similarity};
use crate::calibrate::{Calibration, Estimate, devices};
use crate::engine;
use crate::io;
use anyhow::Context;

/// Fits the twin of a measurement to its frames and writes what it found.
pub(super) fn calibrate(args: &Calibrate, common: &Common) -> anyhow::Result<ExitCode> {
    let mut choice =
        Choice { free: args.free.clone(), fix: args.fix.clone(), zernike: args.zernike, ..Choice::default() };
    let Some(measurement) = &args.measurement else { return plan(args, &choice, common) };
    let m = measure::open(measurement)?;
    let mut base = match &args.start {
        None => Calibration::default(),
        Some(path) => Calibration::read(path)?,
    };
    io::check_writable(&args.out)?;
    let known = devices(&m)?;
    known.respond(&mut base)?;
    known.choose(&mut choice, m.config.optics.layers);
    let references = References::read(&m, &choice).map_err(|e| match e {
        EstimateError::Choice { .. } => anyhow::Error::new(e),
        e => anyhow::Error::new(e)
            .context("frames with a reference beam (--fix camera_aberration leaves them out)"),
    })?;
    let open = || engine::open(&args.device.device, args.device.threads);
    let engine = open()?;
    let device = engine.device().describe();
    let started = std::time::Instant::now();
    let shown = !common.quiet && std::io::IsTerminal::is_terminal(&std::io::stderr());
    let bar = progress::spinner(shown);
    let found = estimate::estimate(&m, &base, &choice, engine, &mut |text| bar.set_message(text.to_owned()));
    let found = found.and_then(|mut outcome| {
        if let Some(references) = &references {
            let mut news = |text: &str| bar.set_message(text.to_owned());
            wavefront::estimate(&m, references, &choice, &mut outcome, open()?, &mut news)?;
        }
        Ok(outcome)
    });
    bar.finish_and_clear();
    let mut outcome = found?;
    known.complete(&mut outcome.calibration);
    outcome.calibration.write(&args.out)?;
    let seconds = started.elapsed().as_secs_f64();
    if !common.quiet {
        table(&outcome, &args.out, seconds, &device);
    }
    if common.json {
        json(&outcome, &args.out, seconds, &device)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes patterns and the list of frames to record, and says what they will determine.
fn plan(args: &Calibrate, choice: &Choice, common: &Common) -> anyhow::Result<ExitCode> {
    let experiment = train::experiment(args.plan.as_deref(), &[], None, common)?;
    io::check_writable(&args.out.join(crate::measure::FILE))?;
    let engine = engine::open(&args.device.device, args.device.threads)?;
    let device = engine.device().describe();
    let started = std::time::Instant::now();
    let extent = Extent { frames: args.frames, seed: experiment.seed };
    let optics = &experiment.system().optics;
    let proposal = estimate::plan(&experiment.name, optics, extent, choice, &args.out, engine)?;
    let (seconds, frames) = (started.elapsed().as_secs_f64(), proposal.measurement.config.frames.len());
    if !common.quiet {
        rows(&proposal.expected);
        for u in &proposal.unclear {
            print(&format!("unclear: {}", u.advice));
        }
        print(&format!(
            "\n{frames} frames to record are listed in {}; sigma is what to expect of them.\n\
             Correct [camera] there, record, and run: ffm calibrate {} --out calibration.toml",
            args.out.join(crate::measure::FILE).display(),
            args.out.display()
        ));
    }
    if common.json {
        print_json(&serde_json::json!({
            "dir": args.out, "frames": frames, "expected": proposal.expected, "unclear": proposal.unclear,
            "seconds": seconds, "device": device,
        }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The parameters, one a line.
fn rows(estimates: &[Estimate]) {
    let width = estimates.iter().map(|e| e.key.len()).max().unwrap_or(9);
    print(&format!("{:width$}  {:>12}  {:>10}  unit", "parameter", "value", "sigma"));
    for e in estimates {
        let (value, sigma, unit) = readable(e);
        print(&format!("{:width$}  {value:>12}  {sigma:>10}  {unit}", e.key));
    }
}

fn table(outcome: &Outcome, out: &Path, seconds: f64, device: &str) {
    rows(&outcome.calibration.estimates);
    if let Some(fit) = &outcome.calibration.fit {
        print(&format!(
            "\n{} frames, {} steps, {seconds:.1} s on {device}\nresidual {:.2} counts rms, chi-square {:.2}",
            fit.frames, fit.iterations, fit.rms, fit.chi_square
        ));
        let wider = estimate::widened(fit.chi_square);
        if wider > 1.0 {
            print(&format!(
                "the frames hold more than the twin knows (the pixels' higher orders at a near camera, ghosts, dust, fringing that is \
                 not free): sigma is {wider:.2} times wider for it"
            ));
        }
    }
    let corrected = outcome.corrected.to_string();
    if !corrected.is_empty() {
        print(&format!("counts: {corrected}"));
    }
    print(&line("fitted", &outcome.fitted));
    match &outcome.tested {
        Some(tested) => print(&line("unseen (role \"test\")", tested)),
        None => print(
            "no frame has role \"test\": nothing says how well the twin meets what it was not fitted to",
        ),
    }
    if let Some(fields) = &outcome.fields {
        print(&overlap("fitted", &fields.fitted));
        fields.tested.iter().for_each(|tested| print(&overlap("unseen (role \"test\")", tested)));
    }
    for u in &outcome.calibration.unclear {
        print(&format!("unclear: {}", u.advice));
    }
    print(&format!("written: {}", out.display()));
}

fn line(what: &str, s: &Similarity) -> String {
    format!("SSIM of {} {what} frames: {:.3} before, {:.3} after", s.frames, s.before, s.after)
}

fn overlap(what: &str, o: &Overlaps) -> String {
    format!(
        "overlap of {} {what} fields: {:.3} without the camera's wavefront, {:.3} with it",
        o.sets, o.before, o.after
    )
}

/// Value, uncertainty and unit as a person reads them.
fn readable(e: &Estimate) -> (String, String, &str) {
    let last = e.key.rsplit('.').next().unwrap_or_default();
    let (factor, unit) = match (e.unit.as_str(), last) {
        ("m", "axial") => (1e3, "mm"),
        ("m", _) => (1e6, "um"),
        ("rad", "roll") => (1.0_f64.to_degrees(), "deg"),
        (unit, _) => (1.0, unit),
    };
    let sigma = e.sigma * factor;
    // Two digits of the uncertainty.
    let digits = if sigma > 0.0 && sigma.is_finite() {
        (1.0 - sigma.log10().floor()).clamp(0.0, 9.0) as usize
    } else {
        3
    };
    let value = format!("{:.digits$}", e.value * factor);
    // Nothing is nothing on either side of 0.
    let zero = value.trim_start_matches('-').chars().all(|c| c == '0' || c == '.');
    (if zero { value.replace('-', "") } else { value }, format!("{sigma:.digits$}"), unit)
}

fn json(outcome: &Outcome, out: &Path, seconds: f64, device: &str) -> anyhow::Result<()> {
    let c = &outcome.calibration;
    let similarity =
        |s: &Similarity| serde_json::json!({ "frames": s.frames, "before": s.before, "after": s.after });
    let overlap = |o: &Overlaps| serde_json::json!({ "sets": o.sets, "before": o.before, "after": o.after });
    print_json(&serde_json::json!({
        "overlap_fitted": outcome.fields.map(|f| overlap(&f.fitted)),
        "overlap_tested": outcome.fields.and_then(|f| f.tested).as_ref().map(overlap),
        "file": out.display().to_string(), "name": c.name, "estimates": c.estimates, "unclear": c.unclear, "fit": c.fit,
        "corrected": outcome.corrected, "ssim_fitted": similarity(&outcome.fitted),
        "ssim_tested": outcome.tested.as_ref().map(similarity), "seconds": seconds, "device": device,
    }))
    .context("the summary")
}
