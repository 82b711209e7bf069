//! How frames are exposed: too much light, too little, and more of it the longer the exposure.

use std::collections::BTreeMap;

use super::check::Seen;
use super::description::is_lit;
use super::problem::{Kind, Problem, Severity, of_frame};
use super::statistics::Statistics;
use super::{Frame, Measurement, Role};

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
/// Relative loss of counts with a longer exposure that noise explains.
const EXPOSURE_SLACK: f64 = 0.02;

impl Measurement {
    /// Of frames that differ in their exposure only, the longer exposed must be the brighter.
    pub(super) fn exposure_order(&self, seen: &BTreeMap<usize, Seen>, dark: f64) -> Vec<Problem> {
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
                found.push(of_frame(b, &self.config.frames[b - 1], Severity::Error, Kind::Order, message));
            }
        }
        found
    }
}

/// Too much light, or too little.
pub(super) fn exposure(number: usize, frame: &Frame, s: &Statistics, top: f64, dark: f64) -> Option<Problem> {
    let found = |severity, kind, message| Some(of_frame(number, frame, severity, kind, message));
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
            .then(|| of_frame(number, frame, Severity::Error, Kind::Correction, message));
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
        .then(|| of_frame(number, frame, Severity::Warning, Kind::UnderExposed, message))
}

/// Three significant digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}
