//! The `[imperfections]` table: knobs that a laboratory can measure, per layer or common to all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Drift, RangeMap};
use crate::optics::{Angle, Length};

/// `[imperfections]`: nothing is wrong by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Imperfections {
    /// `"none"`, `"bench"`, or a TOML file with these keys; keys given beside it win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Seed of everything that is drawn at random; default: the experiment's seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Errors that every layer has.
    pub all: LayerErrors,
    /// Layers that differ, by number from 1: `[imperfections.layer.2]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub layer: BTreeMap<String, LayerErrors>,
    /// The camera; without it fields are known exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraConfig>,
    /// What moves while the bench is in use; without it nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
}

/// What is wrong with one layer. Signs and order of application: `docs/physics.md`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerErrors {
    /// Registration of camera against modulator: the field arrives moved by `[x, y]`. One-sided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift: Option<[Length; 2]>,
    /// Distance error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axial: Option<Length>,
    /// Registration: rotation of the mask against the field it meets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll: Option<Angle>,
    /// Registration: size of the mask on the field, 1 is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub magnification: Option<f64>,
    /// Tilt of the modulator: a linear phase over it, as the angle by which light leaves, `[x, y]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tilt: Option<[Angle; 2]>,
    /// Bits of the modulator's phase levels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// Phase range of the modulator in units of 2 pi.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<f64>,
    /// Exponent of the phase response: phase = range (command)^gamma.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// Measured phase response in radians at equally spaced commands 0..=2 pi; replaces range and gamma.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lut: Option<Vec<f64>>,
    /// Where the phase differs over the modulator: factors on what range and gamma, or the table, say, in rows from top to bottom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_map: Option<RangeMap>,
    /// Pixel cross-talk: standard deviation of the smoothing, pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crosstalk: Option<f64>,
    /// Zero-order efficiency: share of the power that the active parts of the pixels send into the order 0 of the pixel
    /// lattice. The gaps between them add unmodulated light.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efficiency: Option<f64>,
    /// Area share of a pixel that modulates; the rest passes unmodulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill_factor: Option<f64>,
    /// Static phase of the modulator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modulator_aberration: Option<Aberration>,
    /// Amplitude at the middle of an edge, relative to the centre, falling like a Gaussian, on the modulator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modulator_edge: Option<f64>,
    /// Gaussian light on the modulator; `source` and `modulator_edge` stay beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub illumination: Option<Illumination>,
    /// Side of a pixel's active square in pitches, 0 to 1: light leaves an area and not a point, so that high spatial
    /// frequencies are weaker. 0: a point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aperture: Option<f64>,
    /// Phase on the camera's side, pixel by pixel. One-sided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_aberration: Option<Aberration>,
    /// As `modulator_edge`, on the camera's side. One-sided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_edge: Option<f64>,
    /// Phase in the pupil (over spatial frequencies) between modulator and camera; its odd part is one-sided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pupil_aberration: Option<Aberration>,
}

/// Amplitude `exp(-(x - cx)^2 / wx^2 - (y - cy)^2 / wy^2)` over the modulator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Illumination {
    /// `[x, y]` of the centre, from the axis.
    #[serde(default = "axis")]
    pub centre: [Length; 2],
    /// `[x, y]`: where the amplitude has fallen to 1/e.
    pub waist: [Length; 2],
}

fn axis() -> [Length; 2] {
    [Length(0.0); 2]
}

/// A wavefront error: given coefficients, or a smooth draw of a given rms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aberration {
    /// `[Noll index, rad rms]` pairs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zernike: Vec<(usize, f64)>,
    /// Rms of a random smooth part, radians.
    #[serde(default)]
    pub rms: f64,
    /// Highest Noll index of the random part.
    #[serde(default = "default_terms")]
    pub terms: usize,
    /// Whether all layers share one draw (one device used once per layer).
    #[serde(default)]
    pub common: bool,
}

impl Default for Aberration {
    fn default() -> Self {
        Self { zernike: Vec::new(), rms: 0.0, terms: default_terms(), common: false }
    }
}

fn default_terms() -> usize {
    28
}

/// The camera that measures complex fields in four phase steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraConfig {
    /// Photons per pixel and frame from a field of mean intensity, without the reference.
    pub photons: f64,
    /// Photo-electrons per photon.
    pub quantum_efficiency: f64,
    /// Reference amplitude, relative to the field's rms.
    pub reference: f64,
    /// Read noise, electrons rms.
    pub read_noise: f64,
    /// Full well, electrons.
    pub full_well: f64,
    /// Bits of the converter; 0: no quantisation.
    pub adc_bits: u32,
    /// Electronic offset, electrons.
    pub pedestal: f64,
}

