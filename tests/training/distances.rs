//! Distances between layers that learn: their slopes, and a network that begins with wrong ones.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{batch, prepare};
use ffm_twin::data::{self, Limits};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::{Engine, Program, next_fast_length};
use ffm_twin::experiment::classify::{Classification, Ended, Summary, Watch, classify, retest};
use ffm_twin::experiment::{DEFAULT, Experiment, settings};
use ffm_twin::io::RunDir;
use ffm_twin::train::{EpochRow, Method, StepNews, TrainError, slopes};
use ffm_twin::twin::{System, SystemConfig};

fn system() -> System {
    let text = "[optics]\npixels = 32\npitch = '32 um'\ndistance = '0.05 m'\nlayers = 3\ninput_distance = '0.02 m'\n";
    let config: SystemConfig = toml::from_str(text).expect("settings");
    System::new(config, [28, 28], 3).expect("a system")
}

fn found(engine: &mut dyn Engine, probe: f64) -> Vec<f64> {
    let (system, distances) = (system(), [0.05, 0.06, 0.04]);
    let compile = |z: &[f64]| -> Result<Program, TrainError> {
        Ok(system.compile_ideal_at(z, &|n| Ok(next_fast_length(n)))?)
    };
    let set = prepare(engine, &compile(&distances).expect("a program"), 3, 70);
    slopes(engine, batch(set, &[0, 1, 2]), &distances, probe, &compile).expect("slopes")
}

#[test]
fn slopes_are_those_of_the_f64_loss() {
    let mut exact = CpuEngine::<f64>::new(1).expect("an engine");
    // Richardson's extrapolation of two central differences: exact to the fourth power of the probe.
    let (wide, narrow) = (found(&mut exact, 2e-5), found(&mut exact, 1e-5));
    let truth: Vec<f64> = narrow.iter().zip(&wide).map(|(n, w)| (4.0 * n - w) / 3.0).collect();
    let single = found(&mut CpuEngine::<f32>::new(1).expect("an engine"), 1e-4);
    println!("{truth:?} {single:?}");
    let scale = truth.iter().map(|v| v * v).sum::<f64>().sqrt();
    assert!(scale > 1e-2);
    for (a, b) in single.iter().zip(&truth) {
        assert!((a - b).abs() < 0.02 * scale, "{single:?} {truth:?}");
    }
}

#[test]
fn other_distances_make_another_system_of_the_same_structure() {
    let system = system();
    let lengths = |n: usize| Ok(next_fast_length(n));
    let moved = system.with_distances(&[0.05, 0.06, 0.04]).expect("a system");
    assert_eq!(moved.distances(), [0.05, 0.06, 0.04]);
    let (a, b) = (
        moved.compile_ideal(&lengths).expect("one"),
        system.compile_ideal_at(&[0.05, 0.06, 0.04], &lengths).expect("two"),
    );
    let used = |p: &Program| p.hops.iter().map(|h| p.transfers[h.transfer].clone()).collect::<Vec<_>>();
    assert_eq!(used(&a), used(&b));
    for wrong in [&[0.05, 0.06][..], &[0.05, -0.01, 0.04]] {
        assert!(system.with_distances(wrong).is_err());
    }
}

/// Stops after some steps, or never.
struct Impatient<'a>(usize, &'a AtomicBool);

impl Watch for Impatient<'_> {
    fn stage(&mut self, _: Method, _: usize) {}
    fn step(&mut self, _: StepNews) {
        self.0 = self.0.saturating_sub(1);
        self.1.store(self.0 == 0, Ordering::Relaxed);
    }
    fn epoch(&mut self, _: Method, _: EpochRow) {}
    fn note(&mut self, _: &str) {}
}

/// Two layers of 32 x 32 pixels, 2.6 mm wide: at 50 mm light reaches too few other pixels.
fn run(more: &[&str], pause: usize) -> (Summary, Vec<f64>) {
    let sets = [
        "optics.pixels=32",
        "optics.pitch=80 um",
        "optics.layers=2",
        "data.train=1000",
        "data.test=500",
        "train.batch=8",
        "train.rate=0.06",
        "train.epochs=3",
    ];
    let sets: Vec<String> = sets.iter().chain(more).map(|s| (*s).to_owned()).collect();
    let mut experiment: Experiment = settings(DEFAULT, "default", &sets).expect("settings");
    let limits = Limits { train: experiment.data.train, test: experiment.data.test };
    let data = data::load(&experiment.data.source, limits, experiment.seed).expect("strokes");
    experiment.detectors.classes.get_or_insert(data.classes.len());
    let folder = tempfile::tempdir().expect("a folder");
    let dir = RunDir::create(Some(&folder.path().join("run")), "test", "000000").expect("a run folder");
    loop {
        let stop = AtomicBool::new(false);
        let mut engine = CpuEngine::<f32>::new(2).expect("an engine");
        let job = Classification {
            experiment: &experiment,
            data: &data,
            engine: &mut engine,
            run: &dir,
            command: "ffm train".into(),
            stop: &stop,
        };
        if let Ended::Done(summary) = classify(job, &mut Impatient(pause, &stop)).expect("a run") {
            let again = retest(&experiment, &data, &mut engine, &dir).expect("a test");
            assert_eq!((again.ideal, again.trained), (summary.accuracy.ideal, summary.accuracy.trained));
            let csv = std::fs::read_to_string(dir.file("metrics.csv")).expect("metrics");
            let losses = csv.lines().filter(|l| l.contains(",in-silico,test,loss,"));
            let losses =
                losses.map(|l| l.rsplit_once(',').expect("a value").1.parse().expect("a number")).collect();
            return (*summary, losses);
        }
    }
}

const WRONG: &str = "optics.distance=50 mm";
const LEARN: &str = "train.distances={ rate = '6 mm', every = 2, probe = '0.5 mm' }";

#[test]
fn a_network_that_begins_at_wrong_distances_learns_better_ones() {
    let (fixed, fixed_loss) = run(&[WRONG], usize::MAX);
    let (learned, loss) = run(&[WRONG, LEARN], usize::MAX);
    let distances = learned.distances.clone().expect("distances");
    println!("{:?} {fixed_loss:?}\n{distances:?} {:?} {loss:?}", fixed.accuracy, learned.accuracy);
    assert!(fixed.distances.is_none());
    assert!(distances.iter().all(|&z| z > 0.08), "{distances:?}");
    assert!(loss[2] < 0.95 * fixed_loss[2], "{loss:?} {fixed_loss:?}");
    assert!(
        learned.accuracy.ideal > fixed.accuracy.ideal + 0.06,
        "{:?} {:?}",
        learned.accuracy,
        fixed.accuracy
    );
}

#[test]
fn learning_distances_resumes_to_the_same_bits() {
    let more = [WRONG, LEARN, "data.train=60", "train.keep=best"];
    let (whole, losses) = run(&more, usize::MAX);
    let (broken, again) = run(&more, 5);
    assert_eq!(whole.distances, broken.distances);
    assert_eq!(losses, again);
    assert_eq!(whole.accuracy.trained, broken.accuracy.trained);
}
