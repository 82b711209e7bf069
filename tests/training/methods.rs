//! Training methods on one system in `f64`: where theory says they agree, and where it says they do not.

use crate::common::{self, batch, cosine, images, phases, real_error};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::{Engine, Program, SetId, State, Update, next_fast_length};
use ffm_twin::train::estimate;
use ffm_twin::twin::{ErrorPass, Misalignment, Registration, System, SystemConfig};
use ndarray::Array2;

/// Three layers of 64 x 64 pixels of 32 um, 0.1 m.
const OPTICS: &str = "[optics]\npixels = 64\npitch = '32 um'\ndistance = '0.1 m'\nlayers = 3\n";
/// The published setting: four layers of 128 x 128 pixels of 32 um, 0.388 m; a speckle is `lambda z / W` = 50 um.
const PUBLISHED: &str = "[optics]\npixels = 128\npitch = '32 um'\ndistance = '0.388 m'\nlayers = 4\n";
/// Every error that a phase-only device has: its derivative is exact.
const IMPERFECT: &str = "[imperfections.all]\nshift = ['12 um', '-5 um']\naxial = '2 mm'\n\
    modulator_aberration = { rms = 0.5 }\nmodulator_edge = 0.9\ncamera_aberration = { rms = 0.3 }\ncamera_edge = 0.9\n\
    pupil_aberration = { zernike = [[7, 0.2]] }\n";
const KNOWN: ErrorPass = ErrorPass::Registered(Registration { shift: 0.0, aberration: 0.0 });
const PASSES: [ErrorPass; 4] = [ErrorPass::Forward, ErrorPass::Transposed, KNOWN, ErrorPass::Model];

fn system(text: &str) -> System {
    let config: SystemConfig = toml::from_str(text).expect("settings");
    System::new(config, [28, 28], 3).expect("a system")
}

fn compiled(text: &str, pass: ErrorPass) -> Program {
    system(text).compile_twin(pass, &|n| Ok(next_fast_length(n))).expect("a program")
}

fn prepared(program: &Program, samples: usize) -> (CpuEngine<f64>, SetId) {
    let mut engine = CpuEngine::<f64>::new(2).expect("an engine");
    let set = common::prepare(&mut engine, program, samples, 70);
    (engine, set)
}

fn gradient(program: &Program) -> Vec<Array2<f64>> {
    let (mut engine, set) = prepared(program, 3);
    engine.trace(batch(set, &[0, 1, 2])).expect("a trace").gradients
}

