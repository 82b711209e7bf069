//! One set of masks, several wavelengths: phases, gradients, two tasks at once, both engines, interruptions.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{batch, images, phases, real_error};
use ffm_twin::data::DataSet;
use ffm_twin::engine::cpu::{CpuEngine, Real};
use ffm_twin::engine::gpu::{GpuEngine, GpuOptions, KernelCache};
use ffm_twin::engine::{Batch, Engine, Multiplex, Program, SetId, State, Update, next_fast_length};
use ffm_twin::experiment::classify::{Classification, Ended, Watch, classify};
use ffm_twin::experiment::{DEFAULT, Experiment, settings};
use ffm_twin::io::RunDir;
use ffm_twin::train::{EpochRow, Method, Start, StepNews, evaluate, initial_commands, interleaved_order};
use ffm_twin::twin::{ErrorPass, System};
use ndarray::Array2;
use num_complex::Complex64;

/// Largest relative difference between `f32` on a GPU and `f64`, as for one wavelength.
const SINGLE: f64 = 1e-4;

/// Two wavelengths through fused silica, and what is given on top.
fn experiment(more: &[&str]) -> Experiment {
    let two = "wavelengths=[{wavelength='532 nm'}, {wavelength='633 nm'}]";
    let sets = [two, "optics.material=fused-silica", "optics.pixels=32", "optics.layers=2"];
    let sets: Vec<String> = sets.iter().chain(more).map(|&s| s.to_owned()).collect();
    let mut experiment: Experiment = settings(DEFAULT, "default", &sets).unwrap();
    experiment.detectors.classes.get_or_insert(10);
    experiment
}

/// The twin, its errors by the exact transpose.
fn exact(experiment: &Experiment) -> Program {
    let system = System::new(experiment.system(), [28, 28], 1).unwrap();
    let length = |n: usize| Ok(next_fast_length(n));
    let twin = experiment.compile(&system, |s| s.compile_twin(ErrorPass::Transposed, &length)).unwrap();
    // What a bench does to the response is no part of the gradient; here everything is to be.
    Program { camera: None, ..twin }
}

fn cpu<T: Real>(count: usize) -> Multiplex {
    let one = |_| Box::new(CpuEngine::<T>::new(2).unwrap()) as Box<dyn Engine>;
    Multiplex::new((0..count).map(one).collect()).unwrap()
}

fn prepare(engine: &mut dyn Engine, p: &Program, n: usize) -> SetId {
    engine.load(p, n).unwrap();
    engine.set_state(&State::fresh(phases(p.shape, p.masks.len(), 70))).unwrap();
    engine.upload(&images(n, 10)).unwrap()
}

#[test]
fn a_mask_acts_as_its_wrapped_phase_times_the_scale() {
    let p = exact(&experiment(&["imperfections.preset=none"]));
    let scale = p.channels[1].phase_scale;
    // 532 / 633 times the ratio of the steps of the index.
    assert!((scale - 0.8404 * 0.9920).abs() < 2e-3, "{scale}");
    let mut engine = CpuEngine::<f64>::new(1).unwrap();
    engine.load(&p.channel(1), 1).unwrap();
    let mut commands = phases(p.shape, p.masks.len(), 70);
    commands[0].iter_mut().enumerate().for_each(|(i, v)| *v += (i % 5) as f32 * 6.0 - 12.0);
    engine.set_state(&State::fresh(commands.clone())).unwrap();
    let masks = engine.masks().unwrap();
    for (m, phi) in masks[0].iter().zip(&commands[0]) {
        let expected = Complex64::cis(scale * f64::from(*phi).rem_euclid(TAU));
        assert!((m - expected).norm() < 1e-6, "{m} for {expected} at {phi}");
    }
    assert_eq!(p.channels[0].phase_scale, 1.0);
}

