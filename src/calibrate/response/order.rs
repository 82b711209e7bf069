//! From the intensity of a diffraction order to phases.
//!
//! A binary grating of the gray values 0 and g sends `sin^2(phase / 2)` of its light into the first orders and
//! `cos^2(phase / 2)` into the order 0 (stripes of equal width). Between turning points the sine is inverted; at the turning
//! points, where this says nothing, a smooth curve of phases that is fitted to all intensities goes on.

use std::f64::consts::PI;

use super::error::{ResponseError, unfit};
use super::linear;
use super::table::{How, PhaseTable};

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

/// Third differences of the curve's coefficients, radians, that are thought possible.
const BEND: f64 = 0.1;
/// How well it is known that the phase begins at 0, radians.
const START: f64 = 1e-4;

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
    let turns = turns(&smooth)?;
    let (dark, bright) = match (levels, order) {
        (Levels::Known(dark, bright), Order::First) => (dark, bright),
        (Levels::Known(dark, bright), Order::Zero) => (-bright, -dark),
        (Levels::Measured, _) => measured(&smooth, &turns)?,
    };
    if !(bright > dark) {
        return Err(unfit(format!("the bright level {bright} is not above the dark level {dark}")));
    }
    let first: Vec<f64> = unfold(&smooth, &turns, dark, bright);
    let curve = Curve::new(&gray);
    fit(&curve, &gray, &light, &first, [dark, bright], matches!(levels, Levels::Measured))
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
        linear::factor(&m, 3).map_or(light[k], |l| linear::solve(&l, &b)[0])
    };
    (0..n).map(one).collect()
}

