//! A bench that drifts: programs of all steps, what each method makes of them, and that training follows where a calibration
//! does not.

use std::sync::atomic::AtomicBool;

use crate::common::{self, batch, real_error};
use ffm_twin::calibrate::Drift;
use ffm_twin::data::{self, Limits};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::{Engine, Program, next_fast_length};
use ffm_twin::experiment::classify::{Classification, Ended, Summary, Watch, classify, retest};
use ffm_twin::experiment::{DEFAULT, Experiment, settings};
use ffm_twin::io::RunDir;
use ffm_twin::train::{EpochRow, Method, StepNews};
use ffm_twin::twin::{ErrorPass, Registration, System, SystemConfig};
use ndarray::Array2;

const OPTICS: &str = "[optics]\npixels = 64\npitch = '32 um'\ndistance = '0.1 m'\nlayers = 3\n";
/// Everything that can move.
const ALL: &str = "[imperfections.drift]\nevery = 10\nshift = { walk = '5 um', amplitude = '3 um', steps = 100 }\n\
    axial = { walk = '1 mm', steps = 100 }\nroll = { walk = '0.2 deg', steps = 100 }\nrange = { walk = 0.05, steps = 100 }\n\
    gamma = { walk = 0.05, steps = 100 }\nmodulator_aberration = { walk = 0.3, steps = 100 }\n\
    camera_aberration = { amplitude = 0.3, steps = 100 }\n";
const KNOWN: ErrorPass = ErrorPass::Registered(Registration { shift: 0.0, aberration: 0.0 });
const PASSES: [ErrorPass; 4] = [ErrorPass::Forward, ErrorPass::Transposed, KNOWN, ErrorPass::Model];

fn system(text: &str) -> System {
    let config: SystemConfig = toml::from_str(text).expect("settings");
    System::new(config, [28, 28], 3).expect("a system")
}

fn at(text: &str, pass: ErrorPass, step: u64) -> Program {
    system(text).compile_twin_at(pass, step, &|n| Ok(next_fast_length(n))).expect("a program")
}

fn gradient(engine: &mut dyn Engine, program: &Program) -> Vec<Array2<f64>> {
    let set = common::prepare(engine, program, 3, 70);
    let found = engine.trace(batch(set, &[0, 1, 2])).expect("a trace").gradients;
    engine.clear_sets();
    found
}

fn reference(program: &Program) -> Vec<Array2<f64>> {
    gradient(&mut CpuEngine::<f64>::new(2).expect("an engine"), program)
}

fn alike(a: &[Array2<f64>], b: &[Array2<f64>]) -> f64 {
    let dot = |a: &[Array2<f64>], b: &[Array2<f64>]| a.iter().zip(b).map(|(a, b)| (a * b).sum()).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The state that a program is replaced by gives what it gives when it is loaded.
fn moving_equals_loading(engine: &mut dyn Engine) {
    for pass in PASSES {
        let set = common::prepare(engine, &at(ALL_AND_OPTICS.as_str(), pass, 0), 3, 70);
        for step in [10, 200] {
            engine.replace(&at(ALL_AND_OPTICS.as_str(), pass, step)).expect("the same structure");
            let moved = engine.trace(batch(set, &[0, 1, 2])).expect("a trace").gradients;
            let loaded = reference(&at(ALL_AND_OPTICS.as_str(), pass, step));
            let (error, still) =
                (real_error(&moved, &loaded), reference(&at(ALL_AND_OPTICS.as_str(), pass, 0)));
            assert!(error < 2e-3, "{pass:?}, step {step}: {error:e}");
            assert!(real_error(&still, &loaded) > 0.1, "{pass:?}: nothing moved by step {step}");
        }
        engine.clear_sets();
    }
}

static ALL_AND_OPTICS: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| format!("{OPTICS}{ALL}"));

#[test]
fn all_steps_have_one_structure_for_every_error_pass() {
    moving_equals_loading(&mut CpuEngine::<f32>::new(2).expect("an engine"));
}

#[test]
fn the_gpu_follows_as_well() {
    use ffm_twin::engine::gpu::{GpuEngine, Selection, adapters};
    if adapters().is_empty() {
        println!("skipped: no adapter");
        return;
    }
    moving_equals_loading(&mut GpuEngine::new(Selection::Best).expect("an adapter"));
}

#[test]
fn at_step_0_the_twin_is_the_one_that_stands_still() {
    let wrong = "[imperfections.all]\nshift = ['12 um', '-5 um']\nrange = 0.95\nmodulator_aberration = { rms = 0.5 }\n\
                 camera_aberration = { rms = 0.2 }\n";
    for pass in PASSES {
        let still = reference(&at(&format!("{OPTICS}{wrong}"), pass, 7));
        let moving = reference(&at(&format!("{OPTICS}{wrong}{ALL}"), pass, 7));
        // A roll of the smallest number there is, and a table in place of a formula.
        assert!(real_error(&moving, &still) < 1e-9, "{pass:?}: {:e}", real_error(&moving, &still));
    }
}

#[test]
fn a_registration_is_of_step_0_and_does_not_follow() {
    let text = format!(
        "{OPTICS}[imperfections.all]\nshift = ['12 um', '0 um']\ncamera_aberration = {{ rms = 0.2 }}\n[imperfections.drift]\n\
         every = 1\nshift = {{ amplitude = '10 um', steps = 10 }}\ncamera_aberration = {{ amplitude = 0.5, steps = 10 }}\n"
    );
    let cosine = |step| {
        alike(&reference(&at(&text, KNOWN, step)), &reference(&at(&text, ErrorPass::Transposed, step)))
    };
    let (first, later) = (cosine(0), cosine(20));
    println!("registered gradient against the true one: {first:.6} at step 0, {later:.3} at step 20");
    assert!(first > 1.0 - 1e-10 && later < 0.9);
}

