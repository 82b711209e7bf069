//! Whether a measurement can be used, and what each of its frames holds.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use ndarray::Array2;
use ndarray::parallel::prelude::*;
use serde::Serialize;

use super::description::{self, explain, is_lit};
use super::problem::{Kind, Problem, Severity};
use super::statistics::{Statistics, thumbnail};
use super::{Corrections, Frame, MeasureError, Measurement, Role};
use crate::holography;

/// Longest side of a thumbnail, pixels.
const THUMBNAIL: usize = 192;
/// Share of saturated pixels above which a frame is unusable; below, they may be hot pixels, if they do not lie together.
const SATURATED: f64 = 1e-3;
/// Bright end above the dark as a share of the camera's range: below the first a frame is unusable, below the second it wastes
/// bits.
const DIM: [f64; 2] = [0.01, 0.1];
/// Bright end above the dark in standard deviations of the noise below which it may be noise: the largest median of 3 x 3 pixels
/// of a million in the dark is at 2.
const NO_LIGHT: f64 = 2.5;
/// Share of the camera's range that a background may fill.
const BRIGHT_DARK: f64 = 0.25;
/// Phase steps that are further from those stated are wrong, radians: not the calibration of a stage, but the order of frames.
const WRONG_STEP: f64 = 0.6;
/// Residual of found steps, above which they say nothing.
const CLEAR_STEPS: f64 = 0.3;
/// Relative loss of counts with a longer exposure that noise explains.
const EXPOSURE_SLACK: f64 = 0.02;

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
struct Seen {
    counts: Statistics,
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
        let errors = self.problems.iter().filter(|p| p.severity == Severity::Error);
        let problems: Vec<_> = errors.map(ToString::to_string).collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(MeasureError::Unusable { problems }),
        }
    }
}

impl Measurement {
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
                    problems.push(problem(number, frame, Severity::Error, kind, message));
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
            found.push(problem(number, b, severity, Kind::Duplicate, message));
        }
        found
    }

    /// Of frames that differ in their exposure only, the longer exposed must be the brighter.
    fn exposure_order(&self, seen: &BTreeMap<usize, Seen>, dark: f64) -> Vec<Problem> {
        let mut groups: Vec<(Frame, Vec<usize>)> = Vec::new();
        for &number in seen.keys() {
            let frame = &self.config.frames[number - 1];
            // Pairs of a photon-transfer curve, with or without a set, are one group.
            let set = frame.set.clone().filter(|_| frame.role != Role::PhotonTransfer);
            let key = Frame { file: String::new(), exposure: 1.0, set, ..frame.clone() };
            match groups.iter_mut().find(|(k, _)| *k == key) {
                Some((_, members)) => members.push(number),
                None => groups.push((key, vec![number])),
            }
        }
        let mut found = Vec::new();
        for (_, mut members) in groups.into_iter().filter(|(key, _)| is_lit(key)) {
            let exposure = |n: &usize| self.config.frames[n - 1].exposure;
            members.sort_by(|a, b| exposure(a).total_cmp(&exposure(b)));
            for pair in
                members.windows(2).filter(|w| exposure(&w[1]) > exposure(&w[0]) * (1.0 + EXPOSURE_SLACK))
            {
                let [a, b] = [pair[0], pair[1]];
                let light = |n: usize| seen[&n].counts.mean - dark;
                if light(b) >= light(a) * (1.0 - EXPOSURE_SLACK) {
                    continue;
                }
                let message = format!(
                    "{:.0} counts of light at exposure {}, but {} (frame {a}) has {:.0} at {}: are the frames in order?",
                    light(b),
                    exposure(&b),
                    self.config.frames[a - 1].file,
                    light(a),
                    exposure(&a),
                );
                found.push(problem(b, &self.config.frames[b - 1], Severity::Error, Kind::Order, message));
            }
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
            found.push(problem(numbers[0], frame, Severity::Error, Kind::Order, message));
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
                Some(problem(last, frame, Severity::Warning, Kind::Correction, message))
            }
            Err(MeasureError::Frame { problem: message, .. }) if message.contains("even light") => {
                Some(problem(last, frame, Severity::Error, Kind::Correction, message))
            }
            // A frame that cannot be read has been named.
            Err(_) => None,
        }
    }
}

fn problem(number: usize, frame: &Frame, severity: Severity, kind: Kind, message: String) -> Problem {
    Problem { frame: Some(number), file: frame.file.clone(), severity, kind, message }
}

/// Too much light, or too little.
fn exposure(number: usize, frame: &Frame, s: &Statistics, top: f64, dark: f64) -> Option<Problem> {
    let found = |severity, kind, message| Some(problem(number, frame, severity, kind, message));
    if s.max > top || s.min < 0.0 {
        let message = format!(
            "counts from {} to {}, but a camera of camera.bits has 0 to {top}; correct camera.bits or camera.padding_bits",
            s.min, s.max
        );
        return found(Severity::Error, Kind::Range, message);
    }
    // The end of a photon-transfer curve is meant to saturate: it shows the full well.
    let wanted = frame.role == Role::PhotonTransfer;
    if s.saturated > 0.0 {
        let bad = (s.saturated > SATURATED || s.bright >= top) && !wanted;
        let message = format!(
            "{} % of the pixels are saturated ({top} counts){}",
            rounded(100.0 * s.saturated),
            if bad { "; expose shorter or dim the light, and record it again" } else { "" }
        );
        let severity = if bad { Severity::Error } else { Severity::Warning };
        return found(severity, Kind::Saturated, message);
    }
    if !is_lit(frame) {
        let message = format!(
            "a background of {} of {top} counts; was the light off, and is the role right?",
            rounded(s.mean)
        );
        return (s.mean > BRIGHT_DARK * top)
            .then(|| problem(number, frame, Severity::Error, Kind::Correction, message));
    }
    let range = (s.bright - dark) / (top - dark).max(1.0);
    if s.bright - dark < NO_LIGHT * s.noise || range < DIM[0] {
        let message = format!(
            "under-exposed: its mean is {} counts above the background and its bright end uses {} % of the range; expose longer \
             and record it again",
            rounded(s.mean - dark),
            rounded(100.0 * range.max(0.0))
        );
        let severity = if wanted { Severity::Warning } else { Severity::Error };
        return found(severity, Kind::UnderExposed, message);
    }
    let message = format!(
        "uses {} % of the camera's range; {:.0} times the exposure would use it well",
        rounded(100.0 * range),
        (0.7 / range).floor()
    );
    (range < DIM[1] && !wanted)
        .then(|| problem(number, frame, Severity::Warning, Kind::UnderExposed, message))
}

/// Three significant digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}
