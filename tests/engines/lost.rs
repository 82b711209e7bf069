//! Devices that are lost: what the GPU engine says, and runs that go on to the same bits.
//!
//! A machine without any adapter fails these tests: Mesa's software Vulkan is enough
//! (`apt-get install mesa-vulkan-drivers libvulkan1`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::common::watched::{Call, Watched, loss};
use crate::common::{self, Setup, batch, prepare, program};
use ffm_twin::data::{self, DataSet, Limits};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::fleet::Fleet;
use ffm_twin::engine::gpu::{GpuEngine, Selection};
use ffm_twin::engine::{Engine, EngineError, Update};
use ffm_twin::experiment::classify::{Classification, Ended, Watch, classify};
use ffm_twin::experiment::{DEFAULT, Experiment, RunError, settings};
use ffm_twin::io::RunDir;
use ffm_twin::train::{Checkpoint, EpochRow, Method, Position, StepNews};

fn gpu() -> GpuEngine {
    GpuEngine::new(Selection::Best).unwrap_or_else(|e| panic!("{e}"))
}

fn cpu() -> CpuEngine<f32> {
    CpuEngine::new(1).unwrap()
}

const ADAM: Update = Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t: 1 };

/// Insists on a loss of the GPU.
fn is_loss<T>(result: Result<T, EngineError>, what: &str) {
    match result {
        Ok(_) => panic!("{what}: the loss was not noticed"),
        Err(EngineError::Lost { device, reason }) => {
            assert_eq!(device, gpu().device().name, "{what}");
            assert!(!reason.is_empty(), "{what}");
        }
        Err(other) => panic!("{what}: {other}"),
    }
}

#[test]
fn every_call_after_the_loss_of_a_gpu_says_so() {
    let p = program(&Setup { padding: 1, ..Setup::default() });
    let lost = || {
        let mut engine = gpu();
        let set = prepare(&mut engine, &p, 4, 3);
        engine.train(batch(set, &[0, 1, 2]), ADAM).unwrap();
        engine.lose_device();
        (engine, set)
    };
    // Nothing waits for a step, so that the loss shows after as many as may be under way at most.
    let (mut engine, set) = lost();
    let ended = (0..16).find_map(|_| engine.train(batch(set, &[0, 1, 2]), ADAM).err());
    is_loss(ended.map_or(Ok(()), Err), "train");
    for what in ["again", "and again"] {
        is_loss(engine.state(), what);
        is_loss(engine.take_tally(), what);
    }
    is_loss(lost().0.state(), "state");
    is_loss(lost().0.masks(), "masks");
    is_loss(lost().0.take_tally(), "take_tally");
    is_loss(lost().0.replace(&p), "replace");
    let (mut engine, set) = lost();
    is_loss(engine.infer(batch(set, &[0])), "infer");
    let (mut engine, set) = lost();
    is_loss(engine.trace(batch(set, &[0, 3])), "trace");
    let (mut engine, set) = lost();
    is_loss(engine.gradients(batch(set, &[0, 3])), "gradients");
    let fields = [common::screen(p.shape, 1.0, 1)];
    is_loss(lost().0.propagate(&fields), "propagate");
    let (mut engine, _) = lost();
    let loaded = engine.load(&p, 4).and_then(|()| engine.state().map(drop));
    is_loss(loaded, "load");
}

#[test]
fn an_engine_opened_after_a_loss_works() {
    let p = program(&Setup { padding: 1, ..Setup::default() });
    let mut engine = gpu();
    prepare(&mut engine, &p, 2, 3);
    engine.lose_device();
    is_loss(engine.state(), "state");
    drop(engine);
    let mut engine = gpu();
    let set = prepare(&mut engine, &p, 2, 3);
    engine.train(batch(set, &[0, 1]), ADAM).unwrap();
    assert_eq!(engine.take_tally().unwrap().samples, 2);
}

/// Nobody looks.
struct Quiet;

impl Watch for Quiet {
    fn stage(&mut self, _: Method, _: usize) {}
    fn step(&mut self, _: StepNews) {}
    fn epoch(&mut self, _: Method, _: EpochRow) {}
    fn note(&mut self, _: &str) {}
}

/// Five steps an epoch, two epochs a stage, with the noisy camera of the bench.
fn experiment() -> (Experiment, DataSet) {
    let set = |key: &str| key.to_owned();
    let overrides = [
        "optics.pixels=32",
        "optics.layers=2",
        "data.train=40",
        "data.test=20",
        "train.batch=8",
        "train.epochs=2",
    ];
    let mut experiment: Experiment = settings(DEFAULT, "default", &overrides.map(set)).unwrap();
    let limits = Limits { train: experiment.data.train, test: experiment.data.test };
    let data = data::load(&experiment.data.source, limits, experiment.seed).unwrap();
    experiment.detectors.classes.get_or_insert(data.classes.len());
    (experiment, data)
}

/// Runs, or goes on with, the experiment in a folder.
fn run(engine: &mut dyn Engine, dir: &RunDir) -> Result<(), RunError> {
    let (experiment, data) = experiment();
    let stop = AtomicBool::new(false);
    let run = Classification {
        experiment: &experiment,
        data: &data,
        engine,
        run: dir,
        command: "ffm train".into(),
        stop: &stop,
    };
    match classify(run, &mut Quiet)? {
        Ended::Done(_) => Ok(()),
        Ended::Interrupted => panic!("nobody interrupted the run"),
    }
}

