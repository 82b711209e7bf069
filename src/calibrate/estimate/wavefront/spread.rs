//! What the uncertainty of the fitted numbers adds to that of the wavefront: an error of the modulator's is one of the camera's.

use ndarray::{Array1, Array2};

use super::super::parameters::Knob;
use super::super::{EstimateError, Known};
use super::align::{Aligned, moved};
use super::{Bench, Pair};
use crate::calibrate::Calibration;
use crate::measure::Measurement;

/// Fields that the wavefront was fitted to.
pub(super) struct Fitted<'a> {
    /// Numbers of frames of the sets.
    pub(super) numbers: Vec<usize>,
    pub(super) pairs: &'a [Pair],
    pub(super) each: &'a [Aligned],
    /// What each counts.
    pub(super) shares: &'a [Array2<f64>],
    /// Terms before are every set's own.
    pub(super) first: usize,
}

/// `S C S^T` with the covariance `C` of the fitted numbers and the derivatives `S` of the terms by them, from fields that are
/// predicted with every number moved by one standard deviation.
pub(super) fn spread(
    bench: &mut Bench,
    m: &Measurement,
    calibration: &Calibration,
    known: &Known,
    fitted: &Fitted<'_>,
) -> Result<Array2<f64>, EstimateError> {
    let terms = bench.basis.len() - fitted.first;
    let numbers = known.parameters.len();
    // Per standard deviation.
    let mut slopes = Array2::<f64>::zeros((terms, numbers));
    let sigma = known.covariance.diag().mapv(f64::sqrt);
    for (n, p) in known.parameters.iter().enumerate() {
        // Fields have no dark counts, and a factor of their own.
        if matches!(p.knob, Knob::Gain | Knob::Offset) {
            continue;
        }
        let up = known.values[n] + sigma[n];
        let (value, sign) =
            if up < p.limits[1] { (up, 1.0) } else { ((known.values[n] - sigma[n]).max(p.limits[0]), -1.0) };
        let mut other = calibration.clone();
        p.put(&mut other, value, &known.grid);
        bench.predictor.recalibrate(&m.config, &other)?;
        let fields = bench.predictor.fields(m, &fitted.numbers)?;
        let mut change = Array1::<f64>::zeros(terms);
        for (k, field) in fields.iter().enumerate() {
            let pair = &fitted.pairs[k];
            let by = moved(&fitted.each[k], &pair.predicted, field, &pair.used, &bench.basis);
            change += &fitted.shares[k].dot(&Array1::from(by[fitted.first..].to_vec()));
        }
        slopes.column_mut(n).assign(&(change * sign));
    }
    bench.predictor.recalibrate(&m.config, calibration)?;
    let correlation =
        Array2::from_shape_fn((numbers, numbers), |(i, j)| known.covariance[[i, j]] / (sigma[i] * sigma[j]));
    Ok(slopes.dot(&correlation).dot(&slopes.t()))
}
