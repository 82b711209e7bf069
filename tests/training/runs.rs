//! Schedules and stopping over whole runs: what is recorded, and that interruptions change nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use ffm_twin::data::{self, DataSet, Limits};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::experiment::classify::{Classification, Ended, Retested, Summary, Watch, classify, retest};
use ffm_twin::experiment::{DEFAULT, Experiment, settings};
use ffm_twin::io::RunDir;
use ffm_twin::train::{EpochRow, Method, StepNews};

/// Five steps an epoch, two layers, with the noisy camera of the bench.
fn experiment(more: &[&str]) -> (Experiment, DataSet) {
    let tiny = ["optics.pixels=32", "optics.layers=2", "data.train=40", "data.test=20", "train.batch=8"];
    let overrides: Vec<String> = tiny.iter().chain(more).map(|&o| o.to_owned()).collect();
    let mut experiment: Experiment = settings(DEFAULT, "default", &overrides).unwrap();
    let limits = Limits { train: experiment.data.train, test: experiment.data.test };
    let data = data::load(&experiment.data.source, limits, experiment.seed).unwrap();
    experiment.detectors.classes.get_or_insert(data.classes.len());
    (experiment, data)
}

/// Looks on, and asks to stop once as many steps as it has patience for are done.
struct Impatient<'a> {
    left: usize,
    stop: &'a AtomicBool,
    rows: Vec<(Method, EpochRow)>,
}

impl Watch for Impatient<'_> {
    fn stage(&mut self, _: Method, _: usize) {}
    fn step(&mut self, _: StepNews) {
        self.left = self.left.saturating_sub(1);
        self.stop.store(self.left == 0, Ordering::Relaxed);
    }
    fn epoch(&mut self, method: Method, row: EpochRow) {
        self.rows.push((method, row));
    }
    fn note(&mut self, _: &str) {}
}

/// A run in its folder.
struct Run {
    summary: Summary,
    rows: Vec<(Method, EpochRow)>,
    /// Masks and metrics.
    files: BTreeMap<String, Vec<u8>>,
    /// What a test of the folder's masks finds afterwards.
    retested: Retested,
}

/// Runs an experiment, stopped and resumed after every `pause` steps.
fn run(more: &[&str], pause: usize) -> Run {
    let (experiment, data) = experiment(more);
    let folder = tempfile::tempdir().unwrap();
    let dir = RunDir::create(Some(&folder.path().join("run")), "test", "000000").unwrap();
    let mut rows = Vec::new();
    loop {
        let stop = AtomicBool::new(false);
        let mut watch = Impatient { left: pause, stop: &stop, rows: Vec::new() };
        let mut engine = CpuEngine::<f32>::new(1).unwrap();
        let job = Classification {
            experiment: &experiment,
            data: &data,
            engine: &mut engine,
            run: &dir,
            command: "ffm train".into(),
            stop: &stop,
        };
        let ended = classify(job, &mut watch).unwrap();
        rows.append(&mut watch.rows);
        if let Ended::Done(summary) = ended {
            let retested = retest(&experiment, &data, &mut engine, &dir).unwrap();
            return Run { summary: *summary, rows, files: files(&dir), retested };
        }
    }
}

