//! Fields, gradients, losses, inference and modulators.

use std::sync::Arc;

use ffm_twin::engine::gpu::GpuOptions;
use ffm_twin::engine::{Affine, Encoding, Engine, Modulator, Scoring};
use ndarray::Array2;

use super::{ADAM, F32, compare, compare_inference, compare_steps, fitted, gpu, reference, with};
use crate::common::{Setup, batch, field_error, prepare, program, screen};
use crate::masks::stretch;

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
        Modulator { stretch: Some(stretch()), ..base.clone() },
        Modulator { levels: Some(16), stretch: Some(stretch()), ..base.clone() },
        Modulator { crosstalk: crosstalk.clone(), ..base.clone() },
        Modulator { leak: 0.3, ..base.clone() },
        Modulator { resample, ..base.clone() },
        Modulator { factor: factor.clone(), ..base.clone() },
        Modulator {
            levels: Some(256),
            lut: Some(lut),
            stretch: Some(stretch()),
            crosstalk,
            leak: 0.1,
            resample,
            factor,
            ..base
        },
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
