//! The least-squares search: Levenberg-Marquardt with robust weights, noise read off the residuals.

use ndarray::Array2;
use rayon::prelude::*;

use super::EstimateError;
use super::model::{FrameData, Model};
use super::normal::{Noise, Normal, huber};
use super::pixels::Pixels;
use crate::numeric::Eigen;

/// A search ends when so much of the loss is left to be gained: with one unit of it every number would still be some standard
/// deviations away.
pub(super) const ENOUGH: f64 = 0.05;

/// Derivatives are made again where steps along the old ones leave more than this share of what there was to be gained: its
/// root is half of what they have changed by.
const STALE: f64 = 1e-3;
/// Derivatives of at most so many bytes are kept.
const KEPT_BYTES: usize = 1 << 30;

/// Derivatives of each frame by all parameters, camera pixels.
type Columns = Vec<Vec<Array2<f32>>>;

/// Those of the frames of a search, kept as long as its steps hardly change them.
pub(crate) struct Slopes {
    which: Vec<usize>,
    derived: Vec<bool>,
    columns: Columns,
    /// What there was to be gained where they were made.
    left: f64,
}

/// Where a search stands.
pub(crate) struct Found {
    pub(crate) x: Vec<f64>,
    pub(crate) noise: Noise,
    pub(crate) iterations: usize,
    pub(crate) converged: bool,
    /// What there was to be gained where it began.
    pub(crate) began: f64,
    /// The normal equations there, where they have been made.
    pub(crate) normal: Option<Normal>,
    /// The derivatives that a next search may begin with.
    pub(crate) slopes: Option<Slopes>,
    /// What there is still to be gained along them.
    pub(crate) rest: f64,
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
    /// Parameters whose derivatives are made: a rough search has no use for those that do not move.
    fn derived(&self) -> Vec<bool> {
        if self.rough > 0.0 { self.active.clone() } else { vec![true; self.active.len()] }
    }

    fn noise(&self, predicted: &[Array2<f64>], offset: f64) -> Noise {
        let mut pairs = Vec::new();
        for (&frame, p) in self.which.iter().zip(predicted) {
            let each = self.pixels.used(frame, p, &self.frames[frame].counts, offset);
            pairs.extend(each.step_by(5).map(|pixel| (pixel.light, pixel.residual.powi(2))));
        }
        Noise::fit(pairs)
    }

    /// Variances of the counts of all frames.
    fn variances(&self, predicted: &[Array2<f64>], offset: f64, noise: Noise) -> Vec<Array2<f64>> {
        let each = self.which.par_iter().zip(predicted);
        each.map(|(&frame, counts)| self.pixels.variances(frame, counts, offset, noise)).collect()
    }

    /// Loss of predicted counts with given variances: those of the place that a step begins at. Variances that followed the step
    /// would favour bright predictions.
    fn loss(&self, model: &Model, predicted: &[Array2<f64>], x: &[f64], variances: &[Array2<f64>]) -> f64 {
        let one = |((&frame, predicted), variance): ((&usize, &Array2<f64>), &Array2<f64>)| -> f64 {
            let counts = &self.frames[frame].counts;
            let each = counts.iter().zip(predicted).zip(variance);
            each.filter(|(_, v)| v.is_finite()).map(|((d, p), v)| huber((d - p) / v.sqrt()).0).sum()
        };
        let each: Vec<f64> = self.which.par_iter().zip(predicted).zip(variances).map(one).collect();
        let sum: f64 = each.iter().sum();
        let priors = model.parameters.iter().zip(x).zip(self.expected);
        sum + priors.map(|((p, x), e)| 0.5 * ((x - e) / p.prior).powi(2)).sum::<f64>()
    }

    /// Normal equations at `x`, of all parameters, and the derivatives if there is room for them.
    fn linearise(
        &self,
        model: &mut Model,
        x: &[f64],
        noise: Noise,
    ) -> Result<(Normal, Option<Columns>), EstimateError> {
        let offset = offset(model, x);
        let mut normal = Normal::new(x.len());
        let pixels: usize = self.which.iter().map(|&frame| self.frames[frame].counts.len()).sum();
        let room = size_of::<f32>() * pixels * x.len() <= KEPT_BYTES;
        let mut kept = room.then(|| vec![Vec::new(); self.which.len()]);
        model.linearise(self.frames, &self.which, (x, &self.derived()), |at, linear| {
            self.add(&mut normal, self.which[at], &linear.counts, &linear.columns, offset, noise);
            if let Some(kept) = &mut kept {
                kept[at] = linear.columns;
            }
        })?;
        self.expect(&mut normal, model, x);
        Ok((normal, kept))
    }

    /// The same with derivatives from elsewhere.
    fn along(
        &self,
        model: &Model,
        slopes: &Slopes,
        predicted: &[Array2<f64>],
        x: &[f64],
        noise: Noise,
    ) -> Normal {
        let offset = offset(model, x);
        let mut normal = Normal::new(x.len());
        for ((&frame, counts), columns) in self.which.iter().zip(predicted).zip(&slopes.columns) {
            self.add(&mut normal, frame, counts, columns, offset, noise);
        }
        self.expect(&mut normal, model, x);
        normal
    }

    /// Adds a frame to normal equations.
    fn add(
        &self,
        normal: &mut Normal,
        frame: usize,
        counts: &Array2<f64>,
        columns: &[Array2<f32>],
        offset: f64,
        noise: Noise,
    ) {
        let residual = &self.frames[frame].counts - counts;
        let variance = self.pixels.variances(frame, counts, offset, noise);
        normal.add(residual.view(), variance.view(), columns);
    }

