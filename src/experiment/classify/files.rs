//! What a classification run leaves in its folder.

use ndarray::Array2;

use super::analysis::{Analysis, Found};
use super::document;
use super::stages::Programs;
use super::summary::{Course, Likeness, Shares, Summary, Trainings};
use crate::data::DataSet;
use crate::experiment::{Experiment, RunError, WavelengthResult};
use crate::io::{self, Records, RunDir};
use crate::report;
use crate::train::{EpochRow, Method, TrainError};

/// Name of the checkpoint of a stage's best epoch.
pub(super) fn best_name(stage: &str) -> String {
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
        for (split, name, value) in figures {
            self.0.append(row.step, row.epoch as u64, split, name, value)?;
        }
        Ok(())
    }
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
        for (k, phase) in state.phases.iter().enumerate() {
            write_mask(dir, stage.name(), k + 1, phase)?;
        }
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
        method: programs.method.name(),
        ssim: Likeness { ideal_vs_twin: analysis.ssim_deployed, ideal_vs_ffm: analysis.ssim_ffm },
        gradient_cosine: analysis.gradient.layers.clone(),
        samples_per_second: found.ffm.samples_per_second,
        samples_per_second_in_silico: found.ideal.samples_per_second,
        seconds: found.ideal.seconds + found.ffm.seconds,
        training: Trainings { in_silico: Course::of(&found.ideal), trained: Course::of(&found.ffm) },
        bench: document.bench,
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

/// A mask as radians (npy) and as a bitmap for a modulator (256 levels in 2 pi).
fn write_mask(dir: &RunDir, stage: &str, layer: usize, phase: &Array2<f32>) -> Result<(), RunError> {
    let name = format!("masks/{stage}-layer-{layer}");
    io::write_real(&dir.file(&format!("{name}.npy")), phase.view())?;
    let bitmap = io::modulator_bitmap(phase.view());
    dir.write(&format!("{name}.png"), &io::png_gray8(&bitmap)?)?;
    Ok(())
}
