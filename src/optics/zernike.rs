//! Zernike polynomials with unit rms over the unit disc (Noll, J. Opt. Soc. Am. 66, 207 (1976)).

use std::f64::consts::TAU;

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Grid, OpticsError, map};

/// Radial order `n` and azimuthal order `m` (negative: sine) of a Noll index, from 1.
///
/// # Errors
/// [`OpticsError::Zernike`] for 0.
pub fn noll(j: usize) -> Result<(usize, isize), OpticsError> {
    if j == 0 {
        return Err(OpticsError::Zernike { index: j, ordering: "Noll", first: 1 });
    }
    let (mut n, mut rest) = (0, j - 1);
    while rest > n {
        n += 1;
        rest -= n;
    }
    let m = (n % 2 + 2 * ((rest + (n + 1) % 2) / 2)) as isize;
    Ok((n, if j.is_multiple_of(2) { m } else { -m }))
}

/// Orders of an OSA/ANSI index, from 0.
pub fn osa(j: usize) -> (usize, isize) {
    let mut n = 0;
    while (n + 1) * (n + 2) / 2 <= j {
        n += 1;
    }
    let within = (j - n * (n + 1) / 2) as isize;
    (n, 2 * within - n as isize)
}

/// Orders of a Fringe (University of Arizona) index, from 1.
///
/// # Errors
/// [`OpticsError::Zernike`] for 0.
pub fn fringe(j: usize) -> Result<(usize, isize), OpticsError> {
    if j == 0 {
        return Err(OpticsError::Zernike { index: j, ordering: "Fringe", first: 1 });
    }
    // Group d holds the 2 d + 1 terms with (n + |m|) / 2 = d, from the largest |m| down to 0.
    let d = (j - 1).isqrt();
    let within = j - 1 - d * d;
    let m = d - within / 2;
    let n = 2 * d - m;
    Ok((n, if within.is_multiple_of(2) { m as isize } else { -(m as isize) }))
}

/// `Z_n^m(rho, theta)`, rms 1 over the unit disc; `m >= 0` goes with the cosine.
pub fn value(n: usize, m: isize, rho: f64, theta: f64) -> f64 {
    let order = m.unsigned_abs();
    let norm = if m == 0 { (n as f64 + 1.0).sqrt() } else { (2.0 * (n as f64 + 1.0)).sqrt() };
    let angular = if m >= 0 { (order as f64 * theta).cos() } else { (order as f64 * theta).sin() };
    norm * radial(n, order, rho) * angular
}

/// `R_n^m(rho) = rho^m P_k^(0, m)(2 rho^2 - 1)`, `k = (n - m) / 2`, by the Jacobi recurrence, which stays exact where the
/// explicit sum cancels.
fn radial(n: usize, m: usize, rho: f64) -> f64 {
    let (k, b, x) = ((n - m) / 2, m as f64, 2.0 * rho * rho - 1.0);
    let (mut before, mut p) = (0.0, 1.0);
    for i in 1..=k {
        let i = i as f64;
        let next = if i == 1.0 {
            1.0 + 0.5 * (b + 2.0) * (x - 1.0)
        } else {
            let c = 2.0 * i + b;
            let first = (c - 1.0) * (c * (c - 2.0) * x - b * b) * p;
            let second = 2.0 * (i - 1.0) * (i + b - 1.0) * c * before;
            (first - second) / (2.0 * i * (i + b) * (c - 2.0))
        };
        (before, p) = (p, next);
    }
    rho.powi(m as i32) * p
}

/// A wavefront over a grid: sum of `(Noll index, rad rms)` terms over the circle of radius `radius` (metres) about the axis.
///
/// # Errors
/// [`OpticsError::Zernike`] for index 0.
pub fn wavefront(grid: &Grid, radius: f64, terms: &[(usize, f64)]) -> Result<Array2<f64>, OpticsError> {
    wavefront_at(grid.shape(), radius, terms, |r, c| [grid.y(r), grid.x(c)])
}

