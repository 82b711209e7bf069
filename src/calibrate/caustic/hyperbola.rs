//! The hyperbola of a caustic.

use std::f64::consts::{PI, SQRT_2};

use ndarray::Array2;
use serde::Serialize;

use super::CausticError;
use super::least_squares::{Normal, minimise};

/// Beams of diode bars have an `M^2` of hundreds; what is beyond this is a mistake of units.
const LARGEST: f64 = 1000.0;
/// Fewest planes.
const PLANES: usize = 5;

/// A beam: second-moment radius `W(z) = w0 sqrt(1 + ((z - z0) M^2 lambda / (pi w0^2))^2)`, metres.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Beam {
    /// Radius of the waist.
    pub waist: f64,
    /// Position of the waist.
    pub position: f64,
    /// Beam quality; 1 at the diffraction limit.
    pub m_squared: f64,
    /// Wavelength.
    pub wavelength: f64,
}

/// A fitted beam with one standard deviation of each number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Caustic {
    /// The beam.
    pub beam: Beam,
    /// Of waist, position and beam quality.
    pub sigma: [f64; 3],
    /// Half angle of the far field `M^2 lambda / (pi w0)`, radians, and its standard deviation.
    pub divergence: [f64; 2],
    /// Root mean square of the radii's residuals, metres.
    pub rms: f64,
}

impl Beam {
    /// Radius at a position, metres.
    pub fn radius(&self, z: f64) -> f64 {
        self.waist * (1.0 + ((z - self.position) / self.rayleigh()).powi(2)).sqrt()
    }

    /// Distance from the waist at which the area has doubled, `pi w0^2 / (M^2 lambda)`, metres.
    pub fn rayleigh(&self) -> f64 {
        PI * self.waist * self.waist / (self.m_squared * self.wavelength)
    }

    /// What a camera sees at `z`: counts whose sum over an endless frame is `power`, centred at `[row, column]`; `pitch` in
    /// metres along rows and columns.
    pub fn frame(
        &self,
        z: f64,
        shape: [usize; 2],
        pitch: [f64; 2],
        centre: [f64; 2],
        power: f64,
    ) -> Array2<f64> {
        let w = self.radius(z);
        let peak = 2.0 * power * pitch[0] * pitch[1] / (PI * w * w);
        // A round Gaussian is a product along rows and columns.
        let side = |k: usize| -> Vec<f64> {
            let scale = SQRT_2 * pitch[k] / w;
            (0..shape[k]).map(|i| (-(scale * (i as f64 - centre[k])).powi(2)).exp()).collect()
        };
        let (along, across) = (side(0), side(1));
        Array2::from_shape_fn((shape[0], shape[1]), |(r, c)| peak * along[r] * across[c])
    }
}

