//! Tilt and curvature of the reference, taken out of a field without unwrapping.
//!
//! The phase between a pixel and one `L` pixels on is `a L + c (2 x L + L^2)` for a phase `a x + c x^2`, and the phase between
//! two such differences `2 c L^2`: sums of products of neighbours give `c`, then `a`, with `L` doubled as long as the last result
//! tells the number of whole turns.

use std::f64::consts::TAU;

use ndarray::ArrayView2;
use num_complex::Complex64;
use serde::Serialize;

use super::HolographyError;
use crate::optics::Field;

/// A quadratic phase, `y[0] r + y[1] r^2 + x[0] c + x[1] c^2 + cross r c` of the pixel `(r, c)` counted from the centre pixel
/// `(rows / 2, cols / 2)`; radians.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Ramp {
    /// Tilt and curvature along y.
    pub y: [f64; 2],
    /// Tilt and curvature along x.
    pub x: [f64; 2],
    /// Curvature across.
    pub cross: f64,
}

impl Ramp {
    /// The phase of pixel `(r, c)` of `rows x cols`.
    pub fn phase(&self, (r, c): (usize, usize), (rows, cols): (usize, usize)) -> f64 {
        let (y, x) = (r as f64 - (rows / 2) as f64, c as f64 - (cols / 2) as f64);
        self.y[0] * y + self.y[1] * y * y + self.x[0] * x + self.x[1] * x * x + self.cross * x * y
    }

    /// The field with this phase taken out.
    pub fn remove(&self, field: &Field) -> Field {
        let shape = field.dim();
        let mut out = field.clone();
        out.indexed_iter_mut().for_each(|(at, v)| *v *= Complex64::cis(-self.phase(at, shape)));
        out
    }
}

/// Takes tilt, and with `curvature` the quadratic phase as well, out of a field; what is left has no mean slope.
///
/// # Errors
/// A dark field, or one of fewer than 4 x 4 pixels.
pub fn flatten(field: &Field, curvature: bool) -> Result<(Field, Ramp), HolographyError> {
    let rms = (field.iter().map(|v| v.norm_sqr()).sum::<f64>() / field.len().max(1) as f64).sqrt();
    if !(rms.is_finite() && rms > 0.0) || field.nrows().min(field.ncols()) < 4 {
        return Err(HolographyError::Dark { what: "field" });
    }
    // Bright pixels count alike, dark ones by their amplitude: no speck of light decides.
    let mut light = field.mapv(|v| v / v.norm().max(rms));
    let mut ramp = Ramp::default();
    if curvature {
        ramp.y[1] = curve(light.view(), [1, 0]);
        ramp.x[1] = curve(light.view(), [0, 1]);
        ramp.cross = twist(light.view());
        light = ramp.remove(&light);
    }
    ramp.y[0] = tilt(light.view(), [1, 0]);
    ramp.x[0] = tilt(light.view(), [0, 1]);
    Ok((ramp.remove(field), ramp))
}

type View<'a> = ArrayView2<'a, Complex64>;

/// `u(p + s) u*(p)` for all pixels that have such a neighbour.
fn product(u: View<'_>, [dy, dx]: [usize; 2]) -> Field {
    let (rows, cols) = u.dim();
    let near = u.slice(ndarray::s![..rows - dy, ..cols - dx]);
    let far = u.slice(ndarray::s![dy.., dx..]);
    &far * &near.mapv(|v| v.conj())
}

/// Doubles the distance up to an eighth of the field: `estimate(L)` measures `value weight(L)` modulo a turn.
fn doubled(longest: usize, weight: impl Fn(f64) -> f64, estimate: impl Fn(usize) -> Complex64) -> f64 {
    let mut value = 0.0;
    let mut lag = 1;
    let whole = estimate(1).norm();
    while lag == 1 || lag <= longest / 8 {
        let sum = estimate(lag);
        // Where neighbours have little in common any more, their phase is noise.
        if sum.norm() < 0.1 * whole {
            break;
        }
        let weight = weight(lag as f64);
        let expected = value * weight;
        let off = sum.arg() - expected;
        value += (off - TAU * (off / TAU).round()) / weight;
        lag *= 2;
    }
    value
}

fn tilt(u: View<'_>, [dy, dx]: [usize; 2]) -> f64 {
    let longest = dy * u.nrows() + dx * u.ncols();
    doubled(longest, |lag| lag, |lag| product(u, [dy * lag, dx * lag]).sum())
}

fn curve(u: View<'_>, [dy, dx]: [usize; 2]) -> f64 {
    let longest = dy * u.nrows() + dx * u.ncols();
    let estimate = |lag: usize| {
        let by = [dy * lag, dx * lag];
        product(product(u, by).view(), by).sum()
    };
    doubled(longest, |lag| 2.0 * lag * lag, estimate)
}

fn twist(u: View<'_>) -> f64 {
    let longest = u.nrows().min(u.ncols());
    doubled(longest, |lag| lag * lag, |lag| product(product(u, [lag, 0]).view(), [0, lag]).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn tilt_and_curvature_are_found_under_an_object_and_noise() {
        let shape = (180, 220);
        let truth = Ramp { y: [0.9, 2.1e-3], x: [-1.7, -1.3e-3], cross: 8e-4 };
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2);
        let mut noise = || f64::from(rng.random::<f32>()) - 0.5;
        let object = Field::from_shape_fn(shape, |(r, c)| {
            let (y, x) = (r as f64 - 60.0, c as f64 - 130.0);
            let bump = 1.5 * (-(x * x + y * y) / 400.0).exp();
            Complex64::from_polar(1.0 + 0.3 * bump, bump) + Complex64::new(noise(), noise()) * 0.3
        });
        let mut field = object.clone();
        field.indexed_iter_mut().for_each(|(at, v)| *v *= Complex64::cis(truth.phase(at, shape)));
        let (flat, found) = flatten(&field, true).unwrap();
        for (a, b) in [(found.y[1], truth.y[1]), (found.x[1], truth.x[1]), (found.cross, truth.cross)] {
            // A fifth of a radian at the edge, 110 pixels out.
            assert!((a - b).abs() * 110.0 * 110.0 < 0.2, "{found:?}");
        }
        for (a, b) in [(found.y[0], truth.y[0]), (found.x[0], truth.x[0])] {
            assert!((a - b).abs() * 110.0 < 0.3, "{found:?}");
        }
        let alike = |a: &Field| a.iter().zip(&object).map(|(a, b)| a * b.conj()).sum::<Complex64>().norm();
        let whole: f64 = object.iter().map(|v| v.norm_sqr()).sum();
        assert!(alike(&flat) > 0.98 * whole, "{}", alike(&flat) / whole);
        assert!(alike(&field) < 0.1 * whole);
    }

    #[test]
    fn tilt_alone_leaves_curvature() {
        let shape = (64, 64);
        let truth = Ramp { y: [0.3, 1e-3], x: [-2.4, 1e-3], cross: 0.0 };
        let field = Field::from_shape_fn(shape, |at| Complex64::cis(truth.phase(at, shape)));
        let (_, found) = flatten(&field, false).unwrap();
        assert_eq!((found.y[1], found.x[1], found.cross), (0.0, 0.0, 0.0));
        // The centre pixel is half a pixel off the middle of an even field.
        assert!(
            (found.y[0] - truth.y[0]).abs() < 2e-3 && (found.x[0] - truth.x[0]).abs() < 2e-3,
            "{found:?}"
        );
        assert!(flatten(&Field::zeros((9, 9)), true).is_err());
    }
}
