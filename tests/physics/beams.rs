//! Beams and gratings against closed forms, and the directions of shifts and tilts.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use ffm_twin::optics::{Field, Grid, Method, Propagation, effects, propagate, source};
use num_complex::Complex64;

use crate::support::{LAMBDA, centroid, energy, relative_error, space, transfer, travel};

/// A beam of divergence `lambda / pi w0` = 1.1 mrad is paraxial to `k z theta^4 / 8` < 1e-6 at these distances.
const PARAXIAL_BEAM: f64 = 1e-6;
/// Centres of beams, relative to the distance they move: second-order terms of 1 mrad, rounding.
const CENTRE: f64 = 1e-5;

const WAIST: f64 = 150e-6;

fn beam_grid() -> Grid {
    Grid::new(240, 256, 10.5e-6, 10e-6).unwrap()
}

/// Distances on both sides of the bound of this grid (95 mm), up to 1.7 times the Rayleigh length (133 mm).
const BEAM_DISTANCES: [f64; 4] = [-0.06, 0.03, 0.11, 0.22];

#[test]
fn a_gaussian_beam_spreads_and_slips_as_the_closed_form_says() {
    let grid = beam_grid();
    for index in [1.0, 1.33] {
        let lambda = LAMBDA / index;
        let rayleigh = PI * WAIST * WAIST / lambda;
        for distance in BEAM_DISTANCES {
            let path = Propagation { index, ..space(distance, Method::Auto) };
            let u = propagate(&source::gaussian(&grid, lambda, WAIST, 0.0), &transfer(&grid, 2, &path));

            // Intensity exp(-2 rho^2 / w^2): <x^2> = w^2 / 4.
            let (mut y2, mut x2) = (0.0, 0.0);
            for ((r, c), v) in u.indexed_iter() {
                y2 += v.norm_sqr() * grid.y(r).powi(2);
                x2 += v.norm_sqr() * grid.x(c).powi(2);
            }
            let expected = WAIST * (1.0 + (distance / rayleigh).powi(2)).sqrt();
            for radius in [y2, x2].map(|m| 2.0 * (m / energy(&u)).sqrt()) {
                let off = radius / expected - 1.0;
                assert!(off.abs() < 2.0 * PARAXIAL_BEAM, "radius at {distance}, index {index}: {off}");
            }

            // On the axis: exp(i k z) exp(-i atan(z / z0)).
            let axis = u[[grid.rows / 2, grid.cols / 2]] * Complex64::cis(-TAU * (distance / lambda).fract());
            let gouy = axis.arg() + (distance / rayleigh).atan();
            assert!(gouy.abs() < PARAXIAL_BEAM, "Gouy phase at {distance}, index {index}: {gouy}");
        }
    }
}

#[test]
fn the_gaussian_source_is_the_propagated_waist() {
    let grid = beam_grid();
    for distance in BEAM_DISTANCES {
        let u = travel(&source::gaussian(&grid, LAMBDA, WAIST, 0.0), &grid, distance, Method::Auto);
        let error = relative_error(&u, &source::gaussian(&grid, LAMBDA, WAIST, distance));
        assert!(error < PARAXIAL_BEAM, "{distance}: {error}");
        // The same beam one tenth of a Rayleigh length further is another field.
        assert!(relative_error(&u, &source::gaussian(&grid, LAMBDA, WAIST, distance + 0.013)) > 1e-2);
    }
}

/// Period of the gratings in pixels and metres.
const PERIOD: (usize, f64) = (12, 150e-6);

/// A grid that holds whole periods along x; its high rows keep the sampling bound of y out of the way.
fn grating_grid() -> Grid {
    Grid::new(4, 40 * PERIOD.0, 1e-3, PERIOD.1 / PERIOD.0 as f64).unwrap()
}

fn grating(transmission: impl Fn(f64) -> f64) -> Field {
    let grid = grating_grid();
    Field::from_shape_fn((grid.rows, grid.cols), |(_, c)| {
        Complex64::from(transmission((c % PERIOD.0) as f64 / PERIOD.0 as f64))
    })
}

/// The periodic field (no padding) after a distance, without the carrier `exp(i k z)`.
fn behind(field: &Field, distance: f64, method: Method) -> Field {
    let h = transfer(&grating_grid(), 1, &space(distance, method));
    propagate(field, &h) * Complex64::cis(-TAU * (distance / LAMBDA).fract())
}

