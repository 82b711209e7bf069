//! Recorded fields in half precision: only they are rounded, by no more than half precision rounds, whatever their scale.

use std::sync::Arc;

use crate::common::{Setup, batch, field_error, images, phases, prepare, program, real_error};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::gpu::{GpuEngine, GpuOptions, KernelCache};
use ffm_twin::engine::{Camera, Engine, Exposure, Program, State, Store, Trace, Update};
use num_complex::Complex64;

/// Relative error of a gradient from fields rounded to 11 bits: at most 2^-11 a pixel, about a third of that in the sum.
const HALF: f64 = 2e-3;
/// Less than any rounding to half precision makes: the fields were not stored so.
const SINGLE: f64 = 1e-6;
/// A part of a field differs from its half-precision neighbours by at most one unit in their last place.
const NEIGHBOUR: f64 = 1.0 / 1024.0;

fn gpu() -> GpuEngine {
    // Portions of two samples and one: the unit belongs to the sample.
    let options =
        GpuOptions { portion_bytes: 70_000, kernel_cache: KernelCache::Off, ..GpuOptions::default() };
    GpuEngine::with_options(options).unwrap_or_else(|e| panic!("{e}"))
}

fn engines() -> [(&'static str, Box<dyn Engine>); 2] {
    [("gpu", Box::new(gpu())), ("cpu", Box::new(CpuEngine::<f32>::new(2).unwrap()))]
}

fn trace(engine: &mut dyn Engine, p: &Program, store: Store, exposure: &Exposure) -> Trace {
    let set = prepare(engine, &Program { store, ..p.clone() }, 3, 3);
    engine.set_exposure(exposure).unwrap();
    engine.trace(batch(set, &[2, 0, 1])).unwrap()
}

fn level(hops: usize, level: f64) -> Exposure {
    Exposure { data: vec![level; hops], error: vec![1.0; hops] }
}

/// Both stores, compared as the contract of [`Store`] says, on both engines.
fn compare(p: &Program, exposure: &Exposure, what: &str) {
    for (name, mut engine) in engines() {
        compare_on(&mut *engine, p, exposure, &format!("{name}, {what}"));
    }
}

fn compare_on(engine: &mut dyn Engine, p: &Program, exposure: &Exposure, what: &str) {
    let exact = trace(engine, p, Store::F32, exposure);
    let half = trace(engine, p, Store::F16, exposure);
    assert_eq!(half.loss, exact.loss, "{what}: the loss knows nothing of it");
    let hops = p.hops.len();
    for l in [0, hops] {
        assert_eq!(half.fields[l], exact.fields[l], "{what}: U_{l}");
    }
    for l in 1..hops {
        for (stored, field) in half.fields[l].iter().zip(&exact.fields[l]) {
            for (a, b) in stored.iter().zip(field) {
                for (a, b) in [(a.re, b.re), (a.im, b.im)] {
                    let rms = (field.mapv(|z| z.norm_sqr()).mean().unwrap()).sqrt();
                    assert!((a - b).abs() <= NEIGHBOUR * b.abs() + 1e-4 * rms, "{what}: U_{l}: {a} for {b}");
                }
            }
        }
        let error = field_error(&half.fields[l], &exact.fields[l]);
        assert!(error > SINGLE && error < HALF, "{what}: U_{l}: {error:e}");
    }
    assert_eq!(half.gradients[0], exact.gradients[0], "{what}: U_0 is encoded again");
    let error = real_error(&half.gradients[1..], &exact.gradients[1..]);
    assert!(error > SINGLE && error < HALF, "{what}: gradients: {error:e}");
}

#[test]
fn gradients_agree_within_half_precision() {
    let p = program(&Setup { padding: 1, ..Setup::default() });
    compare(&p, &level(3, 1.0), "plain");
    let mse = program(&Setup { padding: 1, layers: 2, mse: true, ..Setup::default() });
    compare(&mse, &level(2, 0.3), "mean square error");
}

#[test]
fn fields_of_any_scale_neither_overflow_nor_vanish() {
    for amplitude in [1e-9, 1e9] {
        let mut p = program(&Setup { padding: 1, layers: 2, ..Setup::default() });
        p.input.source = Arc::new(p.input.source.mapv(|z: Complex64| z * amplitude));
        compare(&p, &level(2, 1.0), &format!("amplitude {amplitude:e}"));
    }
}

#[test]
fn measured_fields_are_stored_in_their_exposure() {
    let mut p = program(&Setup { padding: 1, layers: 3, ..Setup::default() });
    p.camera = Some(Camera {
        electrons: 5000.0,
        reference: 2.0,
        read_noise: 5.0,
        full_well: 1e5,
        adc_bits: 0,
        pedestal: 100.0,
    });
    compare(&p, &Exposure { data: vec![0.9, 0.8, 0.7], error: vec![0.6, 0.9, 0.8] }, "camera");
}

#[test]
fn a_dark_sample_gives_no_nan() {
    let p = Program { store: Store::F16, ..program(&Setup { padding: 1, ..Setup::default() }) };
    for (_, mut engine) in engines() {
        engine.load(&p, 2).unwrap();
        engine.set_state(&State::fresh(phases(p.shape, p.masks.len(), 3))).unwrap();
        let mut set = images(2, 10);
        set.pixels[..784].fill(0);
        let id = engine.upload(&set).unwrap();
        let trace = engine.trace(batch(id, &[0, 1])).unwrap();
        assert!(trace.fields[1][0].iter().all(|z| z.norm() == 0.0), "darkness is stored as darkness");
        assert!(trace.fields[1][1].iter().any(|z| z.norm() > 0.0));
        let update = Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t: 1 };
        engine.train(batch(id, &[0, 1]), update).unwrap();
        assert!(engine.state().unwrap().phases.iter().all(|a| a.iter().all(|v| v.is_finite())));
    }
}

#[test]
fn memory_needed_is_less_and_what_load_takes() {
    let mut gpu = gpu();
    let p = program(&Setup { layers: 4, padding: 1, ..Setup::default() });
    let half = Program { store: Store::F16, ..p.clone() };
    let needed = gpu.memory_needed(&half, 2);
    // Three of the four recorded fields, 4 bytes a pixel less, two samples at once; the pass that finds the rms of the
    // start field takes a slot of parameters.
    assert_eq!(gpu.memory_needed(&p, 2) - needed, 3 * 64 * 64 * 4 * 2 - 256);
    gpu.load(&half, 2).unwrap();
    assert_eq!(gpu.memory_taken(), needed);
}

#[test]
fn the_cpu_engine_saves_memory_too() {
    let cpu = CpuEngine::<f32>::new(2).unwrap();
    let p = program(&Setup { layers: 4, padding: 1, ..Setup::default() });
    let half = Program { store: Store::F16, ..p.clone() };
    // Three of the five fields of every thread, 4 bytes a pixel less.
    assert_eq!(cpu.memory_needed(&p, 2) - cpu.memory_needed(&half, 2), 2 * 3 * 64 * 64 * 4);
}