impl Default for CameraConfig {
    fn default() -> Self {
        Self {
            photons: 1000.0,
            quantum_efficiency: 1.0,
            reference: 2.0,
            read_noise: 0.0,
            full_well: 1e6,
            adc_bits: 0,
            pedestal: 0.0,
        }
    }
}

impl LayerErrors {
    /// These errors, with `common` where nothing is said.
    #[must_use]
    pub fn over(&self, common: &Self) -> Self {
        macro_rules! merged {
            ($($field:ident),*) => { Self { $($field: self.$field.clone().or_else(|| common.$field.clone())),* } };
        }
        merged!(
            shift,
            axial,
            roll,
            magnification,
            tilt,
            bits,
            range,
            gamma,
            lut,
            range_map,
            crosstalk,
            efficiency,
            fill_factor,
            modulator_aberration,
            modulator_edge,
            illumination,
            aperture,
            camera_aberration,
            camera_edge,
            pupil_aberration
        )
    }
}

impl LayerErrors {
    /// All aberrations times `ratio`: the radians of the same lengths at another wavelength.
    pub(crate) fn scale_aberrations(&mut self, ratio: f64) {
        let all = [&mut self.modulator_aberration, &mut self.camera_aberration, &mut self.pupil_aberration];
        for a in all.into_iter().flatten() {
            a.rms *= ratio;
            a.zernike.iter_mut().for_each(|(_, radians)| *radians *= ratio);
        }
    }
}

impl Imperfections {
    /// The errors of a layer (from 1).
    pub fn of(&self, number: usize) -> LayerErrors {
        self.named(&number.to_string())
    }

    fn named(&self, layer: &str) -> LayerErrors {
        match self.layer.get(layer) {
            Some(own) => own.over(&self.all),
            None => self.all.clone(),
        }
    }

    /// These imperfections of a bench of `layers`, with `others` where nothing is said, key by key. Neither has a preset. A
    /// look-up table of the others does not come over a range or a gamma, which it would replace.
    #[must_use]
    pub fn over(&self, others: &Self, layers: usize) -> Self {
        let numbers = (1..=layers).map(|l| l.to_string());
        let names = numbers.chain(self.layer.keys().cloned()).chain(others.layer.keys().cloned());
        let merged = |name: String| {
            let (own, mut other) = (self.named(&name), others.named(&name));
            if own.range.is_some() || own.gamma.is_some() {
                other.lut = None;
            }
            (name, own.over(&other))
        };
        Self {
            preset: None,
            seed: self.seed.or(others.seed),
            all: LayerErrors::default(),
            layer: names.map(merged).collect(),
            camera: self.camera.or(others.camera),
            drift: self.drift.clone().or_else(|| others.drift.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_takes_the_common_errors_and_its_own() {
        let text = "[all]\nbits = 8\ngamma = 1.1\n[layer.2]\ngamma = 1.3\naxial = '2 mm'";
        let read: Imperfections = toml::from_str(text).unwrap();
        assert_eq!((read.of(1).gamma, read.of(1).bits, read.of(1).axial), (Some(1.1), Some(8), None));
        assert_eq!((read.of(2).gamma, read.of(2).bits), (Some(1.3), Some(8)));
        assert_eq!(read.of(2).axial, Some(Length(2e-3)));
    }

    #[test]
    fn imperfections_come_over_others_key_by_key() {
        let read = |text: &str| toml::from_str::<Imperfections>(text).unwrap();
        let known = read("[all]\ngamma = 1.1\n[layer.2]\naxial = '2 mm'");
        let others =
            read("seed = 4\n[all]\ngamma = 1.4\nlut = [0.0, 6.0]\naxial = '1 mm'\n[layer.1]\nbits = 8");
        let all = known.over(&others, 2);
        assert_eq!(
            (all.of(1).gamma, all.of(1).bits, all.of(1).axial),
            (Some(1.1), Some(8), Some(Length(1e-3)))
        );
        assert_eq!((all.of(2).axial, all.of(2).lut, all.seed), (Some(Length(2e-3)), None, Some(4)));
        assert!(read("").over(&others, 1).of(1).lut.is_some());
    }

    #[test]
    fn settings_read_back_as_written() {
        let text = "seed = 3\n[all]\nshift = ['3 um', '0 um']\nmodulator_aberration = { rms = 0.5, terms = 15 }\n[camera]\nphotons = 99.0";
        let read: Imperfections = toml::from_str(text).unwrap();
        assert_eq!(toml::from_str::<Imperfections>(&toml::to_string(&read).unwrap()).unwrap(), read);
    }
}
