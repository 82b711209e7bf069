//! Least squares with few parameters: Levenberg-Marquardt on the normal equations (Marquardt, J. SIAM 11, 431 (1963)).

use crate::numeric::inverse;

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
        let back = inverse(&damped)?;
        let mut next = here;
        for i in 0..N {
            next[i] -= (0..N).map(|j| back[i][j] * found.slope[j]).sum::<f64>();
        }
        let tried = normal(&next);
        if tried.sum.is_finite() && tried.sum <= found.sum {
            let settled = found.sum - tried.sum <= SETTLED * found.sum;
            (here, found) = (next, tried);
            damping = (damping * 0.2_f64).max(1e-12);
            if settled {
                let inverse = inverse(&found.curvature)?;
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
