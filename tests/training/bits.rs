//! Masks for few phase levels: training with the rounding against rounding afterwards.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{batch, prepare, real_error};
use ffm_twin::data::{self, Limits};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::{Engine, State, next_fast_length};
use ffm_twin::experiment::bits::{BitsRow, compare_bits};
use ffm_twin::experiment::{DEFAULT, Experiment, settings};
use ffm_twin::io::RunDir;
use ffm_twin::twin::{ErrorPass, Misalignment, System, SystemConfig};

/// Strokes through three layers of 32 x 32 pixels.
fn study(
    bits: &[u32],
    seed: u64,
    more: &[&str],
    dir: &RunDir,
    // Notes after which it is stopped.
    stop_after: usize,
) -> Option<BitsRow> {
    let sets = [
        "optics.pixels=32",
        "optics.pitch=80 um",
        "optics.layers=3",
        "data.train=2000",
        "data.test=1000",
        "train.batch=8",
        "train.epochs=3",
        "train.rate=0.06",
    ];
    let sets: Vec<String> = sets.iter().chain(more).map(|s| (*s).to_owned()).collect();
    let mut experiment: Experiment = settings(DEFAULT, "default", &sets).expect("settings");
    experiment.seed = seed;
    let limits = Limits { train: experiment.data.train, test: experiment.data.test };
    let data = data::load(&experiment.data.source, limits, seed).expect("strokes");
    experiment.detectors.classes.get_or_insert(data.classes.len());
    let mut engine = CpuEngine::<f32>::new(2).expect("an engine");
    let (stop, mut notes) = (AtomicBool::new(stop_after == 0), 0);
    let mut note = |_: &str| {
        notes += 1;
        stop.store(notes >= stop_after, Ordering::Relaxed);
    };
    compare_bits(&experiment, &data, &mut engine, (bits, dir), &stop, &mut note).expect("a study")
}

#[test]
fn training_with_rounding_beats_rounding_afterwards_at_two_bits() {
    for seed in [1, 2] {
        let folder = tempfile::tempdir().expect("a folder");
        let row = study(&[2, 8], seed, &[], &run_dir(folder.path()), NEVER).expect("not stopped");
        println!("{row:?}");
        let [two, eight] = row.bits[..] else { panic!("two") };
        assert!(two.trained - two.rounded > MARGIN, "{two:?}");
        // 256 levels are as good as continuous phases.
        assert!((eight.rounded - row.continuous).abs() < 0.01, "{eight:?}");
        assert!((eight.trained - row.continuous).abs() < 0.03, "{eight:?}");
    }
}

/// More notes than a study has.
const NEVER: usize = 1000;

fn run_dir(folder: &Path) -> RunDir {
    RunDir::create(Some(&folder.join("run")), "bits", "").expect("a folder")
}

/// What is left of measured gains of 5.3 and 6.4 points.
const MARGIN: f64 = 0.03;

#[test]
fn a_study_can_be_stopped_goes_on_and_repeats() {
    let tiny = ["optics.pixels=32", "data.train=64", "data.test=40", "data.validation=8", "train.keep=best"];
    let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (dir, fresh) = (run_dir(folder.path()), run_dir(other.path()));
    assert!(study(&[2, 3], 1, &tiny, &dir, 0).is_none());
    assert!(study(&[2, 3], 1, &tiny, &dir, 2).is_none(), "stopped after two bits");
    assert!(dir.checkpoint("bits-2").exists());
    let unbroken = study(&[2, 3], 1, &tiny, &fresh, NEVER).expect("not stopped");
    assert_eq!(study(&[2, 3], 1, &tiny, &dir, NEVER), Some(unbroken.clone()));
    // What is done is not done again.
    assert_eq!(study(&[2, 3], 1, &tiny, &dir, NEVER), Some(unbroken));
}

#[test]
fn models_round_and_the_gradient_passes_straight_through() {
    let text = "[optics]\npixels = 32\npitch = '50 um'\ndistance = '0.1 m'\nlayers = 2\nbits = 2\n";
    let config: SystemConfig = toml::from_str(text).expect("settings");
    let system = System::new(config, [28, 28], 3).expect("a system");
    let lengths = |n: usize| Ok(next_fast_length(n));
    let limits = Misalignment { shift: 1e-6, axial: 1e-4, aberration: 0.1 };
    let programs = [
        system.compile_ideal(&lengths).expect("a program"),
        system.compile_misaligned(&limits, 0, &lengths).expect("a program"),
    ];
    assert!(programs.iter().all(|p| p.masks.iter().all(|m| m.levels == Some(4))));
    let twin = system.compile_twin(ErrorPass::Model, &lengths).expect("a program");
    assert!(twin.masks.iter().all(|m| m.levels.is_none()));
    assert!(twin.error_masks.iter().flatten().all(|m| m.levels == Some(4)));

    // The gradient of phases is that of the phases they are rounded to.
    let mut engine = CpuEngine::<f64>::new(1).expect("an engine");
    let set = prepare(&mut engine, &programs[0], 2, 70);
    let found = engine.trace(batch(set, &[0, 1])).expect("a trace").gradients;
    let quarter = std::f32::consts::FRAC_PI_2;
    let state = engine.state().expect("a state");
    let rounded = state.phases.iter().map(|p| p.mapv(|v| (v / quarter).round() * quarter)).collect();
    let continuous = ffm_twin::engine::Program {
        masks: vec![ffm_twin::engine::Modulator::default(); 2],
        ..programs[0].clone()
    };
    engine.load(&continuous, 2).expect("loads");
    engine.set_state(&State::fresh(rounded)).expect("a state");
    let exact = engine.trace(batch(set, &[0, 1])).expect("a trace").gradients;
    assert!(real_error(&found, &exact) < 1e-6, "{:e}", real_error(&found, &exact));
}
