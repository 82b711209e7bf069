//! Activations: what an optoelectronic unit does to the field between two layers.

use super::EngineError;

/// The unit at the end of a hop: it detects the field `U` that arrives and emits `A` into the next hop.
///
/// ```text
/// A = G s f(u)        u = U / s,  q = |u|^2
/// ```
///
/// `s` is the rms of the sample's own start field `U_0` over [`Program::shape`](super::Program::shape), `G` the gain:
/// intensities and thresholds are relative to the light that was loaded, so that brighter illumination changes nothing, and
/// they do not move with the exposures of the camera. `f(0) = 0`: the dark stays dark.
///
/// Error pass. `f` is not holomorphic: `dA = (df/du) dU + (df/du*) dU*` (times `G`). An error field carries no conjugate,
/// `dL = 2 Re(sum e dA)`, so that the error in front of the unit is
///
/// ```text
/// e' = G ( e df/du + conj(e df/du*) )
/// ```
///
/// evaluated at the recorded `U`. For `f = t(q) u` that is `e' = G ( t e + 2 Re(t' u e) u* )` with `t' = dt/dq`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    /// What the unit does.
    pub kind: ActivationKind,
    /// Amplitude gain `G` of the emission.
    pub gain: f64,
}

/// `f` of [`Activation`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActivationKind {
    /// `f = q`: the intensity is detected and becomes the amplitude; the phase is lost.
    /// `e' = 2 G Re(e) u*`.
    Intensity,
    /// `t = exp(-depth / 2 / (1 + q / saturation))`: a fast saturable absorber (Saleh & Teich 2007, chapter 14).
    /// `t' = t depth / (2 saturation (1 + q / saturation)^2)`.
    Saturable {
        /// Optical depth in the dark: intensity falls to `exp(-depth)`.
        depth: f64,
        /// Intensity, in units of `s^2`, at which the depth is half as large.
        saturation: f64,
    },
    /// `t = 1 - threshold / |u|` above the threshold, else 0: the amplitude less the threshold, the phase is kept (modReLU,
    /// Arjovsky, Shah & Bengio 2016). `t' = threshold / (2 |u|^3)` above the threshold; at and below it the derivative is
    /// taken as 0.
    Relu {
        /// Amplitude in units of `s`.
        threshold: f64,
    },
    /// `t = sqrt(1 - tap) cos(v) exp(-i v)`, `v = response q / 2 + bias / 2`: a part of the light is detected and drives the
    /// interferometer that the rest passes (Williamson et al. 2020, without the constant factor i).
    /// With `w = exp(-2 i v)`: `t = sqrt(1 - tap) (1 + w) / 2`, `t' = -i response sqrt(1 - tap) w / 2`.
    ElectroOptic {
        /// Share of the power that is detected.
        tap: f64,
        /// Phase in radians for unit `q`; the sign is that of the voltage.
        response: f64,
        /// Phase in radians without light.
        bias: f64,
    },
}

impl Activation {
    /// Refuses numbers that no unit has; `hop` counts from 1.
    ///
    /// # Errors
    /// [`EngineError::Shape`] with the number and its range.
    pub(super) fn check(&self, hop: usize) -> Result<(), EngineError> {
        match self.out_of_range() {
            None => Ok(()),
            Some((what, value, expected)) => Err(EngineError::Shape {
                what: format!("{what} of the activation after hop {hop}"),
                expected: expected.to_owned(),
                actual: value.to_string(),
            }),
        }
    }

    /// The first number that is out of its range: name, value, range. Within the ranges nothing overflows in `f32`.
    pub fn out_of_range(&self) -> Option<(&'static str, f64, &'static str)> {
        let within = |value: f64, low: f64, high: f64| (low..=high).contains(&value);
        let mut numbers = vec![("gain", self.gain, within(self.gain, 1e-6, 1e6), "1e-6 to 1e6")];
        match self.kind {
            ActivationKind::Intensity => {}
            ActivationKind::Saturable { depth, saturation } => {
                numbers.push(("depth", depth, within(depth, 0.0, 100.0), "0 to 100"));
                let positive = within(saturation, 1e-6, 1e6);
                numbers.push(("saturation", saturation, positive, "1e-6 to 1e6"));
            }
            ActivationKind::Relu { threshold } => {
                let fits = threshold == 0.0 || within(threshold, 1e-6, 1e6);
                numbers.push(("threshold", threshold, fits, "0, or 1e-6 to 1e6"));
            }
            ActivationKind::ElectroOptic { tap, response, bias } => {
                numbers.push(("tap", tap, (0.0..1.0).contains(&tap), "0 to below 1"));
                numbers.push(("response", response, within(response, -100.0, 100.0), "-100 to 100 rad"));
                numbers.push(("bias", bias, within(bias, -100.0, 100.0), "-100 to 100 rad"));
            }
        }
        numbers.into_iter().find(|n| !n.2).map(|(what, value, _, range)| (what, value, range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_named() {
        let wrong = |kind, gain| Activation { kind, gain }.check(2).unwrap_err().to_string();
        let message = wrong(ActivationKind::Intensity, f64::NAN);
        assert!(
            message.contains("gain of the activation after hop 2") && message.contains("NaN"),
            "{message}"
        );
        assert!(wrong(ActivationKind::Saturable { depth: -1.0, saturation: 1.0 }, 1.0).contains("depth"));
        assert!(wrong(ActivationKind::Saturable { depth: 1.0, saturation: 0.0 }, 1.0).contains("saturation"));
        assert!(wrong(ActivationKind::Relu { threshold: -0.1 }, 1.0).contains("threshold"));
        let modulator = |tap, bias| ActivationKind::ElectroOptic { tap, response: 1.0, bias };
        assert!(wrong(modulator(1.0, 0.0), 1.0).contains("tap"));
        assert!(wrong(modulator(0.1, f64::INFINITY), 1.0).contains("bias"));
        assert!(Activation { kind: ActivationKind::Relu { threshold: 0.0 }, gain: 1.0 }.check(1).is_ok());
    }
}
