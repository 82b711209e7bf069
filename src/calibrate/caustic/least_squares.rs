//! Least squares with few parameters: Levenberg-Marquardt on the normal equations (Marquardt, J. SIAM 11, 431 (1963)).

/// `J^T J`, `J^T r` and `sum r^2` of residuals `r = model - data`.
#[derive(Clone, Debug)]
pub(super) struct Normal<const N: usize> {
    pub(super) curvature: [[f64; N]; N],
    pub(super) slope: [f64; N],
    pub(super) sum: f64,
}

impl<const N: usize> Normal<N> {
    pub(super) fn new() -> Self {
        Self { curvature: [[0.0; N]; N], slope: [0.0; N], sum: 0.0 }
    }

    /// Adds a residual with its derivatives.
    pub(super) fn add(&mut self, residual: f64, derivatives: &[f64; N]) {
        self.sum += residual * residual;
        for i in 0..N {
            self.slope[i] += derivatives[i] * residual;
            for j in 0..=i {
                self.curvature[i][j] += derivatives[i] * derivatives[j];
                self.curvature[j][i] = self.curvature[i][j];
            }
        }
    }
}

/// Parameters at the minimum, and the inverse of `J^T J` there.
pub(super) struct Minimum<const N: usize> {
    pub(super) parameters: [f64; N],
    pub(super) inverse: [[f64; N]; N],
    pub(super) sum: f64,
}

/// Goes down from `start`; `None` where no minimum is reached or the parameters cannot be told apart.
pub(super) fn minimise<const N: usize>(
    start: [f64; N],
    normal: impl Fn(&[f64; N]) -> Normal<N>,
) -> Option<Minimum<N>> {
    /// A sum that falls by less than this share has reached its minimum.
    const SETTLED: f64 = 1e-12;
    let mut here = start;
    let mut found = normal(&here);
    let mut damping = 1e-3;
    for _ in 0..200 {
        let mut damped = found.curvature;
        (0..N).for_each(|i| damped[i][i] *= 1.0 + damping);
        let inverse = inverse(&damped)?;
        let mut next = here;
        for i in 0..N {
            next[i] -= (0..N).map(|j| inverse[i][j] * found.slope[j]).sum::<f64>();
        }
        let tried = normal(&next);
        if tried.sum.is_finite() && tried.sum <= found.sum {
            let settled = found.sum - tried.sum <= SETTLED * found.sum;
            (here, found) = (next, tried);
            damping = (damping * 0.2_f64).max(1e-12);
            if settled {
                let inverse = self::inverse(&found.curvature)?;
                return Some(Minimum { parameters: here, inverse, sum: found.sum });
            }
        } else {
            damping *= 8.0;
            if damping > 1e12 {
                return None;
            }
        }
    }
    None
}

/// The inverse of a symmetric matrix by elimination with scaled pivots; `None` where it has none.
pub(super) fn inverse<const N: usize>(matrix: &[[f64; N]; N]) -> Option<[[f64; N]; N]> {
    // Parameters differ by orders of magnitude; scaled by the diagonal they do not.
    let scale: [f64; N] = std::array::from_fn(|i| matrix[i][i].sqrt());
    if !scale.iter().all(|s| s.is_finite() && *s > 0.0) {
        return None;
    }
    let mut left: [[f64; N]; N] =
        std::array::from_fn(|i| std::array::from_fn(|j| matrix[i][j] / (scale[i] * scale[j])));
    let mut right: [[f64; N]; N] =
        std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
    for k in 0..N {
        let pivot = (k..N).max_by(|&a, &b| left[a][k].abs().total_cmp(&left[b][k].abs()))?;
        if left[pivot][k].abs() < 1e-13 {
            return None;
        }
        left.swap(k, pivot);
        right.swap(k, pivot);
        let by = left[k][k];
        (0..N).for_each(|j| {
            left[k][j] /= by;
            right[k][j] /= by;
        });
        for i in (0..N).filter(|&i| i != k) {
            let by = left[i][k];
            for j in 0..N {
                left[i][j] -= by * left[k][j];
                right[i][j] -= by * right[k][j];
            }
        }
    }
    Some(std::array::from_fn(|i| std::array::from_fn(|j| right[i][j] / (scale[i] * scale[j]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_undoes_its_matrix_whatever_the_scales() {
        let matrix = [[4e6, 1e2, 0.0], [1e2, 3.0, 1e-4], [0.0, 1e-4, 2e-7]];
        let found = inverse(&matrix).expect("regular");
        for (i, row) in matrix.iter().enumerate() {
            let product: [f64; 3] =
                std::array::from_fn(|j| row.iter().zip(&found).map(|(a, b)| a * b[j]).sum());
            for (j, value) in product.iter().enumerate() {
                assert!((value - f64::from(u8::from(i == j))).abs() < 1e-6, "{i} {j} {value}");
            }
        }
        assert!(inverse(&[[1.0, 2.0], [2.0, 4.0]]).is_none());
    }
}
