//! Measured frames against the twin, nominal and calibrated.

use std::path::Path;
use std::process::ExitCode;

use ndarray::{Array2, s};

use super::likeness::Found;
use super::twins::{Given, Predicted};
use super::{Files, sets, twins};
use crate::calibrate::Calibration;
use crate::cli::args::{Common, Frames, Report};
use crate::cli::study::Wrong;
use crate::cli::{measure, progress};
use crate::experiment::frames::{dark_counts, numbered, window};
use crate::measure::{Frame, Measurement, Role, Shown};
use crate::report::likeness::compare;
use crate::twin::OpticsConfig;

/// Smallest side that SSIM needs.
const LEAST: usize = crate::metrics::WINDOW;

pub(super) fn report(dir: &Path, args: &Report, files: &Files, common: &Common) -> anyhow::Result<ExitCode> {
    let mut m = measure::open(dir)?;
    let mut found = Found { title: format!("Twin and bench: {}", name(&m, dir)), ..Found::default() };
    let given = args.twin.as_deref().map(|twin| Given::read(twin, common)).transpose()?.unwrap_or_default();
    if let (Some(optics), Some(path)) = (&given.optics, &args.twin) {
        found.warnings.extend(other_optics(optics, &m.config.optics, path));
        m.config.optics = optics.clone();
    }
    let calibration = args.calibration.as_deref().map(Calibration::read).transpose()?;
    if let Some(calibration) = &calibration {
        same_bench(calibration, &m.config.optics)?;
    }
    let numbers = chosen(&m, args.frames);
    let sets = match sets::chosen(&m, args.frames) {
        Err(e) if !numbers.is_empty() => {
            found.warnings.push(format!("Frames with a reference beam are left out: {e}."));
            Vec::new()
        }
        found => found?,
    };
    if numbers.is_empty() && sets.is_empty() {
        let path = m.dir.join(crate::measure::FILE);
        anyhow::bail!(Wrong(format!(
            "--frames: {} has neither frame nor reference set to compare with (role \"fit\" or \"test\")",
            path.display()
        )));
    }
    let response = calibration.as_ref().and_then(|c| c.response);
    let [rows, cols] = m.config.camera.pixels.both();
    let mut known = Array2::from_elem((rows, cols), true);
    let bar = progress::spinner(!common.quiet && std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let of_sets: Vec<usize> = sets.iter().map(|set| set.number).collect();
    let mut twins = Vec::new();
    for twin in twins::twins(&given, calibration.as_ref(), m.config.optics.layers)? {
        bar.set_message(format!("{}: {} frames, {} fields", twin.0, numbers.len(), sets.len()));
        let predicted = Predicted::new(&m, &twin, &numbers, &of_sets, args)?;
        known.zip_mut_with(&predicted.inside, |a, b| *a &= b);
        twins.push(predicted);
    }
    let seen = window(&known);
    if seen.iter().any(|side| side.len() < LEAST) {
        anyhow::bail!(Wrong(format!(
            "the twin covers {} x {} of the camera's {rows} x {cols} pixels, and SSIM needs {LEAST} a side; check pitch and \
             pixels of [camera] and [optics], then register: ffm calibrate {}",
            seen[0].len(),
            seen[1].len(),
            dir.display()
        )));
    }
    let dark = dark_counts(&m)?;
    let offset = response.map_or(0.0, |r| r.offset);
    for (k, &number) in numbers.iter().enumerate() {
        let frame = &m.config.frames[number - 1];
        bar.set_message(format!("comparing {} ({} of {})", frame.file, k + 1, numbers.len()));
        let counts = m.counts(number)?;
        let light = match &dark {
            Some(dark) => counts - dark,
            None => counts - offset,
        };
        let cut = |a: &Array2<f64>| a.slice(s![seen[0].clone(), seen[1].clone()]).to_owned();
        let images: Vec<_> = twins.iter().map(|t| (t.name, cut(&t.frames[k]))).collect();
        let rivals: Vec<_> = images.iter().map(|(name, a)| (*name, a.view())).collect();
        let compared = compare(&frame.file, detail(frame), cut(&light).view(), &rivals);
        found.samples.push(
            compared
                .map_err(|e| anyhow::Error::new(e).context(format!("{} (frame {number})", frame.file)))?,
        );
    }
    if !numbers.is_empty() {
        describe(&mut found, &dark, response.is_some(), dir);
    }
    bar.set_message("comparing fields");
    sets::compare(&mut found, &m, &sets, &twins, &known, &seen)?;
    bar.finish_and_clear();
    found.fact("Bench", name(&m, dir));
    found.fact(
        "Compared",
        format!(
            "{} × {} of {rows} × {cols} camera pixels: those that see nothing but the twin's grid",
            seen[0].len(),
            seen[1].len()
        ),
    );
    if let (Some(_), Some(path)) = (&given.imperfections, &args.twin) {
        let calibrated = if twins.len() > 1 { "; what the calibration says comes first" } else { "" };
        found.fact("Imperfections", format!("those of {} as well{calibrated}", path.display()));
    }
    found.finish(files, common)
}

/// What is to be said of frames without a reference beam.
fn describe(found: &mut Found, dark: &Option<Array2<f64>>, scaled: bool, dir: &Path) {
    let last = found.samples.first().map_or(0, |s| s.rivals.len() - 1);
    let count = found.samples.len();
    found.findings.push(match last {
        0 => format!("Mean SSIM of {count} frames against the nominal twin: {:.3}.", found.ssim(0)),
        _ => format!(
            "Mean SSIM of {count} frames: {:.3} against the nominal twin, {:.3} against the calibrated one.",
            found.ssim(0),
            found.ssim(1)
        ),
    });
    let remedy = match last {
        0 => format!(
            "Register first: ffm calibrate {} --out calibration.toml, then add --calibration.",
            dir.display()
        ),
        _ => "The calibration does not hold for these frames; calibrate again with frames of this bench."
            .to_owned(),
    };
    found.doubt(last, scaled, &remedy);
    found.fact(
        "Dark counts",
        match (dark, scaled) {
            (Some(_), _) => "mean of the background frames, subtracted",
            (None, true) => "offset of the calibration, subtracted",
            (None, false) => "none known",
        },
    );
    found.fact(
        "Nominal twin",
        match scaled {
            true => "the optics as described, with the gain of the calibrated camera",
            false => {
                "the optics as described; its intensity is not in counts, so the energy ratio has no meaning"
            }
        },
    );
}

fn name(m: &Measurement, dir: &Path) -> String {
    if m.config.name.is_empty() { dir.display().to_string() } else { m.config.name.clone() }
}

/// The frames asked for whose counts a twin can predict.
fn chosen(m: &Measurement, frames: Frames) -> Vec<usize> {
    let wanted = |role| match frames {
        Frames::Fit => role == Role::Fit,
        Frames::Test => role == Role::Test,
        Frames::All => matches!(role, Role::Fit | Role::Test),
    };
    numbered(m, wanted).filter(|n| !m.config.frames[n - 1].reference).collect()
}

pub(super) fn detail(frame: &Frame) -> String {
    let shown = frame.show.iter().map(|(layer, what)| match what {
        Shown::Gray(gray) => format!("layer {layer} shows gray {gray}"),
        Shown::File(file) => format!("layer {layer} shows {file}"),
    });
    let distance = frame.distance.map(|d| format!("camera at {d}"));
    shown.chain(distance).collect::<Vec<_>>().join(", ")
}

/// Where an experiment's optics are not those of the measurement.
fn other_optics(twin: &OpticsConfig, bench: &OpticsConfig, path: &Path) -> Option<String> {
    let pairs = [
        ("wavelength", twin.wavelength.to_string(), bench.wavelength.to_string()),
        ("pixels", format!("{:?}", twin.pixels.both()), format!("{:?}", bench.pixels.both())),
        ("pitch", format!("{:?}", twin.pitch.both()), format!("{:?}", bench.pitch.both())),
        ("distance", twin.distance.to_string(), bench.distance.to_string()),
        ("layers", twin.layers.to_string(), bench.layers.to_string()),
    ];
    let other: Vec<_> = pairs
        .into_iter()
        .filter(|(_, a, b)| a != b)
        .map(|(key, a, b)| format!("{key} {a} (measured: {b})"))
        .collect();
    (!other.is_empty()).then(|| {
        format!("The optics of {} are not those of measurement.toml: {}.", path.display(), other.join(", "))
    })
}

/// Refuses a calibration of another bench.
fn same_bench(calibration: &Calibration, optics: &OpticsConfig) -> anyhow::Result<()> {
    let Some(bench) = &calibration.bench else { return Ok(()) };
    if bench.wavelength == optics.wavelength
        && bench.pixels == optics.pixels.both()
        && bench.pitch == optics.pitch.both()
    {
        return Ok(());
    }
    anyhow::bail!(Wrong(format!(
        "--calibration: it is of a bench with {:?} pixels at {}, but the twin has {:?} at {}; calibrate this bench",
        bench.pixels,
        bench.wavelength,
        optics.pixels.both(),
        optics.wavelength
    )))
}
