//! The run, as the report wants it.

use ndarray::Array2;

use super::analysis::{Analysis, Found, Output};
use super::files;
use super::programs::Programs;
use super::summary::Course;
use crate::calibrate::{Aberration, CameraConfig, LayerErrors};
use crate::data::DataSet;
use crate::engine::{Parameter, Quantity};
use crate::experiment::{Experiment, RunError};
use crate::io::RunDir;
use crate::metrics::Confusion;
use crate::report::{
    ClassificationReport, Detector, Epoch, Example, Fact, Fidelity, Imperfection, LayerMasks, Optics,
    Picture, PictureKind, Training,
};
use crate::train::{BenchCost, Method, Outcome, Work};
use crate::twin::{HardwareKind, Layout};

/// Fills the report.
pub(super) fn report(
    dir: &RunDir,
    experiment: &Experiment,
    data: &DataSet,
    programs: &Programs,
    found: &Found,
    analysis: &Analysis,
    command: &str,
) -> Result<ClassificationReport, RunError> {
    let (truth, classes) = (&data.test.labels, data.classes.len());
    let confusion = |predicted: &[u8]| Confusion::new(truth, predicted, classes);
    let run = dir.path().file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    Ok(ClassificationReport {
        title: format!("{}: {} layers, {}", experiment.name, experiment.optics.layers, data.name),
        run,
        date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        command: command.into(),
        seed: experiment.seed,
        device: analysis.device.clone(),
        version: format!("ffm-twin {}", env!("CARGO_PKG_VERSION")),
        data: images(experiment, data, found.validation),
        class_names: data.classes.clone(),
        ideal: confusion(&found.ideal.evaluation.predictions)?,
        deployed: confusion(&found.deployed.evaluation.predictions)?,
        ffm: confusion(&found.ffm.evaluation.predictions)?,
        light: [&found.ideal.evaluation, &found.deployed.evaluation, &found.ffm.evaluation].map(|e| e.light),
        in_silico_training: training(&found.ideal),
        ffm_training: training(&found.ffm),
        method: programs.method.label().into(),
        method_title: programs.method.title().into(),
        bench: bench(experiment, data, programs.method, (&found.ffm, found.validation)),
        methods: Method::ALL.iter().map(|m| m.facts(experiment.optics.layers)).collect(),
        gradient: Some(analysis.gradient.clone()),
        fidelity: analysis.ssim_deployed.zip(analysis.ssim_ffm).map(|(deployed, ffm)| Fidelity {
            deployed,
            ffm,
            samples: analysis.compared,
        }),
        drift: found.drift.clone(),
        masks: masks(programs, found),
        detectors: detectors(programs),
        examples: analysis.examples.iter().map(|e| example(data, e.index, &e.outputs)).collect(),
        optics: optics(experiment, data, programs, found)?,
        imperfections: imperfections(programs),
        config: experiment.to_toml(),
    })
}

/// The data set in a line.
fn images(experiment: &Experiment, data: &DataSet, validation: usize) -> String {
    let mirrored = if experiment.data.mirror { " (half of them mirrored)" } else { "" };
    let held = if validation > 0 { format!(", {validation} validation") } else { String::new() };
    format!(
        "{}: {} training{mirrored}{held} and {} test images",
        data.name,
        data.train.len(),
        data.test.len()
    )
}

/// What the third stage would take on the bench: every epoch trains on all images and tests on all.
fn bench(
    experiment: &Experiment,
    data: &DataSet,
    method: Method,
    (outcome, validation): (&Outcome, usize),
) -> BenchCost {
    let epochs = outcome.rows.len() as u64;
    experiment.laboratory.cost(&Work {
        method,
        layers: experiment.optics.layers,
        kind: experiment.hardware.kind,
        trained: epochs * data.train.len() as u64,
        tested: epochs * (data.test.len() + validation) as u64,
        compute_seconds: outcome.seconds,
    })
}

