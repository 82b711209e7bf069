//! The wavefront between two fields: Zernike terms by least squares of the fields themselves, so that no phase is ever unwrapped.
//!
//! With `M` measured and `P` predicted, `M = c P exp(i psi)` and `psi = sum a_j Z_j`. The part of `M` across the model,
//! `r = Im(M conj(P) exp(-i psi)) / |P|`, is `|c P| d psi` near the solution: a step solves these weighted equations. Their matrix
//! is never smaller than the curvature of `|<P exp(i psi), M>|`, which therefore grows with every step, however large phases are.

use ndarray::{Array1, Array2, Zip};
use num_complex::Complex64;

use crate::calibrate::estimate::normal::{Noise, Normal};
use crate::holography;
use crate::numeric::Factor;
use crate::optics::Field;

/// Steps of a search, and the largest change that ends it, radians.
const STEPS: usize = 100;
const SETTLED: f64 = 1e-6;
/// Zernike terms up to the second order, which a tilted and curved start is made of.
const QUADRATIC: usize = 6;

/// The terms between two fields.
#[derive(Clone, Debug)]
pub(crate) struct Aligned {
    /// One for each polynomial, radians rms.
    pub(crate) terms: Vec<f64>,
    /// Of the terms.
    pub(crate) covariance: Array2<f64>,
    /// Amplitude of the measured field over that of the predicted one.
    pub(crate) gain: f64,
    /// `|<P exp(i psi), M>|^2 / (<P, P> <M, M>)`.
    pub(crate) overlap: f64,
    /// Variance of the residuals against `|c P|^2`.
    pub(crate) noise: Noise,
}

/// Fits the terms of `basis` (Noll 1, 2, 3, .. over the pixels) by which `measured` is ahead of `predicted`, from the pixels
/// that are `used`. `None` where one of the fields is dark, or pixels are too few to tell so many terms.
pub(crate) fn align(
    measured: &Field,
    predicted: &Field,
    used: &Array2<bool>,
    basis: &[Array2<f64>],
) -> Option<Aligned> {
    let seen = |u: &Field| Zip::from(u).and(used).map_collect(|v, on| if *on { *v } else { Complex64::ZERO });
    let (measured, predicted) = (seen(measured), seen(predicted));
    let product = Zip::from(&measured).and(&predicted).map_collect(|m, p| m * p.conj());
    let pair = Pair { measured, predicted, product, basis };
    let gain = pair.gain();
    if !(gain.is_finite() && gain > 0.0) {
        return None;
    }
    let mut terms = vec![0.0; basis.len()];
    if let Some(start) = pair.tilted(used)
        && pair.inner(&pair.phase(&start)).norm() > pair.inner(&pair.phase(&terms)).norm()
    {
        terms = start;
    }
    // What the noise is shows only near the solution.
    let even = Noise { dark: pair.measured.iter().map(|v| v.norm_sqr()).sum::<f64>(), slope: 0.0 };
    let (_, terms) = pair.search(terms, even, used)?;
    let noise = pair.noise(&terms, used);
    let (normal, terms) = pair.search(terms, noise, used)?;
    let inner = pair.inner(&pair.phase(&terms));
    let power = |u: &Field| u.iter().map(|v| v.norm_sqr()).sum::<f64>();
    let (of_measured, of_predicted) = (power(&pair.measured), power(&pair.predicted));
    Some(Aligned {
        covariance: normal.covariance(&normal.eigen()),
        terms,
        gain: inner.norm() / of_predicted,
        overlap: inner.norm_sqr() / (of_measured * of_predicted),
        noise,
    })
}

/// By how much the terms change, to first order and with the weights of `aligned`, where the predicted field is `moved` by little.
pub(super) fn moved(
    aligned: &Aligned,
    predicted: &Field,
    moved: &Field,
    used: &Array2<bool>,
    basis: &[Array2<f64>],
) -> Vec<f64> {
    let seen = |u: &Field| {
        let gain = aligned.gain;
        Zip::from(u).and(used).map_collect(|v, on| if *on { *v * gain } else { Complex64::ZERO })
    };
    let (measured, predicted) = (seen(predicted), seen(moved));
    let product = Zip::from(&measured).and(&predicted).map_collect(|m, p| m * p.conj());
    let pair = Pair { measured, predicted, product, basis };
    let mut terms = vec![0.0; basis.len()];
    // A distance turns the whole field round many times.
    terms[0] = pair.inner(&pair.phase(&terms)).arg();
    let normal = pair.normal(&terms, aligned.noise, used);
    terms.iter_mut().zip(&normal.step(&normal.eigen(), 0.0)).for_each(|(a, d)| *a += d);
    terms
}

