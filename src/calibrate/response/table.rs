//! The phase of gray values.

use std::f64::consts::TAU;

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
    /// The phase at a gray value: cubics between those of the sweep, with the slope that the parabola through each and its
    /// neighbours has there (de Boor, *A Practical Guide to Splines* (1978), ch. IV, "Bessel"); beyond the ends drawn out by
    /// straight lines. Chords of a bent curve err to one side at all gray values between, which looks like light from the gaps.
    pub fn at(&self, gray: f64) -> f64 {
        let last = self.gray.len() - 1;
        if last == 0 {
            return self.phase[0];
        }
        let k = self.gray.partition_point(|g| *g <= gray).clamp(1, last) - 1;
        let end = gray.clamp(self.gray[0], self.gray[last]);
        if gray != end {
            let n = if gray < end { 0 } else { last };
            return self.phase[n] + self.slope(n) * (gray - end);
        }
        let wide = self.gray[k + 1] - self.gray[k];
        let t = (gray - self.gray[k]) / wide;
        let chord = self.phase[k] + t * (self.phase[k + 1] - self.phase[k]);
        // By how much slopes at both ends differ from the chord's bends the curve away from it.
        let [left, right] = [k, k + 1].map(|n| (self.slope(n) - self.rise(k)) * wide);
        chord + t * (1.0 - t) * (left * (1.0 - t) - right * t)
    }

    /// Slope from gray value `k` of the sweep to the next.
    fn rise(&self, k: usize) -> f64 {
        (self.phase[k + 1] - self.phase[k]) / (self.gray[k + 1] - self.gray[k])
    }

    /// Slope at gray value `n` of the parabola through it and its neighbours, or through the three at an end; of the straight line
    /// through two.
    fn slope(&self, n: usize) -> f64 {
        let last = self.gray.len() - 1;
        if last == 1 {
            return self.rise(0);
        }
        let middle = n.clamp(1, last - 1);
        let [before, behind] = [middle - 1, middle].map(|k| self.gray[k + 1] - self.gray[k]);
        let [rise, next] = [self.rise(middle - 1), self.rise(middle)];
        let bend = (next - rise) / (before + behind);
        // Of rise + bend (2 g - g0 - g1) at the three.
        match n {
            _ if n < middle => rise - bend * before,
            _ if n > middle => next + bend * behind,
            _ => rise + bend * before,
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
    fn parabolas_are_met_between_uneven_gray_values_and_straight_lines_beyond() {
        let gray = vec![0.0, 10.0, 14.0, 40.0, 41.0];
        let parabola = |g: f64| 0.3 * g + 0.01 * g * g;
        let phase = gray.iter().map(|g| parabola(*g)).collect();
        let table = PhaseTable { sigma: vec![0.01; gray.len()], gray, phase, how: How::Order };
        for g in [0.0, 0.1, 9.0, 10.0, 12.0, 14.0, 33.0, 40.5, 41.0] {
            assert!((table.at(g) - parabola(g)).abs() < 1e-12, "{g}: {} {}", table.at(g), parabola(g));
        }
        let slope = 0.3 + 2.0 * 0.01 * 41.0;
        assert!((table.at(42.0) - (parabola(41.0) + slope)).abs() < 1e-12);
        assert!((table.at(-1.0) + 0.3).abs() < 1e-12);
        let two =
            PhaseTable { gray: vec![0.0, 8.0], phase: vec![0.0, 1.0], sigma: vec![0.01; 2], how: How::Order };
        assert!((two.at(2.0) - 0.25).abs() < 1e-15);
    }
}
