//! The tables of `measurement.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::optics::{Angle, Length};
use crate::twin::{OpticsConfig, Pair};

/// `measurement.toml`: geometry, devices, and the list of frames.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MeasurementConfig {
    /// Name, for reports.
    pub name: String,
    /// `[optics]`: as in an experiment file. The nominal bench: wavelength, modulator pixels and pitch, distances.
    pub optics: OpticsConfig,
    /// `[camera]`.
    pub camera: CameraSheet,
    /// `[[frames]]`, in the order in which they were recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<Frame>,
}

/// `[camera]`: what is known of the camera before anything is measured.
///
/// Nominally its centre pixel `(rows / 2, cols / 2)` looks at the axis, rows along y and columns along x, once frames are
/// turned by `transpose`, then `flip_y`, then `flip_x`; `pixels` and `pitch` are those after the turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraSheet {
    /// Pixels of a frame: one number, or `[rows, cols]`.
    pub pixels: Pair<usize>,
    /// Pixel pitch: one length, or `[along y, along x]`.
    pub pitch: Pair<Length>,
    /// Bits of the converter: the largest count is `2^bits - 1`.
    pub bits: u32,
    /// Low bits of a stored value that mean nothing, where counts are stored in the high bits.
    #[serde(skip_serializing_if = "is_zero")]
    pub padding_bits: u32,
    /// Whether rows and columns of frames are exchanged.
    #[serde(skip_serializing_if = "is_false")]
    pub transpose: bool,
    /// Whether rows run backwards.
    #[serde(skip_serializing_if = "is_false")]
    pub flip_y: bool,
    /// Whether columns run backwards.
    #[serde(skip_serializing_if = "is_false")]
    pub flip_x: bool,
    /// Whether the reference beam is known to be a plane wave along the camera's normal: then tilt and curvature of measured
    /// phases are the bench's.
    #[serde(skip_serializing_if = "is_false")]
    pub flat_reference: bool,
}

impl Default for CameraSheet {
    fn default() -> Self {
        Self {
            pixels: Pair::One(256),
            pitch: Pair::One(Length(12.5e-6)),
            bits: 12,
            padding_bits: 0,
            transpose: false,
            flip_y: false,
            flip_x: false,
            flat_reference: false,
        }
    }
}

/// One camera frame: where it is, and what was shown when it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Frame {
    /// File in the measurement folder.
    pub file: String,
    /// What the frame is for.
    #[serde(skip_serializing_if = "Role::is_fit")]
    pub role: Role,
    /// What each layer's modulator showed, by layer number from 1. Light passes the layers that are named, in their order,
    /// and no others: a bench that uses one modulator once per layer names one, a cascade all.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub show: BTreeMap<String, Shown>,
    /// Free space behind the last layer shown, in place of `optics.distance`; of frames that show nothing the position of
    /// the camera along the axis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance: Option<Length>,
    /// Exposure time, in one unit for all frames.
    pub exposure: f64,
    /// Whether the reference beam was on.
    #[serde(skip_serializing_if = "is_false")]
    pub reference: bool,
    /// Phase of the reference against the first frame of the set; without it the step is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<Angle>,
    /// Frames of one set belong together: the phase steps of one field, the gray values of one sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
}

impl Default for Frame {
    fn default() -> Self {
        Self {
            file: String::new(),
            role: Role::Fit,
            show: BTreeMap::new(),
            distance: None,
            exposure: 1.0,
            reference: false,
            step: None,
            set: None,
        }
    }
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The twin is fitted to it.
    #[default]
    Fit,
    /// Kept back: the twin is compared with it and never fitted to it.
    Test,
    /// No light: what the camera reads in the dark. Several are averaged.
    Background,
    /// Even light on every pixel. Several are averaged.
    Flat,
    /// One gray value of a sweep for the modulator's look-up table.
    Sweep,
    /// Even light at one exposure, for the photon-transfer curve; pairs of one exposure.
    PhotonTransfer,
}

impl Role {
    /// The name in `measurement.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::Test => "test",
            Self::Background => "background",
            Self::Flat => "flat",
            Self::Sweep => "sweep",
            Self::PhotonTransfer => "photon-transfer",
        }
    }

    /// Whether it is [`Role::Fit`].
    pub fn is_fit(&self) -> bool {
        *self == Self::Fit
    }
}

/// What a modulator shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shown {
    /// One gray value everywhere.
    Gray(u8),
    /// An 8-bit picture of the modulator's size, a file in the measurement folder.
    File(String),
}

fn is_false(v: &bool) -> bool {
    !*v
}

fn is_zero(v: &u32) -> bool {
    *v == 0
}
