//! Methods against one another, where each is sampled well, and what happens where one is not.

use ffm_twin::optics::{Field, Grid, Method, OpticsError, Propagation, aperture, propagate, source};
use num_complex::Complex64;

use crate::support::{LAMBDA, lopsided_beam, relative_error, space, transfer, travel};

/// Two methods for one smooth field that stays on the grid: what its Gaussian tails leave outside.
const SMOOTH: f64 = 1e-6;
/// Paraxial forms for the same field, angles up to 6 mrad: `k z theta^4 / 8` of its outer part is 6e-5.
const PARAXIAL: f64 = 1e-4;

fn grid() -> Grid {
    Grid::square(128, 8e-6).unwrap()
}

/// Up to here a transfer function, from here on an impulse response is sampled well on the padded [`grid`]: 30.8 mm.
fn bound() -> f64 {
    space(0.0, Method::Auto).bounds([256, 256], grid().dy, grid().dx).0
}

#[test]
fn the_bound_is_where_both_kernels_are_sampled() {
    // Pixels of different sides: the stricter axis decides for each family.
    let padded = [300, 256];
    let (dy, dx) = (8e-6, 10e-6);
    let (up_to, from) = space(0.0, Method::Auto).bounds(padded, dy, dx);
    assert!(
        (up_to - 300.0 * dy * dy / LAMBDA).abs() < 1e-12 && (from - 256.0 * dx * dx / LAMBDA).abs() < 1e-12
    );
    let in_water = Propagation { index: 1.33, ..space(0.0, Method::Auto) };
    assert!((in_water.bounds(padded, dy, dx).0 / up_to - 1.33).abs() < 1e-12);
}

#[test]
fn angular_spectrum_and_rayleigh_sommerfeld_agree_where_both_are_sampled() {
    let beam = lopsided_beam(&grid(), 90e-6);
    for z in [bound(), -bound()] {
        let spectrum = travel(&beam, &grid(), z, Method::AngularSpectrum);
        let error = relative_error(&travel(&beam, &grid(), z, Method::RayleighSommerfeld), &spectrum);
        assert!(error < SMOOTH, "{z}: {error}");
        // The other direction is another field.
        assert!(relative_error(&travel(&beam, &grid(), -z, Method::RayleighSommerfeld), &spectrum) > 0.1);
    }
}

#[test]
fn fresnel_forms_agree_with_the_exact_ones_for_paraxial_light() {
    let beam = lopsided_beam(&grid(), 90e-6);
    for z in [bound(), -bound()] {
        let exact = travel(&beam, &grid(), z, Method::AngularSpectrum);
        for method in [Method::FresnelTransfer, Method::FresnelImpulse] {
            let error = relative_error(&travel(&beam, &grid(), z, method), &exact);
            assert!(error < PARAXIAL, "{method:?} at {z}: {error}");
        }
    }
}

#[test]
fn fresnel_forms_disagree_for_light_at_large_angles() {
    // Pixels of 0.6 um hold angles up to 26 degrees, where k z theta^4 / 8 is many radians.
    let grid = Grid::square(128, 0.6e-6).unwrap();
    let beam = source::gaussian(&grid, LAMBDA, 1e-6, 0.0);
    let z = 1.5e-4;
    let exact = travel(&beam, &grid, z, Method::AngularSpectrum);
    assert!(relative_error(&travel(&beam, &grid, z, Method::FresnelTransfer), &exact) > 0.1);
}

#[test]
fn the_band_limited_form_reaches_distances_the_plain_one_does_not() {
    let grid = Grid::square(256, 8e-6).unwrap();
    // Five times the bound (61.6 mm).
    let z = 0.3;
    let beam = source::gaussian(&grid, LAMBDA, 250e-6, 0.0);
    let exact = travel(&beam, &grid, z, Method::RayleighSommerfeld);
    let error = relative_error(&travel(&beam, &grid, z, Method::BandLimited), &exact);
    assert!(error < SMOOTH, "smooth: {error}");

    // A hard edge has light beyond the band. It is missing with the limit; without, it is aliased onto the grid.
    let hole: Field = aperture::circle(&grid, 1e-3).mapv(Complex64::from);
    let exact = travel(&hole, &grid, z, Method::RayleighSommerfeld);
    let limited = relative_error(&travel(&hole, &grid, z, Method::BandLimited), &exact);
    let mut plain = space(z, Method::AngularSpectrum);
    plain.allow_undersampled = true;
    let aliased = relative_error(&propagate(&hole, &transfer(&grid, 2, &plain)), &exact);
    assert!(limited < 0.02, "limited: {limited}");
    assert!(aliased > 2.0 * limited, "limited: {limited}, plain: {aliased}");
}