/// The sum of terms over the pixels.
pub(crate) fn sum(basis: &[Array2<f64>], terms: &[f64]) -> Array2<f64> {
    let mut psi = Array2::zeros(basis.first().map_or((0, 0), Array2::dim));
    basis.iter().zip(terms).for_each(|(z, a)| psi.scaled_add(*a, z));
    psi
}

/// Two fields, dark where pixels do not count.
struct Pair<'a> {
    measured: Field,
    predicted: Field,
    /// `M conj(P)`.
    product: Field,
    basis: &'a [Array2<f64>],
}

impl Pair<'_> {
    fn phase(&self, terms: &[f64]) -> Array2<f64> {
        sum(self.basis, terms)
    }

    /// `<P exp(i psi), M>`.
    fn inner(&self, psi: &Array2<f64>) -> Complex64 {
        Zip::from(&self.product).and(psi).fold(Complex64::ZERO, |sum, v, psi| sum + v * Complex64::cis(-psi))
    }

    /// Amplitude of one field over the other's, whatever their phases.
    fn gain(&self) -> f64 {
        let light = |u: &Field| u.iter().map(|v| v.norm_sqr()).sum::<f64>();
        (light(&self.measured) / light(&self.predicted)).sqrt()
    }

    /// Terms of the tilt and the quadratic phase between the fields; `None` where there are too few terms for them.
    fn tilted(&self, used: &Array2<bool>) -> Option<Vec<f64>> {
        let n = self.basis.len().min(QUADRATIC);
        if n < 4 {
            return None;
        }
        let (_, ramp) = holography::flatten(&self.product, true).ok()?;
        let shape = self.product.dim();
        let (mut matrix, mut right) = (vec![0.0; n * n], vec![0.0; n]);
        for (at, _) in used.indexed_iter().filter(|(_, on)| **on) {
            let phase = ramp.phase(at, shape);
            let row: Vec<f64> = self.basis[..n].iter().map(|z| z[at]).collect();
            right.iter_mut().zip(&row).for_each(|(sum, z)| *sum += z * phase);
            for (line, a) in matrix.chunks_mut(n).zip(&row) {
                line.iter_mut().zip(&row).for_each(|(sum, b)| *sum += a * b);
            }
        }
        let mut terms = Factor::of(&matrix, n)?.solve(&right);
        terms.resize(self.basis.len(), 0.0);
        Some(terms)
    }

    /// Residuals across the model, and `|c P|`.
    fn across(&self, terms: &[f64]) -> (Array2<f64>, Array2<f64>) {
        let psi = self.phase(terms);
        let inner = self.inner(&psi);
        let power: f64 = self.predicted.iter().map(|v| v.norm_sqr()).sum();
        let gain = inner.norm() / power;
        let residual = Zip::from(&self.product).and(&self.predicted).and(&psi).map_collect(|v, p, psi| {
            let size = p.norm();
            if size > 0.0 { (v * Complex64::cis(-psi)).im / size } else { 0.0 }
        });
        (residual, self.predicted.mapv(|p| gain * p.norm()))
    }

    /// Variance of the residuals against the light of the model.
    fn noise(&self, terms: &[f64], used: &Array2<bool>) -> Noise {
        let (residual, light) = self.across(terms);
        let each = residual.iter().zip(&light).zip(used).filter(|(_, on)| **on);
        Noise::fit(each.map(|((r, light), _)| (light * light, r * r)).collect())
    }

    /// Goes from `terms` to the solution; also its normal equations. `None` where it is not determined.
    fn search(&self, mut terms: Vec<f64>, noise: Noise, used: &Array2<bool>) -> Option<(Normal, Vec<f64>)> {
        for _ in 0..STEPS {
            // The piston needs no search.
            terms[0] += self.inner(&self.phase(&terms)).arg();
            let normal = self.normal(&terms, noise, used);
            let step: Array1<f64> = normal.step(&normal.eigen(), 0.0);
            if !step.iter().all(|d| d.is_finite()) {
                return None;
            }
            terms.iter_mut().zip(&step).for_each(|(a, d)| *a += d);
            if step.iter().all(|d| d.abs() < SETTLED) {
                break;
            }
        }
        let normal = self.normal(&terms, noise, used);
        Some((normal, terms))
    }

    fn normal(&self, terms: &[f64], noise: Noise, used: &Array2<bool>) -> Normal {
        let (residual, light) = self.across(terms);
        let variance = Zip::from(&light).and(used).map_collect(|light, on| match on {
            true => noise.variance(light * light),
            false => f64::INFINITY,
        });
        let columns: Vec<Array2<f64>> = self.basis.iter().map(|z| z * &light).collect();
        let mut normal = Normal::new(terms.len());
        normal.add(residual.view(), variance.view(), &columns);
        normal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optics::zernike;
    use rand::{RngExt, SeedableRng};

    const SHAPE: (usize, usize) = (96, 110);

    fn basis(terms: usize) -> Vec<Array2<f64>> {
        let one = |j: usize| {
            let (n, m) = zernike::noll(j).unwrap();
            Array2::from_shape_fn(SHAPE, |(r, c)| {
                let (y, x) = ((r as f64 - 48.0) / 75.0, (c as f64 - 55.0) / 75.0);
                zernike::value(n, m, y.hypot(x), y.atan2(x))
            })
        };
        (1..=terms).map(one).collect()
    }

    /// Speckle of some pixels' size, and noise of unit variance per quadrature.
    fn speckle(seed: u64) -> (Field, Field) {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut normal = move || (0..12).map(|_| f64::from(rng.random::<f32>())).sum::<f64>() - 6.0;
        let waves: Vec<[f64; 4]> = (0..80).map(|_| [normal(), normal(), normal(), normal()]).collect();
        let field = Field::from_shape_fn(SHAPE, |(r, c)| {
            let wave = |w: &[f64; 4]| {
                Complex64::new(w[2], w[3]) * Complex64::cis(0.4 * (w[0] * r as f64 + w[1] * c as f64))
            };
            waves.iter().map(wave).sum()
        });
        (field, Field::from_shape_fn(SHAPE, |_| Complex64::new(normal(), normal())))
    }

    #[test]
    fn terms_of_many_turns_come_back_within_their_uncertainties() {
        let basis = basis(11);
        let truth = [2.0, 30.0, -55.0, 12.0, 0.4, -3.0, 0.5, -0.3, 0.35, 0.2, -0.4];
        let used = Array2::from_shape_fn(SHAPE, |(r, c)| r > 3 && c < 105);
        let (predicted, noise) = speckle(4);
        let psi = sum(&basis, &truth);
        let measured = Zip::from(&predicted)
            .and(&psi)
            .and(&noise)
            .map_collect(|p, psi, n| p * Complex64::from_polar(20.0, *psi) + n * 40.0);
        let found = align(&measured, &predicted, &used, &basis).unwrap();
        for (k, (a, truth)) in found.terms.iter().zip(truth).enumerate().skip(1) {
            let sigma = found.covariance[[k, k]].sqrt();
            assert!((a - truth).abs() < 4.0 * sigma && sigma < 0.02, "Noll {}: {a} +- {sigma}", k + 1);
        }
        let turns = (found.terms[0] - truth[0]) / std::f64::consts::TAU;
        assert!((turns - turns.round()).abs() < 0.01, "{}", found.terms[0]);
        assert!((found.gain / 20.0 - 1.0).abs() < 0.01 && found.overlap > 0.9, "{found:?}");
    }

    #[test]
    fn strangers_have_little_overlap_and_darkness_has_none() {
        let basis = basis(11);
        let used = Array2::from_elem(SHAPE, true);
        let ((a, _), (b, _)) = (speckle(1), speckle(2));
        assert!(align(&a, &b, &used, &basis).unwrap().overlap < 0.2);
        assert!(align(&a, &Field::zeros(SHAPE), &used, &basis).is_none());
        assert!(align(&a, &a, &Array2::from_elem(SHAPE, false), &basis).is_none());
    }
}
