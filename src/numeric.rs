//! Small symmetric systems, such as normal equations have; the work is nalgebra's.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn, SymmetricEigen};
use ndarray::{Array1, Array2};

/// Pivot over its diagonal element below which a matrix has no inverse worth having.
const SINGULAR: f64 = 1e-13;

/// Eigenvalues and orthonormal eigenvectors (columns) of a symmetric matrix.
#[derive(Clone, Debug)]
pub(crate) struct Eigen {
    /// The largest first.
    pub(crate) values: Array1<f64>,
    /// In the same order.
    pub(crate) vectors: Array2<f64>,
}

/// The eigenvectors of a symmetric matrix.
pub(crate) fn eigen(matrix: &Array2<f64>) -> Eigen {
    let n = matrix.nrows();
    let found = SymmetricEigen::new(DMatrix::from_fn(n, n, |i, j| matrix[[i, j]]));
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| found.eigenvalues[b].total_cmp(&found.eigenvalues[a]));
    Eigen {
        values: order.iter().map(|&k| found.eigenvalues[k]).collect(),
        vectors: Array2::from_shape_fn((n, n), |(i, j)| found.eigenvectors[(i, order[j])]),
    }
}

/// A positive definite matrix, factored.
pub(crate) struct Factor(Cholesky<f64, Dyn>);

impl Factor {
    /// Of a row-major matrix; `None` where it is not positive definite.
    pub(crate) fn of(matrix: &[f64], n: usize) -> Option<Self> {
        if !matrix.iter().all(|v| v.is_finite()) {
            return None;
        }
        DMatrix::from_row_slice(n, n, matrix).cholesky().map(Self)
    }

    /// `A^-1 b`.
    pub(crate) fn solve(&self, b: &[f64]) -> Vec<f64> {
        self.0.solve(&DVector::from_column_slice(b)).iter().copied().collect()
    }

    /// `v^T A^-1 v`: the variance along `v` where the matrix is that of normal equations.
    pub(crate) fn variance(&self, v: &[f64]) -> f64 {
        self.solve(v).iter().zip(v).map(|(a, b)| a * b).sum()
    }
}

/// The inverse of a positive definite matrix whatever the scales of its numbers; `None` where it has none.
pub(crate) fn inverse<const N: usize>(matrix: &[[f64; N]; N]) -> Option<[[f64; N]; N]> {
    // Parameters differ by orders of magnitude; scaled by the diagonal they do not.
    let scale: [f64; N] = std::array::from_fn(|i| matrix[i][i].sqrt());
    if !scale.iter().all(|s| s.is_finite() && *s > 0.0) {
        return None;
    }
    let scaled: Vec<f64> = (0..N * N).map(|k| matrix[k / N][k % N] / (scale[k / N] * scale[k % N])).collect();
    let factor = Factor::of(&scaled, N)?;
    if factor.0.l_dirty().diagonal().iter().any(|d| d * d < SINGULAR) {
        return None;
    }
    let found = factor.0.inverse();
    Some(std::array::from_fn(|i| std::array::from_fn(|j| found[(i, j)] / (scale[i] * scale[j]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvectors_give_the_matrix_back() {
        let a = ndarray::arr2(&[[4.0, 1.0, -2.0], [1.0, 2.0, 0.5], [-2.0, 0.5, 3.0]]);
        let e = eigen(&a);
        assert!(e.values[0] > e.values[1] && e.values[1] > e.values[2]);
        let back = e.vectors.dot(&Array2::from_diag(&e.values)).dot(&e.vectors.t());
        assert!((&back - &a).iter().all(|d: &f64| d.abs() < 1e-12), "{back}");
    }

    #[test]
    fn a_system_is_solved() {
        let matrix = [4.0, 2.0, 0.4, 2.0, 5.0, 1.0, 0.4, 1.0, 3.0];
        let x = Factor::of(&matrix, 3).unwrap().solve(&[1.0, -2.0, 0.5]);
        for (i, b) in [1.0, -2.0, 0.5].into_iter().enumerate() {
            let sum: f64 = (0..3).map(|j| matrix[i * 3 + j] * x[j]).sum();
            assert!((sum - b).abs() < 1e-12);
        }
        assert!(Factor::of(&[1.0, 2.0, 2.0, 1.0], 2).is_none() && Factor::of(&[f64::NAN], 1).is_none());
        assert!((Factor::of(&[4.0], 1).unwrap().variance(&[1.0]) - 0.25).abs() < 1e-15);
    }

    #[test]
    fn an_inverse_undoes_its_matrix_whatever_the_scales() {
        let matrix = [[4e6, 1e2, 0.0], [1e2, 3.0, 1e-4], [0.0, 1e-4, 2e-7]];
        let found = inverse(&matrix).unwrap();
        for (i, row) in matrix.iter().enumerate() {
            for j in 0..3 {
                let product: f64 = row.iter().zip(&found).map(|(a, b)| a * b[j]).sum();
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-6, "{i} {j} {product}");
            }
        }
        assert!(inverse(&[[1.0, 2.0], [2.0, 4.0]]).is_none());
        assert!(inverse(&[[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).is_none());
    }
}