fn files(dir: &RunDir) -> BTreeMap<String, Vec<u8>> {
    let masks = std::fs::read_dir(dir.file("masks")).unwrap().map(|e| e.unwrap().path());
    let all = masks.chain([dir.file("metrics.csv")]);
    all.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

/// Stopped in the middle of epochs, at their ends and in both stages, the run ends in the same bits.
fn interruptions_change_nothing(more: &[&str]) -> Run {
    let unbroken = run(more, usize::MAX);
    for pause in [3, 7] {
        let broken = run(more, pause);
        assert!(broken.files == unbroken.files, "{more:?}, stopped every {pause} steps");
        assert_eq!(broken.rows, unbroken.rows);
        assert_eq!(figures(&broken.summary), figures(&unbroken.summary));
    }
    unbroken
}

/// What of a summary does not depend on time.
fn figures(summary: &Summary) -> serde_json::Value {
    let mut all = serde_json::to_value(summary).unwrap();
    for key in ["samples_per_second", "samples_per_second_in_silico", "seconds", "run_dir"] {
        assert!(all.as_object_mut().unwrap().remove(key).is_some(), "{key}");
    }
    assert!(all["bench"].as_object_mut().unwrap().remove("compute_seconds").is_some());
    all
}

/// Learning rates of the epochs of a stage, as the metrics file holds them.
fn recorded_rates(run: &Run, stage: &str) -> Vec<f64> {
    let csv = String::from_utf8(run.files["metrics.csv"].clone()).unwrap();
    let of_stage = csv.lines().filter(|l| l.contains(&format!(",{stage},train,rate,")));
    of_stage.map(|l| l.rsplit_once(',').unwrap().1.parse().unwrap()).collect()
}

#[test]
fn validation_chooses_the_epoch_and_resumes_to_the_same_bits() {
    let run = interruptions_change_nothing(&[
        "data.validation=0.25",
        "data.mirror=true",
        "train.epochs=4",
        "train.rate=0.2",
        "train.keep=best",
        "train.patience=3",
    ]);
    assert_eq!(run.summary.validation_samples, 10);
    for (course, stage) in
        [(&run.summary.training.in_silico, Method::InSilico), (&run.summary.training.trained, Method::Ffm)]
    {
        let rows: Vec<&EpochRow> = run.rows.iter().filter(|(m, _)| *m == stage).map(|(_, row)| row).collect();
        // 30 of 40 images are trained on, and their mirror images, in batches of 8.
        assert!(rows.iter().all(|row| row.step == 8 * row.epoch as u64));
        let best = rows.iter().map(|row| row.validation_accuracy.unwrap()).fold(0.0, f64::max);
        assert_eq!(course.kept_validation_accuracy, Some(best), "{stage:?}");
    }
    assert_eq!(run.retested.trained, run.summary.accuracy.trained);
    let csv = String::from_utf8(run.files["metrics.csv"].clone()).unwrap();
    assert_eq!(csv.matches(",validation,accuracy,").count(), run.rows.len());
}

#[test]
fn a_drifting_bench_resumes_to_the_same_bits() {
    let drift = "imperfections.drift={ every = 2, tested_at = [20], shift = { walk = '9 um', steps = 10 }, \
                 modulator_aberration = { walk = 0.6, amplitude = 0.3, steps = 10 } }";
    for more in [["train.start=calibrated", "train.keep=last"], ["train.start=flat", "train.keep=best"]] {
        let run =
            interruptions_change_nothing(&[drift, "train.epochs=3", "train.rate=0.05", more[0], more[1]]);
        assert_eq!(run.summary.drift.len(), 5);
        assert_eq!(run.retested.trained, run.summary.accuracy.trained);
    }
}

#[test]
fn a_warm_cosine_resumes_to_the_same_bits_and_is_recorded() {
    let schedule = r#"train.schedule={kind="cosine", final=0.1, warmup=7}"#;
    let run = interruptions_change_nothing(&[schedule, "train.epochs=3", "train.rate=0.05"]);
    // Fifteen steps: after the rise over seven, half a cosine over eight; epochs end with steps 4, 9 and 14.
    let cosine = |done: f64| 0.1 + 0.45 * (1.0 + (std::f64::consts::PI * done).cos());
    let expected = [5.0 / 7.0, cosine(2.0 / 8.0), cosine(7.0 / 8.0)];
    for stage in ["in-silico", "ffm"] {
        let rates = recorded_rates(&run, stage);
        assert_eq!(rates.len(), 3);
        for (rate, expected) in rates.iter().zip(expected) {
            assert!((rate / (0.05 * expected) - 1.0).abs() < 1e-12, "{stage}: {rates:?}");
        }
    }
}

#[test]
fn a_step_schedule_falls_between_epochs_and_resumes_to_the_same_bits() {
    let schedule = r#"train.schedule={kind="step", factor=0.25, every=2}"#;
    let run = interruptions_change_nothing(&[schedule, "train.epochs=3", "train.rate=0.04"]);
    assert_eq!(recorded_rates(&run, "ffm"), [0.04, 0.04, 0.01]);
    // The schedule matters at all.
    let constant = self::run(&["train.schedule=constant", "train.epochs=3", "train.rate=0.04"], usize::MAX);
    assert_eq!(recorded_rates(&constant, "ffm"), [0.04; 3]);
    assert_ne!(constant.files["ffm-layer-1.npy"], run.files["ffm-layer-1.npy"]);
    assert_eq!(constant.rows[..2], run.rows[..2], "the first two epochs have the same rate");
}

/// Ten epochs at a rate so high that accuracy goes up and down.
const RESTLESS: [&str; 3] = ["train.epochs=10", "train.rate=0.4", "train.schedule=constant"];

fn restless(more: &[&str]) -> Vec<String> {
    RESTLESS.iter().chain(more).map(|&o| o.to_owned()).collect()
}

fn words(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

/// Test accuracies of the epochs of a method.
fn accuracies(run: &Run, method: Method) -> Vec<f64> {
    run.rows.iter().filter(|(m, _)| *m == method).map(|(_, row)| row.test_accuracy).collect()
}

#[test]
fn training_stops_when_nothing_improves_and_resumes_to_the_same_bits() {
    let all = run(&RESTLESS, usize::MAX);
    for (monitor, figure) in [("accuracy", "test accuracy"), ("loss", "test loss")] {
        let more = ["train.patience=2".to_owned(), format!("train.monitor={monitor}")];
        let patient = interruptions_change_nothing(&words(&restless(&words(&more))));
        let training = &patient.summary.training;
        for (method, course) in [(Method::InSilico, &training.in_silico), (Method::Ffm, &training.trained)] {
            println!("{monitor} {method:?}: {course:?} {:?}", accuracies(&all, method));
        }
        let course = &training.in_silico;
        assert!(course.epochs < 10, "{course:?}");
        assert_eq!(course.ended, format!("{figure} did not improve for 2 epochs"));
        // What was done is the beginning of the run that does not stop.
        let of = |run: &Run| run.rows.iter().filter(|r| r.0 == Method::InSilico).copied().collect::<Vec<_>>();
        assert_eq!(of(&patient), of(&all)[..course.epochs]);
    }
    assert_eq!(all.summary.training.trained.ended, "all epochs were done");
}

#[test]
fn the_best_masks_are_those_of_a_run_that_ends_there() {
    let last = run(&RESTLESS, usize::MAX);
    let best = interruptions_change_nothing(&words(&restless(&["train.keep=best"])));
    let course = &best.summary.training.in_silico;
    println!("{course:?} {:?} {:?}", accuracies(&best, Method::InSilico), accuracies(&best, Method::Ffm));
    assert!(course.best_epoch < 10 && course.kept_epoch == course.best_epoch, "{course:?}");
    assert_eq!(last.summary.training.in_silico.kept_epoch, 10);
    assert_eq!(last.rows, best.rows, "what is kept does not change what is done");

    let highest = |method| accuracies(&best, method).into_iter().fold(0.0, f64::max);
    let found = best.summary.accuracy;
    assert_eq!((found.ideal, found.trained), (highest(Method::InSilico), highest(Method::Ffm)));

    let epochs = format!("train.epochs={}", course.best_epoch);
    let shorter = run(&words(&restless(&[&epochs])), usize::MAX);
    for layer in 1..=2 {
        let mask = format!("in-silico-layer-{layer}.npy");
        assert_eq!(best.files[&mask], shorter.files[&mask]);
        assert_ne!(best.files[&mask], last.files[&mask]);
    }
    assert_eq!(found.in_silico_deployed, shorter.summary.accuracy.in_silico_deployed);
    for run in [&best, &last] {
        let (accuracy, again) = (run.summary.accuracy, &run.retested);
        assert_eq!(accuracy.ideal, again.ideal);
        assert_eq!(accuracy.in_silico_deployed, again.in_silico_deployed);
        assert_eq!(accuracy.trained, again.trained);
    }
}
