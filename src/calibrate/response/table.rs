//! The phase of gray values.

use std::f64::consts::TAU;

use super::cubics::cubic;
use super::curve;
use super::error::{ResponseError, unfit};

/// How a table was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// From the intensity of a diffraction order.
    Order,
    /// From the carrier of fringes.
    Fringes,
    /// From whole frames with unknown steps.
    Frames,
}

/// Phase against gray value, from the first gray value of the sweep on.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseTable {
    /// Gray values, ascending.
    pub gray: Vec<f64>,
    /// Phase against that of the first, radians, unwrapped.
    pub phase: Vec<f64>,
    /// One standard deviation, radians.
    pub sigma: Vec<f64>,
    /// How it was found.
    pub how: How,
}

/// A table as a power law: `phase = 2 pi range (gray / 256)^gamma`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    /// Phase range in units of `2 pi`.
    pub range: f64,
    /// Its standard deviation.
    pub range_sigma: f64,
    /// Non-linearity: the exponent, 1 for a linear device.
    pub gamma: f64,
    /// Its standard deviation.
    pub gamma_sigma: f64,
    /// What the power law leaves, radians rms.
    pub rms: f64,
    /// The same in units of the table's own uncertainty, mean square.
    pub chi_square: f64,
}

impl Power {
    /// Whether the table says no more than the power law does: what it leaves is the noise of the table.
    pub fn holds(&self) -> bool {
        self.chi_square < NOISE
    }
}

/// Largest `chi_square` of a law that holds. Phases of a smooth curve err together, so that it scatters as one of some six numbers
/// does, by half of itself; and what a law leaves that is twice the noise of a table matters no more than that noise.
const NOISE: f64 = 4.0;

/// Gray values that a table may be drawn out by: the device's range ends at 256, one beyond the largest gray value.
const BEYOND: f64 = 2.0;

impl PhaseTable {
    /// The phase at a gray value: cubics between those of the sweep, straight lines beyond.
    pub fn at(&self, gray: f64) -> f64 {
        cubic(&self.gray, &self.phase, gray)
    }

    /// The standard deviation at a gray value, between those of the sweep as their own.
    pub fn sigma_at(&self, gray: f64) -> f64 {
        let last = self.gray.len() - 1;
        let k = self.gray.partition_point(|g| *g <= gray).clamp(1, last.max(1)) - 1;
        let next = (k + 1).min(last);
        let t = ((gray - self.gray[k]) / (self.gray[next] - self.gray[k])).clamp(0.0, 1.0);
        if k == next { self.sigma[k] } else { self.sigma[k] + t * (self.sigma[next] - self.sigma[k]) }
    }

    /// The smooth curve through the phases, where it leaves no more than their noise: gray values of a sweep err one by one, and
    /// modulators answer smoothly. A table that was found as a curve, or that has kinks, stays what it is.
    pub fn smooth(self) -> Self {
        if self.how == How::Order {
            return self;
        }
        match curve::smooth(&self) {
            Some((smooth, chi_square)) if chi_square < NOISE => smooth,
            _ => self,
        }
    }

    /// Phases at commands `0..=2 pi` (gray 0 to 256), as `lut` of `[imperfections]` has them.
    ///
    /// # Errors
    /// A sweep that does not reach from gray 0 to 255.
    pub fn lut(&self) -> Result<Vec<f64>, ResponseError> {
        let (first, last) = (self.gray[0], self.gray[self.gray.len() - 1]);
        if first > 0.0 || last < 256.0 - BEYOND {
            return Err(unfit(format!(
                "the sweep goes from gray {first} to {last}; a look-up table needs 0 to 255: record the others"
            )));
        }
        Ok((0..=256).map(|g| self.at(f64::from(g))).collect())
    }

    /// The phase of the largest gray value, in units of `2 pi`.
    pub fn range(&self) -> f64 {
        (self.phase[self.phase.len() - 1] - self.phase[0]) / TAU
    }

    /// The power law that comes nearest, by weighted least squares.
    ///
    /// # Errors
    /// A table that has no rise, or fewer than three gray values above 0.
    pub fn power(&self) -> Result<Power, ResponseError> {
        let points: Vec<(f64, f64, f64)> = self
            .gray
            .iter()
            .zip(&self.phase)
            .zip(&self.sigma)
            .filter(|((g, _), _)| **g > 0.0)
            .map(|((g, p), s)| (g / 256.0, *p, s.max(1e-6)))
            .collect();
        let Some(&(x, top, _)) = points.last().filter(|last| points.len() >= 3 && last.1 > 0.0) else {
            return Err(unfit("a power law needs a phase that rises over three gray values or more above 0"));
        };
        let (mut range, mut gamma) = (top / TAU / x, 1.0_f64);
        let mut normal = [0.0; 3];
        for _ in 0..100 {
            let mut right = [0.0; 2];
            normal = [0.0; 3];
            for &(x, phase, sigma) in &points {
                let law = TAU * x.powf(gamma);
                let (dr, dg, rest) = (law, range * law * x.ln(), phase - range * law);
                let w = 1.0 / (sigma * sigma);
                normal[0] += w * dr * dr;
                normal[1] += w * dr * dg;
                normal[2] += w * dg * dg;
                right[0] += w * dr * rest;
                right[1] += w * dg * rest;
            }
            let det = normal[0] * normal[2] - normal[1] * normal[1];
            let step = [
                (normal[2] * right[0] - normal[1] * right[1]) / det,
                (normal[0] * right[1] - normal[1] * right[0]) / det,
            ];
            range += step[0];
            gamma = (gamma + step[1]).clamp(0.05, 20.0);
            if step[0].abs() < 1e-12 && step[1].abs() < 1e-12 {
                break;
            }
        }
        let rest = |&(x, phase, _): &(f64, f64, f64)| (phase - TAU * range * x.powf(gamma)).powi(2);
        let rms = (points.iter().map(rest).sum::<f64>() / points.len() as f64).sqrt();
        // A law that does not hold is known no better than it fits.
        let chi =
            points.iter().map(|p| rest(p) / (p.2 * p.2)).sum::<f64>() / (points.len() - 2).max(1) as f64;
        let (scale, det) = (chi.max(1.0), normal[0] * normal[2] - normal[1] * normal[1]);
        if !(range.is_finite() && det > 0.0) {
            return Err(unfit("no power law comes near the table"));
        }
        Ok(Power {
            range,
            range_sigma: (scale * normal[2] / det).sqrt(),
            gamma,
            gamma_sigma: (scale * normal[0] / det).sqrt(),
            rms,
            chi_square: chi,
        })
    }
}