/// Fits a caustic to radii `(z, W)`, metres; all planes weigh alike.
///
/// # Errors
/// Too few planes; planes that do not tell waist and divergence apart; an `M^2` that no beam has, which is a mistake of
/// units.
pub fn fit(planes: &[(f64, f64)], wavelength: f64) -> Result<Caustic, CausticError> {
    let wrong = |problem: String| CausticError::Planes { problem };
    if planes.len() < PLANES {
        return Err(wrong(format!(
            "{} planes; at least {PLANES} are needed (ISO 11146 asks for 10, half of them near the waist)",
            planes.len()
        )));
    }
    if !(wavelength.is_finite() && wavelength > 0.0) {
        return Err(wrong(format!("the wavelength is {wavelength} m; it must be positive")));
    }
    let narrow = planes.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
    let far = planes.iter().copied().max_by(|a, b| (a.0 - narrow.0).abs().total_cmp(&(b.0 - narrow.0).abs()));
    let far = far.unwrap_or_default();
    let slope = (far.1.powi(2) - narrow.1.powi(2)).max(0.0).sqrt() / (far.0 - narrow.0).abs();
    if !(slope.is_finite() && slope > 0.0) {
        return Err(wrong(
            "all planes have one radius or one position; record further away from the waist".into(),
        ));
    }
    // In the divergence the model is far closer to a straight line than in M^2.
    let normal = |p: &[f64; 3]| {
        let [waist, position, angle] = *p;
        let mut normal = Normal::new();
        for &(z, radius) in planes {
            let model = (waist * waist + (angle * (z - position)).powi(2)).sqrt();
            let derivatives = [
                waist / model,
                -angle * angle * (z - position) / model,
                angle * (z - position).powi(2) / model,
            ];
            normal.add(model - radius, &derivatives);
        }
        normal
    };
    let unclear = || {
        wrong(
            "these planes do not tell waist and divergence apart; record planes on both sides of the waist, and beyond its \
             Rayleigh length"
                .into(),
        )
    };
    let found = minimise([narrow.1, narrow.0, slope], normal).ok_or_else(unclear)?;
    let [waist, position, angle] = found.parameters.map(f64::abs);
    let position = position.copysign(found.parameters[1]);
    let variance = found.sum / (planes.len() - 3) as f64;
    let covariance = found.inverse.map(|row| row.map(|v| v * variance));
    let m_squared = PI * waist * angle / wavelength;
    // d(w0 theta) = theta d w0 + w0 d theta.
    let product = angle * angle * covariance[0][0]
        + waist * waist * covariance[2][2]
        + 2.0 * waist * angle * covariance[0][2];
    let quality = PI / wavelength * product.max(0.0).sqrt();
    let sigma = [covariance[0][0].sqrt(), covariance[1][1].sqrt(), quality];
    if !(sigma.iter().all(|s| s.is_finite()) && sigma[0] < waist && quality < m_squared) {
        return Err(unclear());
    }
    if m_squared + 4.0 * quality < 0.9 || m_squared > LARGEST {
        return Err(wrong(format!(
            "M^2 = {m_squared:.3} +- {quality:.3} is no beam's (diffraction allows 1 and more, lasers have below {LARGEST}); check the units of wavelength ({wavelength:.3e} \
             m), camera pitch and positions (waist found: {waist:.3e} m at {position:.3} m)"
        )));
    }
    Ok(Caustic {
        beam: Beam { waist, position, m_squared, wavelength },
        sigma,
        divergence: [angle, covariance[2][2].sqrt()],
        rms: (found.sum / planes.len() as f64).sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    const BEAM: Beam = Beam { waist: 217e-6, position: 0.524, m_squared: 1.21, wavelength: 632.8e-9 };

    fn planes() -> Vec<(f64, f64)> {
        (0..10).map(|k| 0.3 + 0.055 * f64::from(k)).map(|z| (z, BEAM.radius(z))).collect()
    }

    #[test]
    fn a_caustic_without_noise_is_found_exactly() {
        let found = fit(&planes(), BEAM.wavelength).expect("a caustic");
        for (got, want) in [
            (found.beam.waist, BEAM.waist),
            (found.beam.position, BEAM.position),
            (found.beam.m_squared, BEAM.m_squared),
            (found.divergence[0], BEAM.waist / BEAM.rayleigh()),
        ] {
            assert!((got / want - 1.0).abs() < 1e-8, "{got} {want}");
        }
    }

    #[test]
    fn uncertainties_cover_the_truth() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let mut inside = [0; 3];
        let draws = 400;
        for _ in 0..draws {
            // Sum of twelve uniform numbers: a normal one but for its far tails.
            let mut noise = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
            let noisy: Vec<_> = planes().into_iter().map(|(z, w)| (z, w + 3e-6 * noise())).collect();
            let found = fit(&noisy, BEAM.wavelength).expect("a caustic");
            let off = [
                found.beam.waist - BEAM.waist,
                found.beam.position - BEAM.position,
                found.beam.m_squared - BEAM.m_squared,
            ];
            (0..3).for_each(|k| inside[k] += usize::from(off[k].abs() < 2.0 * found.sigma[k]));
        }
        // Student's t with 7 degrees of freedom lies within two standard deviations in 91.4 % of all draws.
        assert!(inside.iter().all(|n| (0.87..0.96).contains(&(*n as f64 / draws as f64))), "{inside:?}");
    }

    #[test]
    fn mistakes_of_units_and_useless_planes_are_refused() {
        let text = |planes: &[(f64, f64)], wavelength: f64| fit(planes, wavelength).unwrap_err().to_string();
        assert!(text(&planes()[..4], BEAM.wavelength).contains("4 planes"));
        assert!(text(&planes(), 632.8e-6).contains("units of wavelength"));
        assert!(text(&planes(), 632.8e-12).contains("units of wavelength"));
        let small: Vec<_> = planes().iter().map(|(z, w)| (*z, w / 1000.0)).collect();
        assert!(text(&small, BEAM.wavelength).contains("camera pitch"));
        let same: Vec<_> = planes().iter().map(|(z, _)| (*z, 1e-4)).collect();
        assert!(text(&same, BEAM.wavelength).contains("further away"));
    }

    #[test]
    fn a_frame_holds_its_power_and_has_the_radius() {
        let frame = BEAM.frame(0.7, [400, 420], [3.75e-6; 2], [203.2, 207.9], 5e6);
        assert!((frame.sum() / 5e6 - 1.0).abs() < 1e-4, "{}", frame.sum());
        let spot = super::super::gaussian_spot(frame.view(), f64::INFINITY).expect("a spot");
        assert!((spot.radius() * 3.75e-6 / BEAM.radius(0.7) - 1.0).abs() < 1e-6);
        assert!((spot.centre[0] - 203.2).abs() < 1e-6 && (spot.power() / 5e6 - 1.0).abs() < 1e-6);
    }
}
