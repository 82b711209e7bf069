//! Free space as a linear operator: energy, composition, inverse, reciprocity, adjoint.

use ffm_twin::optics::{Field, Grid, Method, effects, propagate, reversed};
use num_complex::Complex64;

use crate::support::{LAMBDA, dot, energy, gap, inner, random_field, relative_error, space, transfer};

/// Rounding: transforms of 1e4 points and phases `k z` up to 1.5e5 rad, each with 2^-53 of its size, with a margin of ten.
const ROUNDING: f64 = 2e-10;
/// Rounding of a sum of 1e3 products of random signs, with a margin of a hundred.
const SUMS: f64 = 1e-11;

/// Sides that are odd, different, and with different pitches.
fn grid() -> Grid {
    Grid::new(24, 45, 9e-6, 7e-6).unwrap()
}

/// Every method at a distance at which it samples its kernel well on the padded [`grid`] (bounds: 7.3 and 8.3 mm).
const WELL_SAMPLED: [(Method, f64); 5] = [
    (Method::AngularSpectrum, 5e-3),
    (Method::BandLimited, 12e-3),
    (Method::RayleighSommerfeld, 12e-3),
    (Method::FresnelTransfer, 5e-3),
    (Method::FresnelImpulse, 12e-3),
];

/// 1 on the frequencies with `lambda |f|` in a range, 0 elsewhere: with [`propagate`], a filter.
fn band(grid: &Grid, sines: std::ops::Range<f64>) -> Field {
    let cosine = |k: usize, n: usize, d: f64| {
        let signed = if 2 * k < n { k as f64 } else { k as f64 - n as f64 };
        LAMBDA * signed / (n as f64 * d)
    };
    Field::from_shape_fn((grid.rows, grid.cols), |(r, c)| {
        let sine = cosine(r, grid.rows, grid.dy).hypot(cosine(c, grid.cols, grid.dx));
        Complex64::from(f64::from(u8::from(sines.contains(&sine))))
    })
}

#[test]
fn the_angular_spectrum_keeps_the_energy_of_propagating_waves() {
    // Pixels of less than half a wavelength, so that the grid also holds evanescent waves.
    let grid = Grid::new(64, 90, 150e-9, 180e-9).unwrap();
    let h = transfer(&grid, 1, &space(1.5e-6, Method::AngularSpectrum));
    let u = random_field(&grid, 1);
    let propagating = propagate(&u, &band(&grid, 0.0..0.999));
    let change = energy(&propagate(&propagating, &h)) / energy(&propagating) - 1.0;
    assert!(change.abs() < ROUNDING, "{change}");

    // sin > 1.1: the amplitude decays at least by exp(-k z 0.458) = 3e-4, whichever way the light goes.
    let evanescent = propagate(&u, &band(&grid, 1.1..f64::INFINITY));
    let back = transfer(&grid, 1, &space(-1.5e-6, Method::AngularSpectrum));
    for h in [&h, &back] {
        let left = energy(&propagate(&evanescent, h)) / energy(&evanescent);
        assert!(left > 0.0 && left < 1e-7, "{left}");
    }
}

#[test]
fn every_field_on_coarse_pixels_keeps_its_energy() {
    // Pixels above lambda / sqrt 2 hold no evanescent wave.
    let u = random_field(&grid(), 2);
    for method in [Method::AngularSpectrum, Method::FresnelTransfer] {
        let after = propagate(&u, &transfer(&grid(), 1, &space(3e-3, method)));
        assert!((energy(&after) / energy(&u) - 1.0).abs() < ROUNDING, "{method:?}");
    }
}

#[test]
fn two_stretches_of_space_are_one() {
    let u = random_field(&grid(), 3);
    for method in [Method::AngularSpectrum, Method::FresnelTransfer] {
        let h = |z| transfer(&grid(), 1, &space(z, method));
        let (one, two, both) = (h(1.1e-3), h(2.3e-3), h(3.4e-3));
        let error = relative_error(&propagate(&propagate(&u, &one), &two), &propagate(&u, &both));
        assert!(error < ROUNDING, "{method:?}: {error}");
        let swapped = relative_error(&propagate(&propagate(&u, &two), &one), &propagate(&u, &both));
        assert!(swapped < ROUNDING, "{method:?}: {swapped}");
    }
}

