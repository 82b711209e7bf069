//! Straight lines through points.

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
