//! Activations between hops: gradients against central differences, and the GPU engine against the CPU engine in `f64`.

use std::sync::Arc;

use crate::common::{self, Setup, batch, field_error, phases, prepare, program};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::gpu::{GpuEngine, GpuOptions, KernelCache};
use ffm_twin::engine::{
    Activation, ActivationKind, Camera, Engine, Exposure, Program, Relay, Scoring, State, Store,
};
use ndarray::Array2;
use num_complex::Complex64;

/// Every kind, with thresholds in the middle of the field's amplitudes.
const KINDS: [ActivationKind; 4] = [
    ActivationKind::Intensity,
    ActivationKind::Saturable { depth: 3.0, saturation: 0.7 },
    ActivationKind::Relu { threshold: 0.4 },
    ActivationKind::ElectroOptic { tap: 0.1, response: 0.6, bias: 2.5 },
];

fn active(kind: ActivationKind, setup: Setup) -> Program {
    program(&Setup { activation: Some(Activation { kind, gain: 1.3 }), ..setup })
}

/// Hops 1 and 3 share a mask, hop 2 has none.
fn tied(kind: ActivationKind) -> Program {
    let mut p = active(kind, Setup { layers: 4, padding: 1, transposed: true, ..Setup::default() });
    p.hops[1].mask = None;
    p.hops[2].mask = Some(0);
    p.hops[3].mask = Some(1);
    p.masks.truncate(2);
    p
}

/// Mean loss at phases moved by `h` at one pixel.
fn loss_at(
    engine: &mut dyn Engine,
    set: ffm_twin::engine::SetId,
    base: &[Array2<f32>],
    at: (usize, usize, usize),
    h: f32,
) -> f64 {
    let mut moved = base.to_vec();
    moved[at.0][[at.1, at.2]] += h;
    engine.set_state(&State::fresh(moved)).unwrap();
    let losses = engine.infer(batch(set, &[0, 1])).unwrap().losses;
    losses.iter().sum::<f64>() / losses.len() as f64
}

/// Gradients that differ from central differences, as text.
fn differences(p: &Program, what: &str) -> Vec<String> {
    let mut failures = Vec::new();
    let mut engine = CpuEngine::<f64>::new(2).unwrap();
    let set = prepare(&mut engine, p, 2, 70);
    let base = phases(p.shape, p.masks.len(), 70);
    let gradient = engine.trace(batch(set, &[0, 1])).unwrap().gradients;
    let squares: f64 = gradient.iter().map(|g| g.mapv(|v| v * v).sum()).sum();
    let rms = (squares / (gradient.len() * gradient[0].len()) as f64).sqrt();
    assert!(rms > 0.0, "{what}");
    // f32 phases carry the step up to their rounding, which is taken out. So small a step takes no pixel over a threshold, where
    // the slope jumps.
    let h = 2.0_f32.powi(-16);
    for l in 0..p.masks.len() {
        for (r, c) in [(13, 17), (20, 31), (32, 24)] {
            let start = base[l][[r, c]];
            let step = |s: f32| f64::from(start + s) - f64::from(start);
            let up = loss_at(&mut engine, set, &base, (l, r, c), h);
            let down = loss_at(&mut engine, set, &base, (l, r, c), -h);
            let numeric = (up - down) / (step(h) - step(-h));
            let analytic = gradient[l][[r, c]];
            let off = (numeric - analytic).abs();
            if off.is_nan() || off > 1e-4 * (rms + analytic.abs()) {
                failures
                    .push(format!("{what}, mask {l} ({r},{c}): {numeric:e} for {analytic:e}, rms {rms:e}"));
            }
        }
    }
    failures
}

