//! Phase shifting: a field from frames with a stepped reference, `I_n = |U + r exp(i d_n)|^2`.
//!
//! `I_n = A + C cos d_n + S sin d_n` with `C + i S = 2 r U`, so three frames or more give `r U` by least squares, whatever the
//! steps. The often used formula of four frames is the case `d = 0, 90, 180, 270` degrees, and wrong for any other.

use ndarray::{Array2, Zip};
use num_complex::Complex64;

use super::HolographyError;
use super::steps::{self, Start};
use crate::numeric;
use crate::optics::Field;

/// Growth of the noise against that of evenly spread steps above which steps count as alike.
const MOST_GROWTH: f64 = 30.0;
/// A field from a stepped reference.
#[derive(Clone, Debug)]
pub struct PhaseShifted {
    /// `r U`: the field times the reference's amplitude. Of unknown steps this or its conjugate.
    pub field: Field,
    /// The phase steps, radians; the first is 0 where they were found.
    pub steps: Vec<f64>,
    /// Brightness of the frames, mean 1; all 1 where it was not found to drift.
    pub gains: Vec<f64>,
    /// Contrast of their fringes, likewise.
    pub modulations: Vec<f64>,
    /// What the frames do not have in common with the model, rms over the rms of the fringes. Three frames always fit.
    pub residual: f64,
    /// Growth of the noise against evenly spread steps, which have 1.
    pub growth: f64,
}

/// The field from frames with known `steps`, radians.
///
/// # Errors
/// Fewer than three frames, different sizes, steps that are too alike, frames without fringes.
pub fn known_steps(frames: &[Array2<f64>], steps: &[f64]) -> Result<PhaseShifted, HolographyError> {
    check(frames)?;
    if frames.len() != steps.len() {
        let problem = format!("{} frames, {} steps", frames.len(), steps.len());
        return Err(HolographyError::Shape { problem });
    }
    let steady = vec![1.0; frames.len()];
    solve(frames, Start { steps: steps.to_vec(), gains: steady.clone(), modulations: steady })
}

/// The field from frames with steps that nobody knows. The fringes must cover all phases somewhere in the frames, as those of a
/// tilted reference or of a structured object do. Brightness and contrast may drift from frame to frame: least squares of
/// `I_n = g_n A + m_n (C cos d_n + S sin d_n)` with what was found.
///
/// # Errors
/// Fewer than three frames, different sizes, no moving fringes, steps that are too alike.
pub fn unknown_steps(frames: &[Array2<f64>]) -> Result<PhaseShifted, HolographyError> {
    check(frames)?;
    solve(frames, steps::start(frames)?)
}

fn check(frames: &[Array2<f64>]) -> Result<(), HolographyError> {
    if frames.len() < 3 {
        return Err(HolographyError::TooFew { frames: frames.len() });
    }
    match frames.iter().position(|f| f.dim() != frames[0].dim() || f.is_empty()) {
        Some(k) => {
            let problem =
                format!("frame {} has {:?} pixels, frame 1 {:?}", k + 1, frames[k].dim(), frames[0].dim());
            Err(HolographyError::Shape { problem })
        }
        None => Ok(()),
    }
}