/// Through the whole multiplexed loss, with shifts and aberrations on both sides.
#[test]
fn gradients_equal_central_differences() {
    let errors = [
        "imperfections.preset=none",
        "imperfections.all.shift=['20 um', '0 um']",
        "imperfections.all.camera_aberration={rms=0.4}",
        "imperfections.all.modulator_aberration={rms=0.4}",
    ];
    let p = exact(&experiment(&errors));
    let mut engine = cpu::<f64>(2);
    let set = prepare(&mut engine, &p, 6);
    // Three of the first wavelength, one of the second: a mixture that is not even.
    let samples = [0, 3, 4, 2];
    let base = phases(p.shape, p.masks.len(), 70);
    let gradient = engine.trace(batch(set, &samples)).unwrap().gradients;
    let squares: f64 = gradient.iter().map(|g| g.mapv(|v| v * v).sum()).sum();
    let rms = (squares / (gradient.len() * gradient[0].len()) as f64).sqrt();
    let h = 0.007_812_5_f32;
    let mut checked = 0;
    for (l, at) in [(0, [13, 17]), (0, [20, 9]), (1, [16, 16]), (1, [9, 21]), (1, [22, 12])] {
        let start = base[l][at];
        // A height has an edge where its phase is wrapped.
        assert!(start > 0.1 && start < 6.1);
        let mut loss = |step: f32| {
            let mut moved = base.clone();
            moved[l][at] += step;
            engine.set_state(&State::fresh(moved)).unwrap();
            engine.infer(batch(set, &samples)).unwrap().losses.iter().sum::<f64>() / samples.len() as f64
        };
        let distance = f64::from(start + h) - f64::from(start - h);
        let (numeric, analytic) = ((loss(h) - loss(-h)) / distance, gradient[l][at]);
        assert!((numeric - analytic).abs() < 1e-4 * (rms + analytic.abs()), "{numeric:e} for {analytic:e}");
        checked += usize::from(analytic.abs() > 0.1 * rms);
    }
    assert!(checked >= 3, "pixels without a gradient show nothing");
}

/// An amplitude is the same at every wavelength, while a phase is not.
#[test]
fn gradients_of_amplitudes_equal_central_differences() {
    let p = exact(&experiment(&["imperfections.preset=none", "masks.kind=complex"]));
    let mut engine = cpu::<f64>(2);
    engine.load(&p, 6).unwrap();
    let set = engine.upload(&images(6, 10)).unwrap();
    let (samples, h) = ([0, 3, 4, 2], 0.007_812_5_f32);
    let open = vec![Array2::from_elem((32, 32), 0.625_f32); 2];
    let state = |amplitudes| State::with_amplitudes(phases(p.shape, p.masks.len(), 70), amplitudes);
    engine.set_state(&state(open.clone())).unwrap();
    let gradient = engine.trace(batch(set, &samples)).unwrap().gradients;
    for (l, at) in [(0, [13, 17]), (1, [16, 16])] {
        let mut loss = |step: f32| {
            let mut moved = open.clone();
            moved[l][at] += step;
            engine.set_state(&state(moved)).unwrap();
            engine.infer(batch(set, &samples)).unwrap().losses.iter().sum::<f64>() / samples.len() as f64
        };
        let numeric = (loss(h) - loss(-h)) / f64::from(2.0 * h);
        let analytic = gradient[2 + l][at];
        assert!((numeric - analytic).abs() < 1e-3 * analytic.abs(), "{numeric:e} for {analytic:e}");
    }
}

/// Two wavelengths that are the same one are a batch at one.
#[test]
fn the_same_wavelength_twice_is_one() {
    let mut one = experiment(&["imperfections.preset=none"]);
    one.wavelengths[1].wavelength = one.wavelengths[0].wavelength;
    let p = exact(&one);
    one.wavelengths.clear();
    let plain = exact(&one);
    let (mut twice, mut single) = (cpu::<f64>(2), CpuEngine::<f64>::new(2).unwrap());
    let (a, b) = (prepare(&mut twice, &p, 6), prepare(&mut single, &plain, 6));
    let samples = [5, 0, 3, 4];
    let (both, alone) = (twice.trace(batch(a, &samples)).unwrap(), single.trace(batch(b, &samples)).unwrap());
    assert!((both.loss - alone.loss).abs() < 1e-12);
    assert!(both.fields == alone.fields, "fields are in the order of the batch");
    assert!(real_error(&both.gradients, &alone.gradients) < 1e-12);
    let (x, y) = (twice.infer(batch(a, &samples)).unwrap(), single.infer(batch(b, &samples)).unwrap());
    assert!(x == y);
}

#[test]
fn both_engines_agree() {
    let p = exact(&experiment(&[]));
    let gpu = |_| {
        let options = GpuOptions { kernel_cache: KernelCache::Off, ..GpuOptions::default() };
        let engine = GpuEngine::with_options(options).unwrap_or_else(|e| panic!("{e}"));
        Box::new(engine) as Box<dyn Engine>
    };
    let (mut reference, mut gpu) = (cpu::<f64>(2), Multiplex::new((0..2).map(gpu).collect()).unwrap());
    let (a, b) = (prepare(&mut reference, &p, 6), prepare(&mut gpu, &p, 6));
    let samples = [1, 0, 2, 5, 3];
    let (x, y) = (reference.trace(batch(a, &samples)).unwrap(), gpu.trace(batch(b, &samples)).unwrap());
    let error = real_error(&y.gradients, &x.gradients);
    assert!(error < SINGLE, "{error:e}");
    assert!((x.loss - y.loss).abs() < SINGLE * x.loss);
    let update = Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t: 1 };
    gpu.train(batch(b, &samples), update).unwrap();
    assert_eq!(gpu.take_tally().unwrap().samples, 5);
    let moved = gpu.state().unwrap();
    assert!(moved.phases[0] != phases(p.shape, 1, 70)[0]);
}

