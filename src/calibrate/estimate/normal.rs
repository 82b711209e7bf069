//! Normal equations of weighted residuals, summed over frames, and what is made of them: steps, uncertainties, degeneracies.

use ndarray::{Array1, Array2, ArrayView2};
use rayon::prelude::*;

use crate::numeric::{Eigen, eigen};

/// Residuals beyond so many standard deviations weigh less (Huber, Ann. Math. Stat. 35, 73 (1964)).
const HUBER: f64 = 3.0;
/// Side of the tiles whose residuals are taken to be independent of one another, camera pixels.
const TILE: usize = 16;

/// Variance of a count: `dark + slope (count - offset)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise {
    pub(crate) dark: f64,
    pub(crate) slope: f64,
}

impl Noise {
    pub(crate) fn variance(&self, above_offset: f64) -> f64 {
        self.dark + self.slope * above_offset.max(0.0)
    }

    /// Fits the two numbers to squared residuals, by the medians of bins of equal size.
    pub(crate) fn fit(mut pairs: Vec<(f64, f64)>) -> Self {
        const BINS: usize = 100;
        // Of a normal number's square.
        const MEDIAN: f64 = 0.4549;
        // A count is rounded.
        const ROUNDING: f64 = 1.0 / 12.0;
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let size = (pairs.len() / BINS).max(1);
        // Relative errors of all bins are alike: weights 1 / variance^2.
        let (mut s, mut sx, mut sy, mut sxx, mut sxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for bin in pairs.chunks(size) {
            let x = bin.iter().map(|p| p.0.max(0.0)).sum::<f64>() / bin.len() as f64;
            let mut squares: Vec<f64> = bin.iter().map(|p| p.1).collect();
            squares.sort_by(f64::total_cmp);
            let y = (squares[squares.len() / 2] / MEDIAN).max(ROUNDING);
            let w = 1.0 / (y * y);
            (s, sx, sy, sxx, sxy) = (s + w, sx + w * x, sy + w * y, sxx + w * x * x, sxy + w * x * y);
        }
        let det = s * sxx - sx * sx;
        let slope = if det > 1e-12 * s * sxx { ((s * sxy - sx * sy) / det).max(0.0) } else { 0.0 };
        let dark = if s > 0.0 { ((sy - slope * sx) / s).max(ROUNDING) } else { 1.0 };
        Self { dark, slope }
    }
}

/// Huber's loss of a residual in standard deviations, and its weight.
pub(crate) fn huber(z: f64) -> (f64, f64) {
    let size = z.abs();
    if size <= HUBER { (0.5 * z * z, 1.0) } else { (HUBER * (size - 0.5 * HUBER), HUBER / size) }
}

/// `sum J^T W J`, `sum J^T W r`, and the scores of tiles.
#[derive(Clone, Debug)]
pub(crate) struct Normal {
    pub(crate) matrix: Array2<f64>,
    pub(crate) gradient: Array1<f64>,
    /// `sum over tiles of (sum in tile J^T W r)(..)^T`.
    meat: Array2<f64>,
}

impl Normal {
    pub(crate) fn new(parameters: usize) -> Self {
        let square = || Array2::zeros((parameters, parameters));
        Self { matrix: square(), gradient: Array1::zeros(parameters), meat: square() }
    }

    /// Adds a frame: residuals (measured less predicted), their variances (infinite: not used), derivatives.
    pub(crate) fn add(
        &mut self,
        residual: ArrayView2<'_, f64>,
        variance: ArrayView2<'_, f64>,
        columns: &[Array2<impl Copy + Into<f64> + Sync>],
    ) {
        let (rows, cols) = residual.dim();
        let n = columns.len();
        let strip = |top: usize| {
            let mut sums = Self::new(n);
            // Pixels in the order of tiles.
            let mut pixels = Vec::new();
            let mut ends = Vec::new();
            for left in (0..cols).step_by(TILE) {
                for r in top..(top + TILE).min(rows) {
                    for c in left..(left + TILE).min(cols) {
                        let v = variance[[r, c]];
                        if v.is_finite() {
                            let s = v.sqrt();
                            let z = residual[[r, c]] / s;
                            pixels.push((r, c, huber(z).1.sqrt() / s, huber(z).1.sqrt() * z));
                        }
                    }
                }
                ends.push(pixels.len());
            }
            let mut scaled = Array2::zeros((n, pixels.len()));
            for (mut row, column) in scaled.rows_mut().into_iter().zip(columns) {
                row.iter_mut().zip(&pixels).for_each(|(to, &(r, c, w, _))| *to = w * column[[r, c]].into());
            }
            let z: Array1<f64> = pixels.iter().map(|p| p.3).collect();
            sums.matrix += &scaled.dot(&scaled.t());
            let mut first = 0;
            for end in ends {
                let part = ndarray::s![.., first..end];
                let score = scaled.slice(part).dot(&z.slice(ndarray::s![first..end]));
                sums.gradient += &score;
                let column = score.insert_axis(ndarray::Axis(1));
                sums.meat += &column.dot(&column.t());
                first = end;
            }
            sums
        };
        // Added up from the top, on any number of threads.
        let strips: Vec<Self> = (0..rows.div_ceil(TILE)).into_par_iter().map(|k| strip(k * TILE)).collect();
        for sums in strips {
            self.matrix += &sums.matrix;
            self.gradient += &sums.gradient;
            self.meat += &sums.meat;
        }
    }