#[test]
fn gradients_equal_central_differences() {
    let mut failures = Vec::new();
    for kind in KINDS {
        let exact = Setup { transposed: true, ..Setup::default() };
        let cases = [
            Setup { shift: 20e-6, camera_aberration: 0.5, ..exact.clone() },
            Setup { padding: 1, mse: true, ..exact.clone() },
            Setup { padding: 1, scoring: Scoring::Differential, shape: [40, 56], ..Setup::default() },
        ];
        for (k, setup) in cases.into_iter().enumerate() {
            failures.extend(differences(&active(kind, setup), &format!("{kind:?}, case {k}")));
        }
        failures.extend(differences(&tied(kind), &format!("{kind:?}, tied")));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn brighter_illumination_changes_nothing() {
    for kind in KINDS {
        let p = active(kind, Setup::default());
        let mut bright = p.clone();
        bright.input.source = Arc::new(p.input.source.mapv(|z: Complex64| z * 1e3));
        let energies = |p: &Program| {
            let mut engine = CpuEngine::<f64>::new(2).unwrap();
            let set = prepare(&mut engine, p, 2, 7);
            engine.infer(batch(set, &[0, 1])).unwrap().energies
        };
        let (a, b) = (energies(&p), energies(&bright) / 1e6);
        assert!((&a - &b).iter().zip(&a).all(|(d, a)| d.abs() < 1e-9 * a), "{kind:?}");
    }
}

#[test]
fn given_fields_are_activated_as_images_are() {
    for kind in KINDS {
        let p = active(kind, Setup { shape: [50, 36], ..Setup::default() });
        let mut engine = CpuEngine::<f64>::new(1).unwrap();
        let set = prepare(&mut engine, &p, 1, 7);
        let trace = engine.trace(batch(set, &[0])).unwrap();
        let last = engine.propagate(&trace.fields[0]).unwrap();
        assert!(field_error(&last, &trace.fields[3]) < 1e-12, "{kind:?}");
    }
}

#[test]
fn single_precision_is_close_and_halves_are_used_as_they_are_stored() {
    for kind in KINDS {
        let mut p = active(kind, Setup::default());
        let gradients = |p: &Program, exact: bool| {
            let mut engine: Box<dyn Engine> = match exact {
                true => Box::new(CpuEngine::<f64>::new(2).unwrap()),
                false => Box::new(CpuEngine::<f32>::new(2).unwrap()),
            };
            let set = prepare(&mut *engine, p, 2, 7);
            engine.trace(batch(set, &[0, 1])).unwrap().gradients
        };
        let exact = gradients(&p, true);
        let error = common::real_error(&gradients(&p, false), &exact);
        assert!(error < 1e-5, "{kind:?}: {error:e}");
        p.store = Store::F16;
        let error = common::real_error(&gradients(&p, false), &exact);
        assert!(error > 1e-5 && error < 1e-2, "{kind:?} in half precision: {error:e}");
    }
}

#[test]
fn the_last_hop_has_no_activation() {
    let mut p = active(ActivationKind::Intensity, Setup::default());
    p.hops[2].activation = p.hops[0].activation;
    let message = CpuEngine::<f32>::new(1).unwrap().load(&p, 1).unwrap_err().to_string();
    assert!(message.contains("last hop"), "{message}");
    p.hops[2].activation = None;
    p.hops[1].activation = Some(Activation { kind: ActivationKind::Relu { threshold: f64::NAN }, gain: 1.0 });
    let message = CpuEngine::<f32>::new(1).unwrap().load(&p, 1).unwrap_err().to_string();
    assert!(message.contains("threshold") && message.contains("hop 2"), "{message}");
}

/// Relative distance of the GPU engine from `f64`: as in `gpu_engine.rs`.
const F32: f64 = 1e-5;
/// The same with a camera that does not quantise.
const MEASURED: f64 = 3e-5;

fn gpu() -> GpuEngine {
    // Portions of two samples and one.
    let options =
        GpuOptions { portion_bytes: 70_000, kernel_cache: KernelCache::Off, ..GpuOptions::default() };
    GpuEngine::with_options(options).unwrap_or_else(|e| panic!("{e}"))
}

/// Traces, inference and propagation of both engines.
fn compare(gpu: &mut dyn Engine, p: &Program, most: f64, what: &str) {
    let exposure = Exposure { data: vec![0.8; p.hops.len()], error: vec![0.6; p.hops.len()] };
    let mut results = Vec::new();
    for engine in [&mut CpuEngine::<f64>::new(2).unwrap() as &mut dyn Engine, gpu] {
        let set = prepare(engine, p, 3, 3);
        engine.set_exposure(&exposure).unwrap();
        let trace = engine.trace(batch(set, &[2, 0, 1])).unwrap_or_else(|e| panic!("{what}: {e}"));
        let said = engine.infer(batch(set, &[2, 0, 1])).unwrap();
        let sent = engine.propagate(&trace.fields[0]).unwrap();
        results.push((trace, said.energies, sent));
    }
    let ((exact, energies, sent), (got, got_energies, got_sent)) = (&results[0], &results[1]);
    for (l, (a, b)) in got.fields.iter().zip(&exact.fields).enumerate() {
        let error = field_error(a, b);
        assert!(error < most, "{what}: U_{l}: {error:e}");
    }
    let error = common::real_error(&got.gradients, &exact.gradients);
    assert!(error < most, "{what}: gradients: {error:e}");
    let error = common::real_error(std::slice::from_ref(got_energies), std::slice::from_ref(energies));
    assert!(error < most, "{what}: energies: {error:e}");
    let error = field_error(got_sent, sent);
    assert!(error < most, "{what}: given fields: {error:e}");
    assert!((got.loss / exact.loss - 1.0).abs() < most, "{what}: {} for {}", got.loss, exact.loss);
}

#[test]
fn both_engines_agree() {
    let mut gpu = gpu();
    for kind in KINDS {
        let base = Setup { shape: [48, 40], ..Setup::default() };
        for setup in [
            base.clone(),
            Setup { padding: 1, mse: true, ..base.clone() },
            Setup { transposed: true, shift: 11e-6, camera_aberration: 0.4, ..base },
        ] {
            compare(&mut gpu, &active(kind, setup.clone()), F32, &format!("{kind:?}, {setup:?}"));
        }
        let mut p = tied(kind);
        compare(&mut gpu, &p, F32, &format!("{kind:?}, tied"));
        // Nothing to train before the second hop: what is in front of its mask is activated, and no error comes that far.
        p.hops[0].mask = None;
        p.hops[1].mask = Some(0);
        compare(&mut gpu, &p, F32, &format!("{kind:?}, first hop free"));
    }
}

#[test]
fn both_engines_agree_on_measured_fields() {
    let mut gpu = gpu();
    for kind in KINDS {
        for relay in [Relay::Measured, Relay::Optical] {
            let mut p = active(kind, Setup { padding: 1, ..Setup::default() });
            p.relay = relay;
            p.camera = Some(Camera {
                electrons: 5000.0,
                reference: 2.0,
                read_noise: 5.0,
                full_well: 1e5,
                adc_bits: 0,
                pedestal: 100.0,
            });
            compare(&mut gpu, &p, MEASURED, &format!("{kind:?}, {relay:?}"));
        }
    }
}

#[test]
fn both_engines_store_the_same_halves() {
    let mut gpu = gpu();
    for kind in KINDS {
        let p = Program { store: Store::F16, ..active(kind, Setup { padding: 1, ..Setup::default() }) };
        let gradients = |engine: &mut dyn Engine| {
            let set = prepare(engine, &p, 3, 3);
            engine.trace(batch(set, &[2, 0, 1])).unwrap().gradients
        };
        let exact = gradients(&mut CpuEngine::<f64>::new(2).unwrap());
        let error = common::real_error(&gradients(&mut gpu), &exact);
        // Half precision may round to the neighbour on a graphics driver.
        assert!(error < 1e-3, "{kind:?}: {error:e}");
    }
}

#[test]
fn a_dark_sample_gives_no_nan() {
    for kind in KINDS {
        let p = active(kind, Setup { padding: 1, ..Setup::default() });
        for mut engine in [Box::new(gpu()) as Box<dyn Engine>, Box::new(CpuEngine::<f32>::new(1).unwrap())] {
            engine.load(&p, 2).unwrap();
            let mut set = common::images(2, 10);
            set.pixels[..784].fill(0);
            let id = engine.upload(&set).unwrap();
            let trace = engine.trace(batch(id, &[0, 1])).unwrap();
            assert!(trace.fields[3][0].iter().all(|z| z.norm() == 0.0), "{kind:?}");
            assert!(trace.fields[3][1].iter().any(|z| z.norm() > 0.0), "{kind:?}");
            assert!(trace.gradients.iter().all(|g| g.iter().all(|v| v.is_finite())), "{kind:?}");
        }
    }
}

#[test]
fn exposures_are_of_the_activated_light() {
    for kind in KINDS {
        let p = active(kind, Setup::default());
        let mut engine = CpuEngine::<f64>::new(1).unwrap();
        let set = prepare(&mut engine, &p, 2, 3);
        let measured = engine.measure_exposure(batch(set, &[0, 1])).unwrap();
        let fields = engine.trace(batch(set, &[0, 1])).unwrap().fields;
        let energy = |l: usize| fields[l].iter().flatten().map(|z: &Complex64| z.norm_sqr()).sum::<f64>();
        for (l, level) in measured.data.iter().enumerate() {
            let expected = (energy(l + 1) / energy(0)).sqrt();
            assert!((level / expected - 1.0).abs() < 1e-9, "{kind:?}, hop {}: {level} for {expected}", l + 1);
        }
    }
}