fn training(outcome: &Outcome) -> Training {
    let epoch = |row: &crate::train::EpochRow| Epoch {
        epoch: row.epoch as f64,
        train_loss: row.train_loss,
        train_accuracy: row.train_accuracy,
        test_loss: Some(row.test_loss),
        test_accuracy: Some(row.test_accuracy),
        validation_loss: row.validation_loss,
        validation_accuracy: row.validation_accuracy,
    };
    let Course { best_epoch, kept_epoch, ended, .. } = Course::of(outcome);
    Training {
        best_epoch,
        kept_epoch,
        ended,
        seconds: outcome.seconds,
        samples_per_second: outcome.samples_per_second,
        history: outcome.rows.iter().map(epoch).collect(),
    }
}

fn picture<T: Copy>(a: &Array2<T>, kind: PictureKind, value: impl Fn(T) -> f32) -> Picture {
    Picture { rows: a.nrows(), cols: a.ncols(), values: a.iter().map(|v| value(*v)).collect(), kind }
}

fn masks(programs: &Programs, found: &Found) -> Vec<LayerMasks> {
    let parameters = programs.twin.parameters();
    let pairs = found.ideal.state.commands().zip(found.ffm.state.commands());
    let mut shown: Vec<_> = parameters
        .iter()
        .zip(pairs)
        .filter(|(p, _)| p.quantity == Quantity::Amplitude || programs.twin.masks[p.mask].kind.has_phase())
        .collect();
    // Phase and amplitude of a layer side by side.
    shown.sort_by_key(|(p, _)| p.mask);
    let view = |(p, (ideal, ffm)): (&Parameter, (&Array2<f32>, &Array2<f32>))| {
        let (kind, what) = match p.quantity {
            Quantity::Phase => (PictureKind::Phase, ""),
            Quantity::Amplitude => (PictureKind::Transmission, ", amplitude"),
        };
        let state = if programs.twin.masks[p.mask].frozen { ", frozen" } else { "" };
        let name = format!("Layer {}{what}{state}", p.mask + 1);
        let [ideal, ffm] = [ideal, ffm].map(|a| picture(a, kind, |v| v));
        LayerMasks { name, ideal, ffm }
    };
    shown.into_iter().map(view).collect()
}

fn detectors(programs: &Programs) -> Vec<Detector> {
    let differential = programs.system.config().detectors.layout == Layout::Differential;
    let one = |(k, r): (usize, &crate::twin::Region)| Detector {
        class: if differential { k / 2 } else { k },
        row: r.row,
        col: r.col,
        rows: r.rows,
        cols: r.cols,
        negative: differential && k % 2 == 1,
    };
    programs.system.regions().iter().enumerate().map(one).collect()
}

fn example(data: &DataSet, index: usize, outputs: &[Output; 3]) -> Example {
    let [rows, cols] = data.test.size;
    let pixels = &data.test.pixels[index * rows * cols..(index + 1) * rows * cols];
    let values = pixels.iter().map(|p| f32::from(*p) / 255.0).collect();
    let shown = |o: &Output| crate::report::Output {
        picture: picture(&o.intensity, PictureKind::Intensity, |v| v as f32),
        scores: o.scores.clone(),
        predicted: usize::from(o.prediction),
    };
    Example {
        index,
        truth: usize::from(data.test.labels[index]),
        input: Picture { rows, cols, values, kind: PictureKind::Amplitude },
        ideal: shown(&outputs[0]),
        deployed: shown(&outputs[1]),
        ffm: shown(&outputs[2]),
    }
}

fn optics(
    experiment: &Experiment,
    data: &DataSet,
    programs: &Programs,
    found: &Found,
) -> Result<Optics, RunError> {
    let (o, padded) = (&experiment.optics, programs.ideal.padded);
    let mut distances = programs.system.distances().to_vec();
    if o.input_distance.0 > 0.0 {
        distances.insert(0, o.input_distance.0);
    }
    let hardware = match experiment.hardware.kind {
        HardwareKind::Reload => "one modulator and camera, reloaded for every layer",
        HardwareKind::Cascade => "masks in a row",
    };
    let layout = match experiment.detectors.layout {
        Layout::Squares => "one region per class",
        Layout::Differential => "a positive and a negative region per class",
    };
    let fact = |name: &str, value: String| Fact { name: name.into(), value };
    let mut more = vec![fact("hardware", hardware.into()), fact("detectors", layout.into())];
    more.extend(experiment.optics.bits.map(|bits| fact("designed for", format!("{bits} bit phases"))));
    more.push(fact("activation", experiment.activation.describe()));
    more.push(fact("camera", programs.system.camera().map_or_else(|| "exact fields".into(), camera)));
    for one in files::by_wavelength(experiment, data, programs, found) {
        let accuracies = one.accuracies(programs.method.label());
        let text = format!(
            "{accuracies}; masks act as {:.3} times the phase they are designed for",
            one.phase_scale
        );
        more.push(fact(&format!("accuracy at {}", one.title()), text));
    }
    Ok(Optics {
        wavelength: o.wavelength.0,
        pitch: o.pitch.both().map(|l| l.0),
        shape: programs.ideal.shape,
        padded,
        distances,
        method: programs.system.method(padded)?.name().replace('-', " "),
        more,
    })
}

