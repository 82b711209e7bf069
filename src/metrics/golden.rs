//! Figures against those that scikit-image, numpy and scipy compute; see `tests/golden/README.md`.

use ndarray::Array2;
use num_complex::Complex64;
use serde::Deserialize;

use super::{compare_fields, compare_frames};

/// Two programs that evaluate the same formulas in `f64`; libm and the order of sums differ in the last digits.
const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct Golden {
    frames: Vec<FrameCase>,
    fields: Vec<FieldCase>,
}

#[derive(Deserialize)]
struct FrameCase {
    rows: usize,
    cols: usize,
    dy: f64,
    dx: f64,
    gain: f64,
    ssim: f64,
    psnr: f64,
    nrmse: f64,
    correlation: f64,
    shift: [f64; 2],
    energy_ratio: f64,
}

#[derive(Deserialize)]
struct FieldCase {
    rows: usize,
    cols: usize,
    overlap: f64,
    global_phase: f64,
    amplitude: f64,
    phase: f64,
}

/// `image` of `tests/golden/make_similarity.py`.
fn image(rows: usize, cols: usize, dy: f64, dx: f64) -> Array2<f64> {
    let size = [rows as f64, cols as f64];
    Array2::from_shape_fn((rows, cols), |(r, c)| {
        let (r, c) = (r as f64, c as f64);
        let spot = |y: f64, x: f64, w: f64, a: f64| {
            let (y, x) = (r - dy - y * size[0], c - dx - x * size[1]);
            a * (-(y * y + x * x) / (2.0 * w * w)).exp()
        };
        let spots = spot(0.3, 0.4, 4.0, 2.0) + spot(0.65, 0.55, 2.5, 1.3) + spot(0.5, 0.25, 6.0, 0.7);
        0.3 + spots + 0.02 * (0.9 * r + 0.35 * c).sin()
    })
}

/// `field` of `tests/golden/make_similarity.py`.
fn field(rows: usize, cols: usize, second: f64) -> Array2<Complex64> {
    Array2::from_shape_fn((rows, cols), |(r, c)| {
        let y = (r as f64 - 0.5 * rows as f64 + 0.8 * second) / rows as f64;
        let x = (c as f64 - 0.45 * cols as f64) / cols as f64;
        let amplitude = (1.0 - 0.4 * second) * (-9.0 * (y * y + x * x)).exp() * (1.2 + (25.0 * x).cos());
        let phase = 30.0 * (x * x + 0.7 * y * y) + 11.0 * x + second * (2.1 + 0.6 * (14.0 * y).sin());
        Complex64::from_polar(amplitude, phase)
    })
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/golden/similarity.json")).expect("golden file")
}

fn near(what: &str, got: f64, want: f64) {
    assert!((got - want).abs() < TOLERANCE, "{what}: {got} instead of {want}");
}

#[test]
fn frames_score_as_in_scikit_image() {
    let cases = golden().frames;
    assert!(cases.len() >= 4);
    for case in cases {
        let a = image(case.rows, case.cols, 0.0, 0.0);
        let b = image(case.rows, case.cols, case.dy, case.dx) * case.gain;
        let got = compare_frames(a.view(), b.view()).expect("valid images");
        near("ssim", got.ssim.mean, case.ssim);
        near("psnr", got.psnr, case.psnr);
        near("nrmse", got.nrmse, case.nrmse);
        near("correlation", got.correlation, case.correlation);
        near("energy ratio", got.energy_ratio, case.energy_ratio);
        (0..2).for_each(|k| near("shift", got.shift[k], case.shift[k]));
    }
}

#[test]
fn fields_score_as_in_scikit_image_and_numpy() {
    let cases = golden().fields;
    assert!(cases.len() >= 2);
    for case in cases {
        let (a, b) = (field(case.rows, case.cols, 0.0), field(case.rows, case.cols, 1.0));
        let got = compare_fields(a.view(), b.view()).expect("valid fields");
        near("overlap", got.overlap, case.overlap);
        near("global phase", got.global_phase, case.global_phase);
        near("amplitude ssim", got.amplitude.mean, case.amplitude);
        near("phase ssim", got.phase.mean, case.phase);
    }
}
