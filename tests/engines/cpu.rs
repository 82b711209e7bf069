//! The CPU engine against plain formulas in `f64`: fields, finite differences, the cosines of imperfect systems.

use std::f64::consts::PI;

use crate::common::{
    self, Setup, WAVELENGTH, batch, cosine, field_error, images, phases, prepare, program, real_error,
};
use ffm_fft::Planned;
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::{Camera, Engine, Relay, Scoring, State, Update};
use ffm_twin::optics::Field;
use ndarray::{Array2, s};
use num_complex::Complex64;

/// Rounding of `f32` over three layers of transforms, with a margin of three.
const F32_FIELD: f64 = 2e-6;

/// The plain way: pad, FFT2, times H, IFFT2, crop.
fn plain_propagate(u: &Field, h: &Field) -> Field {
    let mut a = Array2::zeros(h.dim());
    a.slice_mut(s![..u.nrows(), ..u.ncols()]).assign(u);
    fft2(&mut a, false);
    a *= h;
    fft2(&mut a, true);
    a.mapv_inplace(|v: Complex64| v / h.len() as f64);
    a.slice(s![..u.nrows(), ..u.ncols()]).to_owned()
}

fn fft2(a: &mut Field, inverse: bool) {
    for axis in [1, 0] {
        let fft = f64::plan(a.len_of(ndarray::Axis(axis)), inverse);
        for mut lane in a.lanes_mut(ndarray::Axis(axis)) {
            let mut line = lane.to_vec();
            fft.process(&mut line);
            lane.iter_mut().zip(line).for_each(|(v, l)| *v = l);
        }
    }
}

#[test]
fn fields_equal_the_plain_formula() {
    for (shape, padding) in [([64, 64], 2), ([64, 96], 1), ([50, 36], 2), ([30, 64], 3)] {
        let p = program(&Setup { shape, padding, shift: 11e-6, camera_aberration: 0.4, ..Setup::default() });
        let mut exact = CpuEngine::<f64>::new(2).unwrap();
        let set = prepare(&mut exact, &p, 3, 40);
        let trace = exact.trace(batch(set, &[0, 1, 2])).unwrap();
        let masks = exact.masks().unwrap();
        for b in 0..3 {
            let mut u = trace.fields[0][b].clone();
            for (l, hop) in p.hops.iter().enumerate() {
                u = plain_propagate(&(&u * &masks[l]), &p.transfers[hop.transfer])
                    * &**hop.after.as_ref().unwrap();
                assert!(field_error([&trace.fields[l + 1][b]], [&u]) < 1e-12, "{shape:?} hop {l}");
            }
        }
        let mut single = CpuEngine::<f32>::new(2).unwrap();
        let set = prepare(&mut single, &p, 3, 40);
        let trace32 = single.trace(batch(set, &[0, 1, 2])).unwrap();
        for l in 0..=p.hops.len() {
            let error = field_error(&trace32.fields[l], &trace.fields[l]);
            assert!(error < F32_FIELD, "{shape:?}: f32 field {l} is off by {error:e}");
        }
        assert!(real_error(&trace32.gradients, &trace.gradients) < 1e-5);
    }
}

#[test]
fn propagate_equals_the_plain_formula() {
    let p = program(&Setup { layers: 1, shape: [48, 64], ..Setup::default() });
    let u = Array2::from_shape_fn((48, 64), |(r, c)| {
        Complex64::new(common::uniform(1, r * 64 + c), common::uniform(2, c))
    });
    let mut engine = CpuEngine::<f64>::new(1).unwrap();
    engine.load(&p, 1).unwrap();
    let out = engine.propagate(std::slice::from_ref(&u)).unwrap();
    assert!(field_error(&out, [&plain_propagate(&u, &p.transfers[0])]) < 1e-13);
}

/// Loss at phases moved by `h` at one pixel, by inference.
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
    let losses = engine.infer(batch(set, &[0, 1, 2])).unwrap().losses;
    losses.iter().sum::<f64>() / losses.len() as f64
}

