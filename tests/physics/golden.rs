//! Numbers of another program: nrefocus (P. Mueller, BSD-3), from its own tests.

use std::f64::consts::TAU;
use std::path::PathBuf;

use ffm_twin::optics::{Field, Grid, Method, Propagation, propagate};
use num_complex::Complex64;

/// The file has eight decimals of values up to 235.
const DECIMALS: f64 = 1e-6;

const WAVELENGTH: f64 = 8.25;
const INDEX: f64 = 1.533;
const DISTANCE: f64 = 2.13;
const SIDE: usize = 16;

/// Complex numbers of a text file that alternates real and imaginary parts; `None` where the data are not installed.
fn reference(name: &str) -> Option<Field> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets");
    let root = std::env::var_os("FFM_DATA").map_or(default, PathBuf::from);
    let path = root.join("field-hl60-nrefocus").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no {}", path.display());
        return None;
    };
    let numbers: Vec<f64> = text.split_whitespace().map(|n| n.parse().unwrap()).collect();
    let values = numbers.chunks_exact(2).map(|p| Complex64::new(p[0], p[1])).collect();
    Some(Field::from_shape_vec((SIDE, SIDE), values).unwrap())
}

/// The field `0, 1, .., 255` refocused as that program does: periodic, without the carrier, without evanescent waves.
fn refocused(method: Method) -> Field {
    let grid = Grid::square(SIDE, 1.0).unwrap();
    let field = Field::from_shape_fn((SIDE, SIDE), |(r, c)| Complex64::from((r * SIDE + c) as f64));
    let space = Propagation {
        wavelength: WAVELENGTH,
        index: INDEX,
        distance: DISTANCE,
        method,
        allow_undersampled: false,
    };
    let (mut h, _) = space.transfer(grid.shape(), grid.dy, grid.dx).unwrap();
    if method == Method::AngularSpectrum {
        let sine = |k: usize| {
            space.lambda() * if 2 * k < SIDE { k as f64 } else { k as f64 - SIDE as f64 } / SIDE as f64
        };
        h.indexed_iter_mut()
            .filter(|((r, c), _)| sine(*r).hypot(sine(*c)) > 1.0)
            .for_each(|(_, v)| *v = Complex64::ZERO);
    }
    propagate(&field, &h) * Complex64::cis(-TAU * DISTANCE / space.lambda())
}

fn largest_difference(a: &Field, b: &Field) -> f64 {
    (a - b).iter().map(|v| v.norm()).fold(0.0, f64::max)
}

#[test]
fn the_angular_spectrum_equals_another_program() {
    let Some(expected) = reference("test_2d_refocus1.txt") else { return };
    let off = largest_difference(&refocused(Method::AngularSpectrum), &expected);
    assert!(off < DECIMALS, "{off}");
    // The paraxial form is another number: the comparison can fail.
    assert!(largest_difference(&refocused(Method::FresnelTransfer), &expected) > 1.0);
}

#[test]
fn the_fresnel_transfer_function_equals_another_program() {
    let Some(expected) = reference("test_2d_refocus1_fresnel.txt") else { return };
    let off = largest_difference(&refocused(Method::FresnelTransfer), &expected);
    assert!(off < DECIMALS, "{off}");
}
