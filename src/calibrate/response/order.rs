//! From the intensity of a diffraction order to phases.
//!
//! A binary grating of the gray values 0 and g sends `sin^2(phase / 2)` of its light into the first orders and
//! `cos^2(phase / 2)` into the order 0 (stripes of equal width). Between turning points the sine is inverted; at the turning
//! points, where this says nothing, a smooth curve of phases that is fitted to all intensities goes on.

use std::f64::consts::PI;

use super::curve::{Curve, fit};
use super::error::{ResponseError, unfit};
use super::table::PhaseTable;
use crate::numeric::Factor;

/// Which order was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// One of the first orders: dark at phase 0.
    #[default]
    First,
    /// The order 0: bright at phase 0.
    Zero,
}

/// Intensities of the dark and the bright order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Levels {
    /// Those of the sweep's own turning points; its phase must pass pi.
    #[default]
    Measured,
    /// Known: intensity where the order is dark and where it is bright. `(0, 1)` for normalised data.
    Known(f64, f64),
}

/// Shares of the intensity's range by which it must have come back for a turn to be believed.
const BACK: [f64; 3] = [0.25, 0.12, 0.06];
/// What a radian of falling phase costs, in parts of the intensity's range.
const FALL: f64 = 0.1;

/// Phases of `(gray, intensity)`; the first (lowest) gray value is that of the grating's other stripes.
///
/// # Errors
/// Too few gray values, a sweep that does not begin dark (order 0: bright), or one whose levels are not known.
pub fn from_order(series: &[(f64, f64)], order: Order, levels: Levels) -> Result<PhaseTable, ResponseError> {
    let mut points = series.to_vec();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points.dedup_by(|a, b| a.0 == b.0);
    if points.len() < 8 || points.iter().any(|(g, i)| !(g.is_finite() && i.is_finite())) {
        return Err(unfit(format!(
            "{} gray values; a sweep needs 8 or more, each with its own finite intensity",
            points.len()
        )));
    }
    // The order 0 upside down is a first order.
    let sign = if order == Order::First { 1.0 } else { -1.0 };
    let gray: Vec<f64> = points.iter().map(|p| p.0).collect();
    let light: Vec<f64> = points.iter().map(|p| sign * p.1).collect();
    let smooth = smoothed(&gray, &light);
    let known = match (levels, order) {
        (Levels::Known(dark, bright), Order::First) => Some((dark, bright)),
        (Levels::Known(dark, bright), Order::Zero) => Some((-bright, -dark)),
        (Levels::Measured, _) => None,
    };
    if let Some((dark, bright)) = known.filter(|(dark, bright)| bright <= dark) {
        return Err(unfit(format!("the bright level {bright} is not above the dark level {dark}")));
    }
    let curve = Curve::new(&gray);
    // A sweep may end a little behind a turning point, and noise may turn for a while: the phases that rise and explain the
    // intensities best are right.
    let mut best: Option<(f64, PhaseTable)> = None;
    let mut tried: Vec<Vec<usize>> = Vec::new();
    for back in BACK {
        let turns = turns(&smooth, back)?;
        if tried.contains(&turns) {
            continue;
        }
        let (dark, bright) = known.map_or_else(|| measured(&smooth, &turns), Ok)?;
        let first = unfold(&smooth, &turns, dark, bright);
        let (table, left) = fit(&curve, &gray, &light, &first, [dark, bright], known.is_none())?;
        let falls: f64 = table.phase.windows(2).map(|w| (w[0] - w[1]).max(0.0)).sum();
        let score = left + FALL * falls;
        if best.as_ref().is_none_or(|(so_far, _)| score < *so_far) {
            best = Some((score, table));
        }
        tried.push(turns);
    }
    best.map(|(_, table)| table).ok_or_else(|| unfit("the sweep has no turning points"))
}

/// Local parabolas over a twentieth of the sweep to either side.
fn smoothed(gray: &[f64], light: &[f64]) -> Vec<f64> {
    let n = light.len();
    let half = (n / 20).clamp(1, 6);
    let one = |k: usize| {
        let range = k.saturating_sub(half)..(k + half + 1).min(n);
        if range.len() < 4 {
            return light[k];
        }
        // Normal equations of 1, x, x^2 about the point itself.
        let (mut m, mut b) = ([0.0; 9], [0.0; 3]);
        let scale = (gray[range.end - 1] - gray[range.start]).max(f64::MIN_POSITIVE);
        for j in range {
            let x = (gray[j] - gray[k]) / scale;
            let basis = [1.0, x, x * x];
            for (r, u) in basis.iter().enumerate() {
                b[r] += u * light[j];
                for (c, v) in basis.iter().enumerate() {
                    m[r * 3 + c] += u * v;
                }
            }
        }
        Factor::of(&m, 3).map_or(light[k], |f| f.solve(&b)[0])
    };
    (0..n).map(one).collect()
}

