//! Fringes and spots that cameras look at.

use super::*;
use crate::optics::Length;
use crate::twin::Pair;

fn camera(pixels: usize, pitch: f64) -> CameraSheet {
    CameraSheet { pixels: Pair::One(pixels), pitch: Pair::One(Length(pitch)), ..CameraSheet::default() }
}

/// Two plane waves make fringes of a known pixel mean: `2 + 2 sinc(f p) cos(2 pi f x)`.
#[test]
fn fringes_finer_than_the_grid_are_seen_as_pixels_average_them() {
    let grid = Grid::square(96, 10e-6).unwrap();
    // 0.3 of a cycle per pixel in either direction: the fringe has 0.6, beyond the grid's Nyquist frequency.
    let f = 0.3 / grid.dx;
    let wave = |s: f64, x: f64| Complex64::cis(s * TAU * f * x);
    let field = Field::from_shape_fn((96, 96), |(_, c)| wave(1.0, grid.x(c)) + wave(-1.0, grid.x(c)));
    let (pitch, blur) = (6e-6, 0.2);
    let registration = Registration { offset: [1.3e-6, 2.7e-6], ..Registration::default() };
    let sight = Sight::new(&grid, &camera(40, pitch), registration, blur * blur);
    let seen = sight.intensity(&sight.fine(&field));
    let damp = sinc(2.0 * f * pitch) * (-2.0 * (PI * 2.0 * f * blur * pitch).powi(2)).exp();
    let mut tested = 0;
    for ((r, c), &value) in seen.indexed_iter().filter(|(at, _)| sight.inside()[*at]) {
        let x = (c as f64 - 20.0) * pitch + 2.7e-6;
        let expected = 2.0 + 2.0 * damp * (2.0 * TAU * f * x).cos();
        // A thousandth of the mean.
        assert!((value - expected).abs() < 2e-3, "{r} {c}: {value} {expected}");
        tested += 1;
    }
    assert!(tested > 200, "{tested}");
}

#[test]
fn pixels_look_where_the_registration_says() {
    let grid = Grid::square(64, 10e-6).unwrap();
    let spot = |y: f64, x: f64| {
        let d = |p: f64, q: f64| (p - q) / 40e-6;
        Field::from_shape_fn((64, 64), |(r, c)| {
            Complex64::new((-d(grid.y(r), y).powi(2) - d(grid.x(c), x).powi(2)).exp(), 0.0)
        })
    };
    let registration = Registration {
        matrix: [[0.0, 1.0], [-1.0, 0.0]],
        offset: [20e-6, -30e-6],
        ..Registration::default()
    };
    let sight = Sight::new(&grid, &camera(32, 10e-6), registration, 0.0);
    // Camera pixel q = (50 um, 40 um) looks at (40 + 20, -50 - 30) um.
    let seen = sight.intensity(&sight.fine(&spot(60e-6, -80e-6)));
    let best = seen.indexed_iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    assert_eq!(best, (16 + 5, 16 + 4));
    let zero = sight.change(&sight.fine(&spot(0.0, 0.0)), &sight.fine(&Field::zeros((64, 64))));
    assert!(zero.iter().all(|v| *v == 0.0));
}
