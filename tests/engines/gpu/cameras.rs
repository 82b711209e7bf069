//! Measured fields: noise, quantisation, darkness; and given fields, which have none.

use ffm_twin::engine::gpu::GpuOptions;
use ffm_twin::engine::{Camera, Engine, Exposure, Relay, State};
use ndarray::Array2;

use super::{ADAM, F32, gpu, reference, with};
use crate::common::{Setup, batch, field_error, images, phases, prepare, program, real_error, screen};

pub(super) fn camera(adc_bits: u32) -> Camera {
    Camera {
        electrons: 5000.0,
        reference: 2.0,
        read_noise: 5.0,
        full_well: 100_000.0,
        adc_bits,
        pedestal: 100.0,
    }
}

/// Without quantisation the engines differ by rounding in the frames: a difference of two frames of up to 1e5 electrons
/// known to 2^-24 each, against fields of about 1e4 electrons.
const MEASURED: f64 = 3e-5;

#[test]
fn measured_fields_and_gradients_agree() {
    // Portions of two samples and one: noise belongs to the place in the batch.
    let mut gpu = with(GpuOptions { portion_bytes: 70_000, ..GpuOptions::default() });
    for (relay, mse) in [(Relay::Measured, false), (Relay::Optical, false), (Relay::Measured, true)] {
        let mut p = program(&Setup { layers: 3, padding: 1, mse, ..Setup::default() });
        p.camera = Some(camera(0));
        p.relay = relay;
        let exposure = Exposure { data: vec![0.9, 0.8, 0.7], error: vec![0.6, 0.9, 0.8] };
        let mut results = Vec::new();
        let mut exact = reference();
        for engine in [&mut exact as &mut dyn Engine, &mut gpu] {
            let set = prepare(engine, &p, 3, 3);
            engine.set_exposure(&exposure).unwrap();
            results.push(engine.trace(batch(set, &[2, 0, 1])).unwrap());
        }
        for l in 0..=3 {
            let error = field_error(&results[1].fields[l], &results[0].fields[l]);
            assert!(error < MEASURED, "{relay:?}, mse {mse}: U_{l}: {error:e}");
        }
        let error = real_error(&results[1].gradients, &results[0].gradients);
        assert!(error < MEASURED, "{relay:?}, mse {mse}: gradients: {error:e}");
    }
}

/// A frame that rounds to the other side is one code off: at 8 bits a part of 1e-4 of the pixels may be.
const QUANTISED: f64 = 3e-3;

#[test]
fn quantised_fields_differ_by_few_codes() {
    let mut gpu = gpu();
    let mut p = program(&Setup { layers: 1, padding: 1, ..Setup::default() });
    p.camera = Some(camera(8));
    let mut exact = reference();
    let set = prepare(&mut exact, &p, 2, 3);
    let expected = exact.trace(batch(set, &[0, 1])).unwrap();
    let set = prepare(&mut gpu, &p, 2, 3);
    let got = gpu.trace(batch(set, &[0, 1])).unwrap();
    let error = field_error(&got.fields[1], &expected.fields[1]);
    assert!(error < QUANTISED, "{error:e}");
}

#[test]
fn a_dark_sample_gives_no_nan() {
    let mut gpu = gpu();
    for mse in [false, true] {
        let mut p = program(&Setup { mse, padding: 1, ..Setup::default() });
        p.camera = Some(camera(8));
        gpu.load(&p, 2).unwrap();
        gpu.set_state(&State::fresh(phases(p.shape, p.masks.len(), 3))).unwrap();
        let mut set = images(2, 10);
        set.pixels[..784].fill(0);
        let id = gpu.upload(&set).unwrap();
        gpu.train(batch(id, &[0, 1]), ADAM).unwrap();
        assert!(gpu.take_tally().unwrap().loss.is_finite());
        let finite = |arrays: &[Array2<f32>]| arrays.iter().all(|a| a.iter().all(|v| v.is_finite()));
        let state = gpu.state().unwrap();
        assert!(finite(&state.phases) && finite(&state.first) && finite(&state.second), "mse {mse}");
    }
}

#[test]
fn given_fields_propagate_without_noise() {
    let mut gpu = with(GpuOptions { portion_bytes: 100_000, ..GpuOptions::default() });
    let mut p = program(&Setup::default());
    p.camera = Some(camera(8));
    let fields: Vec<_> = (0..3).map(|k| screen([64, 64], 2.0, 50 + k)).collect();
    let mut exact = reference();
    prepare(&mut exact, &p, 3, 3);
    prepare(&mut gpu, &p, 3, 3);
    let error = field_error(&gpu.propagate(&fields).unwrap(), &exact.propagate(&fields).unwrap());
    assert!(error < F32, "{error:e}");
}
