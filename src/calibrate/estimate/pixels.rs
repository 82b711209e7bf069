//! What is taken from the counts of frames before the fit, and which of their pixels count.

use ndarray::{Array2, Zip};

use super::EstimateError;
use super::model::FrameData;
use super::normal::Noise;
use crate::measure::{Corrections, MeasureError, Measurement, Role};

/// What was taken from the counts of frames before the fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Corrected {
    /// Background frames whose mean was subtracted.
    pub backgrounds: usize,
    /// Flat frames that the counts were divided by.
    pub flats: usize,
    /// Defective pixels, which the flat frames show; they are left out.
    pub defects: usize,
    /// Flat frames that were not used, for want of background frames.
    pub unused_flats: usize,
}

/// In words; empty where nothing was done.
impl std::fmt::Display for Corrected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        if self.backgrounds > 0 {
            parts.push(format!("less the mean of {}", frames(self.backgrounds, "background")));
        }
        if self.flats > 0 {
            parts.push(format!("divided by {}", frames(self.flats, "flat")));
        }
        if self.defects > 0 {
            parts.push(format!("without {} defective pixels", self.defects));
        }
        if self.unused_flats > 0 {
            parts.push(format!(
                "{} not used: without background frames nothing says how much of them is light",
                frames(self.unused_flats, "flat")
            ));
        }
        f.write_str(&parts.join(", "))
    }
}

fn frames(n: usize, kind: &str) -> String {
    format!("{n} {kind} frame{}", if n == 1 { "" } else { "s" })
}

/// Background and sensitivity of the camera's pixels.
pub(crate) struct Correction {
    /// `None` without background frames.
    frames: Option<Corrections>,
    /// Counts in the dark that are put back for the mean of the background, so that an offset stays what it is on average.
    level: f64,
    pub(crate) done: Corrected,
}

impl Correction {
    /// Reads background and flat frames; the level is that of `fitted`.
    ///
    /// # Errors
    /// Frames that cannot be read or are no flat frames.
    pub(crate) fn read(m: &Measurement, fitted: &[FrameData]) -> Result<Self, EstimateError> {
        let count = |role: Role| m.config.frames.iter().filter(|f| f.role == role).count();
        let (backgrounds, flats) = (count(Role::Background), count(Role::Flat));
        if backgrounds == 0 {
            let done = Corrected { unused_flats: flats, ..Corrected::default() };
            return Ok(Self { frames: None, level: 0.0, done });
        }
        let corrections = Corrections::read(m)?;
        let means: Vec<f64> =
            fitted.iter().filter_map(|f| corrections.background(f.exposure)?.mean()).collect();
        let level = means.iter().sum::<f64>() / means.len().max(1) as f64;
        let done = Corrected { backgrounds, flats, defects: corrections.defects(), unused_flats: 0 };
        Ok(Self { frames: Some(corrections), level, done })
    }

    /// Turns counts as they were read into `(counts - background) / sensitivity + level`.
    pub(crate) fn apply(&self, frames: &mut [FrameData]) {
        let Some(corrections) = &self.frames else { return };
        for frame in frames {
            let counts = std::mem::take(&mut frame.counts);
            frame.counts = corrections.apply(counts, frame.exposure) + self.level;
        }
    }

    fn sensitivity(&self, shape: (usize, usize)) -> Array2<f64> {
        let known = self.frames.as_ref().and_then(Corrections::sensitivity);
        known.cloned().unwrap_or_else(|| Array2::ones(shape))
    }
}

/// The pixels of frames: which count, and how much each sees.
pub(crate) struct Pixels {
    /// Those of each frame that the twin knows and that are neither saturated nor defective.
    pub(crate) valid: Vec<Array2<bool>>,
    /// Relative sensitivity, mean 1: a corrected count is one that was read, less its background, over this. Noise is that of
    /// counts as they were read.
    sensitivity: Array2<f64>,
}

