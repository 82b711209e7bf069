//! Masks of phases, amplitudes and both, trained and frozen: gradients against central differences, engines against one another.

use std::sync::Arc;

use crate::common::{Setup, batch, field_error, images, phases, program, real_error, screen, uniform};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::fleet::Fleet;
use ffm_twin::engine::gpu::{GpuEngine, GpuOptions, KernelCache};
use ffm_twin::engine::{
    Activation, ActivationKind, Affine, Camera, Engine, MaskKind, Modulator, Program, Quantity, Relay, SetId,
    State, Store, Update, next_fast_length,
};
use ffm_twin::train::estimate;
use ffm_twin::twin::{ErrorPass, Registration, System, SystemConfig};
use ndarray::Array2;

/// Relative L2 distance of `f32` engines from `f64`, as in `gpu_engine.rs`.
const F32: f64 = 1e-5;
const ADAM: Update = Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t: 1 };
const SGD: Update = Update::Sgd { rate: 100.0, momentum: 0.9 };
const ALL: [MaskKind; 3] = [MaskKind::Phase, MaskKind::Amplitude, MaskKind::Complex];

fn gpu() -> GpuEngine {
    let options = GpuOptions { kernel_cache: KernelCache::Off, ..GpuOptions::default() };
    GpuEngine::with_options(options).unwrap_or_else(|e| panic!("{e}"))
}

fn reference() -> CpuEngine<f64> {
    CpuEngine::new(2).unwrap()
}

/// A program with these masks, layer by layer.
fn with(setup: Setup, masks: Vec<Modulator>) -> Program {
    Program { masks: masks.clone(), ..program(&Setup { layers: masks.len(), ..setup }) }
}

fn of(kind: MaskKind) -> Modulator {
    Modulator { kind, ..Modulator::default() }
}

/// Phases and amplitudes at random, the latter within 0.1..0.9.
fn state(p: &Program) -> State {
    let [rows, cols] = p.shape;
    let amplitude = |m: usize| {
        Array2::from_shape_fn((rows, cols), |(r, c)| 0.1 + 0.8 * uniform(900 + m as u64, r * cols + c) as f32)
    };
    let amplitudes = p.amplitude_masks().into_iter().map(amplitude).collect();
    State::with_amplitudes(phases(p.shape, p.masks.len(), 70), amplitudes)
}

fn prepare(engine: &mut dyn Engine, p: &Program, n: usize) -> SetId {
    engine.load(p, n).unwrap_or_else(|e| panic!("{e}"));
    engine.set_state(&state(p)).unwrap();
    engine.upload(&images(n, p.readout.classes)).unwrap()
}

fn gradient(engine: &mut dyn Engine, p: &Program) -> Vec<Array2<f64>> {
    let set = prepare(engine, p, 3);
    engine.trace(batch(set, &[0, 1, 2])).unwrap().gradients
}

fn wide<'a>(arrays: impl IntoIterator<Item = &'a Array2<f32>>) -> Vec<Array2<f64>> {
    arrays.into_iter().map(|a| a.mapv(f64::from)).collect()
}