    /// Adds where parameters are expected.
    fn expect(&self, normal: &mut Normal, model: &Model, x: &[f64]) {
        for (n, p) in model.parameters.iter().enumerate() {
            normal.prior(n, x[n] - self.expected[n], p.prior);
        }
    }

    /// Those where a search has ended.
    pub(crate) fn normal_at(&self, model: &mut Model, found: &mut Found) -> Result<Normal, EstimateError> {
        match found.normal.take() {
            Some(normal) => Ok(normal),
            None => Ok(self.linearise(model, &found.x, found.noise)?.0),
        }
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
        let mut slopes =
            from.slopes.filter(|slopes| slopes.which == self.which && slopes.derived == self.derived());
        // Not far from where a rough one ended.
        let mut damping = if self.rough > 0.0 { 1e-3 } else { 1e-6 };
        let mut converged = false;
        let mut iterations = 0;
        let mut began = None;
        let (mut rest, mut normal) = (from.rest, None);
        while iterations < self.steps && !converged {
            iterations += 1;
            let place = self.place(model, (slopes, rest), &predicted, &x, noise)?;
            let variances = self.variances(&predicted, offset(model, &x), noise);
            let before = self.loss(model, &predicted, &x, &variances);
            slopes = place.slopes;
            began.get_or_insert(place.left);
            tracing::debug!(iterations, before, left = place.left, fresh = place.fresh, "search");
            // Ever shorter steps, ever closer to the steepest descent, until one helps.
            converged = true;
            (rest, normal) = (place.left, Some(place.whole));
            if place.left < ENOUGH + self.rough * before {
                break;
            }
            for tries in 0..7 {
                let left = place.free.rest(&place.eigen, damping);
                if tries > 0 && place.left - left < ENOUGH {
                    break;
                }
                let step = place.free.step(&place.eigen, damping);
                let moved: Vec<f64> = model
                    .parameters
                    .iter()
                    .zip(x.iter().zip(&step))
                    .map(|(p, (x, d))| (x + d).clamp(p.limits[0], p.limits[1]))
                    .collect();
                let there = model.evaluate(self.frames, &self.which, &moved)?;
                let after = self.loss(model, &there, &moved, &variances);
                tracing::debug!(damping, foreseen = place.left - left, gained = before - after, "step");
                if after < before {
                    (rest, normal) = (left, None);
                    // A number at the end of its range has more to gain but nowhere to go.
                    converged = damping < 1e-5 && before - after < ENOUGH;
                    (x, predicted) = (moved, there);
                    damping = (damping * 0.03).max(1e-12);
                    break;
                }
                damping *= 10.0;
            }
            if converged && normal.is_some() && !place.fresh {
                // No step helps along old derivatives; new ones may know better.
                (slopes, converged) = (None, false);
            }
            noise = self.noise(&predicted, offset(model, &x));
            news(&format!(
                "step {iterations}, {} frames: residual {:.2} counts in the dark",
                self.which.len(),
                noise.dark.sqrt()
            ));
        }
        let (iterations, began) = (from.iterations + iterations, began.unwrap_or(0.0));
        Ok(Found { x, noise, iterations, converged, began, normal, slopes, rest })
    }

    /// Normal equations where a search stands, along the derivatives that it has if they hold, and along new ones if not. A step
    /// that got there was to leave `rest`.
    fn place(
        &self,
        model: &mut Model,
        (slopes, rest): (Option<Slopes>, f64),
        predicted: &[Array2<f64>],
        x: &[f64],
        noise: Noise,
    ) -> Result<Place, EstimateError> {
        if let Some(slopes) = slopes {
            let most = (STALE * slopes.left).max(ENOUGH) + 2.0 * rest;
            let place = self.free(model, self.along(model, &slopes, predicted, x, noise), x);
            if place.left <= most {
                return Ok(Place { slopes: Some(slopes), ..place });
            }
        }
        let (whole, columns) = self.linearise(model, x, noise)?;
        let place = self.free(model, whole, x);
        let slopes = columns.map(|columns| Slopes {
            which: self.which.clone(),
            derived: self.derived(),
            columns,
            left: place.left,
        });
        Ok(Place { slopes, fresh: true, ..place })
    }

    /// What the parameters that may move have to gain by normal equations.
    fn free(&self, model: &Model, whole: Normal, x: &[f64]) -> Place {
        let mut free = whole.clone();
        // A number at the end of its range that would go on has nowhere to go; the others are to find their best place beside it.
        let moves = |n: usize| {
            let [low, high] = model.parameters[n].limits;
            let push = whole.gradient[n];
            self.active[n] && !(x[n] <= low && push < 0.0 || x[n] >= high && push > 0.0)
        };
        for n in (0..x.len()).filter(|&n| !moves(n)) {
            free.matrix.row_mut(n).fill(0.0);
            free.matrix.column_mut(n).fill(0.0);
            (free.matrix[[n, n]], free.gradient[n]) = (1.0, 0.0);
        }
        let eigen = free.eigen();
        let left = 0.5 * free.gradient.dot(&free.step(&eigen, 0.0));
        Place { whole, free, eigen, left, slopes: None, fresh: false }
    }
}

/// Where a search looks for its next step.
struct Place {
    whole: Normal,
    /// Of the parameters that may move.
    free: Normal,
    eigen: Eigen,
    /// Loss to be gained.
    left: f64,
    slopes: Option<Slopes>,
    /// Whether derivatives were made here.
    fresh: bool,
}

/// Counts in the dark.
pub(crate) fn offset(model: &Model, x: &[f64]) -> f64 {
    model.calibration(x).response.map_or(0.0, |r| r.offset)
}