/// Cosine over all layers.
fn alike(a: &[Array2<f64>], b: &[Array2<f64>]) -> f64 {
    let dot = |a: &[Array2<f64>], b: &[Array2<f64>]| a.iter().zip(b).map(|(a, b)| (a * b).sum()).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn on_the_ideal_system_all_methods_give_the_same_gradient() {
    let exact = gradient(&compiled(OPTICS, ErrorPass::Transposed));
    for pass in PASSES {
        let error = real_error(&gradient(&compiled(OPTICS, pass)), &exact);
        assert!(error < 1e-10, "{pass:?}: {error:e}");
    }
}

#[test]
fn backward_light_measures_the_exact_gradient_of_an_imperfect_system() {
    let program = compiled(&format!("{OPTICS}{IMPERFECT}"), ErrorPass::Transposed);
    let exact = gradient(&program);
    let (mut engine, set) = prepared(&program, 3);
    let base = phases(program.shape, 3, 70);
    let mut loss = |moved: Vec<Array2<f32>>| {
        engine.set_state(&State::fresh(moved)).expect("a state");
        engine.infer(batch(set, &[0, 1, 2])).expect("losses").losses.iter().sum::<f64>() / 3.0
    };
    let count = (exact.len() * exact[0].len()) as f64;
    let rms = (exact.iter().map(|g| g.mapv(|v| v * v).sum()).sum::<f64>() / count).sqrt();
    // Phases are `f32`: the step is a power of two, what it really was is what is divided by.
    let h = 0.007_812_5_f32;
    for l in 0..3 {
        for (r, c) in [(13, 17), (20, 31), (32, 24)] {
            let start = base[l][[r, c]];
            let mut moved = |h: f32| {
                let mut phases = base.clone();
                phases[l][[r, c]] = start + h;
                loss(phases)
            };
            let slope = (moved(h) - moved(-h)) / f64::from((start + h) - (start - h));
            let found = exact[l][[r, c]];
            assert!((slope - found).abs() < 1e-4 * (rms + found.abs()), "{l} {r} {c}: {slope:e} {found:e}");
        }
    }
}

#[test]
fn on_an_imperfect_system_only_backward_and_registered_light_are_exact() {
    let text = format!("{OPTICS}{IMPERFECT}");
    let exact = gradient(&compiled(&text, ErrorPass::Transposed));
    let cosines = PASSES.map(|pass| alike(&gradient(&compiled(&text, pass)), &exact));
    println!("ffm, in-situ-backprop, ffm-registered, physics-aware: {cosines:.4?}");
    let [ffm, _, registered, aware] = cosines;
    assert!(registered > 1.0 - 1e-10, "{registered}");
    assert!(ffm < 0.95 && aware < 0.95, "{cosines:?}");
    assert!(ffm > 0.1, "{cosines:?}");
}

#[test]
fn what_belongs_to_the_mask_costs_physics_aware_training_and_not_forward_light() {
    let text = format!("{OPTICS}[imperfections.all]\nmodulator_aberration = {{ rms = 0.4 }}\n");
    let exact = gradient(&compiled(&text, ErrorPass::Transposed));
    let of = |pass| alike(&gradient(&compiled(&text, pass)), &exact);
    let (ffm, aware) = (of(ErrorPass::Forward), of(ErrorPass::Model));
    println!("aberration of the modulator, 0.4 rad: ffm {ffm:.6}, physics-aware {aware:.3}");
    assert!(ffm > 1.0 - 1e-10 && aware > 0.5 && aware < 0.95);
}

#[test]
fn errors_of_the_response_are_in_the_physical_mask_but_not_in_the_models() {
    let text = format!("{OPTICS}[imperfections.all]\ngamma = 1.3\nbits = 4\nefficiency = 0.9\n");
    let [physical, model] =
        [ErrorPass::Transposed, ErrorPass::Model].map(|pass| gradient(&compiled(&text, pass)));
    let cosine = alike(&physical, &model);
    assert!(cosine < 0.99 && cosine > 0.3, "{cosine}");
    let masks = |pass| prepared(&compiled(&text, pass), 1).0.masks().expect("masks");
    assert_eq!(masks(ErrorPass::Transposed), masks(ErrorPass::Model), "data meets the same masks");
}

#[test]
fn registration_restores_the_gradient_after_a_camera_shift() {
    // 0.3 speckle of 50 um.
    let text = format!("{PUBLISHED}[imperfections.all]\nshift = ['15 um', '0 um']\n");
    let truth = gradient(&compiled(&text, ErrorPass::Transposed));
    let of = |pass| alike(&gradient(&compiled(&text, pass)), &truth);
    let half_known = ErrorPass::Registered(Registration { shift: 1e-6, aberration: 0.1 });
    let (plain, known, roughly) = (of(ErrorPass::Forward), of(KNOWN), of(half_known));
    println!("ffm {plain:.3}, registered {known:.6}, known to 1 um and 0.1 rad {roughly:.3}");
    assert!(plain < 0.8 && known > 0.95 && roughly > 0.95 && roughly < known);
}

#[test]
fn a_registered_measurement_is_noisy_and_still_right() {
    let text = format!(
        "{PUBLISHED}[imperfections.all]\nshift = ['15 um', '0 um']\ncamera_aberration = {{ rms = 0.4 }}\n\
         camera_edge = 0.8\n[imperfections.camera]\nphotons = 400.0\nread_noise = 2.5\n"
    );
    let mut exact = compiled(&text, ErrorPass::Transposed);
    exact.camera = None;
    let truth = gradient(&exact);
    let noisy = |pass| {
        let program = compiled(&text, pass);
        let (mut engine, set) = prepared(&program, 3);
        let exposure = engine.measure_exposure(batch(set, &[0, 1, 2])).expect("exposures");
        engine.set_exposure(&exposure).expect("exposures");
        alike(&engine.trace(batch(set, &[0, 1, 2])).expect("a trace").gradients, &truth)
    };
    let (plain, registered, backward) =
        (noisy(ErrorPass::Forward), noisy(KNOWN), noisy(ErrorPass::Transposed));
    println!("with noise: ffm {plain:.3}, registered {registered:.3}, backward {backward:.3}");
    assert!(plain < 0.8 && registered > 0.95 && registered < 1.0 - 1e-6);
    assert!(backward > 0.95 && backward < 1.0 - 1e-6);
}

#[test]
fn a_computed_error_has_no_noise() {
    let text = format!("{OPTICS}[imperfections.camera]\nphotons = 50.0\n");
    let gradient_at = |step: u64, pass| {
        let program = Program { relay: ffm_twin::engine::Relay::Optical, ..compiled(&text, pass) };
        let (mut engine, set) = prepared(&program, 1);
        let trace = engine.trace(ffm_twin::engine::Batch { step, ..batch(set, &[0]) }).expect("a trace");
        // The last mask's error comes from the measured output; the noise of U alone is left.
        trace.gradients
    };
    let spread = |pass| real_error(&gradient_at(1, pass), &gradient_at(2, pass));
    let (measured, computed) = (spread(ErrorPass::Forward), spread(ErrorPass::Model));
    assert!(computed < 0.9 * measured && computed > 0.0, "{measured} {computed}");
}

#[test]
fn perturbation_estimates_the_gradient_in_the_mean_but_a_single_estimate_is_nearly_blind() {
    let text = OPTICS.replace("pixels = 64", "pixels = 32").replace("layers = 3", "layers = 1");
    let program = compiled(&text, ErrorPass::Forward);
    let (mut engine, set) = prepared(&program, 3);
    let exact = engine.trace(batch(set, &[0, 1, 2])).expect("a trace").gradients;
    let state = engine.state().expect("a state");
    let labels = images(3, 10).labels;
    let n = exact[0].len() as f64;
    let (rounds, mut sum, mut single) = (4000, Array2::<f64>::zeros(exact[0].dim()), 0.0);
    for step in 0..rounds {
        let whole = ffm_twin::engine::Batch { step, ..batch(set, &[0, 1, 2]) };
        let found =
            estimate(&mut engine, &program.parameters(), &state, whole, &labels, 0.01).expect("an estimate");
        let found = found.gradients[0].mapv(f64::from);
        single += cosine(&found, &exact[0]).abs() / rounds as f64;
        sum += &found;
    }
    assert_eq!(engine.state().expect("a state"), state);
    let together = cosine(&sum, &exact[0]);
    // One direction of n: |cos| has the mean sqrt(2 / (pi n)); a mean of K of them reaches 1 / sqrt(1 + n / K).
    let (blind, expected) =
        ((2.0 / (std::f64::consts::PI * n)).sqrt(), 1.0 / (1.0 + n / rounds as f64).sqrt());
    println!("one estimate {single:.4} ({blind:.4}), {rounds} together {together:.3} ({expected:.3})");
    assert!((single / blind - 1.0).abs() < 0.1 && (together - expected).abs() < 0.05);
}

const LIMITS: Misalignment = Misalignment { shift: 20e-6, axial: 2e-3, aberration: 0.5 };

#[test]
fn draws_differ_repeat_and_keep_their_limits() {
    let system = system(OPTICS);
    let draw = |n| system.compile_misaligned(&LIMITS, n, &|n| Ok(next_fast_length(n))).expect("a program");
    let (a, b, again) = (draw(0), draw(1), draw(0));
    assert_eq!(a.transfers, again.transfers);
    for (x, y) in a.transfers.iter().zip(&b.transfers) {
        assert_ne!(x, y);
    }
    assert_ne!(a.masks[0].factor, a.masks[1].factor);
    assert_ne!(a.masks[0].factor, b.masks[0].factor);
    assert!(a.camera.is_none());
}

/// A replaced program must be as good as a loaded one, with the state kept.
pub(crate) fn replacing_equals_loading(engine: &mut dyn Engine) {
    let system = system(OPTICS);
    let lengths = |n: usize| Ok(next_fast_length(n));
    let draw = |n| system.compile_misaligned(&LIMITS, n, &lengths).expect("a program");
    let update = |t| Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t };
    let set = common::prepare(engine, &draw(0), 4, 70);
    engine.train(batch(set, &[0, 1, 2, 3]), update(1)).expect("a step");
    let state = engine.state().expect("a state");
    engine.replace(&draw(1)).expect("the same structure");
    assert_eq!(engine.state().expect("a state"), state);
    engine.train(batch(set, &[0, 1, 2, 3]), update(2)).expect("a step");
    let (replaced, tally) = (engine.state().expect("a state"), engine.take_tally().expect("a tally"));
    assert_eq!(tally.samples, 8);

    engine.load(&draw(1), 4).expect("loads");
    engine.set_state(&state).expect("a state");
    engine.train(batch(set, &[0, 1, 2, 3]), update(2)).expect("a step");
    assert_eq!(engine.state().expect("a state"), replaced);
    assert_ne!(replaced, state);

    let ideal = system.compile_ideal(&lengths).expect("a program");
    let message = engine.replace(&ideal).unwrap_err().to_string();
    assert!(message.contains("in place of the loaded one"), "{message}");
}