/// The same at other places: `at` is the `[y, x]` of a sample, metres from the axis.
///
/// # Errors
/// [`OpticsError::Zernike`] for index 0.
pub fn wavefront_at(
    shape: [usize; 2],
    radius: f64,
    terms: &[(usize, f64)],
    at: impl Fn(usize, usize) -> [f64; 2] + Sync,
) -> Result<Array2<f64>, OpticsError> {
    let orders: Vec<_> = terms.iter().map(|&(j, c)| Ok((noll(j)?, c))).collect::<Result<_, OpticsError>>()?;
    Ok(map(shape, |r, c| {
        let [y, x] = at(r, c).map(|v| v / radius);
        let (rho, theta) = (y.hypot(x), y.atan2(x));
        orders.iter().map(|&((n, m), c)| c * value(n, m, rho, theta)).sum()
    }))
}

/// Radius of the circle about the axis that holds every pixel of a grid, metres.
pub fn enclosing_radius(grid: &Grid) -> f64 {
    (0.5 * grid.cols as f64 * grid.dx).hypot(0.5 * grid.rows as f64 * grid.dy)
}

/// A smooth wavefront drawn at random: normal coefficients of Noll terms `4..=terms` (no piston, no tilt) that fall as
/// `1/n` with the radial order, over the enclosing circle, then scaled to *exactly* `rms` radians over the grid.
/// `stream` tells independent draws of one seed apart.
///
/// # Errors
/// [`OpticsError::Zernike`] when `terms < 4`: nothing is left to draw.
pub fn random_wavefront(
    grid: &Grid,
    rms: f64,
    terms: usize,
    seed: u64,
    stream: u64,
) -> Result<Array2<f64>, OpticsError> {
    let Draw { map, mean, scale, .. } = draw(grid, rms, terms, seed, stream)?;
    Ok(map.mapv(|v| (v - mean) * scale))
}

/// The wavefront of [`random_wavefront`] as `(Noll index, rad rms)` terms over the enclosing circle, the piston first: the sum
/// of the terms has the same values, to rounding.
///
/// # Errors
/// As [`random_wavefront`].
pub fn random_terms(
    grid: &Grid,
    rms: f64,
    terms: usize,
    seed: u64,
    stream: u64,
) -> Result<Vec<(usize, f64)>, OpticsError> {
    let Draw { drawn, mean, scale, .. } = draw(grid, rms, terms, seed, stream)?;
    let scaled = drawn.into_iter().map(|(j, c)| (j, c * scale));
    Ok(std::iter::once((1, -mean * scale)).chain(scaled).collect())
}

/// Terms as drawn, their map, its mean, and the factor that gives it the rms asked for.
struct Draw {
    drawn: Vec<(usize, f64)>,
    map: Array2<f64>,
    mean: f64,
    scale: f64,
}

