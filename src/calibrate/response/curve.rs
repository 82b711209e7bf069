//! A smooth curve of phases, fitted to intensities that go with the sine squared of half of it.

use super::error::{ResponseError, unfit};
use super::table::{How, PhaseTable};
use crate::numeric::Factor;

/// Third differences of the curve's coefficients, radians, that are thought possible.
const BEND: f64 = 0.1;
/// How well it is known that the phase begins at 0, radians.
const START: f64 = 1e-4;

/// Cubic B-splines over equal intervals.
pub(super) struct Curve {
    first: f64,
    step: f64,
    intervals: usize,
}

impl Curve {
    /// For intensities, of which only some tell the phase.
    pub(super) fn new(gray: &[f64]) -> Self {
        Self::of(gray, gray.len() / 6)
    }

    fn of(gray: &[f64], intervals: usize) -> Self {
        let intervals = intervals.clamp(3, 24);
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

    /// Its standard deviation, by the factor of the normal equations of all coefficients and what else was fitted.
    fn spread(&self, l: &Factor, all: usize, gray: f64) -> f64 {
        let (k, b) = self.at(gray);
        let mut v = vec![0.0; all];
        b.iter().enumerate().for_each(|(j, b)| v[k + j] = *b);
        l.variance(&v).max(0.0).sqrt()
    }

    /// Adds that third differences of the coefficients `c` are small.
    fn stiffen(&self, normal: &mut Normal, c: &[f64]) {
        for k in 0..self.intervals {
            let third = c[k + 3] - 3.0 * c[k + 2] + 3.0 * c[k + 1] - c[k];
            let row = [(k, -1.0), (k + 1, 3.0), (k + 2, -3.0), (k + 3, 1.0)].map(|(i, v)| (i, v / BEND));
            normal.row(&row, -third / BEND);
        }
    }

    /// Adds a phase that is known to `sigma`.
    fn meet(&self, normal: &mut Normal, c: &[f64], (gray, phase, sigma): (f64, f64, f64)) {
        let (k, b) = self.at(gray);
        let row: Vec<(usize, f64)> = (0..4).map(|j| (k + j, b[j] / sigma)).collect();
        normal.row(&row, (phase - self.value(c, gray)) / sigma);
    }
}

/// The smooth curve through the phases of a table whose gray values err one by one, with its uncertainty, and what it leaves: mean
/// square in units of theirs.
pub(super) fn smooth(table: &PhaseTable) -> Option<(PhaseTable, f64)> {
    let curve = Curve::of(&table.gray, table.gray.len() / 3);
    let n = curve.len();
    let mut normal = Normal::new(n);
    let points: Vec<_> = table.gray.iter().zip(&table.phase).zip(&table.sigma).collect();
    for (k, &((gray, phase), sigma)) in points.iter().enumerate() {
        let sigma = if k == 0 { START } else { sigma.max(START) };
        curve.meet(&mut normal, &vec![0.0; n], (*gray, *phase, sigma));
    }
    curve.stiffen(&mut normal, &vec![0.0; n]);
    let l = Factor::of(&normal.matrix, n)?;
    let c = l.solve(&normal.right);
    let left = |((gray, phase), sigma): &((&f64, &f64), &f64)| {
        ((*phase - curve.value(&c, **gray)) / sigma.max(START)).powi(2)
    };
    let free = points.len().saturating_sub(n).max(points.len() / 4).max(1) as f64;
    let chi_square = points.iter().skip(1).map(left).sum::<f64>() / free;
    let wider = chi_square.max(1.0).sqrt();
    let begin = curve.value(&c, table.gray[0]);
    let found = PhaseTable {
        phase: table.gray.iter().map(|g| curve.value(&c, *g) - begin).collect(),
        sigma: table.gray.iter().map(|g| wider * curve.spread(&l, n, *g)).collect(),
        ..table.clone()
    };
    Some((found, chi_square))
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

/// Fits the curve, and the two levels where they are free, to the intensities (Levenberg-Marquardt). Beside the table: what is
/// left of the intensities, rms, in parts of the range between the levels.
pub(super) fn fit(
    curve: &Curve,
    gray: &[f64],
    light: &[f64],
    first: &[f64],
    mut levels: [f64; 2],
    free: bool,
) -> Result<(PhaseTable, f64), ResponseError> {
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
        curve.stiffen(&mut normal, c);
        curve.meet(&mut normal, c, (gray[0], 0.0, START));
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
            let step = Factor::of(&damped, all).ok_or_else(singular)?.solve(&now.right);
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
    let l = Factor::of(&rows(&c, levels, sigma).matrix, all).ok_or_else(singular)?;
    let begin = curve.value(&c, gray[0]);
    let table = PhaseTable {
        gray: gray.to_vec(),
        phase: gray.iter().map(|g| curve.value(&c, *g) - begin).collect(),
        sigma: gray.iter().map(|g| curve.spread(&l, all, *g)).collect(),
        how: How::Order,
    };
    Ok((table, sigma / (levels[1] - levels[0]).abs()))
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
    let l = Factor::of(&normal.matrix, n).ok_or_else(|| unfit("the gray values lie too unevenly"))?;
    Ok(l.solve(&normal.right))
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