#[test]
fn impossible_motions_are_named() {
    let refused = |text: &str| {
        let config: SystemConfig =
            toml::from_str(&format!("{OPTICS}[imperfections.drift]\n{text}")).expect("settings");
        System::new(config, [28, 28], 3).unwrap_err().to_string()
    };
    assert!(refused("every = 0").contains("imperfections.drift.every = 0"));
    assert!(refused("axial = { walk = '-1 mm' }").contains("imperfections.drift.axial.walk"));
    assert!(refused("gamma = { amplitude = 0.1, steps = 0.0 }").contains("imperfections.drift.gamma.steps"));
    assert!(refused("terms = 3").contains("imperfections.drift.terms = 3"));
    let text = format!("{OPTICS}[imperfections.drift]\nrange = {{ amplitude = -2.0, steps = 1 }}\n");
    let gone = system(&text).compile_twin_at(ErrorPass::Forward, 500, &|n| Ok(next_fast_length(n)));
    let message = gone.unwrap_err().to_string();
    assert!(message.contains("range = -1") && message.contains("bench step 500"), "{message}");
    assert!(toml::from_str::<Drift>("shift = { wlak = '1 um' }").is_err());
}

struct Nobody;

impl Watch for Nobody {
    fn stage(&mut self, _: Method, _: usize) {}
    fn step(&mut self, _: StepNews) {}
    fn epoch(&mut self, _: Method, _: EpochRow) {}
    fn note(&mut self, _: &str) {}
}

/// Four layers of 64 x 64 pixels, 2000 strokes, a bench whose modulators bend and whose phase range sinks.
fn run(more: &[&str]) -> (Summary, f64, String) {
    let sets = [
        "data.train=2000",
        "data.test=400",
        "train.epochs=3",
        "train.rate=0.06",
        "train.start=calibrated",
        "imperfections.drift.every=5",
        "imperfections.drift.modulator_aberration={ walk = 0.5, steps = 200 }",
        "imperfections.drift.range={ amplitude = -0.1, steps = 100 }",
    ];
    let sets: Vec<String> = sets.iter().chain(more).map(|s| (*s).to_owned()).collect();
    let mut experiment: Experiment = settings(DEFAULT, "default", &sets).expect("settings");
    let limits = Limits { train: experiment.data.train, test: experiment.data.test };
    let data = data::load(&experiment.data.source, limits, experiment.seed).expect("strokes");
    experiment.detectors.classes.get_or_insert(data.classes.len());
    let folder = tempfile::tempdir().expect("a folder");
    let dir = RunDir::create(Some(&folder.path().join("run")), "test", "000000").expect("a run folder");
    let mut engine = CpuEngine::<f32>::new(2).expect("an engine");
    let stop = AtomicBool::new(false);
    let job = Classification {
        experiment: &experiment,
        data: &data,
        engine: &mut engine,
        run: &dir,
        command: "ffm train".into(),
        stop: &stop,
    };
    let Ended::Done(summary) = classify(job, &mut Nobody).expect("a run") else {
        panic!("nobody stopped it")
    };
    let tested = retest(&experiment, &data, &mut engine, &dir).expect("a test").trained;
    (*summary, tested, std::fs::read_to_string(dir.file("metrics.csv")).expect("metrics"))
}

#[test]
fn training_on_the_bench_follows_and_a_calibration_does_not() {
    let (summary, tested, metrics) = run(&["imperfections.drift.tested_at=[600, 800]"]);
    for p in &summary.drift {
        println!("{p:?}");
    }
    let (first, last) = (summary.drift[0], summary.drift[3]);
    assert_eq!(summary.drift.iter().map(|p| p.step).collect::<Vec<_>>(), [0, 125, 250, 375, 600, 800]);
    assert_eq!(first.trained, Some(first.calibrated));
    assert_eq!(last.trained, Some(summary.accuracy.trained));
    assert_eq!(tested, summary.accuracy.trained);
    let (followed, left) = (summary.accuracy.trained, last.calibrated);
    assert!(first.calibrated - left > 0.15, "the calibrated masks fall: {} to {left}", first.calibrated);
    assert!(followed > first.calibrated - 0.05, "training follows: {} to {followed}", first.calibrated);
    // Left alone, they fall as others do.
    let alone = summary.drift[5].trained.expect("a test");
    assert!(alone < followed - 0.01, "{alone}");
    assert_eq!(metrics.matches(",drift,test,").count(), 18);
}

#[test]
fn every_method_that_uses_the_bench_trains_while_it_drifts() {
    let tiny = [
        "optics.pixels=32",
        "data.train=64",
        "data.test=40",
        "train.epochs=1",
        "hardware.bidirectional=true",
    ];
    for method in [
        "physics-aware",
        "in-situ-backprop",
        "ffm-registered",
        "spsa",
        "in-silico-robust",
        "in-silico-calibrated",
    ] {
        let set = format!("train.method={method}");
        let more: Vec<&str> = tiny.iter().copied().chain([set.as_str()]).collect();
        let (summary, tested, _) = run(&more);
        assert_eq!(summary.drift.len(), 2, "{method}");
        assert!(summary.drift.iter().all(|p| p.trained.is_some()), "{method}");
        assert_eq!(tested, summary.accuracy.trained, "{method}");
    }
}