/// What must not depend on losses: masks, metrics, figures.
fn outcome(dir: &RunDir) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir.file("masks")).unwrap() {
        let path = entry.unwrap().path();
        files.insert(path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap());
    }
    assert_eq!(files.len(), 8, "two layers, two stages, two formats");
    files.insert("metrics".into(), std::fs::read(dir.file("metrics.csv")).unwrap());
    let summary = std::fs::read_to_string(dir.file("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    for key in ["accuracy", "ssim", "gradient_cosine"] {
        assert!(!summary[key].is_null(), "{key}");
        files.insert(key.into(), summary[key].to_string().into_bytes());
    }
    files
}

fn folder(at: &Path) -> RunDir {
    RunDir::create(Some(at), "test", "000000").unwrap()
}

/// A run that loses its device goes on with another to the bits of the unbroken run.
fn goes_on(
    lossy: &mut dyn Engine,
    open: fn() -> Box<dyn Engine>,
    unbroken: &BTreeMap<String, Vec<u8>>,
    says: &[&str],
) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = folder(&temporary.path().join("run"));
    let error = run(lossy, &dir).expect_err("the device is lost");
    assert!(matches!(error, RunError::Lost { .. }), "{error:?}");
    let text = error.to_string();
    let resume = format!("ffm resume {}", dir.path().display());
    for part in says.iter().copied().chain([resume.as_str(), &format!("{resume} --device cpu")]) {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    assert!(!dir.file("DONE").exists());
    run(&mut *open(), &dir).unwrap();
    assert!(dir.file("DONE").exists());
    assert!(outcome(&dir) == *unbroken, "after {text}");
}

#[test]
fn a_run_that_loses_its_device_goes_on_to_the_same_bits() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = folder(&temporary.path().join("run"));
    run(&mut cpu(), &dir).unwrap();
    let unbroken = outcome(&dir);
    let cases: [(Call, usize, &[&str]); 7] = [
        // In silico: before the first checkpoint, and after that of the first epoch.
        (Call::Train, 3, &["after step 2 of 10", "checkpoint is of step 0", "2 steps have to"]),
        (Call::Train, 8, &["after step 7 of 10", "checkpoint is of step 5", "2 steps have to"]),
        // In the test of the first epoch, 20 images in batches of 8: the state had been read.
        (Call::Infer, 2, &["after step 5 of 10", "checkpoint is of step 5", "that 0 steps have to"]),
        // In the test of the deployed masks: nothing is being trained.
        (Call::Infer, 7, &["test card was lost: the cable was pulled. Go on"]),
        // FFM: with a checkpoint that holds exposures.
        (Call::Train, 19, &["after step 8 of 10", "checkpoint is of step 5", "3 steps have to"]),
        (Call::Infer, 14, &["after step 10 of 10", "checkpoint is of step 10", "0 steps"]),
        // In the analysis.
        (Call::Trace, 1, &["test card was lost: the cable was pulled. Go on"]),
    ];
    for (call, n, says) in cases {
        let mut lossy = Watched::at(cpu(), (call, n), |_| Err(loss()));
        goes_on(
            &mut lossy,
            || Box::new(cpu()),
            &unbroken,
            &[says, &["test card was lost", "cable"]].concat(),
        );
    }
}

#[test]
fn a_run_whose_gpu_is_lost_goes_on_to_the_same_bits() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = folder(&temporary.path().join("run"));
    run(&mut gpu(), &dir).unwrap();
    let unbroken = outcome(&dir);
    for n in [2, 17] {
        let destroy = |engine: &mut GpuEngine| {
            engine.lose_device();
            Ok(())
        };
        let mut lossy = Watched::at(gpu(), (Call::Train, n), destroy);
        let name = gpu().device().name.clone();
        goes_on(
            &mut lossy,
            || Box::new(gpu()),
            &unbroken,
            &[&format!("{name} was lost (noticed after step")],
        );
    }
}

/// Where the GPU does not come back the processor goes on, if not to the same bits.
#[test]
fn a_run_whose_gpu_is_lost_goes_on_without_it() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = folder(&temporary.path().join("run"));
    let destroy = |engine: &mut GpuEngine| {
        engine.lose_device();
        Ok(())
    };
    let mut lossy = Watched::at(gpu(), (Call::Train, 8), destroy);
    assert!(matches!(run(&mut lossy, &dir), Err(RunError::Lost { .. })));
    let kept = Checkpoint::load(&dir.checkpoint(Method::InSilico.name())).unwrap();
    assert_eq!(kept.position, Position { epoch: 1, batch: 0, step: 5 });
    run(&mut cpu(), &dir).unwrap();
    let done = Checkpoint::load(&dir.checkpoint(Method::InSilico.name())).unwrap();
    assert_eq!(done.rows[0], kept.rows[0], "the first epoch is the GPU's");
    assert_eq!(outcome(&dir).len(), 12);
}

#[test]
fn a_run_whose_fleet_loses_a_member_goes_on_to_the_same_bits() {
    let fleet = || Box::new(Fleet::new(vec![Box::new(cpu()), Box::new(cpu())]).unwrap()) as Box<dyn Engine>;
    let temporary = tempfile::tempdir().unwrap();
    let dir = folder(&temporary.path().join("run"));
    run(&mut *fleet(), &dir).unwrap();
    let unbroken = outcome(&dir);
    for n in [4, 18] {
        let second = Watched::at(cpu(), (Call::Gradients, n), |_| Err(loss()));
        let mut lossy = Fleet::new(vec![Box::new(cpu()), Box::new(second)]).unwrap();
        goes_on(&mut lossy, fleet, &unbroken, &["(device 2 of 2) was lost", "the cable was pulled"]);
    }
}
