//! Apertures and lenses against the patterns of the textbooks (Goodman, *Introduction to Fourier Optics*, chapters 4 and 5).

use std::f64::consts::{PI, SQRT_2, TAU};

use ffm_twin::optics::{Field, Grid, Method, aperture, propagate, source};
use ndarray::Array2;
use num_complex::Complex64;

use crate::special::{airy, fresnel, sinc};
use crate::support::{LAMBDA, space, transfer, travel};

fn lit(transmission: &Array2<f64>) -> Field {
    transmission.mapv(Complex64::from)
}

/// Index of the first local minimum from the middle of a line outwards.
fn first_minimum(line: &[f64]) -> usize {
    let middle = line.len() / 2;
    (middle + 1..line.len() - 1).find(|&i| line[i] < line[i - 1] && line[i] <= line[i + 1]).unwrap() - middle
}

#[test]
fn a_slit_far_away_is_a_sinc() {
    // One row is light that does not vary along y; no padding: the window is 2000 slits wide.
    let (width, z) = (320e-6, 4.0);
    let grid = Grid::new(1, 1 << 17, 2e-3, 5e-6).unwrap();
    let h = transfer(&grid, 1, &space(z, Method::Auto));
    let intensity: Vec<f64> =
        propagate(&lit(&aperture::slit(&grid, width)), &h).iter().map(Complex64::norm_sqr).collect();
    // Quadratic phase over the slit of up to pi w^2 / 4 lambda z = 0.04 rad: squared, and pixels of 1/64 slit.
    const FRAUNHOFER: f64 = 5e-4;
    let peak = width * width / (LAMBDA * z);
    for (c, i) in intensity.iter().enumerate().filter(|(c, _)| grid.x(*c).abs() < 3.5 * LAMBDA * z / width) {
        let expected = sinc(width * grid.x(c) / (LAMBDA * z)).powi(2);
        assert!((i / peak - expected).abs() < FRAUNHOFER, "at {} m: {} {expected}", grid.x(c), i / peak);
    }
    let zero = first_minimum(&intensity) as f64 * grid.dx;
    assert!((zero / (LAMBDA * z / width) - 1.0).abs() < 2e-3, "first zero at {zero}");
}

#[test]
fn a_small_hole_far_away_is_an_airy_disc() {
    let (pitch, diameter, z) = (8e-6, 160e-6, 0.4);
    let grid = Grid::square(768, pitch).unwrap();
    let u = travel(&lit(&aperture::circle(&grid, diameter)), &grid, z, Method::Auto);
    // Quadratic phase over the hole of up to 0.095 rad: squared over 12, and pixels of 1/20 diameter.
    const FRAUNHOFER: f64 = 1.5e-3;
    let peak = (PI * diameter * diameter / (4.0 * LAMBDA * z)).powi(2);
    for k in 0..384 {
        // Along the axes and along the diagonal.
        for (r, c, rho) in [(384, 384 + k, 1.0), (384 - k, 384, 1.0), (384 + k, 384 - k, SQRT_2)] {
            let v = PI * diameter * (rho * k as f64 * pitch) / (LAMBDA * z);
            let off = u[[r, c]].norm_sqr() / peak - airy(v);
            assert!(off.abs() < FRAUNHOFER, "({r}, {c}): {off}");
        }
    }
    let line: Vec<f64> = u.row(384).iter().map(Complex64::norm_sqr).collect();
    let zero = first_minimum(&line) as f64 * pitch;
    assert!((zero / (1.219_67 * LAMBDA * z / diameter) - 1.0).abs() < 1e-2, "first zero at {zero}");
}

/// The Fresnel field of a square of half width `a`, without its carrier: `-i/2 X(x) X(y)`,
/// `X(x) = F((a - x) s) - F((-a - x) s)`, `s = sqrt(2 / lambda z)`.
fn square_near_field(a: f64, z: f64, coordinates: &[f64]) -> Vec<Complex64> {
    let s = (2.0 / (LAMBDA * z)).sqrt();
    coordinates.iter().map(|x| fresnel((a - x) * s) - fresnel((-a - x) * s)).collect()
}

/// What sampling at `pitch` changes of the wave from an edge at distance `far`: the wave has the amplitude
/// `1 / (sqrt 2 pi u)`, `u = far s`; a trapezoidal sum has it times `(b/2) / tan(b/2)`, `b` the phase step between pixels.
fn sampled_edge(far: f64, pitch: f64, z: f64) -> f64 {
    let u = far * (2.0 / (LAMBDA * z)).sqrt();
    let half_step = PI * far * pitch / (LAMBDA * z);
    (1.0 - half_step / half_step.tan()) / (SQRT_2 * PI * u)
}

