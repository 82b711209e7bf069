//! The tables of an experiment file that describe the optical system.
//!
//! Every key has a default that works; lengths and angles carry their unit; unknown keys are errors.

use serde::{Deserialize, Serialize};

use super::{ActivationConfig, LossConfig, MasksConfig, Pair};
use crate::calibrate::Imperfections;
use crate::optics::{Angle, Length, Material, Method};

/// The optical system: what it is, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SystemConfig {
    /// `[optics]`.
    pub optics: OpticsConfig,
    /// `[masks]`.
    pub masks: MasksConfig,
    /// `[source]`.
    pub source: SourceConfig,
    /// `[input]`.
    pub input: InputConfig,
    /// `[detectors]`.
    pub detectors: DetectorConfig,
    /// `[loss]`.
    pub loss: LossConfig,
    /// `[hardware]`.
    pub hardware: HardwareConfig,
    /// `[activation]`.
    pub activation: ActivationConfig,
    /// `[imperfections]`.
    pub imperfections: Imperfections,
}

/// `[optics]`: geometry and propagation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpticsConfig {
    /// Vacuum wavelength.
    pub wavelength: Length,
    /// Refractive index of the space between the layers.
    pub index: f64,
    /// What masks are made of: how their phase changes from `wavelength`, for which they are designed, to other wavelengths.
    #[serde(skip_serializing_if = "is_default")]
    pub material: Material,
    /// Pixels of a layer: one number, or `[rows, cols]`.
    pub pixels: Pair<usize>,
    /// Pixel pitch: one length, or `[along y, along x]`.
    pub pitch: Pair<Length>,
    /// Number of masks.
    pub layers: usize,
    /// Bits of the phase levels that masks are designed for: models round to them, in training as well, and the gradient
    /// passes the rounding as if it were not there. Default: continuous phases. What the hardware has is
    /// `imperfections.all.bits`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// Free space after every mask.
    pub distance: Length,
    /// Free space in front of the first mask; 0: the input is loaded on the first mask.
    pub input_distance: Length,
    /// Padded over used grid; 1: periodic.
    pub padding: f64,
    /// Propagation method.
    pub propagation: Method,
    /// Go on where a chosen method undersamples.
    pub allow_undersampled: bool,
}

impl Default for OpticsConfig {
    fn default() -> Self {
        Self {
            wavelength: Length(532e-9),
            index: 1.0,
            material: Material::None,
            pixels: Pair::One(128),
            pitch: Pair::One(Length(25e-6)),
            layers: 4,
            bits: None,
            distance: Length(0.388),
            input_distance: Length(0.0),
            padding: 2.0,
            propagation: Method::Auto,
            allow_undersampled: false,
        }
    }
}

fn is_default(material: &Material) -> bool {
    *material == Material::None
}

/// `[source]`: the illumination of the loading modulator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "kebab-case")]
pub enum SourceConfig {
    /// Uniform amplitude 1.
    #[default]
    Plane,
    /// A Gaussian beam in its waist, amplitude 1 on the axis.
    Gaussian {
        /// Waist radius (amplitude falls to 1/e).
        waist: Length,
    },
}

/// `[input]`: how images are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InputConfig {
    /// What the gray value modulates.
    pub encoding: EncodingConfig,
    /// Phase of white with phase encoding.
    pub phase_range: Angle,
    /// Pixels of the image on the layer, `[rows, cols]` or one number; default: three quarters of the shorter side.
    pub size: Option<Pair<usize>>,
}

impl Default for InputConfig {
    fn default() -> Self {
        Self { encoding: EncodingConfig::Amplitude, phase_range: Angle(std::f64::consts::PI), size: None }
    }
}

/// What the gray value modulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncodingConfig {
    /// The amplitude of the source.
    Amplitude,
    /// Its phase.
    Phase,
}

/// `[detectors]`: regions of the last plane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectorConfig {
    /// Arrangement.
    pub layout: Layout,
    /// Number of classes; default: as many as the data set has (10 without one).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// Side of a square region in pixels; default: a tenth of the shorter side (differential: a twelfth).
    pub size: Option<usize>,
    /// Explicit regions `[first row, first column, rows, columns]`, one per class (differential: positive, negative, ...).
    pub regions: Option<Vec<[usize; 4]>>,
}

impl Default for DetectorConfig {
    fn default() -> Self {
        Self { layout: Layout::Squares, classes: None, size: None, regions: None }
    }
}

impl DetectorConfig {
    /// Number of classes.
    pub fn count(&self) -> usize {
        self.classes.unwrap_or(10)
    }
}

/// Arrangement of detector regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// A square per class; ten classes stand in rows of 3, 4, 3 (Lin et al. 2018).
    #[serde(rename = "3-4-3")]
    Squares,
    /// A positive and a negative square per class (Li et al. 2019).
    #[serde(rename = "differential")]
    Differential,
}

/// `[hardware]`: how layers are realised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HardwareConfig {
    /// One modulator and one camera used once per layer, or masks in a row.
    pub kind: HardwareKind,
    /// Where the error's light enters.
    pub error_path: ErrorPath,
    /// Whether light can run backwards: a source with a modulator on the camera's side, a camera on the modulator's.
    pub bidirectional: bool,
}

impl Default for HardwareConfig {
    fn default() -> Self {
        Self { kind: HardwareKind::Reload, error_path: ErrorPath::Bypass, bidirectional: false }
    }
}

/// How layers are realised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HardwareKind {
    /// One modulator, one camera: measure, load again, show the next mask.
    Reload,
    /// Masks in a row; light passes all of them, measurements only observe.
    Cascade,
}

/// Where the error's light enters a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorPath {
    /// Behind the mask plane: static errors of the modulator belong to the mask.
    Bypass,
    /// Through the modulator showing phase 0: its static errors act on the error as well, once more than they should.
    Through,
}
