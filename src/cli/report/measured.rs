//! Measured frames against the twin, nominal and calibrated.

use std::path::Path;
use std::process::ExitCode;

use ndarray::{Array2, s};

use super::Files;
use super::likeness::Found;
use crate::calibrate::{Calibration, Predictor, Response};
use crate::cli::args::{Common, Frames, Report};
use crate::cli::study::Wrong;
use crate::cli::{progress, train};
use crate::engine;
use crate::experiment::frames::{dark_counts, numbered, window};
use crate::measure::{Frame, Measurement, Role, Shown};
use crate::report::likeness::compare;
use crate::twin::OpticsConfig;

/// Smallest side that SSIM needs.
const LEAST: usize = crate::metrics::WINDOW;

/// A twin's name, and what it predicts.
type Twin = (&'static str, Vec<Array2<f64>>);

pub(super) fn report(dir: &Path, args: &Report, files: &Files, common: &Common) -> anyhow::Result<ExitCode> {
    let mut m = Measurement::open(dir)?;
    let mut found = Found { title: format!("Twin and bench: {}", name(&m, dir)), ..Found::default() };
    if let Some(path) = &args.twin {
        let optics = train::experiment(Some(path), &[], None)?.optics;
        found.warnings.extend(other_optics(&optics, &m.config.optics, path));
        m.config.optics = optics;
    }
    let calibration = args.calibration.as_deref().map(Calibration::read).transpose()?;
    if let Some(calibration) = &calibration {
        same_bench(calibration, &m.config.optics)?;
    }
    let numbers = chosen(&m, args.frames, &mut found)?;
    let response = calibration.as_ref().and_then(|c| c.response);
    let [rows, cols] = m.config.camera.pixels.both();
    let mut known = Array2::from_elem((rows, cols), true);
    let bar = progress::spinner(!common.quiet && std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let mut twins: Vec<Twin> = Vec::new();
    // The camera's gain is no error of alignment: the nominal twin has it, too.
    let gain = response.map(|r| Response { blur: 0.0, ..r });
    let nominal = Calibration { response: gain, ..Calibration::default() };
    let all = [("nominal twin", Some(nominal)), ("calibrated twin", calibration)];
    for (name, calibration) in all.into_iter().filter_map(|(name, c)| Some((name, c?))) {
        bar.set_message(format!("{name}: {} frames", numbers.len()));
        let engine = engine::open(&args.device.device, args.device.threads)?;
        let mut predictor = Predictor::new(&m.config, &calibration, engine)?;
        known.zip_mut_with(&predictor.inside(), |a, b| *a &= b);
        let offset = calibration.response.map_or(0.0, |r| r.offset);
        let frames = predictor.predict(&m, &numbers)?;
        twins.push((name, frames.into_iter().map(|p| p.counts - offset).collect()));
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
        let images: Vec<_> = twins.iter().map(|(name, frames)| (*name, cut(&frames[k]))).collect();
        let rivals: Vec<_> = images.iter().map(|(name, a)| (*name, a.view())).collect();
        let compared = compare(&frame.file, detail(frame), cut(&light).view(), &rivals);
        found.samples.push(
            compared
                .map_err(|e| anyhow::Error::new(e).context(format!("{} (frame {number})", frame.file)))?,
        );
    }
    bar.finish_and_clear();
    describe(&mut found, &m, &dark, response.is_some(), [rows, cols], dir);
    found.finish(files, common)
}

fn describe(
    found: &mut Found,
    m: &Measurement,
    dark: &Option<Array2<f64>>,
    scaled: bool,
    camera: [usize; 2],
    dir: &Path,
) {
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
    found.fact("Bench", name(m, dir));
    let shape = found.samples.first().map_or(camera, |s| s.shape);
    found.fact(
        "Compared",
        format!(
            "{} × {} of {} × {} camera pixels: those that see nothing but the twin's grid",
            shape[0], shape[1], camera[0], camera[1]
        ),
    );
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

/// The frames asked for that a twin can predict.
fn chosen(m: &Measurement, frames: Frames, found: &mut Found) -> anyhow::Result<Vec<usize>> {
    let wanted = |role| match frames {
        Frames::Fit => role == Role::Fit,
        Frames::Test => role == Role::Test,
        Frames::All => matches!(role, Role::Fit | Role::Test),
    };
    let all: Vec<usize> = numbered(m, wanted).collect();
    let (with, without): (Vec<_>, Vec<_>) = all.iter().partition(|n| m.config.frames[**n - 1].reference);
    if !with.is_empty() {
        found.warnings.push(format!(
            "{} frames with a reference beam are left out: reconstruct their fields and compare these, ffm report --measured \
             FIELDS --against PREDICTED.",
            with.len()
        ));
    }
    if without.is_empty() {
        let path = m.dir.join(crate::measure::FILE);
        anyhow::bail!(Wrong(format!(
            "--frames: {} has no frame to compare with (role \"fit\" or \"test\", without a reference beam)",
            path.display()
        )));
    }
    Ok(without)
}

fn detail(frame: &Frame) -> String {
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
