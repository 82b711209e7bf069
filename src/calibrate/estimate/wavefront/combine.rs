//! Terms of several sets as one.

use ndarray::{Array1, Array2, s};

use super::align::Aligned;
use crate::numeric::Factor;

/// Terms that sets share.
#[derive(Clone, Debug)]
pub(super) struct Combined {
    pub(super) terms: Vec<f64>,
    pub(super) covariance: Array2<f64>,
    /// Mean square of what single sets are off, in units of their expected variance; `None` of one set.
    pub(super) chi_square: Option<f64>,
    /// What the terms of each set count in the mean.
    pub(super) shares: Vec<Array2<f64>>,
}

/// Means of the terms from `first` (0: Noll 1) on, weighted by the inverse covariances; the terms before are every set's own. The
/// covariance grows where sets differ by more than is expected. `None` where terms are not determined.
pub(super) fn combine(sets: &[Aligned], first: usize) -> Option<Combined> {
    let n = sets.first()?.terms.len().checked_sub(first)?;
    if n == 0 {
        let shares = vec![Array2::zeros((0, 0)); sets.len()];
        let covariance = Array2::zeros((0, 0));
        return Some(Combined { terms: Vec::new(), covariance, chi_square: None, shares });
    }
    let (mut weight, mut right) = (Array2::<f64>::zeros((n, n)), Array1::<f64>::zeros(n));
    let mut weights = Vec::new();
    for set in sets {
        let own = inverse(&set.covariance.slice(s![first.., first..]).to_owned())?;
        let terms = Array1::from(set.terms[first..].to_vec());
        weight += &own;
        right += &own.dot(&terms);
        weights.push((own, terms));
    }
    let covariance = inverse(&weight)?;
    let mean = covariance.dot(&right);
    let chi_square = (sets.len() > 1).then(|| {
        let off = |(own, terms): &(Array2<f64>, Array1<f64>)| {
            let d = terms - &mean;
            d.dot(&own.dot(&d))
        };
        weights.iter().map(off).sum::<f64>() / ((sets.len() - 1) * n) as f64
    });
    let shares = weights.iter().map(|(own, _)| covariance.dot(own)).collect();
    let wider = chi_square.unwrap_or(1.0).max(1.0);
    Some(Combined { terms: mean.to_vec(), covariance: covariance * wider, chi_square, shares })
}

/// Of a covariance.
fn inverse(matrix: &Array2<f64>) -> Option<Array2<f64>> {
    let n = matrix.nrows();
    let factor = Factor::of(matrix.as_standard_layout().as_slice()?, n)?;
    let mut inverse = Array2::zeros((n, n));
    for (k, mut column) in inverse.columns_mut().into_iter().enumerate() {
        let unit: Vec<f64> = (0..n).map(|i| if i == k { 1.0 } else { 0.0 }).collect();
        column.assign(&Array1::from(factor.solve(&unit)));
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::estimate::normal::Noise;

    fn set(terms: &[f64], sigma: f64) -> Aligned {
        let covariance = Array2::from_diag_elem(terms.len(), sigma * sigma);
        let noise = Noise { dark: 1.0, slope: 0.0 };
        Aligned { terms: terms.to_vec(), covariance, gain: 1.0, overlap: 1.0, noise }
    }

    #[test]
    fn sets_that_agree_sharpen_one_another_and_others_do_not() {
        let alike = combine(&[set(&[5.0, 0.30, 1.0], 0.01), set(&[0.0, 0.32, 1.0], 0.01)], 1).unwrap();
        assert!((alike.terms[0] - 0.31).abs() < 1e-12 && (alike.terms[1] - 1.0).abs() < 1e-12);
        // 1 and 1 standard deviation off, one degree of freedom for each of two terms.
        assert!((alike.chi_square.unwrap() - 1.0).abs() < 1e-9, "{alike:?}");
        assert!((alike.covariance[[0, 0]].sqrt() - 0.01 / 2.0_f64.sqrt()).abs() < 1e-12);
        let unlike = combine(&[set(&[0.2], 0.01), set(&[0.4], 0.01)], 0).unwrap();
        assert!((unlike.covariance[[0, 0]].sqrt() - 0.1).abs() < 1e-9, "{unlike:?}");
        // The sharper one counts more.
        let two = combine(&[set(&[0.0], 0.01), set(&[1.0], 0.03)], 0).unwrap();
        assert!((two.terms[0] - 0.1).abs() < 1e-12, "{two:?}");
        assert!(combine(&[set(&[0.5], 0.01)], 0).unwrap().chi_square.is_none());
        assert!(combine(&[set(&[0.5], 0.0)], 0).is_none());
    }
}