#[test]
fn there_and_back_is_nothing() {
    let u = random_field(&grid(), 4);
    for method in [Method::AngularSpectrum, Method::FresnelTransfer] {
        let (there, back) =
            (transfer(&grid(), 1, &space(3e-3, method)), transfer(&grid(), 1, &space(-3e-3, method)));
        let away = propagate(&u, &there);
        assert!(relative_error(&away, &u) > 0.5, "{method:?} does nothing");
        let error = relative_error(&propagate(&away, &back), &u);
        assert!(error < ROUNDING, "{method:?}: {error}");
    }
}

#[test]
fn no_distance_is_the_identity() {
    let u = random_field(&grid(), 5);
    let mut still = space(0.0, Method::Auto);
    still.allow_undersampled = true;
    for (method, _) in WELL_SAMPLED {
        still.method = method;
        assert!(relative_error(&propagate(&u, &transfer(&grid(), 2, &still)), &u) < SUMS, "{method:?}");
    }
}

#[test]
fn free_space_is_reciprocal() {
    let (a, b) = (random_field(&grid(), 6), random_field(&grid(), 7));
    for (method, z) in WELL_SAMPLED {
        let h = transfer(&grid(), 2, &space(z, method));
        let gap = gap(dot(&a, &propagate(&b, &h)), dot(&b, &propagate(&a, &h)));
        assert!(gap < SUMS, "{method:?}: {gap}");
    }
}

#[test]
fn a_shift_breaks_reciprocity_and_the_reversed_function_restores_it() {
    let (a, b) = (random_field(&grid(), 6), random_field(&grid(), 7));
    for (method, z) in WELL_SAMPLED {
        let mut h = transfer(&grid(), 2, &space(z, method));
        effects::shift(&mut h, grid().dy, grid().dx, 5e-6, -3e-6);
        let forward = dot(&a, &propagate(&b, &h));
        let same = gap(forward, dot(&b, &propagate(&a, &h)));
        assert!(same > 0.1, "{method:?}: the shift is not seen, {same}");
        let transposed = gap(forward, dot(&b, &propagate(&a, &reversed(&h))));
        assert!(transposed < SUMS, "{method:?}: {transposed}");
    }
}

#[test]
fn only_odd_aberrations_of_the_pupil_break_reciprocity() {
    let (a, b) = (random_field(&grid(), 8), random_field(&grid(), 9));
    // Noll: 4 defocus, 5 astigmatism, 11 spherical aberration are even; 2 tilt, 7 coma, 9 trefoil are odd.
    for (term, even) in [(4, true), (5, true), (11, true), (2, false), (7, false), (9, false)] {
        let mut h = transfer(&grid(), 2, &space(5e-3, Method::AngularSpectrum));
        effects::pupil_aberration(&mut h, grid().dy, grid().dx, &[(term, 0.5)]).unwrap();
        let forward = dot(&a, &propagate(&b, &h));
        let same = gap(forward, dot(&b, &propagate(&a, &h)));
        assert!(if even { same < SUMS } else { same > 0.05 }, "term {term}: {same}");
        assert!(gap(forward, dot(&b, &propagate(&a, &reversed(&h)))) < SUMS, "term {term}");
    }
}

#[test]
fn the_conjugate_function_is_the_adjoint() {
    let (a, b) = (random_field(&grid(), 10), random_field(&grid(), 11));
    for (method, z) in WELL_SAMPLED {
        let mut h = transfer(&grid(), 2, &space(z, method));
        effects::shift(&mut h, grid().dy, grid().dx, 5e-6, -3e-6);
        let adjoint = h.mapv(|v| v.conj());
        let gap = gap(inner(&a, &propagate(&b, &h)), inner(&propagate(&a, &adjoint), &b));
        assert!(gap < SUMS, "{method:?}: {gap}");
    }
}
