//! Detectors, scores, losses and the error source.

use super::buffer::{Layout, by_lanes};
use super::real::{Real, wide};
use crate::engine::{Loss, Readout, Scoring};

/// Neighbouring pixels of one region: columns of a block of rows, in some of its lanes.
#[derive(Clone, Copy)]
struct Run {
    region: usize,
    /// Columns, counted through all blocks.
    start: usize,
    end: usize,
    /// Lane `l` belongs to the region where bit `l` is set.
    lanes: u8,
}

/// [`Readout`] as runs of pixels.
pub(super) struct Detectors {
    layout: Layout,
    runs: Vec<Run>,
    regions: usize,
    classes: usize,
    scoring: Scoring,
    loss: Loss,
    /// Targets of [`Loss::Mse`], class after class, in the layout's order; NaN in dark rows.
    targets: Vec<f32>,
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
    pub(super) fn new(readout: &Readout, layout: Layout) -> Self {
        Self {
            layout,
            runs: runs(readout, layout),
            regions: readout.regions,
            classes: readout.classes,
            scoring: readout.scoring,
            loss: readout.loss.clone(),
            targets: targets(readout, layout),
        }
    }

    /// Region energies, scores, loss, and the weights of the error source; `input_power` is the mean of `|U_0|^2`,
    /// `share` the part of the batch mean this sample has.
    pub(super) fn read<T: Real>(&self, y: &[T], label: u8, input_power: f64, share: f64, out: &mut Reading) {
        out.energies.fill(0.0);
        for run in &self.runs {
            out.energies[run.region] += by_lanes!(self.layout.lanes, energy::<T>(*run, y));
        }
        self.score(out);
        let label = usize::from(label);
        match &self.loss {
            Loss::CrossEntropy { scale, efficiency, smoothing, margin } => {
                self.cross_entropy((*scale, *smoothing, *margin), label, share, out);
                if *efficiency > 0.0 {
                    self.missing_light(*efficiency, input_power * self.pixels(), share, out);
                }
                let norm: f64 =
                    (0..self.regions).map(|r| out.weights[r] * out.weights[r] * out.energies[r]).sum();
                out.error_power = norm / self.pixels();
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
    fn cross_entropy(
        &self,
        (scale, smoothing, margin): (f64, f64, f64),
        label: usize,
        share: f64,
        out: &mut Reading,
    ) {
        let behind = |scores: &[f64], c: usize| scores[c] - if c == label { margin } else { 0.0 };
        let classes = 0..self.classes;
        let top = classes.clone().map(|c| scale * behind(&out.scores, c)).fold(f64::MIN, f64::max);
        let total: f64 = classes.clone().map(|c| (scale * behind(&out.scores, c) - top).exp()).sum();
        let target = behind(&out.scores, label);
        out.loss = total.ln() + top - scale * target;
        let all = smoothing / self.classes as f64;
        if smoothing > 0.0 {
            let others: f64 = classes.map(|c| target - behind(&out.scores, c)).sum();
            out.loss += all * scale * others;
        }
        let slope = |c: usize| {
            let p = (scale * behind(&out.scores, c) - top).exp() / total;
            share * scale * (p - if c == label { 1.0 - smoothing + all } else { all })
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

    /// `efficiency (1 - sum_r S_r / E_in)` and its derivative, the same for all regions.
    fn missing_light(&self, efficiency: f64, input_energy: f64, share: f64, out: &mut Reading) {
        let detected: f64 = out.energies.iter().sum();
        out.loss += efficiency * (1.0 - ratio(detected, input_energy));
        let slope = ratio(share * efficiency, input_energy);
        out.weights.iter_mut().for_each(|w| *w -= slope);
    }

    /// Pixels that are there, as a number to divide by.
    fn pixels(&self) -> f64 {
        (self.layout.rows * self.layout.cols) as f64
    }

    fn squares<T: Real>(&self, y: &[T], label: usize, input_power: f64, share: f64, out: &mut Reading) {
        let (mut loss, mut power) = (0.0, 0.0);
        let slope = ratio(2.0 * share, input_power * self.pixels());
        self.differences(y, label, input_power, |_, intensity, difference| {
            loss += difference * difference;
            power += slope * slope * difference * difference * intensity;
        });
        out.loss = loss / self.pixels();
        out.error_power = power / self.pixels();
    }

    /// Calls with the place of a pixel's real part, its intensity, and that in units of the mean input less the target.
    fn differences<T: Real>(
        &self,
        y: &[T],
        label: usize,
        input_power: f64,
        mut see: impl FnMut(usize, f64, f64),
    ) {
        let (lanes, pixels) = (self.layout.lanes, self.layout.pixels());
        let targets = &self.targets[label * pixels..(label + 1) * pixels];
        for (x, (y, targets)) in y.chunks_exact(2 * lanes).zip(targets.chunks_exact(lanes)).enumerate() {
            for (l, target) in targets.iter().enumerate().filter(|(_, t)| !t.is_nan()) {
                let intensity = (y[l] * y[l] + y[lanes + l] * y[lanes + l]).wide();
                see(x * 2 * lanes + l, intensity, ratio(intensity, input_power) - f64::from(*target));
            }
        }
    }

    /// The error source `g = (dL/dI) conj(Y)` of [`Detectors::read`]'s sample.
    pub(super) fn source<T: Real>(
        &self,
        y: &[T],
        reading: &Reading,
        label: u8,
        input_power: f64,
        share: f64,
        g: &mut [T],
    ) {
        g.fill(T::of(0.0));
        match self.loss {
            Loss::CrossEntropy { .. } => {
                for run in &self.runs {
                    let w = T::of(reading.weights[run.region]);
                    by_lanes!(self.layout.lanes, conjugate::<T>(*run, w, y, g));
                }
            }
            Loss::Mse { .. } => {
                let slope = ratio(2.0 * share, input_power * self.pixels());
                let lanes = self.layout.lanes;
                self.differences(y, usize::from(label), input_power, |at, _, difference| {
                    let s = T::of(slope * difference);
                    (g[at], g[at + lanes]) = (y[at] * s, -y[at + lanes] * s);
                });
            }
        }
    }
}

wide! {
    /// Sum of `|y|^2` over a run.
    fn energy<T: Real, const L: usize>(run: Run, y: &[T]) -> f64 {
        let mut sums = [T::of(0.0); L];
        for y in y[2 * L * run.start..2 * L * run.end].chunks_exact(2 * L) {
            for l in 0..L {
                sums[l] += y[l] * y[l] + y[L + l] * y[L + l];
            }
        }
        (0..L).filter(|l| run.lanes >> l & 1 == 1).map(|l| sums[l].wide()).sum()
    }
}

wide! {
    /// `g += w conj(y)` over a run; others may have lanes of the same columns.
    fn conjugate<T: Real, const L: usize>(run: Run, w: T, y: &[T], g: &mut [T]) {
        let mut weights = [T::of(0.0); L];
        for (l, weight) in weights.iter_mut().enumerate() {
            if run.lanes >> l & 1 == 1 {
                *weight = w;
            }
        }
        let part = 2 * L * run.start..2 * L * run.end;
        for (g, y) in g[part.clone()].chunks_exact_mut(2 * L).zip(y[part].chunks_exact(2 * L)) {
            for l in 0..L {
                g[l] += y[l] * weights[l];
                g[L + l] += -y[L + l] * weights[l];
            }
        }
    }
}

/// Regions as runs: columns of a block with the same lanes of the same region.
fn runs(readout: &Readout, layout: Layout) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for block in 0..layout.blocks() {
        // Runs that the column before belonged to, by region.
        let mut open: Vec<usize> = Vec::new();
        for col in 0..layout.cols {
            let mut here: Vec<(usize, u8)> = Vec::new();
            for lane in 0..layout.lanes {
                let region = readout.map.get((block * layout.lanes + lane, col)).copied().unwrap_or(0);
                if let Some(region) = usize::from(region).checked_sub(1) {
                    match here.iter_mut().find(|h| h.0 == region) {
                        Some(h) => h.1 |= 1 << lane,
                        None => here.push((region, 1 << lane)),
                    }
                }
            }
            let at = block * layout.cols + col;
            let mut next = Vec::new();
            for (region, lanes) in here {
                let same = |r: &&usize| runs[**r].region == region && runs[**r].lanes == lanes;
                if let Some(&run) = open.iter().find(same) {
                    runs[run].end += 1;
                    next.push(run);
                } else {
                    next.push(runs.len());
                    runs.push(Run { region, start: at, end: at + 1, lanes });
                }
            }
            open = next;
        }
    }
    runs
}

fn targets(readout: &Readout, layout: Layout) -> Vec<f32> {
    let Loss::Mse { targets } = &readout.loss else { return Vec::new() };
    let mut ordered = vec![f32::NAN; readout.classes * layout.pixels()];
    for ((class, r, c), value) in targets.indexed_iter() {
        ordered[class * layout.pixels() + layout.place(r, c)] = *value;
    }
    ordered
}

/// `a / b`, and 0 where there is no light to divide by. NaN stays NaN: a broken field must not pass for darkness.
fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}
