//! What leaves a modulator, against closed forms.

use super::*;
use crate::optics::{Angle, Length};

/// Light that leaves turned and enlarged pixels has the spectrum of turned and enlarged squares, each about its own middle.
#[test]
fn the_spectrum_of_a_mask_is_that_of_its_squares() {
    let mut config = SystemConfig::default();
    (config.optics.pixels, config.optics.pitch) =
        (crate::twin::Pair::One(8), crate::twin::Pair::One(Length(40e-6)));
    config.optics.layers = 1;
    let (roll, magnification, fill) = (0.02_f64, 1.013, 0.9_f64);
    let errors = LayerErrors {
        roll: Some(Angle(roll)),
        magnification: Some(magnification),
        fill_factor: Some(fill),
        ..LayerErrors::default()
    };
    let mut truth = Truth::default();
    truth.imperfections.layer.insert("1".into(), errors);
    let mut bench = Bench::new(&config, &truth, 5, [160e-6; 2]).unwrap();
    let gray = Array2::from_shape_fn((8, 8), |(r, c)| (37 * r + 91 * c) as u8);
    let mut plane = Plane { values: Array2::zeros(bench.shape), pitch: bench.pitch, offset: [0.0; 2] };
    bench.illuminate(&mut plane);
    bench.modulate(&mut plane, 1, &gray).unwrap();
    let side = 40e-6 * magnification;
    let area = bench.pitch[0] * bench.pitch[1];
    // Up to the end of the first order of the pixels.
    for [v, u] in [[0.0, 0.0], [0.2, 0.5], [-0.5, 0.5], [0.9, -0.3], [0.0, 1.0]] {
        let [fy, fx] = [v, u].map(|f| f / 40e-6);
        let wave = |y: f64, x: f64| Complex64::cis(-TAU * (fy * y + fx * x));
        let found: Complex64 = plane
            .values
            .indexed_iter()
            .map(|((r, c), value)| {
                let [y, x] = plane.at(r, c);
                value * wave(y, x) * area
            })
            .sum();
        let (sin, cos) = roll.sin_cos();
        let [gy, gx] = [cos * fy - sin * fx, cos * fx + sin * fy];
        let square = |a: f64| a * a * sinc(a * gy) * sinc(a * gx);
        let (active, whole) = (square(side * fill.sqrt()), square(side));
        let expected: Complex64 = gray
            .indexed_iter()
            .map(|((r, c), &g)| {
                let [y, x] = [r as f64 - 4.0, c as f64 - 4.0].map(|k| k * side);
                let turned = wave(cos * y + sin * x, cos * x - sin * y);
                (Complex64::from_polar(active, TAU * f64::from(g) / 256.0) + (whole - active)) * turned
            })
            .sum();
        let error = (found - expected).norm() / (64.0 * side * side);
        assert!(error < 2e-4, "{v} {u}: {error}");
    }
}