#[test]
fn a_grating_images_itself_at_the_talbot_distance() {
    let talbot = 2.0 * PERIOD.1.powi(2) / LAMBDA;
    // Orders up to 3, not symmetric.
    let smooth =
        grating(|t| 1.0 + 0.6 * (TAU * t).cos() + 0.3 * (2.0 * TAU * t).sin() + 0.2 * (3.0 * TAU * t).cos());
    // The phase of order n differs from a multiple of 2 pi by pi/2 (lambda/d)^2 n^4 beyond the paraxial form.
    let beyond = FRAC_PI_2 * (LAMBDA / PERIOD.1).powi(2) * 3.0_f64.powi(4);
    let image = behind(&smooth, talbot, Method::AngularSpectrum);
    let error = relative_error(&image, &smooth);
    assert!(error < beyond, "{error}, bound {beyond}");
    // Halfway the image is moved by half a period, at a quarter it is neither.
    let moved =
        grating(|t| 1.0 - 0.6 * (TAU * t).cos() + 0.3 * (2.0 * TAU * t).sin() - 0.2 * (3.0 * TAU * t).cos());
    assert!(relative_error(&behind(&smooth, 0.5 * talbot, Method::AngularSpectrum), &moved) < beyond);
    assert!(relative_error(&behind(&smooth, 0.25 * talbot, Method::AngularSpectrum), &smooth) > 0.3);
}

#[test]
fn in_the_paraxial_form_even_a_ruling_images_itself() {
    let ruling = grating(|t| f64::from(u8::from(t < 0.4)));
    let image = behind(&ruling, 2.0 * PERIOD.1.powi(2) / LAMBDA, Method::FresnelTransfer);
    let error = relative_error(&image, &ruling);
    // Rounding of the phases, 36 turns for the highest order.
    assert!(error < 1e-10, "{error}");
}

#[test]
fn a_positive_shift_moves_the_field_to_larger_coordinates() {
    let grid = Grid::new(96, 80, 9e-6, 8e-6).unwrap();
    let beam = source::gaussian(&grid, LAMBDA, 60e-6, 0.0);
    // Whole pixels, parts of pixels, both signs.
    for (x, y) in [(24e-6, 0.0), (0.0, 18e-6), (-3e-6, 5e-6), (13.7e-6, -21.1e-6)] {
        let mut h = transfer(&grid, 2, &space(0.0, Method::AngularSpectrum));
        effects::shift(&mut h, grid.dy, grid.dx, x, y);
        let (at_y, at_x) = centroid(&propagate(&beam, &h), &grid);
        assert!(
            (at_x - x).abs() < CENTRE * 24e-6 && (at_y - y).abs() < CENTRE * 24e-6,
            "({x}, {y}): ({at_x}, {at_y})"
        );
    }
    let mut h = transfer(&grid, 2, &space(0.0, Method::AngularSpectrum));
    effects::shift(&mut h, grid.dy, grid.dx, 3.0 * grid.dx, 0.0);
    let moved = propagate(&beam, &h);
    assert!((moved[[48, 43]] - beam[[48, 40]]).norm() < 1e-9, "three pixels are three columns");
}

#[test]
fn a_positive_tilt_sends_light_to_larger_coordinates() {
    let grid = Grid::new(200, 192, 9e-6, 8e-6).unwrap();
    let beam = source::gaussian(&grid, LAMBDA, 150e-6, 0.0);
    // Both sides of the bound (49 mm).
    for z in [0.03, 0.08] {
        for (x, y) in [(2e-3, 0.0), (0.0, 2e-3), (-1e-3, 1.5e-3)] {
            let u = travel(&(&beam * &effects::tilt(&grid, LAMBDA, x, y)), &grid, z, Method::Auto);
            let (at_y, at_x) = centroid(&u, &grid);
            let (to_y, to_x) = (z * f64::tan(y), z * f64::tan(x));
            assert!(
                (at_x - to_x).abs() < CENTRE * 2e-3 * z && (at_y - to_y).abs() < CENTRE * 2e-3 * z,
                "({x}, {y}) at {z}: ({at_x}, {at_y}), not ({to_x}, {to_y})"
            );
        }
    }
}

#[test]
fn a_tilt_of_the_pupil_is_a_shift() {
    let grid = Grid::new(96, 80, 9e-6, 8e-6).unwrap();
    let beam = source::gaussian(&grid, LAMBDA, 60e-6, 0.0);
    // psi = c 2 f / f_edge (Noll 2: x, 3: y); exp(-2 pi i f s) moves by s = -c / (pi f_edge), f_edge = 1 / 2 dy.
    for (term, c) in [(2, 1.3), (3, -0.8)] {
        let mut h = transfer(&grid, 2, &space(0.0, Method::AngularSpectrum));
        effects::pupil_aberration(&mut h, grid.dy, grid.dx, &[(term, c)]).unwrap();
        let (y, x) = centroid(&propagate(&beam, &h), &grid);
        let moved = -c * 2.0 * grid.dy / PI;
        let (along, across) = if term == 2 { (x, y) } else { (y, x) };
        assert!(
            (along - moved).abs() < CENTRE * 24e-6 && across.abs() < CENTRE * 24e-6,
            "term {term}: ({y}, {x})"
        );
    }
}
