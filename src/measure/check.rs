//! Whether a measurement can be used, and what each of its frames holds.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use ndarray::Array2;
use ndarray::parallel::prelude::*;
use serde::Serialize;

use super::description::{self, explain};
use super::exposure::exposure;
use super::problem::{Kind, Problem, Severity, of_frame};
use super::statistics::{Statistics, thumbnail};
use super::{Corrections, Frame, MeasureError, Measurement, Role};
use crate::holography;

/// Longest side of a thumbnail, pixels.
const THUMBNAIL: usize = 192;
/// Phase steps that are further from those stated are wrong, radians: not the calibration of a stage, but the order of frames.
const WRONG_STEP: f64 = 0.6;
/// Residual of found steps, above which they say nothing.
const CLEAR_STEPS: f64 = 0.3;
/// What a check finds.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// One entry per frame, in the order of `measurement.toml`.
    pub frames: Vec<FrameCheck>,
    /// All that is wrong.
    pub problems: Vec<Problem>,
    /// Mean background, counts; 0 without background frames.
    pub dark: f64,
    /// The camera's largest count.
    pub top: f64,
}

/// What a frame holds.
#[derive(Clone, Debug, Serialize)]
pub struct FrameCheck {
    /// Number, from 1.
    pub number: usize,
    /// File.
    pub file: String,
    /// What it is for.
    pub role: Role,
    /// Exposure.
    pub exposure: f64,
    /// Its figures; `None` where it cannot be read.
    pub statistics: Option<Statistics>,
    /// A small picture of its counts.
    #[serde(skip)]
    pub thumbnail: Option<Array2<f32>>,
}

/// A frame as it was read.
pub(super) struct Seen {
    pub(super) counts: Statistics,
    small: Array2<f32>,
    hash: u64,
}

impl Check {
    /// The problems of a frame (from 1).
    pub fn of(&self, number: usize) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(move |p| p.frame == Some(number))
    }

    /// Whether every frame can be used.
    pub fn usable(&self) -> bool {
        self.problems.iter().all(|p| p.severity != Severity::Error)
    }

    /// Nothing, where every frame can be used.
    ///
    /// # Errors
    /// All problems that make frames unusable.
    pub fn require_usable(&self) -> Result<(), MeasureError> {
        unusable(self.problems.iter())
    }
}

/// All problems that make frames unusable as one error, where there are some.
fn unusable<'a>(problems: impl Iterator<Item = &'a Problem>) -> Result<(), MeasureError> {
    let errors = problems.filter(|p| p.severity == Severity::Error);
    let problems: Vec<_> = errors.map(ToString::to_string).collect();
    if problems.is_empty() { Ok(()) } else { Err(MeasureError::Unusable { problems }) }
}

impl Measurement {
    /// Nothing, where wavelength and pixels can be meant as they are written; no frame is read.
    ///
    /// # Errors
    /// What is off by a thousand.
    pub fn require_units(&self) -> Result<(), MeasureError> {
        unusable(description::check(self).iter().filter(|p| p.kind == Kind::Unit))
    }

    /// Reads every frame and checks it: size, saturation, exposure, order, repetitions, units.
    pub fn check(&self) -> Check {
        let top = f64::from(2.0_f32.powi(self.config.camera.bits.clamp(1, 24) as i32)) - 1.0;
        let mut problems = description::check(self);
        let backgrounds = self.of_role(Role::Background);
        let dark = self.mean_of(&backgrounds);
        let numbers: Vec<usize> = (1..=self.config.frames.len()).collect();
        let read: Vec<_> = numbers.par_iter().map(|n| self.seen(*n, top, dark)).collect();
        let (mut seen, mut frames) = (BTreeMap::new(), Vec::new());
        for ((number, frame), read) in (1..).zip(&self.config.frames).zip(read) {
            let mut entry = FrameCheck {
                number,
                file: frame.file.clone(),
                role: frame.role,
                exposure: frame.exposure,
                statistics: None,
                thumbnail: None,
            };
            match read {
                Ok(read) => {
                    problems.extend(exposure(number, frame, &read.counts, top, dark));
                    entry.statistics = Some(read.counts.clone());
                    entry.thumbnail = Some(read.small.clone());
                    seen.insert(number, read);
                }
                Err(error) if !frame.file.is_empty() => {
                    let (kind, message) = explain(&error);
                    problems.push(of_frame(number, frame, Severity::Error, kind, message));
                }
                // The description's check has said it.
                Err(_) => {}
            }
            frames.push(entry);
        }
        problems.extend(self.repeated(&seen));
        // A frame that is bad by itself says nothing of the order.
        let bad = |n: usize| problems.iter().any(|p| p.frame == Some(n) && p.severity == Severity::Error);
        seen.retain(|n, _| !bad(*n));
        problems.extend(self.exposure_order(&seen, dark));
        problems.extend(self.steps_as_stated(&seen));
        problems.extend(self.corrections());
        problems.sort_by_key(|p| p.frame);
        Check { frames, problems, dark, top }
    }