/// A pixel of a frame: predicted and measured light in counts as they were read.
pub(crate) struct Pixel {
    /// Predicted light: above the offset.
    pub(crate) light: f64,
    /// Measured less predicted.
    pub(crate) residual: f64,
}

impl Pixels {
    /// Of frames whose counts are still as they were read: these tell what is saturated.
    ///
    /// # Errors
    /// A frame that is saturated, too dark, or looks past the twin.
    pub(crate) fn of(
        m: &Measurement,
        frames: &[FrameData],
        inside: &Array2<bool>,
        correction: &Correction,
    ) -> Result<Self, EstimateError> {
        let full = 2.0_f64.powi(m.config.camera.bits as i32) - 1.0;
        let count = |used: &Array2<bool>| used.iter().filter(|v| **v).count();
        let sensitivity = correction.sensitivity(inside.dim());
        let mut good = inside.clone();
        good.zip_mut_with(&sensitivity, |good, s| *good &= *s > 0.0);
        let known = count(&good);
        let wrong = |number: usize, problem: String| {
            let file = m.config.frames[number - 1].file.clone();
            EstimateError::Measure(MeasureError::Frame { file, number, problem })
        };
        let mut valid = Vec::new();
        for frame in frames {
            if known < 1000 {
                let problem = format!(
                    "only {known} of its pixels look at the twin's grid; check camera.pixels, camera.pitch, optics.pixels and optics.pitch"
                );
                return Err(wrong(frame.number, problem));
            }
            let mut used = good.clone();
            used.zip_mut_with(&frame.counts, |used, v| *used &= *v < full);
            let lost = 1.0 - count(&used) as f64 / known as f64;
            if lost > 0.2 {
                let problem =
                    format!("{:.0} % of its pixels are saturated; expose for a shorter time", 100.0 * lost);
                return Err(wrong(frame.number, problem));
            }
            let lit = || frame.counts.iter().zip(&used).filter(|(_, u)| **u).map(|(v, _)| *v);
            let (low, high) = lit().fold((f64::INFINITY, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
            if high - low < 12.0 {
                let problem = format!(
                    "its counts are {low} to {high}, too dark to be fitted; expose for a longer time"
                );
                return Err(wrong(frame.number, problem));
            }
            valid.push(used);
        }
        Ok(Self { valid, sensitivity })
    }

    /// The pixels of frame `frame` that count.
    pub(crate) fn used<'a>(
        &'a self,
        frame: usize,
        predicted: &'a Array2<f64>,
        counts: &'a Array2<f64>,
        offset: f64,
    ) -> impl Iterator<Item = Pixel> + 'a {
        let each = predicted.iter().zip(counts).zip(&self.sensitivity).zip(&self.valid[frame]);
        each.filter(|(_, used)| **used)
            .map(move |(((p, d), s), _)| Pixel { light: s * (p - offset), residual: s * (d - p) })
    }

    /// Residuals of a frame in counts as they were read, of pixels that count and of others.
    pub(crate) fn residuals(&self, predicted: &Array2<f64>, counts: &Array2<f64>) -> Array2<f64> {
        (counts - predicted) * &self.sensitivity
    }

    /// Predicted light of a pixel in counts as they were read.
    pub(crate) fn light(&self, at: [usize; 2], predicted: f64, offset: f64) -> f64 {
        self.sensitivity[at] * (predicted - offset)
    }

    /// Variances of the corrected counts of a frame; infinite where a pixel does not count.
    pub(crate) fn variances(
        &self,
        frame: usize,
        predicted: &Array2<f64>,
        offset: f64,
        noise: Noise,
    ) -> Array2<f64> {
        let mut all = Array2::from_elem(predicted.dim(), f64::INFINITY);
        Zip::from(&mut all).and(predicted).and(&self.sensitivity).and(&self.valid[frame]).for_each(
            |v, p, s, used| {
                if *used {
                    *v = noise.variance(s * (p - offset)) / (s * s);
                }
            },
        );
        all
    }
}
