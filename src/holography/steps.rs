//! Phase steps that nobody knows, from the frames themselves.

use std::f64::consts::{PI, TAU};

use ndarray::{Array2, Zip};
use num_complex::Complex64;

use super::HolographyError;
use crate::optics::{Field, dft};

/// The second component must stand out of the third, which is background or noise, by this factor in power.
const STANDS_OUT: f64 = 10.0;
/// The same without the background, where the third is noise alone.
const ABOVE_NOISE: f64 = 4.0;
/// Cells along a side in which the spectra are compared.
const CELLS: usize = 64;
/// Power of the changes from frame to frame over that of what stays, above which a part of the spectrum holds moving fringes:
/// a fifth of drift in the brightness makes 0.04 of what stands still, fringes that step over a sixth of a turn 0.2.
const MOVING: f64 = 0.1;
/// Power of changes below this share of the strongest is noise.
const FAINT: f64 = 0.02;
/// Modulations within this of each other, and brightness within that, are taken to be equal: fringes that are few leave as much
/// doubt.
const SAME_MODULATION: f64 = 0.1;
const SAME_GAIN: f64 = 0.02;

/// Rounds between fringes and steps, and the change of steps that ends them, radians.
const ROUNDS: usize = 100;
const SETTLED: f64 = 1e-6;

/// Steps, and how brightness and fringes drift.
#[derive(Clone)]
pub(super) struct Start {
    /// Radians from the first.
    pub(super) steps: Vec<f64>,
    /// Brightness of what stands still, mean 1.
    pub(super) gains: Vec<f64>,
    /// Contrast of the fringes, mean 1.
    pub(super) modulations: Vec<f64>,
}

/// `a - b`, radians, `-pi..pi`.
pub(crate) fn apart(a: f64, b: f64) -> f64 {
    (a - b + PI).rem_euclid(TAU) - PI
}

/// Steps from frames: by the fringes alone where their frequencies are their own, otherwise by the frames less their mean, which
/// supposes that neither brightness nor contrast drift.
///
/// # Errors
/// Frames that differ by no moving fringes.
pub(super) fn start(frames: &[Array2<f64>]) -> Result<Start, HolographyError> {
    match apart_from_background(frames) {
        Some(found) => Ok(found),
        None => less_mean(frames),
    }
}

/// Steps by principal components (Vargas et al., Opt. Lett. 36, 1326 (2011)), of those frequencies only in which the frames
/// change: there the background is not, so that the frames are points `m_n (cos d_n, sin d_n)` in the plane of the two strongest
/// components, and neither a drift of the brightness nor of the contrast moves their angles. `None` where background and
/// fringes share their frequencies.
fn apart_from_background(frames: &[Array2<f64>]) -> Option<Start> {
    let n = frames.len();
    let spectra: Vec<Field> = frames
        .iter()
        .map(|frame| {
            let mut spectrum = frame.mapv(Complex64::from);
            dft(&mut spectrum, false);
            spectrum
        })
        .collect();
    let mean = spectra.iter().fold(Field::zeros(spectra[0].dim()), |sum, s| sum + s) / n as f64;
    let cell = |(r, c): (usize, usize)| {
        let place = |k: usize, n: usize| (k * CELLS + n / 2) / n % CELLS;
        [place(r, mean.nrows()), place(c, mean.ncols())]
    };
    let (mut changes, mut rest) =
        (Array2::<f64>::zeros((CELLS, CELLS)), Array2::<f64>::zeros((CELLS, CELLS)));
    for (at, m) in mean.indexed_iter() {
        changes[cell(at)] += spectra.iter().map(|s| (s[at] - m).norm_sqr()).sum::<f64>();
        rest[cell(at)] += n as f64 * m.norm_sqr();
    }
    let faint = FAINT * changes.iter().copied().fold(0.0, f64::max);
    let moving = |at: [usize; 2]| changes[at] > MOVING * rest[at];
    let mut covariance = vec![vec![0.0; n]; n];
    let (mut still, mut shares) = (0.0, vec![0.0; n]);
    for (at, m) in mean.indexed_iter() {
        let place = cell(at);
        if !moving(place) {
            still += m.norm_sqr();
            shares.iter_mut().zip(&spectra).for_each(|(g, s)| *g += (s[at] * m.conj()).re);
        } else if changes[place] >= faint {
            for (i, row) in covariance.iter_mut().enumerate() {
                row.iter_mut().zip(&spectra).for_each(|(v, s)| *v += (spectra[i][at] * s[at].conj()).re);
            }
        }
    }
    let components = eigen(covariance);
    let (first, second, noise) = (&components[0], &components[1], components[2].0.max(0.0));
    if second.0.is_nan() || second.0 <= STANDS_OUT * noise.max(f64::EPSILON * first.0) {
        return None;
    }
    // Noise adds to every component alike.
    let length = [first, second].map(|c| (c.0 - noise).sqrt());
    let points: Vec<[f64; 2]> = (0..n).map(|k| [length[0] * first.1[k], length[1] * second.1[k]]).collect();
    let gains = if still > 0.0 { shares.iter().map(|g| g / still).collect() } else { vec![1.0; n] };
    Some(Start {
        steps: from_first(points.iter().map(|p| p[1].atan2(p[0])).collect()),
        gains: unless_equal(gains, SAME_GAIN),
        modulations: unless_equal(points.iter().map(|p| p[0].hypot(p[1])).collect(), SAME_MODULATION),
    })
}