/// Least squares of all pixels at given steps.
pub(super) fn solve(frames: &[Array2<f64>], at: Start) -> Result<PhaseShifted, HolographyError> {
    let Start { steps, gains, modulations } = at;
    let row = |n: usize| [gains[n], modulations[n] * steps[n].cos(), modulations[n] * steps[n].sin()];
    let rows: Vec<[f64; 3]> = (0..frames.len()).map(row).collect();
    let mut normal = [[0.0; 3]; 3];
    for row in &rows {
        for (i, line) in normal.iter_mut().enumerate() {
            line.iter_mut().zip(row).for_each(|(v, r)| *v += row[i] * r);
        }
    }
    let inverse = numeric::inverse(&normal);
    // Variance of cosine and sine per variance of a frame; 2 / n of evenly spread steps.
    let worst = inverse.map_or(f64::INFINITY, |m| m[1][1].max(m[2][2]));
    let growth = (worst * frames.len() as f64 / 2.0).sqrt();
    let Some(inverse) = inverse.filter(|_| growth < MOST_GROWTH) else {
        let degrees: Vec<_> = steps.iter().map(|d| format!("{:.1}", d.to_degrees())).collect();
        return Err(HolographyError::Alike { degrees: degrees.join(", "), growth });
    };
    let mut parts = [0, 1, 2].map(|_| Array2::<f64>::zeros(frames[0].dim()));
    for (frame, row) in frames.iter().zip(&rows) {
        for (part, line) in parts.iter_mut().zip(&inverse) {
            part.scaled_add(line.iter().zip(row).map(|(a, b)| a * b).sum(), frame);
        }
    }
    let mut square = 0.0;
    for (frame, row) in frames.iter().zip(&rows) {
        Zip::from(frame).and(&parts[0]).and(&parts[1]).and(&parts[2]).for_each(|i, a, c, s| {
            square += (i - row[0] * a - row[1] * c - row[2] * s).powi(2);
        });
    }
    let [_, c, s] = parts;
    let field = Zip::from(&c).and(&s).map_collect(|c, s| Complex64::new(0.5 * c, 0.5 * s));
    // Fringes 2 |rU| cos(..) have the mean square 2 |rU|^2.
    let fringes = 2.0 * field.iter().map(|v| v.norm_sqr()).sum::<f64>() * frames.len() as f64;
    if !(fringes.is_finite() && fringes > 0.0) {
        return Err(HolographyError::Dark { what: "field" });
    }
    Ok(PhaseShifted { field, steps, gains, modulations, residual: (square / fringes).sqrt(), growth })
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use rand::{RngExt, SeedableRng};

    const SHAPE: (usize, usize) = (90, 110);

    /// A field with structure in amplitude and phase, on a tilted carrier.
    fn object() -> Field {
        Array2::from_shape_fn(SHAPE, |(r, c)| {
            let (y, x) = (r as f64 - 45.0, c as f64 - 55.0);
            let amplitude = 1.0 + 0.4 * (-(x * x + y * y) / 600.0).exp();
            let phase = 0.9 * x + 0.5 * y + 2.0 * (-((x - 10.0).powi(2) + y * y) / 300.0).exp();
            Complex64::from_polar(amplitude, phase)
        })
    }

    fn frames(degrees: &[f64], gains: &[f64], noise: f64) -> Vec<Array2<f64>> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let mut normal = move || (0..12).map(|_| f64::from(rng.random::<f32>())).sum::<f64>() - 6.0;
        let frame = |(d, g): (&f64, &f64)| {
            let reference = Complex64::from_polar(1.5, d.to_radians());
            object().mapv(|u| g * (u + reference).norm_sqr() + noise * normal())
        };
        degrees.iter().zip(gains.iter().chain(std::iter::repeat(&1.0))).map(frame).collect()
    }

    /// Relative error of `found` against `r U`, up to a constant phase.
    fn error(found: &Field) -> f64 {
        let truth = object() * 1.5;
        let inner: Complex64 = truth.iter().zip(found).map(|(t, f)| t * f.conj()).sum();
        let turned = found * (inner / inner.norm());
        let square = |a: &Field| a.iter().map(|v| v.norm_sqr()).sum::<f64>();
        (square(&(turned - &truth)) / square(&truth)).sqrt()
    }

    fn radians(degrees: &[f64]) -> Vec<f64> {
        degrees.iter().map(|d| d.to_radians()).collect()
    }

    #[test]
    fn any_known_steps_give_the_field() {
        for degrees in
            [&[0.0, 120.0, 240.0][..], &[0.0, 46.0, 101.0, 167.0], &[0.0, 90.0, 180.0, 270.0, 360.0]]
        {
            let found = known_steps(&frames(degrees, &[], 0.0), &radians(degrees)).unwrap();
            let exact = (&found.field - &(object() * 1.5)).iter().map(|v| v.norm()).fold(0.0, f64::max);
            assert!(exact < 1e-12 && found.residual < 1e-12, "{exact} {}", found.residual);
        }
        let even =
            known_steps(&frames(&[0.0, 120.0, 240.0], &[], 0.0), &radians(&[0.0, 120.0, 240.0])).unwrap();
        assert!((even.growth - 1.0).abs() < 1e-12, "{}", even.growth);
    }

    #[test]
    fn unknown_steps_are_found() {
        let cases: [(&[f64], &[f64], f64, f64); 5] = [
            (&[0.0, 70.0, 190.0], &[], 0.0, 2.0),
            (&[0.0, 46.5, 101.1, 167.3], &[], 0.02, 1.0),
            (&[0.0, 95.0, 170.0, 280.0, 355.0], &[], 0.05, 1.0),
            (&[0.0, 46.5, 101.1, 167.3], &[1.0, 0.9, 1.1, 1.2], 0.02, 1.5),
            (&[0.0, 200.0, 40.0, 310.0, 120.0, 75.0], &[], 0.1, 1.0),
        ];
        for (degrees, gains, noise, tolerance) in cases {
            let found = unknown_steps(&frames(degrees, gains, noise)).unwrap();
            let sign = steps::apart(found.steps[1], 0.0).signum()
                * steps::apart(degrees[1].to_radians(), 0.0).signum();
            for (s, d) in found.steps.iter().zip(degrees) {
                let off = steps::apart(sign * s, d.to_radians()).to_degrees();
                assert!(
                    off.abs() < tolerance,
                    "{degrees:?}: {:?}",
                    found.steps.iter().map(|s| s.to_degrees()).collect::<Vec<_>>()
                );
            }
            let field = if sign > 0.0 { found.field } else { found.field.mapv(|v| v.conj()) };
            assert!(error(&field) < 0.1, "{degrees:?}: {}", error(&field));
        }
    }

    #[test]
    fn drift_is_told_from_none() {
        let gains = [1.0, 0.8, 1.15, 1.05, 0.9];
        let degrees = [0.0, 80.0, 150.0, 230.0, 300.0];
        let found = unknown_steps(&frames(&degrees, &gains, 0.0)).unwrap();
        assert!(found.gains.iter().any(|g| (g - 1.0).abs() > 0.1), "{:?}", found.gains);
        assert!(found.residual < 0.02, "{}", found.residual);
        let steady = unknown_steps(&frames(&degrees, &[], 0.01)).unwrap();
        assert!(steady.gains.iter().chain(&steady.modulations).all(|g| *g == 1.0), "{steady:?}");
        assert!(steady.residual < 0.02, "{}", steady.residual);
    }

    /// A rough object on the axis: its fringes share their frequencies with its own speckle.
    #[test]
    fn steps_are_found_without_a_carrier() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(9);
        let mut waves = Vec::new();
        for _ in 0..60 {
            let mut draw = |scale: f64| scale * (f64::from(rng.random::<f32>()) - 0.5);
            waves.push([draw(1.2), draw(1.2), draw(TAU)]);
        }
        let rough = Array2::from_shape_fn(SHAPE, |(r, c)| {
            let phase = |w: &[f64; 3]| Complex64::cis(w[0] * r as f64 + w[1] * c as f64 + w[2]);
            waves.iter().map(phase).sum::<Complex64>() / 8.0
        });
        // Near four quarter turns the steps hardly show in what the frames have in common: there the start stays, in which
        // cosine and sine are taken to be alike, as they are to 1 / sqrt(speckles), 3 degrees of 360 grains.
        let cases: [(&[f64], f64); 4] = [
            (&[0.0, 82.0, 185.0, 260.0], 4.0),
            (&[0.0, 46.0, 101.0, 167.0], 0.1),
            (&[0.0, 110.0, 230.0], 0.1),
            (&[0.0, 72.0, 144.0, 216.0, 288.0], 0.1),
        ];
        for (degrees, tolerance) in cases {
            let frame = |d: &f64| rough.mapv(|u| (u + Complex64::cis(d.to_radians())).norm_sqr());
            let found = unknown_steps(&degrees.iter().map(frame).collect::<Vec<_>>()).unwrap();
            let off = |sign: f64| {
                let each = found.steps.iter().zip(degrees);
                each.map(|(s, d)| steps::apart(sign * s, d.to_radians()).to_degrees().abs())
                    .fold(0.0, f64::max)
            };
            let off = off(1.0).min(off(-1.0));
            println!("{degrees:?}: {off:.3} degrees off");
            assert!(off < tolerance, "{degrees:?}: {:?}", found.steps);
        }
    }

    #[test]
    fn what_cannot_be_solved_is_refused() {
        let two = frames(&[0.0, 90.0], &[], 0.0);
        assert_eq!(known_steps(&two, &[0.0, 1.0]).unwrap_err(), HolographyError::TooFew { frames: 2 });
        assert_eq!(unknown_steps(&two).unwrap_err(), HolographyError::TooFew { frames: 2 });
        let three = frames(&[0.0, 90.0, 180.0], &[], 0.0);
        assert!(matches!(known_steps(&three, &[0.0, 1.0]), Err(HolographyError::Shape { .. })));
        let alike = known_steps(&three, &radians(&[0.0, 360.0, 90.0])).unwrap_err().to_string();
        assert!(alike.contains("too alike") && alike.contains("360.0"), "{alike}");
        assert!(
            known_steps(&three, &radians(&[0.0, 1.0, 2.0])).unwrap_err().to_string().contains("too alike")
        );
        let still = frames(&[0.0; 5], &[], 0.05);
        let message = unknown_steps(&still).unwrap_err().to_string();
        assert!(message.contains("no moving fringes"), "{message}");
        let mut sizes = frames(&[0.0, 90.0, 180.0], &[], 0.0);
        sizes[2] = Array2::zeros((3, 3));
        assert!(matches!(unknown_steps(&sizes), Err(HolographyError::Shape { .. })));
    }
}
