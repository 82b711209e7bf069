//! `calibration.toml`: what is wrong with a set-up, each value with its uncertainty and where it came from.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Imperfections;
use crate::io::{self, IoError, SettingsError};
use crate::optics::Length;

/// A calibration. Written by `ffm calibrate`, or by hand: `[imperfections]` has the keys that it has in an experiment file, and
/// all else may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calibration {
    /// What it is of: the name of the measurement.
    pub name: String,
    /// The bench it holds for; where it is given, another bench is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bench: Option<Bench>,
    /// `[imperfections]`: the values.
    pub imperfections: Imperfections,
    /// `[registration]`: where the camera's pixels look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
    /// `[response]`: from intensity to counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// `[fit]`: how well the model meets the frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// `[fields]`: how well the model meets measured fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<FieldFit>,
    /// `[[estimates]]`: every fitted number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub estimates: Vec<Estimate>,
    /// `[[unclear]]`: what these frames cannot tell apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unclear: Vec<Unclear>,
}

/// The bench that a calibration holds for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bench {
    /// Vacuum wavelength.
    pub wavelength: Length,
    /// Modulator pixels, `[rows, cols]`.
    pub pixels: [usize; 2],
    /// Modulator pitch, `[along y, along x]`.
    pub pitch: [Length; 2],
    /// Number of layers.
    pub layers: usize,
    /// Free space behind every layer, nominal.
    pub distance: Length,
}

/// Where camera pixel `(r, c)` of `rows x cols` looks, metres from the axis in the last plane of the twin:
///
/// ```text
/// p = matrix . q (1 + distortion |q|^2) + offset       q = ((r - rows / 2) pitch_y, (c - cols / 2) pitch_x)
/// ```
///
/// `(y, x)` in this order; integer division.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registration {
    /// `[[yy, yx], [xy, xx]]`, the identity where the camera is as it should be.
    pub matrix: [[f64; 2]; 2],
    /// `[y, x]`, metres.
    pub offset: [f64; 2],
    /// Radial distortion, 1/m^2.
    pub distortion: f64,
}

impl Default for Registration {
    fn default() -> Self {
        Self { matrix: [[1.0, 0.0], [0.0, 1.0]], offset: [0.0; 2], distortion: 0.0 }
    }
}

impl Registration {
    /// What no camera's registration can be.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let [[a, b], [c, d]] = self.matrix;
        let known = [a, b, c, d, self.offset[0], self.offset[1], self.distortion];
        // What a step of a pixel along y and along x becomes, and the area of a pixel; no number is within no range.
        let scales = [a.hypot(c), b.hypot(d), (a * d - b * c).abs()];
        let fits = known.iter().all(|v| v.is_finite()) && scales.iter().all(|s| (0.25..=4.0).contains(s));
        if fits {
            None
        } else {
            Some("must be finite, and its matrix keep lengths and areas to a factor of four")
        }
    }

    /// The point that camera position `q = (y, x)`, metres from the camera's centre pixel, looks at.
    pub fn map(&self, q: [f64; 2]) -> [f64; 2] {
        let radial = 1.0 + self.distortion * (q[0] * q[0] + q[1] * q[1]);
        [0, 1].map(|k| (self.matrix[k][0] * q[0] + self.matrix[k][1] * q[1]) * radial + self.offset[k])
    }
}

/// Counts `= offset + gain exposure (intensity, smoothed by blur, mean over the pixel)`, where the intensity is that of a twin
/// whose source has amplitude 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// Counts per unit intensity and unit exposure.
    pub gain: f64,
    /// Counts in the dark.
    pub offset: f64,
    /// Standard deviation of the smoothing, camera pixels.
    #[serde(default)]
    pub blur: f64,
    /// Photo-electrons per count, where a photon-transfer curve was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub electrons_per_count: Option<f64>,
}

/// How well the model meets the frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// Frames that were fitted.
    pub frames: usize,
    /// Residual, counts rms.
    pub rms: f64,
    /// Mean square of residuals in units of their expected noise; 1 where the model explains all.
    pub chi_square: f64,
    /// Steps of the least-squares search.
    pub iterations: usize,
    /// Mean SSIM of fitted frames against the nominal twin.
    pub ssim_before: f64,
    /// The same against the calibrated twin.
    pub ssim_after: f64,
}

/// How well the model meets the fields of reference sets; tilt and curvature of the reference are taken out, unless it is flat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldFit {
    /// Reference sets that the camera's wavefront was fitted to.
    pub sets: usize,
    /// Mean overlap with the twin, without that wavefront.
    pub overlap_before: f64,
    /// The same with it.
    pub overlap_after: f64,
    /// Mean square of what the terms of single sets differ by, in units of their expected variance; 1 where sets agree. Not of
    /// one set alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chi_square: Option<f64>,
}

/// One fitted number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Which, as a key of this file: `imperfections.layer.1.shift.x`, `registration.distortion`.
    pub key: String,
    /// Its value, SI units.
    pub value: f64,
    /// One standard deviation, SI units.
    pub sigma: f64,
    /// The unit.
    pub unit: String,
    /// Where it came from.
    pub from: String,
}

/// Parameters that cannot be told apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unclear {
    /// Their keys.
    pub keys: Vec<String>,
    /// What this means, and what to record so that they can be.
    pub advice: String,
}

/// A calibration that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// The text.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The file.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl Calibration {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that is missing or has wrong keys or values; each is named.
    pub fn read(path: &Path) -> Result<Self, CalibrationError> {
        let text = std::fs::read_to_string(path).map_err(|e| IoError::read(path, &e))?;
        let origin = path.display().to_string();
        let read: Self = io::settings(&text, &origin, &[])?;
        match read.problem() {
            None => Ok(read),
            Some((key, message)) => {
                Err(SettingsError::Value { origin, key: key.into(), message: message.into() }.into())
            }
        }
    }

    /// What no camera can have; layers are looked at with their optics.
    fn problem(&self) -> Option<(&'static str, &'static str)> {
        let registration = self.registration.as_ref().and_then(Registration::problem);
        if let Some(problem) = registration {
            return Some(("registration", problem));
        }
        let r = self.response?;
        let positive = |v: f64| v.is_finite() && v > 0.0;
        [
            (!positive(r.gain), "response.gain", "must be a positive number of counts"),
            (!r.offset.is_finite(), "response.offset", "must be a finite number of counts"),
            (!(0.0..=8.0).contains(&r.blur), "response.blur", "must be 0 to 8 camera pixels"),
            (
                r.electrons_per_count.is_some_and(|v| !positive(v)),
                "response.electrons_per_count",
                "must be a positive number of photo-electrons",
            ),
        ]
        .into_iter()
        .find_map(|(wrong, key, message)| wrong.then_some((key, message)))
    }

    /// Writes a file.
    ///
    /// # Errors
    /// A place that cannot be written to.
    pub fn write(&self, path: &Path) -> Result<(), CalibrationError> {
        let text = toml::to_string(self).map_err(|e| IoError::content(path, e))?;
        Ok(io::write_atomic(path, text.as_bytes())?)
    }
}