/// Steps by the components of the frames less their mean: points on a circle around a centre that is not the origin. Then in turns
/// the fringes by the steps and the steps by the fringes (Wang & Han, Opt. Lett. 29, 1671 (2004)).
fn less_mean(frames: &[Array2<f64>]) -> Result<Start, HolographyError> {
    let n = frames.len();
    let sum = frames.iter().fold(Array2::<f64>::zeros(frames[0].dim()), |sum, f| sum + f);
    let mean = sum / n as f64;
    let rest: Vec<Array2<f64>> = frames.iter().map(|f| f - &mean).collect();
    let dot = |a: &Array2<f64>, b: &Array2<f64>| Zip::from(a).and(b).fold(0.0, |sum, a, b| sum + a * b);
    let components = eigen(rest.iter().map(|a| rest.iter().map(|b| dot(a, b)).collect()).collect());
    let (first, second) = (&components[0], &components[1]);
    // The mean took one component; of three frames none is left to be noise.
    let noise = if n > 3 { components[2].0 } else { 0.0 }.max(f64::EPSILON * n as f64 * first.0);
    if second.0.is_nan() || second.0 <= ABOVE_NOISE * noise {
        let ratio = (second.0.max(0.0) / noise.max(f64::MIN_POSITIVE)).sqrt();
        return Err(HolographyError::NoFringes { ratio });
    }
    let points: Vec<[f64; 2]> =
        (0..n).map(|k| [first.0.sqrt() * first.1[k], second.0.sqrt() * second.1[k]]).collect();
    let centre = circle(&points).ok_or(HolographyError::NoFringes { ratio: 0.0 })?;
    let angles = points.iter().map(|p| (p[1] - centre[1]).atan2(p[0] - centre[0])).collect();
    let mut start = Start { steps: from_first(angles), gains: vec![1.0; n], modulations: vec![1.0; n] };
    for _ in 0..ROUNDS {
        let fringes = super::phase_shift::solve(frames, start.clone())?.field;
        let found = by_fringes(frames, &fringes);
        let change = found.iter().zip(&start.steps).map(|(a, b)| apart(*a, *b).abs()).fold(0.0, f64::max);
        start.steps = found;
        if change < SETTLED {
            break;
        }
    }
    Ok(start)
}

/// The steps at which every frame is best explained by fringes: least squares of a constant, the cosine and the sine.
fn by_fringes(frames: &[Array2<f64>], fringes: &Field) -> Vec<f64> {
    let mut normal = [[0.0; 3]; 3];
    for v in fringes {
        let row = [1.0, v.re, v.im];
        for (i, line) in normal.iter_mut().enumerate() {
            line.iter_mut().zip(row).for_each(|(n, r)| *n += row[i] * r);
        }
    }
    // The fringes are not constant: their equations have been solved.
    let Some(inverse) = inverse(&normal) else { return vec![0.0; frames.len()] };
    let angle = |frame: &Array2<f64>| {
        let mut right = [0.0; 3];
        Zip::from(frame).and(fringes).for_each(|i, v| {
            right = [right[0] + i, right[1] + i * v.re, right[2] + i * v.im];
        });
        let part = |k: usize| (0..3).map(|j| inverse[k][j] * right[j]).sum::<f64>();
        part(2).atan2(part(1))
    };
    from_first(frames.iter().map(angle).collect())
}

