//! Detectors, scores, losses and the error source.

use num_complex::Complex;
use num_traits::Zero;

use super::real::Real;
use crate::engine::{Loss, Readout, Scoring};

/// A horizontal run of pixels of one region.
#[derive(Clone, Copy)]
struct Run {
    region: usize,
    start: usize,
    end: usize,
}

/// [`Readout`] as runs of pixels.
pub(super) struct Detectors {
    runs: Vec<Run>,
    regions: usize,
    classes: usize,
    scoring: Scoring,
    loss: Loss,
}

/// What one sample gives.
pub(super) struct Reading {
    pub(super) energies: Vec<f64>,
    pub(super) scores: Vec<f64>,
    pub(super) loss: f64,
    pub(super) prediction: u8,
    /// Mean of `|g|^2` over the field.
    pub(super) error_power: f64,
    weights: Vec<f64>,
}

impl Reading {
    /// Room for one sample, so that nothing is allocated per step.
    pub(super) fn new(readout: &Readout) -> Self {
        Self {
            energies: vec![0.0; readout.regions],
            scores: vec![0.0; readout.classes],
            loss: 0.0,
            prediction: 0,
            error_power: 0.0,
            weights: vec![0.0; readout.regions],
        }
    }
}

impl Detectors {
    pub(super) fn new(readout: &Readout) -> Self {
        let cols = readout.map.ncols();
        let mut runs: Vec<Run> = Vec::new();
        for ((r, c), &region) in readout.map.indexed_iter().filter(|(_, region)| **region > 0) {
            let (region, at) = (usize::from(region) - 1, r * cols + c);
            match runs.last_mut() {
                Some(run) if run.region == region && run.end == at && c > 0 => run.end += 1,
                _ => runs.push(Run { region, start: at, end: at + 1 }),
            }
        }
        Self {
            runs,
            regions: readout.regions,
            classes: readout.classes,
            scoring: readout.scoring,
            loss: readout.loss.clone(),
        }
    }

    /// Region energies, scores, loss, and the weights of the error source; `input_power` is the mean of `|U_0|^2`,
    /// `share` the part of the batch mean this sample has.
    pub(super) fn read<T: Real>(
        &self,
        y: &[Complex<T>],
        label: u8,
        input_power: f64,
        share: f64,
        out: &mut Reading,
    ) {
        out.energies.fill(0.0);
        for run in &self.runs {
            out.energies[run.region] += y[run.start..run.end].iter().map(|u| u.norm_sqr()).sum::<T>().wide();
        }
        self.score(out);
        let label = usize::from(label);
        match &self.loss {
            Loss::CrossEntropy { scale } => {
                self.cross_entropy(*scale, label, share, out);
                let norm: f64 =
                    (0..self.regions).map(|r| out.weights[r] * out.weights[r] * out.energies[r]).sum();
                out.error_power = norm / y.len() as f64;
            }
            Loss::Mse { .. } => self.squares(y, label, input_power, share, out),
        }
    }

    fn score(&self, out: &mut Reading) {
        match self.scoring {
            Scoring::Normalised => {
                let total: f64 = out.energies.iter().sum();
                for (s, e) in out.scores.iter_mut().zip(&out.energies) {
                    *s = ratio(*e, total);
                }
            }
            Scoring::Differential => {
                for (c, s) in out.scores.iter_mut().enumerate() {
                    let (plus, minus) = (out.energies[2 * c], out.energies[2 * c + 1]);
                    *s = ratio(plus - minus, plus + minus);
                }
            }
        }
        let mut best = 0;
        for c in 1..self.classes {
            if out.scores[c] > out.scores[best] {
                best = c;
            }
        }
        out.prediction = best as u8;
    }

    /// Softmax cross-entropy and `dL/dS_r`.
    fn cross_entropy(&self, scale: f64, label: usize, share: f64, out: &mut Reading) {
        let top = out.scores.iter().fold(f64::MIN, |a, &s| a.max(scale * s));
        let total: f64 = out.scores.iter().map(|s| (scale * s - top).exp()).sum();
        out.loss = total.ln() + top - scale * out.scores[label];
        let slope = |c: usize| {
            let p = (scale * out.scores[c] - top).exp() / total;
            share * scale * (p - if c == label { 1.0 } else { 0.0 })
        };
        match self.scoring {
            Scoring::Normalised => {
                let sum: f64 = out.energies.iter().sum();
                let mean: f64 = (0..self.classes).map(|c| slope(c) * out.scores[c]).sum();
                for r in 0..self.regions {
                    out.weights[r] = ratio(slope(r) - mean, sum);
                }
            }
            Scoring::Differential => {
                for c in 0..self.classes {
                    let (plus, minus) = (out.energies[2 * c], out.energies[2 * c + 1]);
                    let square = (plus + minus) * (plus + minus);
                    out.weights[2 * c] = slope(c) * ratio(2.0 * minus, square);
                    out.weights[2 * c + 1] = -slope(c) * ratio(2.0 * plus, square);
                }
            }
        }
    }

    fn squares<T: Real>(
        &self,
        y: &[Complex<T>],
        label: usize,
        input_power: f64,
        share: f64,
        out: &mut Reading,
    ) {
        let (mut loss, mut power) = (0.0, 0.0);
        for (i, u) in y.iter().enumerate() {
            let intensity = u.norm_sqr().wide();
            let difference = self.difference(i, intensity, label, input_power);
            loss += difference * difference;
            let slope = ratio(2.0 * share * difference, input_power * y.len() as f64);
            power += slope * slope * intensity;
        }
        out.loss = loss / y.len() as f64;
        out.error_power = power / y.len() as f64;
    }

    fn difference(&self, pixel: usize, intensity: f64, label: usize, input_power: f64) -> f64 {
        let Loss::Mse { targets } = &self.loss else { return 0.0 };
        let target =
            targets.as_slice().map_or(0.0, |t| f64::from(t[label * (t.len() / self.classes) + pixel]));
        ratio(intensity, input_power) - target
    }

    /// The error source `g = (dL/dI) conj(Y)` of [`Detectors::read`]'s sample.
    pub(super) fn source<T: Real>(
        &self,
        y: &[Complex<T>],
        reading: &Reading,
        label: u8,
        input_power: f64,
        share: f64,
        g: &mut [Complex<T>],
    ) {
        match self.loss {
            Loss::CrossEntropy { .. } => {
                g.fill(Complex::zero());
                for run in &self.runs {
                    let w = T::of(reading.weights[run.region]);
                    for (g, y) in g[run.start..run.end].iter_mut().zip(&y[run.start..run.end]) {
                        *g = y.conj() * w;
                    }
                }
            }
            Loss::Mse { .. } => {
                for (i, (g, u)) in g.iter_mut().zip(y).enumerate() {
                    let difference = self.difference(i, u.norm_sqr().wide(), usize::from(label), input_power);
                    let slope = ratio(2.0 * share * difference, input_power * y.len() as f64);
                    *g = u.conj() * T::of(slope);
                }
            }
        }
    }
}

/// `a / b`, and 0 where there is no light to divide by. NaN stays NaN: a broken field must not pass for darkness.
fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}
