//! The least-squares search: Levenberg-Marquardt with robust weights, noise read off the residuals.

use ndarray::Array2;

use super::EstimateError;
use super::model::{FrameData, Model};
use super::normal::{Noise, Normal, huber};
use super::pixels::Pixels;

/// A search ends when so much of the loss is left to be gained: with one unit of it every number would still be some standard
/// deviations away.
pub(super) const ENOUGH: f64 = 0.05;

/// Where a search stands.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) x: Vec<f64>,
    pub(crate) noise: Noise,
    pub(crate) iterations: usize,
    pub(crate) converged: bool,
    /// What there was to be gained where it began.
    pub(crate) began: f64,
    /// The normal equations there, where they have been made.
    pub(crate) normal: Option<Normal>,
}

/// What a search looks at.
pub(crate) struct Task<'a> {
    pub(crate) frames: &'a [FrameData],
    /// Numbers of the frames that are used.
    pub(crate) which: Vec<usize>,
    /// Pixels of each of all frames.
    pub(crate) pixels: &'a Pixels,
    /// Parameters that may move.
    pub(crate) active: Vec<bool>,
    /// Where parameters are expected.
    pub(crate) expected: &'a [f64],
    pub(crate) steps: usize,
    /// Share of the loss that may be left to be gained; 0: the search goes to the end.
    pub(crate) rough: f64,
}

impl Task<'_> {
    fn noise(&self, predicted: &[Array2<f64>], offset: f64) -> Noise {
        let mut pairs = Vec::new();
        for (&frame, p) in self.which.iter().zip(predicted) {
            let each = self.pixels.used(frame, p, &self.frames[frame].counts, offset);
            pairs.extend(each.step_by(5).map(|pixel| (pixel.light, pixel.residual.powi(2))));
        }
        Noise::fit(pairs)
    }

    fn loss(&self, model: &Model, predicted: &[Array2<f64>], x: &[f64], noise: Noise) -> f64 {
        let offset = offset(model, x);
        let mut sum = 0.0;
        for (&frame, p) in self.which.iter().zip(predicted) {
            for pixel in self.pixels.used(frame, p, &self.frames[frame].counts, offset) {
                // Expected light, not found light: a variance that follows the frame would favour dark pixels.
                sum += huber(pixel.residual / noise.variance(pixel.light).sqrt()).0;
            }
        }
        let priors = model.parameters.iter().zip(x).zip(self.expected);
        sum + priors.map(|((p, x), e)| 0.5 * ((x - e) / p.prior).powi(2)).sum::<f64>()
    }

    /// Normal equations at `x`, of all parameters.
    pub(crate) fn normal(&self, model: &mut Model, x: &[f64], noise: Noise) -> Result<Normal, EstimateError> {
        let offset = offset(model, x);
        let mut normal = Normal::new(x.len());
        model.linearise(self.frames, &self.which, x, |at, linear| {
            let frame = self.which[at];
            let residual = &self.frames[frame].counts - &linear.counts;
            let variance = self.pixels.variances(frame, &linear.counts, offset, noise);
            normal.add(residual.view(), variance.view(), &linear.columns);
        })?;
        for (n, p) in model.parameters.iter().enumerate() {
            normal.prior(n, x[n] - self.expected[n], p.prior);
        }
        Ok(normal)
    }

    /// Those where a search has ended.
    pub(crate) fn normal_at(&self, model: &mut Model, found: &mut Found) -> Result<Normal, EstimateError> {
        found.normal.take().map_or_else(|| self.normal(model, &found.x, found.noise), Ok)
    }

    /// Goes on from where a search stands until nothing is gained.
    pub(crate) fn search(
        &self,
        model: &mut Model,
        from: Found,
        news: &mut dyn FnMut(&str),
    ) -> Result<Found, EstimateError> {
        let mut x = from.x;
        let mut predicted = model.evaluate(self.frames, &self.which, &x)?;
        let mut noise = self.noise(&predicted, offset(model, &x));
        let mut damping = 1e-3;
        let mut converged = false;
        let mut iterations = 0;
        let mut began = 0.0;
        while iterations < self.steps && !converged {
            iterations += 1;
            let whole = self.normal(model, &x, noise)?;
            let mut normal = whole.clone();
            // A number at the end of its range that would go on has nowhere to go; the others are to find their best place beside it.
            let free = |n: usize| {
                let [low, high] = model.parameters[n].limits;
                let push = normal.gradient[n];
                self.active[n] && !(x[n] <= low && push < 0.0 || x[n] >= high && push > 0.0)
            };
            for n in (0..x.len()).filter(|&n| !free(n)).collect::<Vec<_>>() {
                normal.matrix.row_mut(n).fill(0.0);
                normal.matrix.column_mut(n).fill(0.0);
                (normal.matrix[[n, n]], normal.gradient[n]) = (1.0, 0.0);
            }
            let eigen = normal.eigen();
            let before = self.loss(model, &predicted, &x, noise);
            let left = 0.5 * normal.gradient.dot(&normal.step(&eigen, 0.0));
            if iterations == 1 {
                began = left;
            }
            if left < ENOUGH + self.rough * before {
                let iterations = from.iterations + iterations;
                return Ok(Found { x, noise, iterations, converged: true, began, normal: Some(whole) });
            }
            // Ever shorter steps, ever closer to the steepest descent, until one helps.
            converged = true;
            for _ in 0..7 {
                let step = normal.step(&eigen, damping);
                let moved: Vec<f64> = model
                    .parameters
                    .iter()
                    .zip(x.iter().zip(&step))
                    .map(|(p, (x, d))| (x + d).clamp(p.limits[0], p.limits[1]))
                    .collect();
                let there = model.evaluate(self.frames, &self.which, &moved)?;
                let after = self.loss(model, &there, &moved, noise);
                if after < before {
                    // A number at the end of its range has more to gain but nowhere to go.
                    converged = damping < 1e-5 && before - after < ENOUGH;
                    (x, predicted) = (moved, there);
                    damping = (damping * 0.03).max(1e-12);
                    break;
                }
                damping *= 10.0;
            }
            noise = self.noise(&predicted, offset(model, &x));
            news(&format!(
                "step {iterations}, {} frames: residual {:.2} counts in the dark",
                self.which.len(),
                noise.dark.sqrt()
            ));
        }
        Ok(Found { x, noise, iterations: from.iterations + iterations, converged, began, normal: None })
    }
}

/// Counts in the dark.
pub(crate) fn offset(model: &Model, x: &[f64]) -> f64 {
    model.calibration(x).response.map_or(0.0, |r| r.offset)
}