/// Centre of the circle through points: `x^2 + y^2 = 2 a x + 2 b y + c` by least squares (Kasa 1976).
fn circle(points: &[[f64; 2]]) -> Option<[f64; 2]> {
    let size = points.iter().map(|p| p[0].abs().max(p[1].abs())).fold(0.0, f64::max);
    let (mut normal, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
    for p in points {
        let [x, y] = p.map(|v| v / size);
        let row = [2.0 * x, 2.0 * y, 1.0];
        for ((value, line), weight) in right.iter_mut().zip(&mut normal).zip(row) {
            *value += weight * (x * x + y * y);
            line.iter_mut().zip(row).for_each(|(n, r)| *n += weight * r);
        }
    }
    let inverse = inverse(&normal)?;
    let part = |k: usize| size * (0..3).map(|j| inverse[k][j] * right[j]).sum::<f64>();
    Some([part(0), part(1)])
}

/// Values over their mean; ones where none is further than `doubt` from it.
fn unless_equal(values: Vec<f64>, doubt: f64) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let relative: Vec<f64> = values.iter().map(|v| v / mean).collect();
    if relative.iter().all(|v| (v - 1.0).abs() < doubt) { vec![1.0; values.len()] } else { relative }
}

/// Angles from the first, the second one up.
fn from_first(angles: Vec<f64>) -> Vec<f64> {
    let first = angles[0];
    let turned: Vec<f64> = angles.iter().map(|a| apart(*a, first)).collect();
    let sign = if turned[1] < 0.0 { -1.0 } else { 1.0 };
    turned.iter().map(|a| 0.0 + sign * a).collect()
}

/// Inverse of a symmetric matrix; `None` where it is singular.
pub(super) fn inverse(m: &[[f64; 3]; 3]) -> Option<[[f64; 3]; 3]> {
    let minor = |i: usize, j: usize| {
        let (a, b, c, d) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3);
        m[a][c] * m[b][d] - m[a][d] * m[b][c]
    };
    let determinant: f64 = (0..3).map(|j| m[0][j] * minor(0, j)).sum();
    let scale = m[0][0] * m[1][1] * m[2][2];
    let regular = determinant.is_finite() && determinant.abs() > 1e-12 * scale.abs();
    regular.then(|| [0, 1, 2].map(|i| [0, 1, 2].map(|j| minor(j, i) / determinant)))
}

/// Eigenvalues, largest first, and eigenvectors of a symmetric matrix, by Jacobi rotations.
fn eigen(mut m: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
    let n = m.len();
    let mut vectors: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    // Every sweep squares the largest off-diagonal element; ten reach rounding for any size of a set of frames.
    for _ in 0..30 {
        for p in 0..n {
            for q in p + 1..n {
                if m[p][q] == 0.0 {
                    continue;
                }
                let angle = 0.5 * (2.0 * m[p][q]).atan2(m[q][q] - m[p][p]);
                let (s, c) = angle.sin_cos();
                for row in &mut m {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                let (above, below) = m.split_at_mut(q);
                above[p].iter_mut().zip(&mut below[0]).for_each(|(a, b)| {
                    (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
                });
                for row in &mut vectors {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
            }
        }
    }
    let mut all: Vec<_> = (0..n).map(|k| (m[k][k], vectors.iter().map(|row| row[k]).collect())).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvectors_turn_into_themselves() {
        let m = vec![vec![4.0, 1.0, -2.0], vec![1.0, 3.0, 0.5], vec![-2.0, 0.5, 1.0]];
        let found = eigen(m.clone());
        assert!(found[0].0 > found[1].0 && found[1].0 > found[2].0);
        for (value, vector) in found {
            for (row, v) in m.iter().zip(&vector) {
                let product: f64 = row.iter().zip(&vector).map(|(a, b)| a * b).sum();
                assert!((product - value * v).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn circles_and_inverses() {
        let points: Vec<[f64; 2]> =
            [0.1, 0.7, 2.0].iter().map(|a: &f64| [3.0 + 2.0 * a.cos(), -1.0 + 2.0 * a.sin()]).collect();
        let centre = circle(&points).unwrap();
        assert!((centre[0] - 3.0).abs() < 1e-9 && (centre[1] + 1.0).abs() < 1e-9, "{centre:?}");
        assert!(circle(&[[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]).is_none());
        assert!(inverse(&[[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).is_none());
        let m = [[4.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 2.0]];
        let inv = inverse(&m).unwrap();
        let product = |i: usize, j: usize| (0..3).map(|k| m[i][k] * inv[k][j]).sum::<f64>();
        let identity = |i: usize, j: usize| f64::from(u8::from(i == j));
        assert!((0..9).all(|n| (product(n / 3, n % 3) - identity(n / 3, n % 3)).abs() < 1e-12));
    }
}
