//! What `measurement.toml` says, checked without opening a frame.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::TAU;

use super::problem::{Kind, Problem, Severity, of_frame};
use super::{FILE, Frame, MeasureError, Measurement, Role, Shown};
use crate::twin::plausible;

/// Phase steps that differ by less than this are one, radians.
const SAME_STEP: f64 = 1e-6;

/// Problems of the description, in the order of the file.
pub(super) fn check(measurement: &Measurement) -> Vec<Problem> {
    let config = &measurement.config;
    let whole = |severity, kind, message| Problem { frame: None, file: FILE.into(), severity, kind, message };
    let units = plausible::units(&config.optics, Some(config.camera.pitch.both())).into_iter();
    let mut found: Vec<_> = units.map(|m| whole(Severity::Error, Kind::Unit, m)).collect();
    // Of a wrong wavelength or pitch follows a wrong spread.
    if found.is_empty() && config.frames.iter().any(|f| !f.show.is_empty()) {
        let far = plausible::distance(&config.optics);
        found.extend(far.map(|m| whole(Severity::Warning, Kind::Unit, m)));
    }
    if !(1..=24).contains(&config.camera.bits) {
        let message = format!("camera.bits = {} must be 1 to 24", config.camera.bits);
        found.push(whole(Severity::Error, Kind::Description, message));
    }
    if config.frames.is_empty() {
        let message = "there are no [[frames]]; list the files that were recorded".into();
        found.push(whole(Severity::Error, Kind::Description, message));
    }
    let frames = config.frames.iter().enumerate();
    found.extend(frames.flat_map(|(k, f)| frame(measurement, k + 1, f)));
    found.extend(repeated(&config.frames));
    found.extend(sets(measurement));
    found.extend(patterns(measurement));
    found
}

fn frame(measurement: &Measurement, number: usize, frame: &Frame) -> Vec<Problem> {
    let layers = measurement.config.optics.layers;
    let mut found = Vec::new();
    let mut wrong =
        |message| found.push(of_frame(number, frame, Severity::Error, Kind::Description, message));
    if frame.file.is_empty() {
        wrong("file is missing; name the picture or array that was recorded".into());
    }
    if !(frame.exposure.is_finite() && frame.exposure > 0.0) {
        wrong(format!("exposure = {} must be a positive number", frame.exposure));
    }
    for key in frame.show.keys() {
        if !key.parse::<usize>().is_ok_and(|n| (1..=layers).contains(&n)) {
            wrong(format!("show.{key}: layers are numbered 1 to optics.layers = {layers}"));
        }
    }
    if let Some(distance) = frame.distance.filter(|d| d.0 < 0.0 && !frame.show.is_empty()) {
        wrong(format!("distance = {distance}: the camera cannot stand before the layer that it looks at"));
    }
    if frame.step.is_some() && !frame.reference {
        wrong("it has a phase step but no reference beam; set reference = true or remove step".into());
    }
    found
}

/// One file under two numbers.
fn repeated(frames: &[Frame]) -> Vec<Problem> {
    let mut first = BTreeMap::new();
    let named = frames.iter().enumerate().filter(|(_, f)| !f.file.is_empty());
    named
        .filter_map(|(k, f)| {
            let earlier = *first.entry(&f.file).or_insert(k);
            let message = format!("frame {} is the same file; list every recorded frame once", earlier + 1);
            (earlier != k).then(|| of_frame(k + 1, f, Severity::Error, Kind::Duplicate, message))
        })
        .collect()
}

fn sets(measurement: &Measurement) -> Vec<Problem> {
    let frames = &measurement.config.frames;
    let mut found = Vec::new();
    for (name, numbers) in measurement.reference_sets() {
        let member = |n: usize| &frames[n - 1];
        let steps: Vec<_> = numbers.iter().filter_map(|n| Some((*n, member(*n).step?.0))).collect();
        if numbers.len() == 2 {
            let text = format!(
                "set {name:?} has two frames with the reference beam; phase shifting needs three or more, off-axis holography \
                 one"
            );
            found.push(of_frame(numbers[1], member(numbers[1]), Severity::Error, Kind::Missing, text));
        }
        if !steps.is_empty() && steps.len() < numbers.len() {
            let silent = numbers.iter().find(|n| member(**n).step.is_none()).copied().unwrap_or(numbers[0]);
            let text =
                format!("set {name:?}: give the step of every frame, or of none (it is then estimated)");
            found.push(of_frame(silent, member(silent), Severity::Error, Kind::Missing, text));
        }
        for (k, (n, step)) in steps.iter().enumerate() {
            let apart = |other: f64| ((step - other + TAU / 2.0).rem_euclid(TAU) - TAU / 2.0).abs();
            if let Some((twin, _)) = steps[..k].iter().find(|(_, s)| apart(*s) < SAME_STEP) {
                let text = format!("set {name:?}: its phase step is that of frame {twin}; steps must differ");
                found.push(of_frame(*n, member(*n), Severity::Error, Kind::Order, text));
            }
        }
        let rises: Vec<_> = steps.windows(2).map(|w| w[1].1 > w[0].1).collect();
        if let Some(k) = rises.iter().position(|up| *up != rises[0]) {
            let text =
                format!("set {name:?}: the steps neither rise nor fall all along; are the frames in order?");
            found.push(of_frame(
                steps[k + 1].0,
                member(steps[k + 1].0),
                Severity::Warning,
                Kind::Order,
                text,
            ));
        }
    }
    found
}

/// Patterns that are missing or have the wrong size, each once.
fn patterns(measurement: &Measurement) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (k, frame) in measurement.config.frames.iter().enumerate() {
        for (layer, shown) in &frame.show {
            let (Shown::File(file), Ok(layer)) = (shown, layer.parse()) else { continue };
            if !seen.insert(file) {
                continue;
            }
            let Err(error) = measurement.shown(k + 1, layer) else { continue };
            let (kind, message) = explain(&error);
            let text = format!("pattern {file}: {message}");
            found.push(of_frame(k + 1, frame, Severity::Error, kind, text));
        }
    }
    found
}

/// Kind and words of an error that the file's name need not be repeated in.
pub(super) fn explain(error: &MeasureError) -> (Kind, String) {
    match error {
        MeasureError::Frame { problem, .. } => (Kind::Size, problem.clone()),
        other => (Kind::Missing, other.to_string()),
    }
}

/// Whether a frame shows light.
pub(super) fn is_lit(frame: &Frame) -> bool {
    frame.role != Role::Background
}