fn camera(c: &CameraConfig) -> String {
    format!(
        "four phase steps, {} photons per pixel and frame at quantum efficiency {}, reference {} x rms, read noise {} e-, \
         full well {} e-, {} bit",
        c.photons, c.quantum_efficiency, c.reference, c.read_noise, c.full_well, c.adc_bits
    )
}

/// A table row's value in one layer.
type Column = fn(&LayerErrors) -> Option<f64>;

/// Every knob that has a number, with the unit it is shown in.
const KNOBS: [(&str, &str, Column); 23] = [
    ("lateral shift x", "µm", |e| e.shift.map(|s| s[0].0 * 1e6)),
    ("lateral shift y", "µm", |e| e.shift.map(|s| s[1].0 * 1e6)),
    ("axial error", "mm", |e| e.axial.map(|a| a.0 * 1e3)),
    ("roll", "°", |e| e.roll.map(|a| a.0.to_degrees())),
    ("magnification", "", |e| e.magnification),
    ("tilt x", "mrad", |e| e.tilt.map(|t| t[0].0 * 1e3)),
    ("tilt y", "mrad", |e| e.tilt.map(|t| t[1].0 * 1e3)),
    ("modulator bits", "", |e| e.bits.map(f64::from)),
    ("phase range / 2π", "", |e| e.range),
    ("phase response gamma", "", |e| e.gamma),
    ("cross-talk", "px", |e| e.crosstalk),
    ("zero-order efficiency", "", |e| e.efficiency),
    ("fill factor", "", |e| e.fill_factor),
    ("modulator aberration", "rad rms", |e| e.modulator_aberration.as_ref().map(total_rms)),
    ("modulator edge amplitude", "", |e| e.modulator_edge),
    ("illumination waist x", "mm", |e| e.illumination.map(|l| l.waist[0].0 * 1e3)),
    ("illumination waist y", "mm", |e| e.illumination.map(|l| l.waist[1].0 * 1e3)),
    ("pixel aperture", "pitch", |e| e.aperture),
    ("camera aberration", "rad rms", |e| e.camera_aberration.as_ref().map(total_rms)),
    ("camera edge amplitude", "", |e| e.camera_edge),
    ("pupil aberration", "rad rms", |e| e.pupil_aberration.as_ref().map(total_rms)),
    ("phase range over the panel, largest less smallest", "", |e| {
        let all = || e.range_map.iter().flat_map(|m| m.0.iter().flatten().copied());
        e.range_map.as_ref().map(|_| all().fold(f64::MIN, f64::max) - all().fold(f64::MAX, f64::min))
    }),
    ("look-up table entries", "", |e| e.lut.as_ref().map(|l| l.len() as f64)),
];

/// Zernike terms and the random part are independent: squares add.
fn total_rms(a: &Aberration) -> f64 {
    (a.zernike.iter().map(|(_, c)| c * c).sum::<f64>() + a.rms * a.rms).sqrt()
}

fn imperfections(programs: &Programs) -> Vec<Imperfection> {
    let layers = 1..=programs.system.config().optics.layers;
    let errors: Vec<LayerErrors> = layers.map(|l| programs.system.errors_of(l)).collect();
    let row = |(name, unit, value): &(&str, &str, Column)| {
        let values: Vec<Option<f64>> = errors.iter().map(value).collect();
        let known = values.iter().any(Option::is_some);
        known.then(|| Imperfection { name: (*name).into(), unit: (*unit).into(), values })
    };
    KNOBS.iter().filter_map(row).collect()
}
