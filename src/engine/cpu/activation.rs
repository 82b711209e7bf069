//! Activations and their derivatives, pixel by pixel; see [`Activation`].

use super::buffer::by_lanes;
use super::real::{Real, wide};
use crate::engine::{Activation, ActivationKind};

/// [`Activation`] in the engine's precision, with its constants worked out.
#[derive(Clone, Copy)]
pub(super) struct Unit<T> {
    kind: Kind<T>,
    gain: T,
}

#[derive(Clone, Copy)]
enum Kind<T> {
    Intensity,
    Saturable { half_depth: T, saturation: T },
    Relu { threshold: T },
    ElectroOptic { response: T, bias: T, half_root: T },
}

impl<T: Real> Unit<T> {
    pub(super) fn new(activation: &Activation) -> Self {
        let kind = match activation.kind {
            ActivationKind::Intensity => Kind::Intensity,
            ActivationKind::Saturable { depth, saturation } => {
                Kind::Saturable { half_depth: T::of(0.5 * depth), saturation: T::of(saturation) }
            }
            ActivationKind::Relu { threshold } => Kind::Relu { threshold: T::of(threshold) },
            ActivationKind::ElectroOptic { tap, response, bias } => Kind::ElectroOptic {
                response: T::of(response),
                bias: T::of(bias),
                half_root: T::of(0.5 * (1.0 - tap).sqrt()),
            },
        };
        Self { kind, gain: T::of(activation.gain) }
    }

    /// `A` in place of `U`, for a block of rows; `rms` is that of the start field.
    pub(super) fn activate(&self, lanes: usize, rows: &mut [T], rms: f64) {
        by_lanes!(lanes, activate_lanes::<T>(self, rows, units(rms)));
    }

    /// The error in front of the unit in place of that behind it; `u` is the recorded `U`.
    pub(super) fn turn_back(&self, lanes: usize, error: &mut [T], u: &[T], rms: f64) {
        by_lanes!(lanes, turn_back_lanes::<T>(self, error, u, units(rms)));
    }

    /// Of `L` pixels of these intensities.
    #[inline(always)]
    fn optics<const L: usize>(&self, q: &[T; L]) -> Optics<T, L> {
        let (zero, one) = (T::of(0.0), T::of(1.0));
        let none = [zero; L];
        let mut o = Optics { detected: zero, t: [none; 2], slope: [none; 2] };
        match self.kind {
            Kind::Intensity => o.detected = one,
            Kind::Saturable { half_depth, saturation } => {
                for (l, &q) in q.iter().enumerate() {
                    let bleached = one / (one + q / saturation);
                    o.t[0][l] = T::exp_negative(-half_depth * bleached);
                    o.slope[0][l] = o.t[0][l] * half_depth * bleached * bleached / saturation;
                }
            }
            Kind::Relu { threshold } => {
                for (l, &q) in q.iter().enumerate() {
                    let r = q.sqrt();
                    if r > threshold {
                        o.t[0][l] = one - threshold / r;
                        o.slope[0][l] = threshold / ((one + one) * r * q);
                    }
                }
            }
            Kind::ElectroOptic { response, bias, half_root } => {
                for (l, &q) in q.iter().enumerate() {
                    let (cos, sin) = T::cos_sin(response * q + bias);
                    (o.t[0][l], o.t[1][l]) = (half_root * (one + cos), -half_root * sin);
                    // -i response half_root (cos - i sin)
                    let swing = response * half_root;
                    (o.slope[0][l], o.slope[1][l]) = (-swing * sin, -swing * cos);
                }
            }
        }
        o
    }
}

/// `f = detected q + t u`, and the slope `dt/dq`; real parts, imaginary parts.
struct Optics<T, const L: usize> {
    detected: T,
    t: [[T; L]; 2],
    slope: [[T; L]; 2],
}

/// `s` and `1 / s`; a dark sample has fields of zero, which stay so.
fn units(rms: f64) -> [f64; 2] {
    // The smallest normal number of `f32`, as everywhere.
    if rms > f64::from(f32::MIN_POSITIVE) { [rms, rms.recip()] } else { [0.0, 0.0] }
}

wide! {
    fn activate_lanes<T: Real, const L: usize>(unit: &Unit<T>, rows: &mut [T], units: [f64; 2]) {
        let [s, inverse] = units.map(T::of);
        let gain = unit.gain * s;
        for u in rows.chunks_exact_mut(2 * L) {
            let mut q = [T::of(0.0); L];
            for l in 0..L {
                (u[l], u[L + l]) = (u[l] * inverse, u[L + l] * inverse);
                q[l] = u[l] * u[l] + u[L + l] * u[L + l];
            }
            let o = unit.optics(&q);
            for l in 0..L {
                let (re, im) = (u[l], u[L + l]);
                u[l] = gain * (o.detected * q[l] + o.t[0][l] * re - o.t[1][l] * im);
                u[L + l] = gain * (o.t[0][l] * im + o.t[1][l] * re);
            }
        }
    }
}