#[test]
fn an_engine_for_one_wavelength_refuses_several() {
    let p = exact(&experiment(&[]));
    let message = CpuEngine::<f32>::new(1).unwrap().load(&p, 2).unwrap_err().to_string();
    assert!(message.contains("wavelengths"), "{message}");
    let message = cpu::<f32>(3).load(&p, 2).unwrap_err().to_string();
    assert!(message.contains("expected 3, got 2"), "{message}");
}

/// Trains with the images of some wavelengths only; shares right at each wavelength.
fn learn(experiment: &Experiment, data: &DataSet, lights: &[usize]) -> Vec<f64> {
    let system = System::new(experiment.system(), data.train.size, 1).unwrap();
    let length = |n: usize| Ok(next_fast_length(n));
    let p = experiment.compile(&system, |s| s.compile_ideal(&length)).unwrap();
    let mut engine = cpu::<f32>(2);
    engine.load(&p, 32).unwrap();
    engine.set_state(&State::fresh(initial_commands(Start::Flat, &p, 1).0)).unwrap();
    let (train, test) = (engine.upload(&data.train).unwrap(), engine.upload(&data.test).unwrap());
    let mut t = 0;
    for epoch in 0..3 {
        let mut order = interleaved_order(1, epoch, data.train.len(), 2);
        order.retain(|&j| lights.contains(&(j as usize % 2)));
        for indices in order.chunks(16 * lights.len()) {
            t += 1;
            let update = Update::Adam { rate: 0.03, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t };
            engine.train(Batch::whole(train, indices, 1, t), update).unwrap();
        }
    }
    let labels = &data.test.labels;
    let found = evaluate(&mut engine, test, labels, 32, (1, 0)).unwrap();
    let right = |k: usize| {
        let own = || found.predictions.iter().zip(labels).skip(k).step_by(2);
        own().filter(|(a, b)| a == b).count() as f64 / own().count() as f64
    };
    vec![right(0), right(1)]
}

/// The same strokes, but what is a 0 in one light is a 3 in the other: whoever knows one task knows the other wrongly.
#[test]
fn two_lights_learn_two_tasks() {
    let sets = ["optics.pixels=64", "optics.layers=4", "data.train=2000", "data.test=300"];
    let mut experiment = experiment(&sets);
    experiment.wavelengths[1].wavelength.0 = 450e-9;
    let mut data = experiment.load_data(None).unwrap();
    for labels in [&mut data.train.labels, &mut data.test.labels] {
        labels.iter_mut().skip(1).step_by(2).for_each(|label| *label = (*label + 3) % 10);
    }
    let (both, first, second) = (
        learn(&experiment, &data, &[0, 1]),
        learn(&experiment, &data, &[0]),
        learn(&experiment, &data, &[1]),
    );
    println!("both {both:?}, first {first:?}, second {second:?}");
    assert!(first[0] > 0.85 && second[1] > 0.85, "each light learns its own task: {first:?}, {second:?}");
    assert!(first[1] < 0.2 && second[0] < 0.2, "and not the other's: {first:?}, {second:?}");
    assert!(both.iter().all(|&share| share > 0.75), "together they learn both: {both:?}");
}

/// Looks on, and asks to stop once as many steps as it has patience for are done.
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

/// Masks and accuracies of a run on the noisy bench that is stopped and resumed after every `pause` steps.
fn run(pause: usize) -> (BTreeMap<String, Vec<u8>>, Vec<[f64; 3]>) {
    let experiment = experiment(&["data.train=20", "data.test=10", "train.batch=8", "train.epochs=2"]);
    let data = experiment.load_data(None).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (40, 20));
    let folder = tempfile::tempdir().unwrap();
    let dir = RunDir::create(Some(&folder.path().join("run")), "test", "000000").unwrap();
    loop {
        let stop = AtomicBool::new(false);
        let mut engine = experiment.open("cpu", 1).unwrap();
        let job = Classification {
            experiment: &experiment,
            data: &data,
            engine: &mut *engine,
            run: &dir,
            command: "ffm train".into(),
            stop: &stop,
        };
        let ended = classify(job, &mut Impatient(pause, &stop)).unwrap();
        let Ended::Done(summary) = ended else { continue };
        let shares = summary.wavelengths.iter().map(|w| [w.ideal, w.in_silico_deployed, w.trained]).collect();
        let masks = std::fs::read_dir(dir.file("masks")).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
        });
        return (masks.collect(), shares);
    }
}

#[test]
fn interruptions_change_nothing() {
    let whole = run(usize::MAX);
    assert_eq!((whole.0.len(), whole.1.len()), (8, 2));
    assert!(run(3) == whole);
}
