//! The GPU engine against the CPU engine in `f64`: fields, gradients, one update, inference, modulators, cameras.
//!
//! A machine without any device fails these tests: Mesa's software Vulkan is enough
//! (`apt-get install mesa-vulkan-drivers libvulkan1`).

mod cameras;
mod fields;
mod limits;
mod updates;

use std::sync::Arc;

use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::gpu::{GpuEngine, GpuOptions, KernelCache};
use ffm_twin::engine::{Engine, Program, Update};
use ndarray::Array2;

use crate::common::{Setup, batch, field_error, prepare, program, real_error, screen, transfer};

/// Relative L2 distance from `f64`: rounding of `f32` in two transforms a hop, and in the sums over a batch.
const F32: f64 = 1e-5;

const ADAM: Update = Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t: 1 };

fn gpu() -> GpuEngine {
    with(GpuOptions::default())
}

fn with(options: GpuOptions) -> GpuEngine {
    let options = GpuOptions { kernel_cache: KernelCache::Off, ..options };
    GpuEngine::with_options(options).unwrap_or_else(|e| panic!("{e}"))
}

fn reference() -> CpuEngine<f64> {
    CpuEngine::new(2).unwrap()
}

#[test]
fn the_comparisons_see_wrong_results() {
    let good = screen([16, 16], 1.0, 1);
    let mut wrong = good.clone();
    wrong[[3, 5]] *= 1.01;
    assert!(field_error([&good], [&good]) < F32);
    assert!(field_error([&wrong], [&good]) > 10.0 * F32);
    wrong[[3, 5]] *= f64::NAN;
    // The assertions of this file are `error < F32`: NaN must not pass.
    let error = field_error([&wrong], [&good]);
    assert!(error.is_nan() || error > F32);
    let reals = vec![good.mapv(|z| z.re)];
    let mut off = reals.clone();
    off[0][[0, 0]] += 0.01;
    assert!(real_error(&reals, &reals) < F32 && real_error(&off, &reals) > 10.0 * F32);
}

/// The program with padded lengths that the GPU engine has.
fn fitted(gpu: &dyn Engine, setup: &Setup) -> Program {
    let mut p = program(setup);
    let asked = p.padded;
    p.padded = asked.map(|length| gpu.transform_length(length).unwrap());
    if p.padded != asked {
        p.transfers = vec![Arc::new(transfer(p.padded, setup.pitch, setup.distance, setup.shift))];
    }
    p
}

/// Fields, gradients and loss of a batch on both engines.
fn compare(gpu: &mut dyn Engine, p: &Program, n: usize, what: &str) {
    let mut exact = reference();
    let indices: Vec<u32> = (0..n as u32).rev().collect();
    let set = prepare(&mut exact, p, n, 3);
    let expected = exact.trace(batch(set, &indices)).unwrap();
    let set = prepare(gpu, p, n, 3);
    let got = gpu.trace(batch(set, &indices)).unwrap_or_else(|e| panic!("{what}: {e}"));
    for (l, (a, b)) in got.fields.iter().zip(&expected.fields).enumerate() {
        assert_eq!(a.len(), n);
        let error = field_error(a, b);
        assert!(error < F32, "{what}: U_{l}: {error:e}");
    }
    let error = real_error(&got.gradients, &expected.gradients);
    assert!(error < F32, "{what}: gradients: {error:e}");
    let error = (got.loss / expected.loss - 1.0).abs();
    assert!(error < F32, "{what}: loss {} for {}", got.loss, expected.loss);
}

/// `|a - b| / |b|` over all arrays.
fn state_error(a: &[Array2<f32>], b: &[Array2<f32>]) -> f64 {
    let wide = |arrays: &[Array2<f32>]| arrays.iter().map(|x| x.mapv(f64::from)).collect::<Vec<_>>();
    real_error(&wide(a), &wide(b))
}

/// The update with a rate of zero: it fills moments and leaves the phases.
fn resting(update: Update) -> Update {
    match update {
        Update::Adam { beta1, beta2, epsilon, t, .. } => Update::Adam { rate: 0.0, beta1, beta2, epsilon, t },
        Update::Sgd { momentum, .. } => Update::Sgd { rate: 0.0, momentum },
    }
}

/// Two steps on both engines, the first with a rate of zero; then states, masks and tallies.
fn compare_steps(gpu: &mut dyn Engine, p: &Program, n: usize, update: Update, what: &str) {
    let mut exact = reference();
    let indices: Vec<u32> = (0..n as u32).collect();
    let mut results = Vec::new();
    for engine in [&mut exact as &mut dyn Engine, gpu] {
        let set = prepare(engine, p, n, 3);
        engine.train(batch(set, &indices[..n.div_ceil(2)]), resting(update)).unwrap();
        engine.train(batch(set, &indices), update).unwrap_or_else(|e| panic!("{what}: {e}"));
        results.push((engine.state().unwrap(), engine.masks().unwrap(), engine.take_tally().unwrap()));
        assert_eq!(engine.take_tally().unwrap().samples, 0, "{what}: the tally was taken");
    }
    let ((state, masks, tally), (got, got_masks, got_tally)) = (&results[0], &results[1]);
    let moments = state_error(&got.first, &state.first);
    assert!(moments < F32, "{what}: first moment: {moments:e}");
    let phases = state_error(&got.phases, &state.phases);
    assert!(phases < F32, "{what}: phases: {phases:e}");
    let masks = field_error(got_masks, masks);
    assert!(masks < F32, "{what}: masks: {masks:e}");
    assert_eq!((got_tally.correct, got_tally.samples), (tally.correct, tally.samples), "{what}");
    assert!((got_tally.loss / tally.loss - 1.0).abs() < F32, "{what}: {got_tally:?} for {tally:?}");
}

/// Inference of a batch on both engines.
fn compare_inference(gpu: &mut dyn Engine, p: &Program) {
    let mut exact = reference();
    let indices = [4, 0, 2, 2];
    let set = prepare(&mut exact, p, 5, 3);
    let expected = exact.infer(batch(set, &indices)).unwrap();
    let set = prepare(gpu, p, 5, 3);
    let got = gpu.infer(batch(set, &indices)).unwrap();
    assert_eq!(got.predictions, expected.predictions);
    assert!(real_error(&[got.energies], &[expected.energies]) < F32);
    assert!(real_error(&[got.scores], &[expected.scores]) < F32);
    let pairs = got.losses.iter().zip(&expected.losses);
    for (a, b) in pairs.chain(got.input_energies.iter().zip(&expected.input_energies)) {
        assert!((a / b - 1.0).abs() < F32, "{a} for {b}");
    }
}