/// Where the intensity turns: brightest, darkest, brightest place and so on. A turn is believed once the intensity has come back
/// by a quarter of its range.
fn turns(light: &[f64]) -> Result<Vec<usize>, ResponseError> {
    let (low, high) = light.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    let enough = 0.25 * (high - low);
    if !(enough > 0.0) {
        return Err(unfit(
            "the order's intensity does not change; is the grating shown, and the region on its order?",
        ));
    }
    if light[0] - low > enough {
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

/// Cubic B-splines over equal intervals.
struct Curve {
    first: f64,
    step: f64,
    intervals: usize,
}

impl Curve {
    fn new(gray: &[f64]) -> Self {
        let intervals = (gray.len() / 6).clamp(3, 24);
        let first = gray[0];
        Self { first, step: (gray[gray.len() - 1] - first) / intervals as f64, intervals }
    }

    fn len(&self) -> usize {
        self.intervals + 3
    }

    /// The first of the four splines that are not 0 at a gray value, and their values.
    fn at(&self, gray: f64) -> (usize, [f64; 4]) {
        let u = ((gray - self.first) / self.step).clamp(0.0, self.intervals as f64);
        let k = (u as usize).min(self.intervals - 1);
        let t = u - k as f64;
        let (t2, t3) = (t * t, t * t * t);
        let values = [
            (1.0 - t).powi(3) / 6.0,
            (3.0 * t3 - 6.0 * t2 + 4.0) / 6.0,
            (-3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0) / 6.0,
            t3 / 6.0,
        ];
        (k, values)
    }

    fn value(&self, c: &[f64], gray: f64) -> f64 {
        let (k, b) = self.at(gray);
        b.iter().enumerate().map(|(j, b)| b * c[k + j]).sum()
    }
}

/// Rows of a least-squares problem, collected as normal equations.
struct Normal {
    matrix: Vec<f64>,
    right: Vec<f64>,
    square: f64,
}

impl Normal {
    fn new(n: usize) -> Self {
        Self { matrix: vec![0.0; n * n], right: vec![0.0; n], square: 0.0 }
    }

    fn row(&mut self, row: &[(usize, f64)], rest: f64) {
        let n = self.right.len();
        for &(i, u) in row {
            self.right[i] += u * rest;
            row.iter().for_each(|&(j, v)| self.matrix[i * n + j] += u * v);
        }
        self.square += rest * rest;
    }
}

/// Fits the curve, and the two levels where they are free, to the intensities (Levenberg-Marquardt).
fn fit(
    curve: &Curve,
    gray: &[f64],
    light: &[f64],
    first: &[f64],
    mut levels: [f64; 2],
    free: bool,
) -> Result<PhaseTable, ResponseError> {
    let n = curve.len();
    let all = if free { n + 2 } else { n };
    let mut c = start(curve, gray, first)?;
    let mut sigma = noise(gray, light).max(1e-4 * (levels[1] - levels[0]));
    let rows = |c: &[f64], levels: [f64; 2], sigma: f64| {
        let mut normal = Normal::new(all);
        for (g, y) in gray.iter().zip(light) {
            let (k, b) = curve.at(*g);
            let phase: f64 = b.iter().enumerate().map(|(j, b)| b * c[k + j]).sum();
            let share = (0.5 * phase).sin().powi(2);
            let slope = 0.5 * (levels[1] - levels[0]) * phase.sin();
            let mut row: Vec<(usize, f64)> = (0..4).map(|j| (k + j, slope * b[j] / sigma)).collect();
            if free {
                row.extend([(n, (1.0 - share) / sigma), (n + 1, share / sigma)]);
            }
            normal.row(&row, (y - levels[0] - (levels[1] - levels[0]) * share) / sigma);
        }
        for k in 0..n - 3 {
            let third = c[k + 3] - 3.0 * c[k + 2] + 3.0 * c[k + 1] - c[k];
            let row = [(k, -1.0), (k + 1, 3.0), (k + 2, -3.0), (k + 3, 1.0)].map(|(i, v)| (i, v / BEND));
            normal.row(&row, -third / BEND);
        }
        let (k, b) = curve.at(gray[0]);
        let begin: f64 = b.iter().enumerate().map(|(j, b)| b * c[k + j]).sum();
        let row: Vec<(usize, f64)> = (0..4).map(|j| (k + j, b[j] / START)).collect();
        normal.row(&row, -begin / START);
        normal
    };
    let singular = || unfit("the intensities do not determine the phases; record more gray values");
    // Twice: what the first fit leaves tells the noise.
    for _ in 0..2 {
        let mut damping = 1e-3;
        let mut now = rows(&c, levels, sigma);
        for _ in 0..200 {
            let mut damped = now.matrix.clone();
            (0..all).for_each(|i| damped[i * all + i] *= 1.0 + damping);
            let step = linear::solve(&linear::factor(&damped, all).ok_or_else(singular)?, &now.right);
            let next: Vec<f64> = c.iter().zip(&step).map(|(c, s)| c + s).collect();
            let moved = if free { [levels[0] + step[n], levels[1] + step[n + 1]] } else { levels };
            let then = rows(&next, moved, sigma);
            if then.square <= now.square {
                let gain = now.square - then.square;
                (c, levels, damping) = (next, moved, (damping * 0.3).max(1e-12));
                let done = gain <= 1e-10 * then.square;
                now = then;
                if done {
                    break;
                }
            } else if damping > 1e9 {
                break;
            } else {
                damping *= 5.0;
            }
        }
        let left = |(g, y): (&f64, &f64)| {
            let share = (0.5 * curve.value(&c, *g)).sin().powi(2);
            (y - levels[0] - (levels[1] - levels[0]) * share).powi(2)
        };
        let free_points = gray.len().saturating_sub(all).max(gray.len() / 4).max(1) as f64;
        let rms = (gray.iter().zip(light).map(left).sum::<f64>() / free_points).sqrt();
        sigma = rms.max(1e-6 * (levels[1] - levels[0]).abs());
    }
    let l = linear::factor(&rows(&c, levels, sigma).matrix, all).ok_or_else(singular)?;
    let spread = |g: &f64| {
        let (k, b) = curve.at(*g);
        let mut v = vec![0.0; all];
        b.iter().enumerate().for_each(|(j, b)| v[k + j] = *b);
        linear::variance(&l, &v).max(0.0).sqrt()
    };
    let begin = curve.value(&c, gray[0]);
    Ok(PhaseTable {
        gray: gray.to_vec(),
        phase: gray.iter().map(|g| curve.value(&c, *g) - begin).collect(),
        sigma: gray.iter().map(spread).collect(),
        how: How::Order,
    })
}

/// The curve through the unfolded phases.
fn start(curve: &Curve, gray: &[f64], phase: &[f64]) -> Result<Vec<f64>, ResponseError> {
    let n = curve.len();
    let mut normal = Normal::new(n);
    for (g, p) in gray.iter().zip(phase) {
        let (k, b) = curve.at(*g);
        normal.row(&[0, 1, 2, 3].map(|j| (k + j, b[j])), *p);
    }
    for k in 0..n - 2 {
        normal.row(&[(k, 0.03), (k + 1, -0.06), (k + 2, 0.03)], 0.0);
    }
    let l = linear::factor(&normal.matrix, n).ok_or_else(|| unfit("the gray values lie too unevenly"))?;
    Ok(linear::solve(&l, &normal.right))
}

/// Noise of the intensities, from what neighbours do not explain: their second differences.
fn noise(gray: &[f64], light: &[f64]) -> f64 {
    let mut all: Vec<f64> = (1..gray.len() - 1)
        .map(|k| {
            let share = (gray[k] - gray[k - 1]) / (gray[k + 1] - gray[k - 1]);
            let rest = light[k] - (1.0 - share) * light[k - 1] - share * light[k + 1];
            rest.abs() / (1.0 + share * share + (1.0 - share).powi(2)).sqrt()
        })
        .collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2] / 0.6745
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