    fn of_role(&self, role: Role) -> Vec<usize> {
        let frames = (1..).zip(&self.config.frames);
        frames.filter(|(_, f)| f.role == role).map(|(n, _)| n).collect()
    }

    /// Mean count over the frames that can be read; 0 of none.
    fn mean_of(&self, numbers: &[usize]) -> f64 {
        let means: Vec<f64> = numbers.iter().filter_map(|n| self.counts(*n).ok()?.mean()).collect();
        // An empty sum is minus zero.
        0.0 + means.iter().sum::<f64>() / means.len().max(1) as f64
    }

    fn seen(&self, number: usize, top: f64, dark: f64) -> Result<Seen, MeasureError> {
        let counts = self.counts(number)?;
        let mut hasher = DefaultHasher::new();
        counts.iter().for_each(|v| v.to_bits().hash(&mut hasher));
        Ok(Seen {
            counts: Statistics::of(counts.view(), top, dark),
            small: thumbnail(counts.view(), THUMBNAIL),
            hash: hasher.finish(),
        })
    }

    /// Two files with one content: noise never repeats itself.
    fn repeated(&self, seen: &BTreeMap<usize, Seen>) -> Vec<Problem> {
        let mut first = BTreeMap::new();
        let mut found = Vec::new();
        for (&number, read) in seen {
            let earlier = *first.entry(read.hash).or_insert(number);
            let (a, b) = (&self.config.frames[earlier - 1], &self.config.frames[number - 1]);
            if earlier == number || a.file == b.file {
                continue;
            }
            let message = format!(
                "its counts are exactly those of {} (frame {earlier}); one of them is a copy in the wrong place",
                a.file
            );
            let same =
                Frame { file: String::new(), ..a.clone() } == Frame { file: String::new(), ..b.clone() };
            let severity = if same { Severity::Warning } else { Severity::Error };
            found.push(of_frame(number, b, severity, Kind::Duplicate, message));
        }
        found
    }

    /// Phase steps that the frames contradict.
    fn steps_as_stated(&self, seen: &BTreeMap<usize, Seen>) -> Vec<Problem> {
        let mut found = Vec::new();
        for (name, numbers) in self.reference_sets() {
            let stated: Vec<f64> =
                numbers.iter().filter_map(|n| Some(self.config.frames[n - 1].step?.0)).collect();
            let whole = stated.len() == numbers.len() && numbers.iter().all(|n| seen.contains_key(n));
            if numbers.len() < 3 || !whole {
                continue;
            }
            let frames: Result<Vec<_>, _> = numbers.iter().map(|n| self.counts(*n)).collect();
            // Frames that tell no steps contradict none.
            let Some(Ok(steps)) = frames.ok().map(|f| holography::unknown_steps(&f)) else { continue };
            let off = |sign: f64| -> f64 {
                let apart = |(s, f): (&f64, &f64)| holography::apart(*s - stated[0], sign * f).abs();
                stated.iter().zip(&steps.steps).map(apart).fold(0.0, f64::max)
            };
            if steps.residual > CLEAR_STEPS || off(1.0).min(off(-1.0)) < WRONG_STEP {
                continue;
            }
            let words: Vec<_> = steps.steps.iter().map(|s| format!("{:.0}", s.to_degrees())).collect();
            let message = format!(
                "set {name:?}: by what they show the frames have the phase steps {} degrees (or all negative), not those given; \
                 are they in order? Without step keys the steps are found",
                words.join(", ")
            );
            let frame = &self.config.frames[numbers[0] - 1];
            found.push(of_frame(numbers[0], frame, Severity::Error, Kind::Order, message));
        }
        found
    }

    /// Flat frames that are none, defective pixels.
    fn corrections(&self) -> Option<Problem> {
        let flats = self.of_role(Role::Flat);
        let last = *flats.last()?;
        let frame = &self.config.frames[last - 1];
        match Corrections::read(self) {
            Ok(c) if c.defects() == 0 => None,
            Ok(c) => {
                let message =
                    format!("{} defective pixels; they get the median of their neighbours", c.defects());
                Some(of_frame(last, frame, Severity::Warning, Kind::Correction, message))
            }
            Err(MeasureError::Frame { problem: message, .. }) if message.contains("even light") => {
                Some(of_frame(last, frame, Severity::Error, Kind::Correction, message))
            }
            // A frame that cannot be read has been named.
            Err(_) => None,
        }
    }
}
