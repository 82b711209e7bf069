//! The GPU engine against the CPU engine in `f64`: fields, gradients, one update, inference, modulators, cameras.
//!
//! A machine without any device fails these tests: Mesa's software Vulkan is enough
//! (`apt-get install mesa-vulkan-drivers libvulkan1`).

use std::sync::Arc;

use crate::common::{
    Setup, batch, field_error, images, phases, prepare, program, real_error, screen, transfer,
};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::gpu::{GpuEngine, GpuOptions, KernelCache};
use ffm_twin::engine::{
    Affine, Camera, Encoding, Engine, EngineError, Exposure, Modulator, Program, Relay, Scoring, State,
    Update,
};
use ndarray::Array2;

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

#[test]
fn fields_and_gradients_agree_on_grids_of_all_kinds() {
    let mut gpu = gpu();
    for (shape, padding, n) in [
        ([64, 64], 1, 1),
        ([64, 64], 2, 5),
        ([64, 128], 1, 3),
        ([128, 64], 2, 2),
        ([128, 128], 1, 4),
        ([50, 97], 2, 3),
        ([200, 100], 1, 2),
        ([256, 256], 1, 2),
    ] {
        let p = fitted(&gpu, &Setup { shape, padding, ..Setup::default() });
        compare(&mut gpu, &p, n, &format!("{shape:?} x {padding}, batch {n}"));
    }
}

/// Every line length of a spread over the range, along rows or columns: even and odd, squares of primes and display sizes.
#[test]
fn lengths_with_factors_two_three_and_five_agree() {
    let mut gpu = gpu();
    for shape in [
        [75, 81],
        [125, 90],
        [400, 405],
        [500, 480],
        [540, 640],
        [800, 720],
        [1000, 1125],
        [1200, 960],
        [1080, 30],
        [25, 1920],
        [2048, 12],
        [12, 3840],
        [4096, 15],
    ] {
        let setup = Setup { shape, padding: 1, layers: 2, ..Setup::default() };
        let p = program(&setup);
        assert_eq!(p.padded.map(|length| gpu.transform_length(length).unwrap()), p.padded);
        compare(&mut gpu, &p, 1, &format!("{shape:?}"));
    }
    let setup = Setup { shape: [400, 240], padding: 2, layers: 2, ..Setup::default() };
    let p = program(&setup);
    assert_eq!(p.padded, [800, 480]);
    compare(&mut gpu, &p, 1, "400 x 240 in 800 x 480");
}

#[test]
fn kernels_written_for_graphics_processors_agree() {
    let mut gpu = with(GpuOptions { hardware_plans: Some(true), checked: false, ..GpuOptions::default() });
    for (shape, padding, n) in [([64, 64], 2, 5), ([128, 256], 1, 2), ([240, 405], 1, 2)] {
        let setup = Setup { shape, padding, transposed: true, camera_aberration: 0.3, ..Setup::default() };
        let p = program(&setup);
        compare(&mut gpu, &p, n, &format!("{shape:?} x {padding}, batch {n}"));
        compare_steps(&mut gpu, &p, n, ADAM, "looped");
    }
}

#[test]
fn sums_with_and_without_subgroups_agree() {
    for subgroups in [true, false] {
        let mut gpu = with(GpuOptions { subgroups, ..GpuOptions::default() });
        for mse in [false, true] {
            let p = fitted(&gpu, &Setup { mse, layers: 2, shape: [48, 40], ..Setup::default() });
            compare(&mut gpu, &p, 3, &format!("subgroups {subgroups}, mse {mse}"));
        }
    }
}

#[test]
fn large_grids_agree() {
    let mut gpu = gpu();
    for side in [512, 1024] {
        let shape = [side, side];
        let p = program(&Setup { shape, padding: 1, layers: 2, distance: 0.05, ..Setup::default() });
        compare(&mut gpu, &p, 1, &format!("{side}"));
    }
}

#[test]
fn both_error_passes_scorings_and_losses_agree() {
    let mut gpu = gpu();
    for transposed in [false, true] {
        for (scoring, mse) in
            [(Scoring::Normalised, false), (Scoring::Differential, false), (Scoring::Normalised, true)]
        {
            let setup = Setup {
                shape: [64, 64],
                padding: 1,
                transposed,
                scoring,
                mse,
                shift: 11e-6,
                camera_aberration: 0.4,
                ..Setup::default()
            };
            let p = program(&setup);
            compare(&mut gpu, &p, 3, &format!("transposed {transposed}, {scoring:?}, mse {mse}"));
        }
    }
}

