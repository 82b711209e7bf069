//! Small systems of normal equations.

/// Cholesky factor of a positive definite matrix, row-major, lower; `None` where it is not positive definite.
pub(super) fn factor(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let rest = matrix[i * n + j] - sum;
            if i == j {
                if !(rest > 0.0 && rest.is_finite()) {
                    return None;
                }
                l[i * n + i] = rest.sqrt();
            } else {
                l[i * n + j] = rest / l[j * n + j];
            }
        }
    }
    Some(l)
}

/// Solves `L L^T x = b`.
pub(super) fn solve(l: &[f64], b: &[f64]) -> Vec<f64> {
    let n = b.len();
    let mut x = b.to_vec();
    for i in 0..n {
        let sum: f64 = (0..i).map(|k| l[i * n + k] * x[k]).sum();
        x[i] = (x[i] - sum) / l[i * n + i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| l[k * n + i] * x[k]).sum();
        x[i] = (x[i] - sum) / l[i * n + i];
    }
    x
}

/// `v^T (L L^T)^-1 v`: the variance along `v` where the matrix is that of normal equations.
pub(super) fn variance(l: &[f64], v: &[f64]) -> f64 {
    solve(l, v).iter().zip(v).map(|(a, b)| a * b).sum()
}

/// A straight line `y = a + b x` by weighted least squares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) a: f64,
    pub(super) b: f64,
    /// Variances of `a` and `b` and their covariance, for weights that are inverse variances.
    pub(super) var: [f64; 3],
}

/// The line through `(x, y, weight)`; `None` where all `x` are the same.
pub(super) fn line(points: impl Iterator<Item = (f64, f64, f64)> + Clone) -> Option<Line> {
    let sum = |f: &dyn Fn((f64, f64, f64)) -> f64| points.clone().map(f).sum::<f64>();
    let (w, wx) = (sum(&|p| p.2), sum(&|p| p.2 * p.0));
    let mean = wx / w;
    let spread = sum(&|p| p.2 * (p.0 - mean).powi(2));
    if !(w > 0.0 && spread > 0.0) {
        return None;
    }
    let b = sum(&|p| p.2 * (p.0 - mean) * p.1) / spread;
    let a = sum(&|p| p.2 * p.1) / w - b * mean;
    Some(Line { a, b, var: [1.0 / w + mean * mean / spread, 1.0 / spread, -mean / spread] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved() {
        let matrix = [4.0, 2.0, 0.4, 2.0, 5.0, 1.0, 0.4, 1.0, 3.0];
        let l = factor(&matrix, 3).unwrap();
        let x = solve(&l, &[1.0, -2.0, 0.5]);
        for (i, b) in [1.0, -2.0, 0.5].into_iter().enumerate() {
            let sum: f64 = (0..3).map(|j| matrix[i * 3 + j] * x[j]).sum();
            assert!((sum - b).abs() < 1e-12);
        }
        assert!(factor(&[1.0, 2.0, 2.0, 1.0], 2).is_none());
        assert!((variance(&factor(&[4.0], 1).unwrap(), &[1.0]) - 0.25).abs() < 1e-15);
    }
}
