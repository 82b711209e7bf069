//! Phase steps that nobody knows, from the frames themselves.

use std::f64::consts::{PI, TAU};

use ndarray::Array2;
use num_complex::Complex64;

use super::HolographyError;
use crate::optics::{Field, dft};

/// The second component must stand out of the third, which is noise, by this factor in power.
const STANDS_OUT: f64 = 4.0;
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

/// Steps, and how brightness and fringes drift.
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

/// Steps by principal components (Vargas et al., Opt. Lett. 36, 1326 (2011)), of those frequencies only in which the frames
/// change: there the background is not, so that the frames are points `m_n (cos d_n, sin d_n)` in the plane of the two strongest
/// components, and neither a drift of the brightness nor of the contrast moves their angles.
pub(super) fn start(frames: &[Array2<f64>]) -> Result<Start, HolographyError> {
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
        return Err(HolographyError::NoFringes {
            ratio: (second.0.max(0.0) / noise.max(f64::MIN_POSITIVE)).sqrt(),
        });
    }
    // Noise adds to every component alike.
    let length = [first, second].map(|c| (c.0 - noise).sqrt());
    let points: Vec<[f64; 2]> = (0..n).map(|k| [length[0] * first.1[k], length[1] * second.1[k]]).collect();
    let gains = if still > 0.0 { shares.iter().map(|g| g / still).collect() } else { vec![1.0; n] };
    Ok(Start {
        steps: from_first(points.iter().map(|p| p[1].atan2(p[0])).collect()),
        gains: unless_equal(gains, SAME_GAIN),
        modulations: unless_equal(points.iter().map(|p| p[0].hypot(p[1])).collect(), SAME_MODULATION),
    })
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
    fn inverses_and_singular_matrices() {
        assert!(inverse(&[[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).is_none());
        let m = [[4.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 2.0]];
        let inv = inverse(&m).unwrap();
        let product = |i: usize, j: usize| (0..3).map(|k| m[i][k] * inv[k][j]).sum::<f64>();
        let identity = |i: usize, j: usize| f64::from(u8::from(i == j));
        assert!((0..9).all(|n| (product(n / 3, n % 3) - identity(n / 3, n % 3)).abs() < 1e-12));
    }
}