#[test]
fn the_exact_adjoint_equals_central_differences() {
    let cases = [
        Setup { shift: 20e-6, camera_aberration: 0.5, transposed: true, ..Setup::default() },
        Setup { scoring: Scoring::Differential, transposed: true, ..Setup::default() },
        Setup { mse: true, transposed: true, shift: 7e-6, padding: 1, ..Setup::default() },
        Setup { shape: [40, 56], transposed: false, ..Setup::default() },
        // Weights at which the added term is most of the gradient, and beside the cross-entropy.
        Setup { efficiency: 300.0, transposed: true, shift: 20e-6, ..Setup::default() },
        Setup { efficiency: 2.0, smoothing: 0.3, margin: 0.2, ..Setup::default() },
        Setup { margin: 1.2, scoring: Scoring::Differential, ..Setup::default() },
        Setup { efficiency: 2.0, smoothing: 0.3, scoring: Scoring::Differential, ..Setup::default() },
    ];
    let mut failures = Vec::new();
    for (k, setup) in cases.iter().enumerate() {
        let p = program(setup);
        let mut engine = CpuEngine::<f64>::new(2).unwrap();
        let set = prepare(&mut engine, &p, 3, 70);
        let base = phases(p.shape, p.masks.len(), 70);
        let gradient = engine.trace(batch(set, &[0, 1, 2])).unwrap().gradients;
        let rms = (gradient.iter().map(|g| g.mapv(|v| v * v).sum()).sum::<f64>()
            / (gradient.len() * gradient[0].len()) as f64)
            .sqrt();
        // f32 phases carry steps of 2^-7 exactly; the error of the difference is h^2/6 of the third derivative.
        let h = 0.007_812_5_f32;
        for l in 0..p.masks.len() {
            for (r, c) in [(13, 17), (20, 31), (32, 24)] {
                let start = base[l][[r, c]];
                let step = |s: f32| f64::from((start + s) - start);
                let up = loss_at(&mut engine, set, &base, (l, r, c), h);
                let down = loss_at(&mut engine, set, &base, (l, r, c), -h);
                let numeric = (up - down) / (step(h) - step(-h));
                let analytic = gradient[l][[r, c]];
                if (numeric - analytic).abs() > 1e-4 * (rms + analytic.abs()) {
                    failures.push(format!("case {k} layer {l} ({r},{c}): numeric {numeric:e}, analytic {analytic:e}, rms {rms:e}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_loss_has_its_terms() {
    let infer = |setup: &Setup| {
        let p = program(setup);
        let mut engine = CpuEngine::<f64>::new(1).unwrap();
        let set = prepare(&mut engine, &p, 3, 70);
        let start = engine.trace(batch(set, &[0, 1, 2])).unwrap().fields.swap_remove(0);
        (engine.infer(batch(set, &[0, 1, 2])).unwrap(), start)
    };
    for scoring in [Scoring::Normalised, Scoring::Differential] {
        let plain = Setup { scoring, ..Setup::default() };
        let (plain, start) = infer(&plain);
        let (priced, _) = infer(&Setup { scoring, efficiency: 0.7, smoothing: 0.2, ..Setup::default() });
        let (led, _) = infer(&Setup { scoring, margin: 0.3, ..Setup::default() });
        assert_eq!(priced.energies, plain.energies);
        for (b, field) in start.iter().enumerate() {
            let input: f64 = field.iter().map(|u| u.norm_sqr()).sum();
            assert!((plain.input_energies[b] / input - 1.0).abs() < 1e-12);
            let missing = 1.0 - plain.energies.row(b).sum() / input;
            let scores: Vec<f64> = plain.scores.row(b).iter().map(|s| 10.0 * s).collect();
            let log_sum = scores.iter().map(|s| s.exp()).sum::<f64>().ln();
            // Labels are the image's number; the target of the smoothed loss is spread over all classes.
            let cross = |c: usize| log_sum - scores[c];
            let all = (0..scores.len()).map(cross).sum::<f64>() / scores.len() as f64;
            assert!((plain.losses[b] - cross(b)).abs() < 1e-12);
            let expected = 0.8 * cross(b) + 0.2 * all + 0.7 * missing;
            assert!((priced.losses[b] - expected).abs() < 1e-12, "{} for {expected}", priced.losses[b]);
            assert!((0.0..1.0).contains(&missing), "{missing}");
            // Three units of the softmax behind.
            let behind: Vec<f64> =
                scores.iter().enumerate().map(|(c, s)| if c == b { s - 3.0 } else { *s }).collect();
            let expected = behind.iter().map(|s| s.exp()).sum::<f64>().ln() - behind[b];
            assert!((led.losses[b] - expected).abs() < 1e-12, "{} for {expected}", led.losses[b]);
            assert_eq!(led.predictions, plain.predictions);
        }
    }
}

#[test]
fn a_price_on_missing_light_brings_it_to_the_detectors() {
    let detected = |efficiency: f64| {
        let p = program(&Setup { efficiency, ..Setup::default() });
        let mut engine = CpuEngine::<f32>::new(2).unwrap();
        let set = prepare(&mut engine, &p, 20, 10);
        let indices: Vec<u32> = (0..20).collect();
        for t in 1..=30 {
            let update = Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t };
            engine.train(batch(set, &indices), update).unwrap();
        }
        let found = engine.infer(batch(set, &indices)).unwrap();
        found.energies.sum() / found.input_energies.iter().sum::<f64>()
    };
    let (free, priced) = (detected(0.0), detected(3.0));
    println!("light on the detectors: {free:.3}, with a price {priced:.3}");
    assert!(priced > 1.5 * free, "{free} {priced}");
}

#[test]
fn ffm_on_the_ideal_system_is_the_exact_adjoint() {
    let forward = program(&Setup::default());
    let exact = program(&Setup { transposed: true, ..Setup::default() });
    let gradient = |p| {
        let mut engine = CpuEngine::<f32>::new(2).unwrap();
        let set = prepare(&mut engine, p, 4, 80);
        engine.trace(batch(set, &[0, 1, 2, 3])).unwrap().gradients
    };
    assert!(real_error(&gradient(&forward), &gradient(&exact)) < 1e-6);
}

/// Mean cosine over layers between the FFM gradient and the true one of the same imperfect system: the published setting,
/// 4 layers, 128 x 128 pixels of 32 um, 0.388 m.
fn ffm_cosine(setup: Setup, camera: Option<Camera>) -> f64 {
    let setup = Setup { shape: [128, 128], layers: 4, pitch: 32e-6, distance: 0.388, ..setup };
    let gradient = |transposed: bool, camera: Option<Camera>| {
        let mut p = program(&Setup { transposed, ..setup.clone() });
        p.camera = camera;
        // Measurements observe: noise enters the product of fields, and is not loaded again.
        p.relay = Relay::Optical;
        let mut engine = CpuEngine::<f32>::new(2).unwrap();
        let set = prepare(&mut engine, &p, 8, 90);
        let indices: Vec<u32> = (0..8).collect();
        let exposure = engine.measure_exposure(batch(set, &indices)).unwrap();
        engine.set_exposure(&exposure).unwrap();
        engine.trace(batch(set, &indices)).unwrap().gradients
    };
    let (ffm, truth) = (gradient(false, camera), gradient(true, None));
    ffm.iter().zip(&truth).map(|(a, b)| cosine(a, b)).sum::<f64>() / ffm.len() as f64
}

#[test]
fn ffm_fails_where_real_ffm_fails_lateral_shift() {
    let at = |um: f64| ffm_cosine(Setup { shift: um * 1e-6, ..Setup::default() }, None);
    let cosines = [0.0, 3.0, 8.0, 16.0, 32.0].map(at);
    println!("shift 0/3/8/16/32 um: {cosines:.3?}");
    for (c, expected) in cosines.iter().zip([1.0, 0.97, 0.82, 0.43, 0.0]) {
        assert!((c - expected).abs() < 0.07, "{cosines:?}");
    }
}

#[test]
fn ffm_fails_where_real_ffm_fails_one_sided_aberration() {
    let at = |rms: f64| ffm_cosine(Setup { camera_aberration: rms, ..Setup::default() }, None);
    let cosines = [0.1, 0.3, 0.6, 1.0].map(at);
    println!("one-sided aberration 0.1/0.3/0.6/1.0 rad: {cosines:.3?}");
    for (c, expected) in cosines.iter().zip([0.99, 0.90, 0.67, 0.3]) {
        assert!((c - expected).abs() < 0.07, "{cosines:?}");
    }
}

#[test]
fn ffm_fails_where_real_ffm_fails_field_noise() {
    // Shot noise of electrons E at reference r: a field of unit rms is measured with variance 2 (r^2 + 1) E / (4 r E)^2 per
    // quadrature pair, summed over both; choose E for the signal-to-noise ratio.
    let at = |db: f64| {
        let r: f64 = 2.0;
        let variance = 10f64.powf(-db / 10.0);
        let electrons = 4.0 * (r * r + 1.0) / (16.0 * r * r * variance);
        let camera =
            Camera { electrons, reference: r, read_noise: 0.0, full_well: 1e9, adc_bits: 0, pedestal: 1e6 };
        ffm_cosine(Setup::default(), Some(camera))
    };
    let cosines = [30.0, 20.0, 10.0, 0.0].map(at);
    println!("field SNR 30/20/10/0 dB: {cosines:.3?}");
    for (c, expected) in cosines.iter().zip([0.998, 0.98, 0.87, 0.4]) {
        assert!((c - expected).abs() < 0.07, "{cosines:?}");
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let mut p = program(&Setup::default());
    p.camera = Some(Camera {
        electrons: 500.0,
        reference: 2.0,
        read_noise: 2.47,
        full_well: 1e4,
        adc_bits: 12,
        pedestal: 50.0,
    });
    let run = |threads| {
        let mut engine = CpuEngine::<f32>::new(threads).unwrap();
        let set = prepare(&mut engine, &p, 21, 10);
        let indices: Vec<u32> = (0..21).collect();
        for t in 1..4 {
            let update = Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t };
            engine.train(batch(set, &indices), update).unwrap();
        }
        (engine.state().unwrap(), engine.take_tally().unwrap())
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(2), run(3));
}

#[test]
fn training_lowers_the_loss() {
    for setup in [
        Setup::default(),
        Setup { scoring: Scoring::Differential, ..Setup::default() },
        Setup { mse: true, ..Setup::default() },
    ] {
        let p = program(&setup);
        let mut engine = CpuEngine::<f32>::new(2).unwrap();
        let set = prepare(&mut engine, &p, 20, 10);
        let indices: Vec<u32> = (0..20).collect();
        let mut losses = Vec::new();
        for t in 1..=30 {
            let update = Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t };
            engine.train(batch(set, &indices), update).unwrap();
            losses.push(engine.take_tally().unwrap().loss);
        }
        assert!(losses[29] < 0.9 * losses[0], "{losses:?}");
    }
}

#[test]
fn a_cascade_is_not_disturbed_by_its_measurements() {
    let mut p = program(&Setup::default());
    let clean = {
        let mut engine = CpuEngine::<f32>::new(1).unwrap();
        let set = prepare(&mut engine, &p, 1, 10);
        engine.trace(batch(set, &[0])).unwrap()
    };
    p.camera = Some(Camera {
        electrons: 50.0,
        reference: 2.0,
        read_noise: 0.0,
        full_well: 1e9,
        adc_bits: 0,
        pedestal: 1e6,
    });
    let last = p.hops.len();
    let errors = [Relay::Optical, Relay::Measured].map(|relay| {
        p.relay = relay;
        let mut engine = CpuEngine::<f32>::new(1).unwrap();
        let set = prepare(&mut engine, &p, 1, 10);
        let noisy = engine.trace(batch(set, &[0])).unwrap();
        field_error([&noisy.fields[last][0]], [&clean.fields[last][0]])
    });
    // Three independent measurements against one.
    assert!(errors[0] > 0.05 && errors[1] > 1.3 * errors[0], "{errors:?}");
}

#[test]
fn bad_input_is_refused_with_a_name() {
    let p = program(&Setup::default());
    let mut engine = CpuEngine::<f32>::new(1).unwrap();
    engine.load(&p, 2).unwrap();
    let mut bad = phases(p.shape, 3, 1);
    bad[1][[5, 7]] = f32::NAN;
    let message = engine.set_state(&State::fresh(bad)).unwrap_err().to_string();
    assert!(
        message.contains("layer 2") && message.contains("row 5") && message.contains("column 7"),
        "{message}"
    );
    let message = engine.set_state(&State::fresh(phases([32, 64], 3, 1))).unwrap_err().to_string();
    assert!(message.contains("[64, 64]") && message.contains("[32, 64]"), "{message}");
    let set = engine.upload(&images(2, 10)).unwrap();
    assert!(engine.infer(batch(set, &[])).is_err());
    assert!(engine.infer(batch(set, &[0, 1, 0])).is_err());
    assert!(engine.infer(batch(set, &[2])).is_err());
    assert!(engine.load(&p, 0).is_err());
}

/// Exposed for the mean alone, the focus of a lens would fill the well: it is measured at a fraction of its brightness. Exposure
/// times leave room for the brightest pixel.
#[test]
fn exposures_leave_room_for_a_focus() {
    let mut p = program(&Setup { layers: 1, ..Setup::default() });
    let mut engine = CpuEngine::<f64>::new(1).unwrap();
    let set = prepare(&mut engine, &p, 2, 3);
    let lens = Array2::from_shape_fn((64, 64), |(r, c)| {
        let [y, x] = [r, c].map(|i| (i as f64 - 32.0) * 32e-6);
        (-PI / WAVELENGTH * (y * y + x * x) / 0.1) as f32
    });
    let state = State::fresh(vec![lens]);
    engine.set_state(&state).unwrap();
    let all = batch(set, &[0, 1]);
    let focus = |field: &Field| field.iter().map(|u| u.norm()).fold(0.0, f64::max);
    let exact = focus(&engine.trace(all).unwrap().fields[1][0]);
    let mean = engine.measure_exposure(all).unwrap();

    let camera = Camera {
        electrons: 256.0,
        reference: 2.0,
        read_noise: 2.47,
        full_well: 10_500.0,
        adc_bits: 12,
        pedestal: 60.0,
    };
    p.camera = Some(camera);
    let set = prepare(&mut engine, &p, 2, 3);
    engine.set_state(&state).unwrap();
    let all = batch(set, &[0, 1]);
    let room = engine.measure_exposure(all).unwrap();
    assert!(room.data[0] > 1.5 * mean.data[0], "{room:?} {mean:?}");
    let measured = [mean, room].map(|exposure| {
        engine.set_exposure(&exposure).unwrap();
        focus(&engine.trace(all).unwrap().fields[1][0]) / exact
    });
    assert!(measured[0] < 0.8 && (measured[1] - 1.0).abs() < 0.05, "{measured:?}");
}