/// Phases in `-pi..=pi` of ascending gray values, unwrapped and counted from the first, rising on the whole.
pub(super) fn unwrapped(wrapped: &[f64]) -> Vec<f64> {
    let mut all = Vec::with_capacity(wrapped.len());
    let mut last = 0.0;
    for (k, p) in wrapped.iter().enumerate() {
        if k > 0 {
            let step = p - wrapped[k - 1];
            last += step - TAU * (step / TAU).round();
        }
        all.push(last);
    }
    if last < 0.0 {
        all.iter_mut().for_each(|p| *p = -*p);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_law_is_found_in_its_table() {
        let gray: Vec<f64> = (0..=51).map(|k| 5.0 * f64::from(k)).collect();
        let phase: Vec<f64> = gray.iter().map(|g| TAU * 0.93 * (g / 256.0).powf(1.21)).collect();
        let table = PhaseTable { sigma: vec![0.01; gray.len()], gray, phase, how: How::Order };
        let law = table.power().unwrap();
        assert!((law.range - 0.93).abs() < 1e-9 && (law.gamma - 1.21).abs() < 1e-9 && law.rms < 1e-9);
        assert!(law.range_sigma > 0.0 && law.range_sigma < 0.01);
        let lut = table.lut().unwrap();
        assert_eq!(lut.len(), 257);
        for (k, found) in lut.iter().enumerate().skip(5) {
            let expected = TAU * 0.93 * (k as f64 / 256.0).powf(1.21);
            assert!((found - expected).abs() < 3e-3 / k as f64, "{k}: {found} {expected}");
        }
        let part = PhaseTable {
            gray: table.gray[..30].to_vec(),
            phase: table.phase[..30].to_vec(),
            sigma: table.sigma[..30].to_vec(),
            how: How::Order,
        };
        assert!(part.lut().unwrap_err().to_string().contains("0 to 145"));
    }

    #[test]
    fn noise_of_single_gray_values_is_smoothed_and_kinks_are_not() {
        let noise = |k: u32| f64::from(crate::device::noise::normals([9, k], 1, 2, 0)[0]);
        let bent: fn(f64) -> f64 = |g| 5.5 * (g / 256.0) + 0.4 * (TAU * g / 256.0).sin();
        let gray: Vec<f64> = (0..=32).map(|k| (8.0 * f64::from(k)).min(255.0)).collect();
        let sigma: Vec<f64> = gray.iter().map(|g| if *g == 0.0 { 0.0 } else { 0.02 }).collect();
        let measured = |f: fn(f64) -> f64| -> Vec<f64> {
            let one = |(g, k): (&f64, u32)| if k == 0 { 0.0 } else { f(*g) + 0.02 * noise(k) };
            gray.iter().zip(0..).map(one).collect()
        };
        let table = |phase| PhaseTable { gray: gray.clone(), phase, sigma: sigma.clone(), how: How::Frames };
        let raw = table(measured(bent));
        let smooth = raw.clone().smooth();
        let square =
            |t: &PhaseTable| t.gray.iter().zip(&t.phase).map(|(g, p)| (p - bent(*g)).powi(2)).sum::<f64>();
        let chi: f64 = (1..33)
            .map(|k| ((smooth.phase[k] - bent(smooth.gray[k])) / smooth.sigma[k]).powi(2))
            .sum::<f64>()
            / 32.0;
        assert!(square(&smooth) < 0.6 * square(&raw), "{} {}", square(&smooth), square(&raw));
        assert!((0.2..3.0).contains(&chi), "{chi}");
        assert!(smooth.sigma_at(100.0) < 0.015 && smooth.sigma_at(300.0) == smooth.sigma[32]);
        let kinked = table(measured(|g| if g < 128.0 { 0.0 } else { 3.0 }));
        assert_eq!(kinked.clone().smooth(), kinked);
        let found = PhaseTable { how: How::Order, ..raw };
        assert_eq!(found.clone().smooth(), found);
    }
}