/// Where the intensity turns: brightest, darkest, brightest place and so on. A turn is believed once the intensity has come back
/// by the share `back` of its range.
fn turns(light: &[f64], back: f64) -> Result<Vec<usize>, ResponseError> {
    let (low, high) = light.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    let enough = back * (high - low);
    if enough <= 0.0 {
        return Err(unfit(
            "the order's intensity does not change; is the grating shown, and the region on its order?",
        ));
    }
    if light[0] - low > 0.25 * (high - low) {
        return Err(unfit(
            "the sweep does not begin where the phase is 0 (a first order dark, the order 0 bright); begin it with the gray \
             value of the other stripes, and check which order is measured",
        ));
    }
    let (mut all, mut best, mut rising) = (Vec::new(), 0, true);
    for (k, v) in light.iter().enumerate() {
        let ahead = if rising { v - light[best] } else { light[best] - v };
        if ahead >= 0.0 {
            best = k;
        } else if ahead < -enough {
            all.push(best);
            (best, rising) = (k, !rising);
        }
    }
    Ok(all)
}

fn measured(light: &[f64], turns: &[usize]) -> Result<(f64, f64), ResponseError> {
    let mean = |places: Vec<usize>| {
        let n = places.len() as f64;
        places.into_iter().map(|k| light[k]).sum::<f64>() / n
    };
    let bright: Vec<usize> = turns.iter().copied().step_by(2).collect();
    if bright.is_empty() {
        return Err(unfit(
            "the intensity never turns: the phase stays below pi, and nothing tells how bright the order would be; give its \
             levels, or normalise by the light of the order at a known phase",
        ));
    }
    let dark = std::iter::once(0).chain(turns.iter().copied().skip(1).step_by(2)).collect();
    Ok((mean(dark), mean(bright)))
}

/// The sine inverted, from one turning point to the next.
fn unfold(light: &[f64], turns: &[usize], dark: f64, bright: f64) -> Vec<f64> {
    let mut passed = 0;
    let mut phases = Vec::with_capacity(light.len());
    for (k, v) in light.iter().enumerate() {
        while turns.get(passed).is_some_and(|t| *t <= k) {
            passed += 1;
        }
        let half = ((v - dark) / (bright - dark)).clamp(0.0, 1.0).sqrt().asin();
        let within = if passed % 2 == 0 { 2.0 * half } else { PI - 2.0 * half };
        phases.push(PI * passed as f64 + within);
    }
    phases
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    /// Deterministic numbers that look like noise, of standard deviation 1.
    fn noise(k: usize) -> f64 {
        let [a, b, ..] = crate::device::noise::normals([3, 5], k as u32, 1, 2);
        f64::from(a + b) / 2.0_f64.sqrt()
    }

    fn phase(g: f64) -> f64 {
        TAU * 1.12 * (g / 256.0).powf(1.3)
    }

    #[test]
    fn orders_of_a_grating_give_the_phases_back() {
        for (order, share) in [
            (Order::First, &(|p: f64| (0.5 * p).sin().powi(2)) as &dyn Fn(f64) -> f64),
            (Order::Zero, &|p: f64| (0.5 * p).cos().powi(2)),
        ] {
            let series: Vec<(f64, f64)> = (0..256)
                .map(|g| (f64::from(g), 40.0 + 300.0 * share(phase(f64::from(g))) + 4.0 * noise(g as usize)))
                .collect();
            let table = from_order(&series, order, Levels::Measured).unwrap();
            let errors: Vec<f64> = table.gray.iter().zip(&table.phase).map(|(g, p)| p - phase(*g)).collect();
            let rms = (errors.iter().map(|e| e * e).sum::<f64>() / 256.0).sqrt();
            assert!(rms < 0.03, "{order:?}: {rms}");
            // Noise of 4 in a slope of 150 a radian; stated uncertainties are those of the errors.
            let chi: f64 = errors[5..].iter().zip(&table.sigma[5..]).map(|(e, s)| (e / s).powi(2)).sum();
            assert!((0.1..4.0).contains(&(chi / 251.0)), "{order:?}: {}", chi / 251.0);
            let law = table.power().unwrap();
            assert!((law.gamma - 1.3).abs() < 0.02 && (law.range - 1.12).abs() < 0.01, "{law:?}");
        }
    }

    #[test]
    fn a_short_range_needs_known_levels() {
        let series: Vec<(f64, f64)> =
            (0..64).map(|g| (4.0 * f64::from(g), (0.5 * f64::from(g) * 0.04).sin().powi(2))).collect();
        let message = from_order(&series, Order::First, Levels::Measured).unwrap_err().to_string();
        assert!(message.contains("below pi"), "{message}");
        let table = from_order(&series, Order::First, Levels::Known(0.0, 1.0)).unwrap();
        assert!((table.phase[63] - 63.0 * 0.04).abs() < 1e-2, "{}", table.phase[63]);
    }

    #[test]
    fn what_is_no_sweep_is_refused() {
        let flat: Vec<(f64, f64)> = (0..20).map(|g| (f64::from(g), 1.0)).collect();
        assert!(
            from_order(&flat, Order::First, Levels::Measured).unwrap_err().to_string().contains("not change")
        );
        assert!(
            from_order(&flat[..5], Order::First, Levels::Measured)
                .unwrap_err()
                .to_string()
                .contains("5 gray")
        );
        let bright: Vec<(f64, f64)> = (0..64).map(|g| (f64::from(g), (f64::from(g) * 0.05).cos())).collect();
        let message = from_order(&bright, Order::First, Levels::Measured).unwrap_err().to_string();
        assert!(message.contains("does not begin"), "{message}");
    }
}
