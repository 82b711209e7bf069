//! `hidden.toml`: what is really wrong with the bench, and what its illumination and camera are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::{LabError, wrong};
use crate::calibrate::{self, Aberration, Imperfections, LayerErrors, Registration, Response};
use crate::optics::{Angle, Grid, Length, zernike};
use crate::twin::{Pair, SystemConfig, check_layer};

/// The hidden truth. All tables may be left out: a perfect bench, evenly lit, with an ordinary 12-bit camera.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Truth {
    /// `[imperfections]`: keys as in an experiment file.
    pub imperfections: Imperfections,
    /// `[illumination]`: the light on the first modulator.
    pub illumination: Illumination,
    /// `[camera]`.
    pub camera: LabCamera,
    /// `[reference]`: the beam of phase-stepped frames.
    pub reference: ReferenceBeam,
    /// `[[frames]]`: of revealed truths; what is drawn for single frames. Not read when frames are recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<FrameTruth>,
}

/// `[illumination]`: amplitude 1 in its centre.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Illumination {
    /// Where the beam hits the modulator, `[x, y]` from the axis.
    pub centre: [Length; 2],
    /// Radius at which the amplitude is 1/e, with a flat phase; default: the experiment's source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waist: Option<Length>,
}

/// `[camera]`: a pixel collects photo-electrons, reads them with noise, and converts them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabCamera {
    /// Pixels of a frame; default: as many as the modulator has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<Pair<usize>>,
    /// Pixel pitch; default: the modulator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pitch: Option<Pair<Length>>,
    /// Bits of the converter.
    pub bits: u32,
    /// Photo-electrons that a pixel holds.
    pub full_well: f64,
    /// Read noise, electrons rms.
    pub read_noise: f64,
    /// Photo-electrons in the brightest pixel of a frame, by which exposure times are chosen; default: 0.8 full wells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photons: Option<f64>,
    /// Photo-electrons of unit intensity (source of amplitude 1) at exposure 1; default: so that the first frame has exposure 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub electrons: Option<f64>,
    /// Counts in the dark.
    pub offset: f64,
    /// Photo-electrons per count; default: a full well is the largest count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub electrons_per_count: Option<f64>,
    /// Standard deviation of the smoothing by neighbouring pixels and cover glass, camera pixels.
    pub blur: f64,
    /// Share by which a full well reads too low; the deviation grows with the square of the signal.
    pub nonlinearity: f64,
    /// Rms of the differences of sensitivity between pixels, relative.
    pub uneven: f64,
    /// `[camera.registration]`: where the pixels look.
    pub registration: Registration,
}

impl Default for LabCamera {
    fn default() -> Self {
        Self {
            pixels: None,
            pitch: None,
            bits: 12,
            full_well: 10_500.0,
            read_noise: 2.5,
            photons: None,
            electrons: None,
            offset: 60.0,
            electrons_per_count: None,
            blur: 0.0,
            nonlinearity: 0.0,
            uneven: 0.0,
            registration: Registration::default(),
        }
    }
}

/// `[reference]`: a plane or spherical wave that falls on the camera with the field.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReferenceBeam {
    /// Amplitude, in units of the source's.
    pub amplitude: f64,
    /// Angles to the axis, `[x, y]`.
    pub tilt: [Angle; 2],
    /// Radius of curvature at the camera, positive where it diverges; default: flat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radius: Option<Length>,
    /// Standard deviation of the phase steps about multiples of 90 degrees.
    pub step_error: Angle,
}

impl Default for ReferenceBeam {
    fn default() -> Self {
        Self { amplitude: 1.0, tilt: [Angle(0.0); 2], radius: None, step_error: Angle(10.0_f64.to_radians()) }
    }
}

/// What is drawn for one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameTruth {
    /// Its file.
    pub file: String,
    /// Phase of the reference against the first frame of its set.
    pub step: Angle,
}

impl LabCamera {
    /// Photo-electrons per count.
    pub fn gain(&self) -> f64 {
        let top = f64::from(self.largest_count()) - self.offset;
        self.electrons_per_count.unwrap_or(self.full_well / top.max(1.0))
    }

    /// The largest count.
    pub fn largest_count(&self) -> u32 {
        (1_u32 << self.bits.min(16)) - 1
    }

    fn check(&self) -> Result<(), LabError> {
        let key = |name: &str| format!("camera.{name}");
        if !(2..=16).contains(&self.bits) {
            return Err(wrong(key("bits"), self.bits, "must be 2 to 16"));
        }
        let pitch = self.pitch.map(|p| p.both().map(|l| l.0));
        let positive = [
            ("full_well", Some(self.full_well)),
            ("photons", self.photons),
            ("electrons", self.electrons),
            ("electrons_per_count", self.electrons_per_count),
            ("pitch", pitch.map(|p| p[0])),
            ("pitch", pitch.map(|p| p[1])),
        ];
        for (name, v) in positive.into_iter().filter_map(|(name, v)| Some((name, v?))) {
            if !(v.is_finite() && v > 0.0) {
                return Err(wrong(key(name), v, "must be positive"));
            }
        }
        let limits = [
            ("read_noise", self.read_noise, 1e6),
            ("offset", self.offset, 0.5 * f64::from(self.largest_count())),
            ("blur", self.blur, 4.0),
            ("nonlinearity", self.nonlinearity, 0.4),
            ("uneven", self.uneven, 0.2),
        ];
        for (name, v, most) in limits {
            if !(0.0..=most).contains(&v) {
                return Err(wrong(key(name), v, format!("must be 0 to {most}")));
            }
        }
        if let Some([rows, cols]) = self.pixels.map(|p| p.both())
            && !((8..=8192).contains(&rows) && (8..=8192).contains(&cols))
        {
            return Err(wrong(key("pixels"), format!("[{rows}, {cols}]"), "must be 8 to 8192 a side"));
        }
        if let Some(problem) = self.registration.problem() {
            return Err(wrong(key("registration"), format!("{:?}", self.registration), problem));
        }
        Ok(())
    }
}