#[test]
fn gradients_of_every_kind_equal_central_differences() {
    let [phase, amplitude, complex] = ALL.map(of);
    // Amplitudes are exact beside leaks and static factors as well; phases in front of a leak are not.
    let real = |kind| Modulator { factor: Some(Arc::new(screen([64, 64], 0.5, 4))), ..of(kind) };
    let leaking = Modulator { leak: 0.2, ..real(MaskKind::Amplitude) };
    let odd = Setup { shift: 20e-6, camera_aberration: 0.5, transposed: true, ..Setup::default() };
    let relu = Activation { kind: ActivationKind::Saturable { depth: 2.0, saturation: 1.0 }, gain: 1.5 };
    let cases = [
        // The forward pass of the ideal system: the gradient that fully forward mode measures.
        with(Setup::default(), vec![complex.clone(), amplitude.clone(), phase]),
        with(odd.clone(), vec![leaking, real(MaskKind::Complex), amplitude.clone()]),
        with(Setup { activation: Some(relu), ..odd }, vec![complex.clone(), complex.clone()]),
        with(Setup { mse: true, padding: 1, ..Setup::default() }, vec![amplitude, complex]),
    ];
    let mut failures = Vec::new();
    for (case, p) in cases.iter().enumerate() {
        let mut engine = reference();
        let found = gradient(&mut engine, p);
        let set = prepare(&mut engine, p, 3);
        let base = state(p);
        for (k, parameter) in p.parameters().into_iter().enumerate().filter(|(_, p)| p.trained) {
            let rms = (found[k].mapv(|v| v * v).sum() / found[k].len() as f64).sqrt();
            for at in [(13, 17), (20, 31), (32, 24)] {
                let mut loss = |h: f32| {
                    let mut moved = base.clone();
                    let phases = moved.phases.len();
                    let array = match parameter.quantity {
                        Quantity::Phase => &mut moved.phases[k],
                        Quantity::Amplitude => &mut moved.amplitudes[k - phases],
                    };
                    array[at] += h;
                    let value = f64::from(array[at]);
                    engine.set_state(&moved).unwrap();
                    let losses = engine.infer(batch(set, &[0, 1, 2])).unwrap().losses;
                    (losses.iter().sum::<f64>() / 3.0, value)
                };
                // Commands are `f32`: the step is what it really was.
                let ((up, a), (down, b)) = (loss(0.007_812_5), loss(-0.007_812_5));
                let (slope, g) = ((up - down) / (a - b), found[k][at]);
                if (slope - g).abs() > 1e-4 * (rms + g.abs()) {
                    failures.push(format!("case {case}, {parameter:?} {at:?}: {slope:e} for {g:e}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_transposed_pass_is_the_forward_pass_where_nothing_is_wrong() {
    let masks = || ALL.map(of).to_vec();
    let [forward, transposed] = [false, true].map(|transposed| {
        gradient(&mut reference(), &with(Setup { transposed, ..Setup::default() }, masks()))
    });
    assert_eq!(forward.len(), 5, "three arrays of phases, two of amplitudes");
    let error = real_error(&forward, &transposed);
    assert!(error < 1e-10, "{error:e}");
    assert!(forward[1].iter().all(|g| *g == 0.0), "the phase of an amplitude mask is not trained");
}

/// A phase range that falls along the panel.
pub(crate) fn stretch() -> Arc<Array2<f64>> {
    Arc::new(Array2::from_shape_fn((64, 64), |(r, c)| 0.9 + 0.003 * r as f64 - 0.001 * c as f64))
}

/// Everything that a modulator can have.
fn everything(kind: MaskKind) -> Modulator {
    Modulator {
        kind,
        levels: Some(200),
        lut: Some((0..17).map(|k| 6.0 * (f64::from(k) / 16.0).powf(1.2)).collect()),
        stretch: Some(stretch()),
        crosstalk: vec![0.7, 0.1, 0.05],
        leak: 0.1,
        resample: Some(Affine { matrix: [[0.999, 0.02], [-0.02, 1.001]], offset: [0.4, -1.7] }),
        factor: Some(Arc::new(screen([64, 64], 0.5, 12))),
        ..Modulator::default()
    }
}

fn camera() -> Camera {
    Camera {
        electrons: 5000.0,
        reference: 2.0,
        read_noise: 5.0,
        full_well: 100_000.0,
        adc_bits: 0,
        pedestal: 100.0,
    }
}

/// Programs with masks of all kinds in all places, and the tolerance of their gradients.
fn programs() -> Vec<(&'static str, Program, f64)> {
    let [phase, amplitude, complex] = ALL.map(of);
    let frozen = |m: &Modulator| Modulator { frozen: true, ..m.clone() };
    let base = || Setup { padding: 1, ..Setup::default() };
    let relu = Activation { kind: ActivationKind::Relu { threshold: 0.2 }, gain: 1.2 };
    let active = Setup { activation: Some(relu), ..base() };
    let kinds = with(Setup::default(), vec![amplitude.clone(), complex.clone(), phase.clone()]);
    let mut modelled = with(base(), vec![everything(MaskKind::Complex), everything(MaskKind::Amplitude)]);
    modelled.error_masks = Some(vec![complex.clone(), amplitude.clone()]);
    let mut measured = with(base(), vec![complex.clone(), frozen(&phase), amplitude.clone()]);
    measured.camera = Some(camera());
    let optical = Program { relay: Relay::Optical, ..measured.clone() };
    let halves = Program { store: Store::F16, ..kinds.clone() };
    vec![
        ("kinds", kinds, F32),
        (
            "responses",
            with(base(), vec![everything(MaskKind::Complex), everything(MaskKind::Amplitude)]),
            F32,
        ),
        ("model", modelled, F32),
        ("frozen", with(base(), vec![frozen(&complex), phase.clone(), frozen(&phase), complex.clone()]), F32),
        ("active", with(active, vec![amplitude, frozen(&complex), complex]), F32),
        // As in `gpu_engine.rs`: differences of frames of 1e5 electrons.
        ("measured", measured, 3e-5),
        ("optical", optical, 3e-5),
        // As in `store.rs`: halves that round to either side.
        ("halves", halves, 2e-3),
    ]
}

#[test]
fn the_gpu_has_the_masks_gradients_and_updates_of_the_reference() {
    let mut gpu = gpu();
    for (name, p, tolerance) in programs() {
        let mut exact = reference();
        let (expected, got) = (gradient(&mut exact, &p), gradient(&mut gpu, &p));
        assert!(real_error(&got, &expected) < tolerance, "{name}: {:e}", real_error(&got, &expected));
        for (k, parameter) in p.parameters().iter().enumerate() {
            match parameter.trained {
                true => {
                    let error = real_error(&got[k..=k], &expected[k..=k]);
                    assert!(error < tolerance, "{name}, {parameter:?}: {error:e}");
                }
                false => assert!(got[k].iter().all(|g| *g == 0.0), "{name}, {parameter:?}"),
            }
        }
        let error = field_error(&gpu.masks().unwrap(), &exact.masks().unwrap());
        assert!(error < F32, "{name}: masks: {error:e}");
        for engine in [&mut exact as &mut dyn Engine, &mut gpu] {
            let set = prepare(engine, &p, 3);
            engine.train(batch(set, &[2, 0, 1]), SGD).unwrap();
        }
        let (expected, got) = (exact.state().unwrap(), gpu.state().unwrap());
        let error = real_error(&wide(got.commands()), &wide(expected.commands()));
        assert!(error < tolerance, "{name}: commands: {error:e}");
        let error = real_error(&wide(&got.first), &wide(&expected.first));
        assert!(error < tolerance, "{name}: moments: {error:e}");
    }
}

type Open = fn() -> Box<dyn Engine>;
const ENGINES: [(&str, Open); 4] = [
    ("CPU", || Box::new(CpuEngine::<f32>::new(2).unwrap())),
    ("GPU", || Box::new(gpu())),
    ("CPUs", || Box::new(Fleet::new(vec![cpu(), cpu()]).unwrap())),
    ("CPU and GPU", || Box::new(Fleet::new(vec![cpu(), Box::new(gpu())]).unwrap())),
];

fn cpu() -> Box<dyn Engine> {
    Box::new(CpuEngine::<f32>::new(1).unwrap())
}

#[test]
fn frozen_masks_keep_every_bit_and_the_others_learn_as_if_all_were_trained() {
    for (name, open) in ENGINES {
        let mut results = Vec::new();
        for freeze in [true, false] {
            let mask =
                |l: usize| Modulator { frozen: freeze && l.is_multiple_of(2), ..of(MaskKind::Complex) };
            let p = with(Setup { padding: 1, ..Setup::default() }, (0..4).map(mask).collect());
            let mut engine = open();
            let set = prepare(&mut *engine, &p, 4);
            for (t, update) in [(1, ADAM), (2, SGD)] {
                engine.train(batch(set, &[3, 0, 2]), update).unwrap_or_else(|e| panic!("{name} {t}: {e}"));
            }
            results.push((p.clone(), state(&p), engine.state().unwrap()));
        }
        let ((p, start, frozen), (_, _, trained)) = (&results[0], &results[1]);
        let arrays = start.commands().zip(frozen.commands()).zip(trained.commands());
        for (k, (parameter, ((start, frozen_at), trained_at))) in
            p.parameters().iter().zip(arrays).enumerate()
        {
            assert_ne!(start, trained_at, "{name}");
            if parameter.trained {
                assert_ne!(start, frozen_at, "{name}");
            } else {
                assert_eq!(start, frozen_at, "{name}, {parameter:?}");
                assert!(frozen.first[k].iter().chain(&frozen.second[k]).all(|v| *v == 0.0), "{name}");
            }
        }
        // Before the first update the gradients of what is trained are the same bits, frozen masks or not.
        let gradients = |p: &Program| {
            let mut engine = open();
            let set = prepare(&mut *engine, p, 4);
            engine.gradients(batch(set, &[3, 0, 2])).unwrap()
        };
        let (some, all) = (gradients(p), gradients(&results[1].0));
        for (k, parameter) in p.parameters().iter().enumerate() {
            match parameter.trained {
                true => assert_eq!(some[k], all[k], "{name}, {parameter:?}"),
                false => assert!(some[k].iter().all(|g| *g == 0.0), "{name}, {parameter:?}"),
            }
        }
    }
}

#[test]
fn halves_of_a_step_are_the_step() {
    let p =
        with(Setup { padding: 1, ..Setup::default() }, vec![of(MaskKind::Complex), of(MaskKind::Amplitude)]);
    for (name, open) in ENGINES {
        let [whole, halves] = [false, true].map(|cut| {
            let mut engine = open();
            let set = prepare(&mut *engine, &p, 4);
            match cut {
                false => engine.train(batch(set, &[3, 0, 2]), SGD).unwrap(),
                true => {
                    let gradients = engine.gradients(batch(set, &[3, 0, 2])).unwrap();
                    engine.apply(&gradients, SGD).unwrap();
                }
            }
            engine.state().unwrap()
        });
        let error = real_error(&wide(halves.commands()), &wide(whole.commands()));
        assert!(error < F32, "{name}: {error:e}");
        let error = real_error(&wide(&halves.first), &wide(&whole.first));
        assert!(error < F32, "{name}: {error:e}");
    }
}

#[test]
fn amplitudes_are_projected_and_stay_when_a_program_is_replaced() {
    let p =
        with(Setup { padding: 1, ..Setup::default() }, vec![of(MaskKind::Complex), of(MaskKind::Amplitude)]);
    for (name, open) in ENGINES {
        let mut engine = open();
        engine.load(&p, 4).unwrap();
        assert!(
            engine.state().unwrap().amplitudes.iter().flatten().all(|a| *a == 1.0),
            "{name}: open at first"
        );
        let set = prepare(&mut *engine, &p, 4);
        engine.train(batch(set, &[0, 1, 2]), Update::Sgd { rate: 1e5, momentum: 0.0 }).unwrap();
        let moved = engine.state().unwrap();
        let count = |v: f32| moved.amplitudes.iter().flatten().filter(|a| **a == v).count();
        assert!(moved.amplitudes.iter().flatten().all(|a| (0.0..=1.0).contains(a)), "{name}");
        assert!(count(0.0) > 100 && count(1.0) > 100, "{name}: {} {}", count(0.0), count(1.0));
        engine.replace(&p).unwrap();
        assert_eq!(engine.state().unwrap(), moved, "{name}");
    }
}

#[test]
fn impossible_states_and_programs_are_refused() {
    let p =
        with(Setup { padding: 1, ..Setup::default() }, vec![of(MaskKind::Phase), of(MaskKind::Amplitude)]);
    let mut engine = cpu();
    engine.load(&p, 1).unwrap();
    let mut bright = state(&p);
    bright.amplitudes[0][[3, 4]] = 1.5;
    let message = engine.set_state(&bright).unwrap_err().to_string();
    assert!(message.contains("amplitude of layer 2") && message.contains("1.5"), "{message}");
    let message = engine.set_state(&State::fresh(state(&p).phases)).unwrap_err().to_string();
    assert!(message.contains("amplitude"), "{message}");
    let mut frozen = p.clone();
    frozen.masks[0].frozen = true;
    assert!(engine.replace(&frozen).is_err(), "buffers depend on what is trained");
    let other = Program { error_masks: Some(vec![Modulator::default(); 2]), ..p };
    let message = engine.load(&other, 1).unwrap_err().to_string();
    assert!(message.contains("kind of mask 2 in the error pass"), "{message}");
}

/// Two masks of both kinds on a system with one-sided errors: whatever makes the phase's gradient exact does so for amplitudes.
#[test]
fn registered_and_modelled_errors_have_carriers_of_their_own() {
    let optics =
        "[optics]\npixels = 64\npitch = '32 um'\ndistance = '0.1 m'\nlayers = 2\n[masks]\nkind = 'complex'\n";
    let wrong = "[imperfections.all]\nshift = ['12 um', '-5 um']\nmodulator_aberration = { rms = 0.5 }\n\
        camera_aberration = { rms = 0.3 }\ncamera_edge = 0.9\n";
    let compiled = |text: &str, pass| {
        let config: SystemConfig = toml::from_str(text).unwrap();
        let system = System::new(config, [28, 28], 3).unwrap();
        system.compile_twin(pass, &|n| Ok(next_fast_length(n))).unwrap()
    };
    let of = |text: &str, pass| gradient(&mut reference(), &compiled(text, pass));
    let text = format!("{optics}{wrong}");
    let exact = of(&text, ErrorPass::Transposed);
    let known = ErrorPass::Registered(Registration::default());
    assert!(real_error(&of(&text, known), &exact) < 1e-10);
    assert!(real_error(&of(&text, ErrorPass::Forward), &exact) > 0.1);
    let ideal = of(optics, ErrorPass::Transposed);
    assert!(real_error(&of(optics, ErrorPass::Model), &ideal) < 1e-10);
}

#[test]
fn perturbation_leaves_frozen_masks_alone() {
    let frozen = Modulator { frozen: true, ..of(MaskKind::Complex) };
    let p = with(Setup { padding: 1, ..Setup::default() }, vec![frozen, of(MaskKind::Complex)]);
    let mut engine = reference();
    let set = prepare(&mut engine, &p, 3);
    let labels = images(3, p.readout.classes).labels;
    let found = estimate(&mut engine, &p.parameters(), &state(&p), batch(set, &[0, 1, 2]), &labels, 0.05);
    for (g, parameter) in found.unwrap().gradients.iter().zip(p.parameters()) {
        assert_eq!(g.iter().any(|v| *v != 0.0), parameter.trained, "{parameter:?}");
    }
    assert_eq!(engine.state().unwrap(), state(&p), "the state is as it was");
}

/// Loss after equal numbers of steps from the same phases, masks open.
#[test]
fn complex_masks_reach_a_lower_loss_than_phase_masks() {
    let reached = |kind| {
        let p = with(Setup { padding: 1, ..Setup::default() }, vec![of(kind); 2]);
        let mut engine = CpuEngine::<f32>::new(2).unwrap();
        let set = prepare(&mut engine, &p, 40);
        let open = p.amplitude_masks().iter().map(|_| Array2::ones((64, 64))).collect();
        engine.set_state(&State::with_amplitudes(phases(p.shape, 2, 70), open)).unwrap();
        let indices: Vec<u32> = (0..40).collect();
        for t in 1..=60 {
            let update = Update::Adam { rate: 0.03, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t };
            engine.train(batch(set, &indices), update).unwrap();
        }
        engine.trace(batch(set, &indices)).unwrap().loss
    };
    let losses = ALL.map(reached);
    println!("phase, amplitude, complex: {losses:.4?}");
    assert!(losses[2] < losses[0], "{losses:?}");
}
