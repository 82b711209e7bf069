//! What a classification run leaves in its folder.

use ndarray::Array2;

use super::analysis::{Analysis, Found};
use super::document;
use super::programs::Programs;
use super::summary::{Course, Likeness, Shares, Summary, Trainings};
use crate::data::DataSet;
use crate::engine::{Program, Quantity, State};
use crate::experiment::{Experiment, RunError, WavelengthResult};
use crate::io::{self, Records, RunDir};
use crate::report::{self, DriftPoint};
use crate::train::{EpochRow, Method, TrainError};

/// Name of the checkpoint of a stage's best epoch.
pub(crate) fn best_name(stage: &str) -> String {
    format!("{stage}-best")
}

/// `metrics.csv` and `metrics.jsonl` of one stage.
pub(super) struct Metrics(Records);

impl Metrics {
    /// Opens the records and drops what was written after step `kept`.
    pub(super) fn open(dir: &RunDir, method: Method, kept: u64) -> Result<Self, RunError> {
        Ok(Self(Records::open(dir, method.name(), kept)?))
    }

    /// Records an epoch.
    pub(super) fn epoch(&mut self, row: EpochRow) -> Result<(), TrainError> {
        let figures = [
            ("train", "rate", row.rate),
            ("train", "loss", row.train_loss),
            ("train", "accuracy", row.train_accuracy),
            ("test", "loss", row.test_loss),
            ("test", "accuracy", row.test_accuracy),
            ("test", "light on detectors", row.test_light),
        ];
        let held_out = [
            row.validation_loss.map(|v| ("validation", "loss", v)),
            row.validation_accuracy.map(|v| ("validation", "accuracy", v)),
        ];
        for (split, name, value) in figures.into_iter().chain(held_out.into_iter().flatten()) {
            self.0.append(row.step, row.epoch as u64, split, name, value)?;
        }
        Ok(())
    }
}

/// Records the accuracies of a drifting bench.
pub(super) fn write_drift(dir: &RunDir, points: &[DriftPoint]) -> Result<(), RunError> {
    let mut records = Records::anew(dir, "drift")?;
    for (k, p) in points.iter().enumerate() {
        let figures = [
            ("accuracy of in-silico masks", Some(p.in_silico)),
            ("accuracy of calibrated masks", Some(p.calibrated)),
            ("accuracy of trained masks", p.trained),
        ];
        for (name, value) in figures.into_iter().filter_map(|(name, v)| Some((name, v?))) {
            records.append(p.step, k as u64, "test", name, value)?;
        }
    }
    Ok(())
}

/// Masks, report, summary; the folder is marked done.
pub(super) fn write_results(
    dir: &RunDir,
    experiment: &Experiment,
    data: &DataSet,
    programs: &Programs,
    found: &Found,
    analysis: Analysis,
    command: &str,
) -> Result<Summary, RunError> {
    let stages = [(Method::InSilico, &found.ideal.state), (programs.method, &found.ffm.state)];
    for (stage, state) in stages {
        write_masks(dir, stage.name(), &programs.twin, state)?;
    }
    let wavelengths = by_wavelength(experiment, data, programs, found);
    let document = document::report(dir, experiment, data, programs, found, &analysis, command)?;
    dir.write("report.html", report::render_classification(&document)?.as_bytes())?;
    dir.write("table.md", report::markdown_table(&document).as_bytes())?;
    let summary = Summary {
        accuracy: Shares {
            ideal: found.ideal.evaluation.accuracy,
            in_silico_deployed: found.deployed.evaluation.accuracy,
            ffm: (programs.method == Method::Ffm).then_some(found.ffm.evaluation.accuracy),
            trained: found.ffm.evaluation.accuracy,
        },
        light_on_detectors: Shares {
            ideal: found.ideal.evaluation.light,
            in_silico_deployed: found.deployed.evaluation.light,
            ffm: (programs.method == Method::Ffm).then_some(found.ffm.evaluation.light),
            trained: found.ffm.evaluation.light,
        },
        wavelengths: wavelengths.clone(),
        method: programs.method.name().into(),
        ssim: Likeness {
            ideal_vs_twin: analysis.ssim_deployed,
            ideal_vs_ffm: analysis.ssim_ffm,
            measured_vs_ideal: analysis.ssim_uncalibrated,
            measured_vs_calibrated: analysis.ssim_calibrated,
        },
        gradient_cosine: analysis.gradient.layers.clone(),
        samples_per_second: found.ffm.samples_per_second,
        samples_per_second_in_silico: found.ideal.samples_per_second,
        // Where nothing was trained on the bench, the third stage is the first once more.
        seconds: match programs.method {
            Method::InSilico => found.ideal.seconds,
            _ => found.ideal.seconds + found.ffm.seconds,
        },
        training: Trainings { in_silico: Course::of(&found.ideal), trained: Course::of(&found.ffm) },
        bench: document.bench,
        distances: found.ideal.distances.clone(),
        drift: found.drift.clone(),
        validation_samples: found.validation,
        test_samples: data.test.len(),
        device: analysis.device.clone(),
        engine: analysis.engine.into(),
        seed: experiment.seed,
        run_dir: dir.path().display().to_string(),
        table: table(report::text_table(&document), &wavelengths, programs.method),
    };
    let text = serde_json::to_string_pretty(&summary).unwrap_or_default();
    dir.write("summary.json", text.as_bytes())?;
    dir.mark_done()?;
    Ok(summary)
}

/// Accuracies at each of several wavelengths.
pub(super) fn by_wavelength(
    experiment: &Experiment,
    data: &DataSet,
    programs: &Programs,
    found: &Found,
) -> Vec<WavelengthResult> {
    let evaluations = [&found.ideal.evaluation, &found.deployed.evaluation, &found.ffm.evaluation];
    let predictions = evaluations.map(|e| &e.predictions[..]);
    experiment.by_wavelength(&data.test.labels, predictions, &programs.ideal)
}

/// The table, and a line for each of several wavelengths.
fn table(mut table: String, wavelengths: &[WavelengthResult], method: Method) -> String {
    for one in wavelengths {
        table.push_str(&format!("\n{:<17}{}", one.title(), one.accuracies(method.label())));
    }
    table
}

/// Masks as numbers (npy) and as bitmaps for a modulator: phases in radians (256 levels in 2 pi), amplitude transmissions 0 to 1
/// (256 levels).
fn write_masks(dir: &RunDir, stage: &str, program: &Program, state: &State) -> Result<(), RunError> {
    let write = |name: &str, values: &Array2<f32>, bitmap: Array2<u8>| -> Result<(), RunError> {
        io::write_real(&dir.file(&format!("{name}.npy")), values.view())?;
        dir.write(&format!("{name}.png"), &io::png_gray8(&bitmap)?)?;
        Ok(())
    };
    for (values, p) in state.commands().zip(program.parameters()) {
        let name = format!("masks/{stage}-layer-{}", p.mask + 1);
        match p.quantity {
            Quantity::Phase if program.masks[p.mask].kind.has_phase() => {
                write(&name, values, io::modulator_bitmap(values.view()))?;
            }
            // The phase of a mask that sets amplitudes only is 0.
            Quantity::Phase => {}
            Quantity::Amplitude => {
                write(&format!("{name}-amplitude"), values, io::amplitude_bitmap(values.view()))?;
            }
        }
    }
    Ok(())
}