    /// Adds what is known beforehand: a parameter is `offset` away from its expectation, give or take `sigma`.
    pub(crate) fn prior(&mut self, n: usize, offset: f64, sigma: f64) {
        self.matrix[[n, n]] += 1.0 / (sigma * sigma);
        self.gradient[n] -= offset / (sigma * sigma);
    }

    /// Scaled to a diagonal of ones.
    fn scales(&self) -> Array1<f64> {
        self.matrix.diag().mapv(|d| if d > 0.0 { d.sqrt() } else { 1.0 })
    }

    /// Eigenvectors of the matrix scaled to a diagonal of ones.
    pub(crate) fn eigen(&self) -> Eigen {
        let d = self.scales();
        let n = d.len();
        let scaled = Array2::from_shape_fn((n, n), |(i, j)| self.matrix[[i, j]] / (d[i] * d[j]));
        eigen(&scaled)
    }

    /// The step of a damped Gauss-Newton search (Marquardt, J. SIAM 11, 431 (1963)).
    pub(crate) fn step(&self, eigen: &Eigen, damping: f64) -> Array1<f64> {
        let d = self.scales();
        let g = &self.gradient / &d;
        let along = eigen.vectors.t().dot(&g) / eigen.values.mapv(|e| e.max(0.0) + damping + 1e-14);
        eigen.vectors.dot(&along) / d
    }

    /// Loss that such a step leaves to be gained.
    pub(crate) fn rest(&self, eigen: &Eigen, damping: f64) -> f64 {
        let along = eigen.vectors.t().dot(&(&self.gradient / &self.scales()));
        let left = along.iter().zip(&eigen.values).map(|(a, e)| {
            let e = e.max(0.0) + 1e-14;
            (a * damping / (e + damping)).powi(2) / e
        });
        0.5 * left.sum::<f64>()
    }

    /// Covariance `A^-1 B A^-1` that holds for residuals that are alike within tiles (White, Econometrica 48, 817 (1980);
    /// clusters: Liang & Zeger, Biometrika 73, 13 (1986)), and the plain `A^-1`; for each number the larger.
    pub(crate) fn covariance(&self, eigen: &Eigen) -> Array2<f64> {
        let d = self.scales();
        let n = d.len();
        let inverse_values = eigen.values.mapv(|e| 1.0 / e.max(1e-14));
        let inner = eigen.vectors.dot(&Array2::from_diag(&inverse_values)).dot(&eigen.vectors.t());
        let inverse = Array2::from_shape_fn((n, n), |(i, j)| inner[[i, j]] / (d[i] * d[j]));
        let robust = inverse.dot(&self.meat).dot(&inverse);
        // One matrix with the larger of the two variances for every number, correlations of the plain one.
        let ratio = |i: usize| (robust[[i, i]] / inverse[[i, i]]).max(1.0).sqrt();
        Array2::from_shape_fn((n, n), |(i, j)| inverse[[i, j]] * ratio(i) * ratio(j))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_noise_has_the_textbook_uncertainty() {
        // y = a + b x with unit noise at 64 x 64 points, x over -1..1.
        let noise = crate::device::noise::normals([1, 2], 3, 4, 0);
        assert!(noise.iter().all(|v| v.is_finite()));
        let x = Array2::from_shape_fn((64, 64), |(r, _)| (r as f64 - 31.5) / 32.0);
        let normals =
            |r: usize, c: usize| f64::from(crate::device::noise::normals([7, r as u32], 0, 0, c as u32)[0]);
        let y = Array2::from_shape_fn((64, 64), |(r, c)| 2.0 + 3.0 * x[[r, c]] + normals(r, c));
        let mut normal = Normal::new(2);
        let ones = Array2::from_elem((64, 64), 1.0);
        normal.add(y.view(), ones.view(), &[ones.clone(), x.clone()]);
        let eigen = normal.eigen();
        // Huber's weights are of residuals, and these begin far away: a few rounds.
        let mut at = normal.step(&eigen, 0.0);
        for _ in 0..6 {
            let residual = &y - &(&x * at[1] + at[0]);
            normal = Normal::new(2);
            normal.add(residual.view(), ones.view(), &[ones.clone(), x.clone()]);
            at += &normal.step(&normal.eigen(), 0.0);
        }
        let covariance = normal.covariance(&normal.eigen());
        let expected = [1.0 / 64.0, 1.0 / (64.0 * (1.0_f64 / 3.0).sqrt())];
        for (k, truth) in [2.0, 3.0].into_iter().enumerate() {
            let sigma = covariance[[k, k]].sqrt();
            assert!((0.8..1.3).contains(&(sigma / expected[k])), "{k}: {sigma} {}", expected[k]);
            assert!((at[k] - truth).abs() < 4.0 * sigma, "{k}: {} {sigma}", at[k]);
        }
    }

    #[test]
    fn noise_is_read_off_residuals() {
        let pairs = (0..20_000)
            .map(|k| {
                let level = (k % 100) as f64 * 10.0;
                let n = f64::from(crate::device::noise::normals([5, k], 0, 0, 0)[0]);
                (level, n * n * (4.0 + 0.5 * level))
            })
            .collect();
        let noise = Noise::fit(pairs);
        assert!((noise.dark - 4.0).abs() < 2.0 && (noise.slope - 0.5).abs() < 0.03, "{noise:?}");
    }
}