impl Truth {
    /// The truth with nothing left to chance or to defaults: presets filled in, drawn wavefronts as Zernike terms of each layer,
    /// sizes of the camera. `seed` draws where `imperfections.seed` says nothing; the twin of a bench with that seed has the
    /// same wavefronts.
    ///
    /// # Errors
    /// A value that no bench can have, or that the laboratory does not know.
    pub fn resolved(&self, config: &SystemConfig, seed: u64) -> Result<Self, LabError> {
        let grid = {
            let ([rows, cols], [dy, dx]) =
                (config.optics.pixels.both(), config.optics.pitch.both().map(|l| l.0));
            Grid::new(rows, cols, dy, dx)?
        };
        self.camera.check()?;
        let beam = &self.illumination;
        if let Some(waist) = beam.waist.filter(|w| !(w.0.is_finite() && w.0 > 0.0)) {
            return Err(wrong("illumination.waist", waist, "must be positive"));
        }
        let r = &self.reference;
        if !(r.amplitude.is_finite() && r.amplitude > 0.0) {
            return Err(wrong("reference.amplitude", r.amplitude, "must be positive"));
        }
        if let Some(radius) = r.radius.filter(|v| !(v.0.is_finite() && v.0 != 0.0)) {
            return Err(wrong("reference.radius", radius, "must not be 0; leave it out for a plane wave"));
        }
        let given = calibrate::resolve(&self.imperfections).map_err(crate::twin::ConfigError::from)?;
        if given.drift.is_some() {
            return Err(wrong(
                "imperfections.drift",
                "",
                "frames are of a bench that stands still; leave it out",
            ));
        }
        let seed = given.seed.unwrap_or(seed);
        let mut layer = BTreeMap::new();
        for number in 1..=config.optics.layers {
            let mut errors = given.of(number);
            known(&errors, number)?;
            check_layer(&errors, number, &grid, config.optics.distance.0)?;
            for (kind, side) in [(1, &mut errors.modulator_aberration), (2, &mut errors.camera_aberration)] {
                if let Some(a) = side {
                    drawn(a, &grid, seed, kind * 1000 + if a.common { 0 } else { number as u64 })?;
                }
            }
            layer.insert(number.to_string(), errors);
        }
        let all = LayerErrors::default();
        let imperfections =
            Imperfections { preset: None, seed: Some(seed), all, layer, camera: given.camera, drift: None };
        let camera = LabCamera {
            pixels: Some(self.camera.pixels.unwrap_or(config.optics.pixels)),
            pitch: Some(self.camera.pitch.unwrap_or(config.optics.pitch)),
            photons: Some(self.camera.photons.unwrap_or(0.8 * self.camera.full_well)),
            electrons_per_count: Some(self.camera.gain()),
            ..self.camera.clone()
        };
        Ok(Self { imperfections, camera, frames: Vec::new(), ..self.clone() })
    }

    /// The response that a calibration should find. `None` before frames were recorded, which sets the light level.
    pub fn response(&self) -> Option<Response> {
        let gain = self.camera.gain();
        Some(Response {
            gain: self.camera.electrons? / gain,
            offset: self.camera.offset,
            blur: self.camera.blur,
            electrons_per_count: Some(gain),
        })
    }
}

/// Replaces the random part of a wavefront by its Zernike terms.
fn drawn(a: &mut Aberration, grid: &Grid, seed: u64, stream: u64) -> Result<(), LabError> {
    if a.rms > 0.0 {
        for (j, c) in zernike::random_terms(grid, a.rms, a.terms, seed, stream)? {
            match a.zernike.iter_mut().find(|(k, _)| *k == j) {
                Some((_, sum)) => *sum += c,
                None => a.zernike.push((j, c)),
            }
        }
    }
    *a = Aberration { zernike: std::mem::take(&mut a.zernike), ..Aberration::default() };
    Ok(())
}

/// Refuses errors of a layer that the renderer would pass over.
fn known(errors: &LayerErrors, number: usize) -> Result<(), LabError> {
    const RENDERED: [&str; 18] = [
        "shift",
        "axial",
        "roll",
        "magnification",
        "tilt",
        "bits",
        "range",
        "gamma",
        "lut",
        "range_map",
        "crosstalk",
        "efficiency",
        "fill_factor",
        "modulator_aberration",
        "modulator_edge",
        "camera_aberration",
        "camera_edge",
        "pupil_aberration",
    ];
    let table = toml::Table::try_from(errors).unwrap_or_default();
    match table.iter().find(|(key, _)| !RENDERED.contains(&key.as_str())) {
        None => Ok(()),
        Some((key, value)) => {
            let key = format!("imperfections (layer {number}).{key}");
            Err(wrong(key, value, "the laboratory does not render it; see [illumination] and [camera]"))
        }
    }
}
