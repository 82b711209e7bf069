//! What the physics tests share: fields, propagation in one line, ways to compare.

use ffm_twin::optics::{Field, Grid, Method, Propagation, propagate};
use num_complex::Complex64;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Green light, metres.
pub(crate) const LAMBDA: f64 = 532e-9;

/// Free space in air.
pub(crate) fn space(distance: f64, method: Method) -> Propagation {
    Propagation { wavelength: LAMBDA, index: 1.0, distance, method, allow_undersampled: false }
}

/// The transfer function of `space` on a grid padded by a whole factor.
pub(crate) fn transfer(grid: &Grid, padding: usize, space: &Propagation) -> Field {
    space.transfer([padding * grid.rows, padding * grid.cols], grid.dy, grid.dx).unwrap().0
}

/// `field` after `distance`, padded by two, by `method`.
pub(crate) fn travel(field: &Field, grid: &Grid, distance: f64, method: Method) -> Field {
    propagate(field, &transfer(grid, 2, &space(distance, method)))
}

/// Independent values in the square `-1..1` of the complex plane: every spatial frequency is present.
pub(crate) fn random_field(grid: &Grid, seed: u64) -> Field {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut number = || 2.0 * rng.random::<f64>() - 1.0;
    Field::from_shape_fn((grid.rows, grid.cols), |_| Complex64::new(number(), number()))
}

/// A tilted Gaussian beside the axis: nothing symmetric that could hide an error of orientation.
pub(crate) fn lopsided_beam(grid: &Grid, waist: f64) -> Field {
    let k = std::f64::consts::TAU / LAMBDA;
    Field::from_shape_fn((grid.rows, grid.cols), |(r, c)| {
        let (y, x) = (grid.y(r), grid.x(c));
        let rho2 = (x - 0.5 * waist).powi(2) + (y + 0.3 * waist).powi(2);
        Complex64::from_polar((-rho2 / (waist * waist)).exp(), k * (1e-3 * x - 0.5e-3 * y))
    })
}

/// `sum a b`, without conjugate.
pub(crate) fn dot(a: &Field, b: &Field) -> Complex64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `sum conj(a) b`.
pub(crate) fn inner(a: &Field, b: &Field) -> Complex64 {
    a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
}

/// `sum |u|^2`.
pub(crate) fn energy(u: &Field) -> f64 {
    u.iter().map(Complex64::norm_sqr).sum()
}

/// `|a - b| / |b|` in the root of the energy.
pub(crate) fn relative_error(a: &Field, b: &Field) -> f64 {
    assert_eq!(a.dim(), b.dim());
    (energy(&(a - b)) / energy(b)).sqrt()
}

/// `|a - b| / max(|a|, |b|)` of two numbers.
pub(crate) fn gap(a: Complex64, b: Complex64) -> f64 {
    (a - b).norm() / a.norm().max(b.norm())
}

/// Centre of the intensity `(y, x)`, metres from the axis.
pub(crate) fn centroid(u: &Field, grid: &Grid) -> (f64, f64) {
    let sum = |at: &dyn Fn(usize, usize) -> f64| -> f64 {
        u.indexed_iter().map(|((r, c), v)| v.norm_sqr() * at(r, c)).sum::<f64>() / energy(u)
    };
    (sum(&|r, _| grid.y(r)), sum(&|_, c| grid.x(c)))
}

#[test]
fn comparisons_notice_wrong_fields() {
    let grid = Grid::new(12, 17, 8e-6, 6e-6).unwrap();
    let u = random_field(&grid, 1);
    assert_eq!(relative_error(&u, &u), 0.0);
    let mut one_pixel = u.clone();
    one_pixel[[3, 4]] = -one_pixel[[3, 4]];
    let wrong =
        [u.mapv(|v| v.conj()), u.mapv(|v| v * 1.001), one_pixel, u.slice(ndarray::s![.., ..;-1]).to_owned()];
    for (k, wrong) in wrong.iter().enumerate() {
        assert!(relative_error(wrong, &u) > 5e-4, "case {k}");
    }
    assert!(gap(dot(&u, &u), inner(&u, &u)) > 0.1);
    let (y, x) =
        centroid(&lopsided_beam(&Grid::square(64, 8e-6).unwrap(), 60e-6), &Grid::square(64, 8e-6).unwrap());
    assert!((x - 30e-6).abs() < 1e-9 && (y + 18e-6).abs() < 1e-9, "{y} {x}");
}