#[test]
fn the_band_limited_form_is_the_plain_one_at_short_distances() {
    let beam = lopsided_beam(&grid(), 90e-6);
    let z = 0.2 * bound();
    let plain = travel(&beam, &grid(), z, Method::AngularSpectrum);
    assert!(relative_error(&travel(&beam, &grid(), z, Method::BandLimited), &plain) < SMOOTH);
}

#[test]
fn auto_takes_the_transfer_function_up_to_the_bound_and_the_impulse_response_from_it_on() {
    for (z, expected) in [
        (0.0, Method::AngularSpectrum),
        (0.999 * bound(), Method::AngularSpectrum),
        (bound(), Method::AngularSpectrum),
        (1.001 * bound(), Method::RayleighSommerfeld),
        (-0.999 * bound(), Method::AngularSpectrum),
        (-1.001 * bound(), Method::RayleighSommerfeld),
    ] {
        let (h, method) = space(z, Method::Auto).transfer([256, 256], 8e-6, 8e-6).unwrap();
        assert_eq!(method, expected, "{z}");
        assert_eq!(h, space(z, expected).transfer([256, 256], 8e-6, 8e-6).unwrap().0, "{z}");
    }
}

#[test]
fn between_the_bounds_of_two_axes_auto_takes_the_band_limited_form() {
    // Padded to 96 x 256, the transfer function is sampled up to 11.5 mm and the impulse response from 30.8 mm.
    let grid = Grid::new(48, 128, 8e-6, 8e-6).unwrap();
    let hole: Field = aperture::rectangle(&grid, 0.8e-3, 0.3e-3).mapv(Complex64::from);
    for z in [0.012, 0.02, 0.03] {
        assert_eq!(space(z, Method::Auto).resolve([96, 256], grid.dy, grid.dx), Ok(Method::BandLimited));
        // With more rows of padding the transfer function is sampled well: this is the truth.
        let truth = propagate(
            &hole,
            &space(z, Method::AngularSpectrum).transfer([256, 256], grid.dy, grid.dx).unwrap().0,
        );
        let error = relative_error(&travel(&hole, &grid, z, Method::Auto), &truth);
        // Light of the hard edges beyond the band is missing.
        assert!(error < 0.02, "{z}: {error}");
    }
    // The impulse response there: light of the far columns is aliased.
    let mut impulse = space(0.012, Method::RayleighSommerfeld);
    impulse.allow_undersampled = true;
    let truth = travel(&hole, &grid, 0.012, Method::Auto);
    assert!(relative_error(&propagate(&hole, &transfer(&grid, 2, &impulse)), &truth) > 0.3);
}

#[test]
fn undersampling_is_an_error_that_prints_both_numbers() {
    let cases = [
        (Method::AngularSpectrum, 0.388, "good up to 0.030797"),
        (Method::FresnelTransfer, 0.388, "good up to 0.030797"),
        (Method::RayleighSommerfeld, 0.012, "responses from 0.030797"),
        (Method::FresnelImpulse, -0.012, "responses from 0.030797"),
    ];
    for (method, z, bound) in cases {
        let wrong = space(z, method).transfer([256, 256], 8e-6, 8e-6).unwrap_err();
        assert!(matches!(wrong, OpticsError::Undersampled { .. }), "{wrong:?}");
        let message = wrong.to_string();
        // 256 (8 um)^2 / 532 nm = 0.030797 m.
        for part in [method.name(), &z.abs().to_string(), bound, "allow-undersampled"] {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
        let allowed = Propagation { allow_undersampled: true, ..space(z, method) };
        assert_eq!(allowed.transfer([256, 256], 8e-6, 8e-6).unwrap().1, method);
    }
    // These two cannot undersample.
    for method in [Method::Auto, Method::BandLimited] {
        assert!(space(0.388, method).transfer([256, 256], 8e-6, 8e-6).is_ok());
    }
}

#[test]
fn values_that_are_not_physical_are_refused() {
    let good = space(0.01, Method::Auto);
    let wrong = [
        Propagation { wavelength: 0.0, ..good },
        Propagation { wavelength: f64::NAN, ..good },
        Propagation { index: -1.0, ..good },
        Propagation { distance: f64::INFINITY, ..good },
    ];
    for wrong in wrong {
        let error = wrong.transfer([8, 8], 8e-6, 8e-6).unwrap_err();
        assert!(matches!(error, OpticsError::NotPositive { .. }), "{error:?}");
    }
}