#[test]
fn replacing_arrays_equals_loading_them() {
    replacing_equals_loading(&mut CpuEngine::<f32>::new(2).expect("an engine"));
    replacing_equals_loading(&mut CpuEngine::<f64>::new(1).expect("an engine"));
    let members: Vec<Box<dyn Engine>> =
        (0..2).map(|_| Box::new(CpuEngine::<f32>::new(1).expect("an engine")) as Box<dyn Engine>).collect();
    replacing_equals_loading(&mut ffm_twin::engine::fleet::Fleet::new(members).expect("a fleet"));
}

#[test]
fn the_gpu_agrees_with_the_reference_for_every_method() {
    use ffm_twin::engine::gpu::{GpuEngine, Selection, adapters};
    if adapters().is_empty() {
        println!("skipped: no adapter");
        return;
    }
    let mut gpu = GpuEngine::new(Selection::Best).expect("an adapter");
    replacing_equals_loading(&mut gpu);
    let text = format!(
        "{OPTICS}{IMPERFECT}gamma = 1.2\ncrosstalk = 0.4\nbits = 6\n[imperfections.camera]\nphotons = 400.0\nread_noise = 2.5\n"
    )
    .replace("pupil_aberration = { zernike = [[7, 0.2]] }\n", "");
    for pass in PASSES {
        let program = compiled(&text, pass);
        let set = common::prepare(&mut gpu, &program, 3, 70);
        let found = gpu.trace(batch(set, &[0, 1, 2])).expect("a trace").gradients;
        gpu.clear_sets();
        let (mut exact, set) = prepared(&program, 3);
        let reference = exact.trace(batch(set, &[0, 1, 2])).expect("a trace").gradients;
        let error = real_error(&found, &reference);
        println!("{pass:?}: {error:e}");
        // Levels of phase and of the converter round the same way but for a few pixels.
        assert!(error < 2e-3, "{pass:?}: {error:e}");
    }
}