wide! {
    fn turn_back_lanes<T: Real, const L: usize>(unit: &Unit<T>, error: &mut [T], u: &[T], units: [f64; 2]) {
        let inverse = T::of(units[1]);
        let (gain, two) = (unit.gain, T::of(2.0));
        for (e, u) in error.chunks_exact_mut(2 * L).zip(u.chunks_exact(2 * L)) {
            let (mut x, mut y, mut q) = ([T::of(0.0); L], [T::of(0.0); L], [T::of(0.0); L]);
            for l in 0..L {
                (x[l], y[l]) = (u[l] * inverse, u[L + l] * inverse);
                q[l] = x[l] * x[l] + y[l] * y[l];
            }
            let o = unit.optics(&q);
            for l in 0..L {
                let (re, im) = (e[l], e[L + l]);
                // e' = t e + 2 Re((detected + slope u) e) u*
                let b = [o.detected + o.slope[0][l] * x[l] - o.slope[1][l] * y[l], o.slope[0][l] * y[l] + o.slope[1][l] * x[l]];
                let real = two * (b[0] * re - b[1] * im);
                e[l] = gain * (o.t[0][l] * re - o.t[1][l] * im + real * x[l]);
                e[L + l] = gain * (o.t[0][l] * im + o.t[1][l] * re - real * y[l]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [ActivationKind; 4] = [
        ActivationKind::Intensity,
        ActivationKind::Saturable { depth: 3.0, saturation: 0.7 },
        ActivationKind::Relu { threshold: 0.6 },
        ActivationKind::ElectroOptic { tap: 0.1, response: 1.3, bias: 2.5 },
    ];
    /// Rms of the start field.
    const RMS: f64 = 1.7;
    const GAIN: f64 = 1.4;

    fn value(kind: ActivationKind, lanes: usize, u: &[f64]) -> Vec<f64> {
        let mut rows = u.to_vec();
        Unit::new(&Activation { kind, gain: GAIN }).activate(lanes, &mut rows, RMS);
        rows
    }

    /// Fields around the threshold and the saturation.
    fn fields() -> Vec<f64> {
        (0..16).map(|k| 2.5 * (1.0 + f64::from(k) * 2.3).sin()).collect()
    }

    #[test]
    fn values_are_those_of_the_formulas() {
        use num_complex::Complex64;
        let field = fields();
        for kind in KINDS {
            for (got, u) in value(kind, 1, &field).chunks(2).zip(field.chunks(2)) {
                let u = Complex64::new(u[0], u[1]) / RMS;
                let q = u.norm_sqr();
                let f = match kind {
                    ActivationKind::Intensity => Complex64::from(q),
                    ActivationKind::Saturable { depth, saturation } => {
                        u * (-0.5 * depth / (1.0 + q / saturation)).exp()
                    }
                    ActivationKind::Relu { threshold } => {
                        Complex64::from_polar((u.norm() - threshold).max(0.0), u.arg())
                    }
                    ActivationKind::ElectroOptic { tap, response, bias } => {
                        let v = 0.5 * (response * q + bias);
                        (1.0 - tap).sqrt() * v.cos() * Complex64::cis(-v) * u
                    }
                };
                let off = (Complex64::new(got[0], got[1]) - f * GAIN * RMS).norm();
                assert!(off < 1e-14 * (1.0 + f.norm()), "{kind:?} at {u}: {off:e}");
            }
        }
    }

    #[test]
    fn eight_lanes_are_one() {
        let field = fields();
        // Eight real parts, then eight imaginary parts.
        let lanes: Vec<f64> = (0..16).map(|k| field[2 * (k % 8) + k / 8]).collect();
        for kind in KINDS {
            let (one, eight) = (value(kind, 1, &field), value(kind, 8, &lanes));
            assert!((0..16).all(|k| eight[k] == one[2 * (k % 8) + k / 8]), "{kind:?}");
        }
    }

    /// `dL = 2 Re(e dA)` behind the unit must be `2 Re(e' dU)` in front of it, in every direction.
    #[test]
    fn errors_turn_back_by_the_jacobian() {
        const STEP: f64 = 1e-5;
        let (field, error) = (fields(), [0.3, -1.1, 0.7, 0.2]);
        for kind in KINDS {
            for u in field.chunks(4) {
                let mut back = error.to_vec();
                Unit::new(&Activation { kind, gain: GAIN }).turn_back(1, &mut back, u, RMS);
                for k in 0..4 {
                    let moved = |by: f64| {
                        let mut u = u.to_vec();
                        u[k] += by;
                        value(kind, 1, &u)
                    };
                    let (up, down) = (moved(STEP), moved(-STEP));
                    let slope: Vec<f64> = up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * STEP)).collect();
                    let pixel = k / 2 * 2;
                    // Re(e dA), and Re(e' dU) for a step along the real or the imaginary axis.
                    let expected = error[pixel] * slope[pixel] - error[pixel + 1] * slope[pixel + 1];
                    let got = if k % 2 == 0 { back[k] } else { -back[k] };
                    assert!((got - expected).abs() < 1e-8, "{kind:?} {u:?}, part {k}: {got} for {expected}");
                }
            }
        }
    }

    #[test]
    fn the_dark_stays_dark() {
        for kind in KINDS {
            let unit = Unit::<f32>::new(&Activation { kind, gain: 1.0 });
            let (mut rows, mut error) = ([0.0; 16], [1.0; 16]);
            unit.activate(8, &mut rows, 0.0);
            unit.turn_back(8, &mut error, &rows, 0.0);
            assert!(rows.iter().all(|v| *v == 0.0) && error.iter().all(|v| v.is_finite()), "{kind:?}");
        }
    }
}