fn draw(grid: &Grid, rms: f64, terms: usize, seed: u64, stream: u64) -> Result<Draw, OpticsError> {
    if terms < 4 {
        return Err(OpticsError::Zernike { index: terms, ordering: "highest Noll", first: 4 });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    let mut normal = || {
        let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
        (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
    };
    let drawn: Vec<(usize, f64)> =
        (4..=terms).map(|j| Ok((j, normal() / noll(j)?.0 as f64))).collect::<Result<_, OpticsError>>()?;
    let map = wavefront(grid, enclosing_radius(grid), &drawn)?;
    let mean = map.sum() / map.len() as f64;
    let spread = (map.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / map.len() as f64).sqrt();
    let scale = if spread > 0.0 { rms / spread } else { 0.0 };
    Ok(Draw { drawn, map, mean, scale })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_those_of_the_tables() {
        let noll_table = [
            (0, 0),
            (1, 1),
            (1, -1),
            (2, 0),
            (2, -2),
            (2, 2),
            (3, -1),
            (3, 1),
            (3, -3),
            (3, 3),
            (4, 0),
            (4, 2),
            (4, -2),
        ];
        for (j, orders) in noll_table.into_iter().enumerate() {
            assert_eq!(noll(j + 1).unwrap(), orders, "Noll {}", j + 1);
        }
        let osa_table =
            [(0, 0), (1, -1), (1, 1), (2, -2), (2, 0), (2, 2), (3, -3), (3, -1), (3, 1), (3, 3), (4, -4)];
        for (j, orders) in osa_table.into_iter().enumerate() {
            assert_eq!(osa(j), orders, "OSA {j}");
        }
        let fringe_table = [
            (0, 0),
            (1, 1),
            (1, -1),
            (2, 0),
            (2, 2),
            (2, -2),
            (3, 1),
            (3, -1),
            (4, 0),
            (3, 3),
            (3, -3),
            (4, 2),
        ];
        for (j, orders) in fringe_table.into_iter().enumerate() {
            assert_eq!(fringe(j + 1).unwrap(), orders, "Fringe {}", j + 1);
        }
        assert!(noll(0).is_err() && fringe(0).is_err());
    }

    #[test]
    fn radial_polynomials_equal_their_closed_forms() {
        for rho in [0.0, 0.1, 0.37, 0.8, 1.0] {
            let r2: f64 = rho * rho;
            let cases = [
                (radial(2, 0, rho), 2.0 * r2 - 1.0),
                (radial(3, 1, rho), rho * (3.0 * r2 - 2.0)),
                (radial(4, 0, rho), 6.0 * r2 * r2 - 6.0 * r2 + 1.0),
                (radial(4, 2, rho), r2 * (4.0 * r2 - 3.0)),
                (radial(6, 0, rho), 20.0 * r2.powi(3) - 30.0 * r2 * r2 + 12.0 * r2 - 1.0),
                (radial(5, 5, rho), rho.powi(5)),
            ];
            for (k, (computed, exact)) in cases.into_iter().enumerate() {
                assert!((computed - exact).abs() < 1e-14, "case {k} at {rho}: {computed} {exact}");
            }
        }
    }

    #[test]
    fn polynomials_are_orthonormal_over_the_disc() {
        // Midpoint sums over a fine grid: the ragged edge leaves an error of about 1/n.
        let n = 400;
        let (mut sums, mut count) = ([[0.0; 8]; 8], 0.0);
        for i in 0..n * n {
            let at = |k: usize| (k as f64 + 0.5) / n as f64 * 2.0 - 1.0;
            let (y, x) = (at(i / n), at(i % n));
            if y.hypot(x) > 1.0 {
                continue;
            }
            count += 1.0;
            let z: Vec<f64> =
                (1..=8).map(|j| noll(j).unwrap()).map(|(n, m)| value(n, m, y.hypot(x), y.atan2(x))).collect();
            for (row, a) in sums.iter_mut().zip(&z) {
                row.iter_mut().zip(&z).for_each(|(sum, b)| *sum += a * b);
            }
        }
        for (a, row) in sums.iter().enumerate() {
            for (b, sum) in row.iter().enumerate() {
                let expected = if a == b { 1.0 } else { 0.0 };
                assert!((sum / count - expected).abs() < 5e-3, "{a} {b}: {}", sum / count);
            }
        }
    }

    #[test]
    fn a_random_wavefront_has_the_rms_asked_for() {
        let grid = Grid::new(48, 64, 10e-6, 8e-6).unwrap();
        let map = random_wavefront(&grid, 0.7, 28, 5, 1).unwrap();
        let rms = (map.mapv(|v| v * v).sum() / map.len() as f64).sqrt();
        assert!((rms - 0.7).abs() < 1e-12 && map.sum().abs() < 1e-9);
        assert_eq!(map, random_wavefront(&grid, 0.7, 28, 5, 1).unwrap());
        assert_ne!(map, random_wavefront(&grid, 0.7, 28, 5, 2).unwrap());
        assert!(random_wavefront(&grid, 0.7, 3, 5, 1).is_err());
        let terms = random_terms(&grid, 0.7, 28, 5, 1).unwrap();
        let summed = wavefront(&grid, enclosing_radius(&grid), &terms).unwrap();
        assert!(map.iter().zip(&summed).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
