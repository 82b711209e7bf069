//! Agreement of complex fields and of gradients.

use ndarray::{Array2, ArrayView2, Zip};
use num_complex::Complex64;

use super::{MetricError, same_shape};

/// Overlap of two fields, `|<a, b>|^2 / (<a, a> <b, b>)`: 1 where they are equal up to one complex factor, 0 where they
/// are orthogonal.
///
/// # Errors
/// Different shapes, no pixel, a dark field.
pub fn overlap(a: ArrayView2<'_, Complex64>, b: ArrayView2<'_, Complex64>) -> Result<f64, MetricError> {
    same_shape("overlap", a.shape(), b.shape())?;
    let energy = |field: ArrayView2<'_, Complex64>, what: &str| {
        let sum: f64 = field.iter().map(|v| v.norm_sqr()).sum();
        if sum > 0.0 {
            Ok(sum)
        } else {
            Err(MetricError::Degenerate { metric: "overlap", what: what.to_owned() })
        }
    };
    let (aa, bb) = (energy(a, "the first field")?, energy(b, "the second field")?);
    let inner = Zip::from(a).and(b).fold(Complex64::ZERO, |sum, x, y| sum + x.conj() * y);
    Ok(inner.norm_sqr() / (aa * bb))
}

/// Cosine of the angle between two real arrays, -1 to 1.
///
/// # Errors
/// Different shapes, no value, an array of zeros.
pub fn cosine(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Result<f64, MetricError> {
    same_shape("cosine", a.shape(), b.shape())?;
    Products::of(a, b).cosine("the array")
}

/// How well a gradient agrees with another, over all masks and one by one.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct GradientCosine {
    /// Cosine of all masks taken as one vector; none where a gradient is zero: there is nothing to learn (no light arrives, or the
    /// loss is met), and a gradient without direction agrees with none.
    pub total: Option<f64>,
    /// The same mask by mask, in the order light takes them; in a run's results none where a mask is not trained, too.
    pub layers: Vec<Option<f64>>,
}

/// Cosines of two gradients that are lists of one array per mask.
///
/// # Errors
/// Lists of different length or of no array, arrays of different shape, values that are not finite.
pub fn gradient_cosine(a: &[Array2<f64>], b: &[Array2<f64>]) -> Result<GradientCosine, MetricError> {
    same_shape("gradient cosine", &[a.len()], &[b.len()])?;
    let mut total = Products::default();
    let mut layers = Vec::with_capacity(a.len());
    for (layer, (x, y)) in a.iter().zip(b).enumerate() {
        same_shape("gradient cosine", x.shape(), y.shape())?;
        let products = Products::of(x.view(), y.view());
        layers.push(products.direction(&format!("the gradient of mask {}", layer + 1))?);
        total =
            Products { aa: total.aa + products.aa, bb: total.bb + products.bb, ab: total.ab + products.ab };
    }
    Ok(GradientCosine { total: total.direction("the gradient")?, layers })
}

/// The three inner products a cosine is made of.
#[derive(Clone, Copy, Default)]
struct Products {
    aa: f64,
    bb: f64,
    ab: f64,
}

impl Products {
    fn of(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Self {
        Zip::from(a).and(b).fold(Self::default(), |sum, x, y| Self {
            aa: sum.aa + x * x,
            bb: sum.bb + y * y,
            ab: sum.ab + x * y,
        })
    }

    /// The cosine, or none where one of the two is zero.
    fn direction(self, what: &str) -> Result<Option<f64>, MetricError> {
        if self.aa == 0.0 || self.bb == 0.0 { Ok(None) } else { self.cosine(what).map(Some) }
    }

    fn cosine(self, what: &str) -> Result<f64, MetricError> {
        for (sum, which) in [(self.aa, "first"), (self.bb, "second")] {
            // Written this way round so that NaN is refused as well.
            if !(sum > 0.0 && sum.is_finite()) {
                let what = format!("{what} ({which} argument)");
                return Err(MetricError::Degenerate { metric: "cosine", what });
            }
        }
        Ok(self.ab / (self.aa.sqrt() * self.bb.sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// A few roundings on numbers of order one.
    const ROUNDING: f64 = 1e-12;

    #[test]
    fn overlap_forgets_one_complex_factor() {
        let a = array![[Complex64::new(1.0, 2.0), Complex64::new(-0.5, 0.25)]];
        let b = a.mapv(|v| v * Complex64::new(0.3, -4.0));
        assert!((overlap(a.view(), b.view()).expect("valid") - 1.0).abs() < ROUNDING);
        // The conjugate is another field: |sum v^2|^2 / (sum |v|^2)^2.
        let conjugate = a.mapv(|v| v.conj());
        let squares: Complex64 = a.iter().map(|v| v * v).sum();
        let want = squares.norm_sqr() / a.iter().map(|v| v.norm_sqr()).sum::<f64>().powi(2);
        assert!((overlap(a.view(), conjugate.view()).expect("valid") - want).abs() < ROUNDING && want < 0.99);
        let dark = a.mapv(|_| Complex64::ZERO);
        assert!(matches!(overlap(a.view(), dark.view()), Err(MetricError::Degenerate { .. })));
    }

    #[test]
    fn cosine_of_known_angles() {
        let a = array![[1.0, 0.0]];
        let b = array![[1.0, 3.0_f64.sqrt()]];
        assert!((cosine(a.view(), b.view()).expect("valid") - 0.5).abs() < ROUNDING);
        assert!((cosine(a.view(), (-&b).view()).expect("valid") + 0.5).abs() < ROUNDING);
    }

    #[test]
    fn gradient_cosine_weighs_layers_by_their_norm() {
        let a = [array![[3.0, 0.0]], array![[0.0, 4.0]]];
        let b = [array![[3.0, 0.0]], array![[4.0, 0.0]]];
        let got = gradient_cosine(&a, &b).expect("valid");
        assert_eq!(got.layers, [Some(1.0), Some(0.0)]);
        assert!(got.total.is_some_and(|c| (c - 9.0 / 25.0).abs() < ROUNDING));
    }

    #[test]
    fn a_gradient_of_zeros_has_no_direction_and_one_without_a_number_is_named() {
        let a = [array![[1.0]], array![[0.0]]];
        assert_eq!(
            gradient_cosine(&a, &a),
            Ok(GradientCosine { total: Some(1.0), layers: vec![Some(1.0), None] })
        );
        assert_eq!(gradient_cosine(&a[1..], &a[..1]), Ok(GradientCosine { total: None, layers: vec![None] }));
        let broken = [array![[1.0]], array![[f64::NAN]]];
        let error = gradient_cosine(&broken, &broken).expect_err("no number");
        assert!(error.to_string().contains("mask 2"), "{error}");
        assert!(matches!(gradient_cosine(&a, &a[..1]), Err(MetricError::Shape { .. })));
        assert!(matches!(gradient_cosine(&[], &[]), Err(MetricError::Empty { .. })));
    }
}