#[test]
fn prices_on_missing_light_smoothed_targets_and_margins_agree() {
    let mut gpu = gpu();
    for scoring in [Scoring::Normalised, Scoring::Differential] {
        for (efficiency, smoothing, margin) in
            [(3.0, 0.0, 0.0), (0.0, 0.2, 0.0), (0.5, 0.1, 0.4), (0.0, 0.0, 1.5)]
        {
            let setup = Setup { padding: 1, scoring, efficiency, smoothing, margin, ..Setup::default() };
            let p = program(&setup);
            let what =
                format!("{scoring:?}, efficiency {efficiency}, smoothing {smoothing}, margin {margin}");
            compare(&mut gpu, &p, 3, &what);
            compare_steps(&mut gpu, &p, 3, ADAM, &what);
            compare_inference(&mut gpu, &p);
            // In the dark the price is paid in full and nothing is NaN.
            let mut dark = p.clone();
            dark.input.source = Arc::new(Array2::zeros(p.input.source.dim()));
            let mut losses = Vec::new();
            for engine in [&mut reference() as &mut dyn Engine, &mut gpu] {
                let set = prepare(engine, &dark, 1, 3);
                losses.push(engine.infer(batch(set, &[0])).unwrap().losses[0]);
                let gradients = engine.trace(batch(set, &[0])).unwrap().gradients;
                assert!(gradients.iter().flatten().all(|g| *g == 0.0), "{what}");
            }
            assert!((losses[1] / losses[0] - 1.0).abs() < F32, "{what}: {losses:?}");
        }
    }
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

#[test]
fn one_update_agrees() {
    let mut gpu = gpu();
    let p = program(&Setup { layers: 2, ..Setup::default() });
    compare_steps(&mut gpu, &p, 6, ADAM, "Adam");
    // A rate that moves phases by tenths of radians.
    compare_steps(&mut gpu, &p, 6, Update::Sgd { rate: 1e3, momentum: 0.9 }, "SGD");
}

#[test]
fn the_tally_sums_over_steps() {
    let mut gpu = gpu();
    let p = program(&Setup { padding: 1, ..Setup::default() });
    let id = prepare(&mut gpu, &p, 5, 3);
    let said = gpu.infer(batch(id, &[0, 1, 2, 3, 4])).unwrap();
    // Labels that are what the system says, but for one.
    let mut set = images(5, 10);
    set.labels = said.predictions.clone();
    set.labels[3] = (set.labels[3] + 1) % 10;
    let id = gpu.upload(&set).unwrap();
    for indices in [&[0, 1, 2][..], &[3], &[4, 3, 1, 0, 2]] {
        gpu.train(batch(id, indices), resting(ADAM)).unwrap();
    }
    let losses = gpu.infer(batch(id, &[0, 1, 2, 3, 4])).unwrap().losses;
    let tally = gpu.take_tally().unwrap();
    assert_eq!((tally.correct, tally.samples), (7, 9));
    let expected = 2.0 * losses.iter().sum::<f64>() - losses[4];
    assert!((tally.loss / expected - 1.0).abs() < F32, "{} for {expected}", tally.loss);
}

#[test]
fn portions_give_the_gradients_of_the_whole_batch() {
    // One sample of 64 x 64 in 128 x 128 takes 64 KiB: three portions of two, two and one.
    let mut gpu = with(GpuOptions { portion_bytes: 150_000, ..GpuOptions::default() });
    let p = program(&Setup::default());
    compare(&mut gpu, &p, 5, "portions");
    compare_steps(&mut gpu, &p, 5, ADAM, "portions");
}

#[test]
fn tied_and_missing_masks_agree() {
    let mut gpu = gpu();
    let mut p = program(&Setup { layers: 4, padding: 1, ..Setup::default() });
    // Hops 1 and 3 share a mask, hop 2 has none.
    p.hops[1].mask = None;
    p.hops[2].mask = Some(0);
    p.hops[3].mask = Some(1);
    p.masks.truncate(2);
    compare(&mut gpu, &p, 3, "tied");
    compare_steps(&mut gpu, &p, 3, ADAM, "tied");
    // Nothing to train before the second hop: the error pass stops there.
    p.hops[0].mask = None;
    compare(&mut gpu, &p, 3, "first hop free");
}

#[test]
fn phase_encoding_and_windows_at_the_border_agree() {
    let mut gpu = gpu();
    let mut p = program(&Setup { shape: [64, 128], padding: 1, layers: 2, ..Setup::default() });
    p.input.source = Arc::new(screen([64, 128], 0.7, 8));
    p.input.encoding = Encoding::Phase { range: 7.0 };
    p.input.origin = [0, 100];
    p.input.window = [64, 28];
    compare(&mut gpu, &p, 2, "phase");
}

#[test]
fn inference_agrees() {
    let mut gpu = gpu();
    for scoring in [Scoring::Normalised, Scoring::Differential] {
        compare_inference(&mut gpu, &program(&Setup { scoring, ..Setup::default() }));
    }
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

#[test]
fn modulators_agree() {
    let mut gpu = gpu();
    let lut: Arc<[f64]> = (0..17).map(|k| 6.0 * (f64::from(k) / 16.0).powf(1.2)).collect();
    let base = Modulator::default();
    let factor = Some(Arc::new(screen([64, 64], 0.5, 12)));
    let resample = Some(Affine { matrix: [[0.999, 0.02], [-0.02, 1.001]], offset: [0.4, -1.7] });
    let crosstalk = vec![0.7, 0.1, 0.05];
    let variants = [
        Modulator { levels: Some(16), ..base.clone() },
        Modulator { lut: Some(lut.clone()), ..base.clone() },
        Modulator { crosstalk: crosstalk.clone(), ..base.clone() },
        Modulator { leak: 0.3, ..base.clone() },
        Modulator { resample, ..base.clone() },
        Modulator { factor: factor.clone(), ..base.clone() },
        Modulator { levels: Some(256), lut: Some(lut), crosstalk, leak: 0.1, resample, factor, ..base },
    ];
    for modulator in variants {
        let mut p = program(&Setup { layers: 1, padding: 1, ..Setup::default() });
        p.masks = vec![modulator];
        let mut exact = reference();
        prepare(&mut exact, &p, 1, 21);
        prepare(&mut gpu, &p, 1, 21);
        let error = field_error(&gpu.masks().unwrap(), &exact.masks().unwrap());
        assert!(error < F32, "{:?}: {error:e}", p.masks[0]);
        compare(&mut gpu, &p, 2, "modulator");
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

fn camera(adc_bits: u32) -> Camera {
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
fn steps_repeat_bit_for_bit() {
    let mut p = program(&Setup { padding: 1, ..Setup::default() });
    p.camera = Some(camera(8));
    let run = |gpu: &mut GpuEngine| {
        let set = prepare(gpu, &p, 5, 3);
        for t in 1..=3 {
            let Update::Adam { rate, beta1, beta2, epsilon, .. } = ADAM else { unreachable!() };
            gpu.train(batch(set, &[4, 1, 0, 3]), Update::Adam { rate, beta1, beta2, epsilon, t }).unwrap();
        }
        (gpu.state().unwrap(), gpu.take_tally().unwrap())
    };
    let mut gpu = gpu();
    let first = run(&mut gpu);
    assert_eq!(first, run(&mut gpu));
    let mut trusted = with(GpuOptions { checked: false, ..GpuOptions::default() });
    assert_eq!(first.0, run(&mut trusted).0, "checked and trusted kernels compute the same");
}

#[test]
fn memory_needed_is_what_load_takes() {
    let mut gpu = gpu();
    for (setup, n) in [
        (Setup::default(), 3),
        (Setup { mse: true, padding: 1, ..Setup::default() }, 1),
        (Setup { transposed: true, camera_aberration: 0.3, layers: 5, ..Setup::default() }, 7),
    ] {
        let p = program(&setup);
        let needed = gpu.memory_needed(&p, n);
        gpu.load(&p, n).unwrap();
        assert_eq!(gpu.memory_taken(), needed);
    }
}

#[test]
fn a_memory_limit_makes_smaller_portions_before_it_refuses() {
    let p = program(&Setup::default());
    let whole = gpu().memory_needed(&p, 32);
    let limit = whole / 2;
    let mut gpu = with(GpuOptions { memory_limit: Some(limit), ..GpuOptions::default() });
    assert!(gpu.memory_needed(&p, 32) <= limit);
    gpu.load(&p, 32).unwrap();
    let mut tiny = with(GpuOptions { memory_limit: Some(100_000), ..GpuOptions::default() });
    let error = tiny.load(&p, 32).unwrap_err();
    assert!(matches!(error, EngineError::Memory { available: 100_000, .. }), "{error}");
    assert!(error.to_string().contains("train.batch"), "{error}");
}

#[test]
fn impossible_programs_are_refused_with_the_reason() {
    let mut gpu = gpu();
    for (minimum, length) in [(1, 8), (65, 72), (800, 800), (2049, 2160), (4096, 4096)] {
        assert_eq!(gpu.transform_length(minimum).unwrap(), length);
    }
    let error = gpu.transform_length(4097).unwrap_err();
    assert!(matches!(error, EngineError::Length { length: 4097, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("4096") && text.contains(&gpu.device().name) && text.contains("CPU"), "{text}");
    let p = program(&Setup { shape: [91, 64], padding: 1, ..Setup::default() });
    let error = gpu.load(&p, 1).unwrap_err();
    assert!(matches!(error, EngineError::Length { length: 91, .. }), "{error}");
    assert!(error.to_string().contains("choose 96"), "{error}");
    assert!(matches!(gpu.state(), Err(EngineError::Device { .. })), "nothing is loaded");
    let p = program(&Setup::default());
    gpu.load(&p, 1).unwrap();
    let mut state = State::fresh(phases(p.shape, p.masks.len(), 1));
    state.phases[1][[5, 7]] = f32::NAN;
    let error = gpu.set_state(&state).unwrap_err();
    assert!(matches!(error, EngineError::NotFinite { layer: 2, row: 5, col: 7, .. }), "{error}");
    let mut p = program(&Setup::default());
    let mut map = (*p.readout.map).clone();
    map[[3, 4]] = 11;
    p.readout.map = Arc::new(map);
    let error = gpu.load(&p, 1).unwrap_err().to_string();
    assert!(error.contains("row 3, column 4") && error.contains("11"), "{error}");
}