#[test]
fn a_square_hole_nearby_shows_fresnel_fringes() {
    let grid = Grid::square(512, 5e-6).unwrap();
    let half = 128.0 * grid.dx;
    let hole = lit(&aperture::rectangle(&grid, 2.0 * half, 2.0 * half));
    let x: Vec<f64> = (0..grid.cols).map(|c| grid.x(c)).collect();
    // Fresnel numbers 19 and 8, on both sides of the bound (48 mm).
    for z in [0.04, 0.1] {
        let u = travel(&hole, &grid, z, Method::Auto);
        let profile = square_near_field(half, z, &x);
        let carrier = Complex64::cis(TAU * (z / LAMBDA).fract()) * Complex64::new(0.0, -0.5);
        let mut worst = 0.0_f64;
        for ((r, c), v) in u.indexed_iter() {
            worst = worst.max((v - carrier * profile[r] * profile[c]).norm());
        }
        // The farthest edge is the worst; twice, for the nearer edge and the overshoot (1.17) along the other axis.
        let bound = 2.0 * sampled_edge(half + grid.x(0).abs(), grid.dx, z);
        assert!(bound < 0.02 && worst < bound, "{z}: {worst} of the incident amplitude, bound {bound}");
        // The fringes are there: light overshoots beside the edge of the shadow.
        let brightest = u.iter().map(Complex64::norm_sqr).fold(0.0, f64::max);
        assert!(brightest > 1.5, "{brightest}");
    }
}

/// Focal length of the lens of [`focus`]: `lambda f` = 2048 pixels squared.
const FOCAL: f64 = 0.246;
/// Side or diameter of its aperture.
const OPENING: f64 = 128.0 * 8e-6;

/// A lens behind an opening, a focal length later.
fn focus(opening: impl Fn(&Grid) -> Array2<f64>) -> (Grid, Field) {
    let grid = Grid::square(256, 8e-6).unwrap();
    let behind = lit(&opening(&grid)) * aperture::lens(&grid, LAMBDA, FOCAL) * source::plane(&grid);
    let u = travel(&behind, &grid, FOCAL, Method::Auto);
    (grid, u)
}

/// Lens errors, spherical aberration of 7e-6 rad included, are small: what is left are pixels of 1/128 opening.
const FOCUS: f64 = 2e-4;

#[test]
fn a_square_lens_focuses_to_a_sinc_of_width_lambda_f_over_d() {
    let (grid, u) = focus(|g| aperture::rectangle(g, OPENING, OPENING));
    let (width, peak) = (LAMBDA * FOCAL / OPENING, (OPENING * OPENING / (LAMBDA * FOCAL)).powi(2));
    for ((r, c), v) in u.indexed_iter() {
        let expected = (sinc(grid.x(c) / width) * sinc(grid.y(r) / width)).powi(2);
        assert!(
            (v.norm_sqr() / peak - expected).abs() < FOCUS,
            "({r}, {c}): {} {expected}",
            v.norm_sqr() / peak
        );
    }
    // The first zero, lambda f / D = 16 pixels.
    let line: Vec<f64> = u.row(128).iter().map(Complex64::norm_sqr).collect();
    assert_eq!(first_minimum(&line), 16);
}

#[test]
fn a_round_lens_focuses_to_an_airy_disc() {
    let (grid, u) = focus(|g| aperture::circle(g, OPENING));
    let peak = (PI * OPENING * OPENING / (4.0 * LAMBDA * FOCAL)).powi(2);
    for ((r, c), v) in u.indexed_iter() {
        let expected = airy(PI * OPENING * grid.x(c).hypot(grid.y(r)) / (LAMBDA * FOCAL));
        assert!(
            (v.norm_sqr() / peak - expected).abs() < FOCUS,
            "({r}, {c}): {} {expected}",
            v.norm_sqr() / peak
        );
    }
}

#[test]
fn a_lens_of_positive_focal_length_has_its_focus_behind_it() {
    let grid = Grid::square(256, 8e-6).unwrap();
    // Fresnel number 32: the brightest point is within 0.2 % of the focus, the depth of focus 6 %.
    let focal = 512.0 * grid.dx * grid.dx / LAMBDA;
    let behind = aperture::lens(&grid, LAMBDA, focal);
    let on_axis = |z: f64| travel(&behind, &grid, z, Method::Auto)[[128, 128]].norm_sqr();
    let at_focus = on_axis(focal);
    // sinc^2(N/2 (f/z - 1)) of the axial intensity, both axes: far below half, 10 % away.
    for z in [0.9 * focal, 1.1 * focal] {
        assert!(on_axis(z) < 0.1 * at_focus, "{z}");
    }
    for z in [0.99 * focal, 1.01 * focal] {
        let near = on_axis(z);
        assert!(near < at_focus && near > 0.7 * at_focus, "{z}: {}", near / at_focus);
    }
}
