//! Mean and spread over repetitions.

use serde::Serialize;

/// A figure measured several times.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Twice the standard deviation of the sample (`n - 1`); absent with a single value.
    pub two_sigma: Option<f64>,
    /// The values, in the order of their seeds.
    pub values: Vec<f64>,
}

impl Spread {
    /// Of the values; their mean is NaN where there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        let two_sigma = (values.len() > 1).then(|| 2.0 * (squares / (n - 1.0)).sqrt());
        Self { mean, two_sigma, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sigma_is_that_of_a_sample() {
        let spread = Spread::of([1.0, 2.0, 3.0, 4.0]);
        assert_eq!(spread.mean, 2.5);
        // Variance 5 / 3.
        assert!((spread.two_sigma.unwrap() - 2.0 * (5.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(Spread::of([0.5]), Spread { mean: 0.5, two_sigma: None, values: vec![0.5] });
        assert!(Spread::of([]).mean.is_nan());
    }
}
