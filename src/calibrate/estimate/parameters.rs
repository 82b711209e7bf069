//! The numbers that can be estimated: names, units, scales, and how they get into a calibration.

use std::collections::BTreeMap;

use super::EstimateError;
use crate::calibrate::{Calibration, Illumination, LayerErrors, RangeMap, Response};
use crate::measure::MeasurementConfig;
use crate::optics::{Angle, Grid, Length};

/// One kind of number. `usize` along an axis: 0 is x, 1 is y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Knob {
    /// Of a layer.
    Shift(usize),
    Axial,
    Roll,
    Magnification,
    Tilt(usize),
    Zernike(usize),
    /// Slope of the logarithm of the illumination on the axis, 1/m; see [`Light`].
    Slope(usize),
    /// Minus half its second derivative, 1/m^2.
    Curvature(usize),
    FillFactor,
    Range,
    Gamma,
    /// One place `[row, column]` of a map of so many.
    RangeMap {
        at: [usize; 2],
        of: [usize; 2],
    },
    Crosstalk,
    Aperture,
    /// Of the camera.
    Gain,
    Offset,
    /// Variance of the blur, camera pixels squared.
    Blur,
    Distortion,
    Shear,
    Aspect,
}

/// One number to be estimated.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) knob: Knob,
    /// Layer, from 1; 0: the camera.
    pub(crate) layer: usize,
    /// Key in the calibration file.
    pub(crate) key: String,
    pub(crate) unit: &'static str,
    /// A change that is small but seen; steps of differences.
    pub(crate) scale: f64,
    /// What is known beforehand: one standard deviation.
    pub(crate) prior: f64,
    /// Whether that was measured, and is no guess.
    pub(crate) measured: bool,
    pub(crate) limits: [f64; 2],
}

/// Knobs of a layer with the names by which `--free` and `--fix` know them.
const LAYER: [(&str, &[Knob]); 14] = [
    ("shift", &[Knob::Shift(0), Knob::Shift(1)]),
    ("axial", &[Knob::Axial]),
    ("roll", &[Knob::Roll]),
    ("magnification", &[Knob::Magnification]),
    ("tilt", &[Knob::Tilt(0), Knob::Tilt(1)]),
    ("illumination", &[Knob::Slope(0), Knob::Slope(1), Knob::Curvature(0), Knob::Curvature(1)]),
    ("fill_factor", &[Knob::FillFactor]),
    ("range", &[Knob::Range]),
    ("gamma", &[Knob::Gamma]),
    ("range_map", &[]),
    ("crosstalk", &[Knob::Crosstalk]),
    ("aperture", &[Knob::Aperture]),
    ("modulator_aberration", &[]),
    // Intensities do not know it; `super::wavefront` estimates it from fields.
    ("camera_aberration", &[]),
];
const CAMERA: [(&str, Knob); 6] = [
    ("gain", Knob::Gain),
    ("offset", Knob::Offset),
    ("blur", Knob::Blur),
    ("distortion", Knob::Distortion),
    ("shear", Knob::Shear),
    ("aspect", Knob::Aspect),
];

/// Rows and columns of a map of phase ranges that nobody gave.
const MAP: [usize; 2] = [3, 3];

/// The names that `--free` and `--fix` know.
pub fn names() -> Vec<&'static str> {
    LAYER.iter().map(|(name, _)| *name).chain(CAMERA.iter().map(|(name, _)| *name)).collect()
}

/// Which numbers are free.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Names ([`names`]) that are free beside those that the frames let one expect.
    pub free: Vec<String>,
    /// Names that stay as they are.
    pub fix: Vec<String>,
    /// Highest Noll index of the modulator's wavefront, and of the camera's.
    pub zernike: usize,
    /// Standard deviations of range and gamma in the calibration that is started from, by layer, where a sweep measured them.
    pub response: BTreeMap<usize, [f64; 2]>,
}

impl Default for Choice {
    fn default() -> Self {
        Self { free: Vec::new(), fix: Vec::new(), zernike: 11, response: BTreeMap::new() }
    }
}

/// The list of parameters: `layers` are those that frames show, each with the number of distances behind it that frames have;
/// `base` is what is known already.
pub(crate) fn list(
    config: &MeasurementConfig,
    base: &Calibration,
    grid: &Grid,
    layers: &[(usize, usize)],
    choice: &Choice,
) -> Result<Vec<Parameter>, EstimateError> {
    let known = names();
    if let Some(wrong) = choice.free.iter().chain(&choice.fix).find(|n| !known.contains(&n.as_str())) {
        let problem = format!("there is no such parameter; there are {}", known.join(", "));
        return Err(EstimateError::Choice { name: wrong.clone(), problem });
    }
    let free = |name: &str, default: bool| {
        (default || choice.free.iter().any(|n| n == name)) && !choice.fix.iter().any(|n| n == name)
    };
    let mapped = free("range_map", false);
    let mut all = Vec::new();
    for &(layer, distances) in layers {
        let several = distances > 1;
        for (name, knobs) in LAYER {
            let default = match name {
                "tilt" => several,
                "crosstalk" | "range_map" => false,
                // A map says how large the range is everywhere.
                "range" => !mapped,
                _ => true,
            };
            if !free(name, default) {
                continue;
            }
            all.extend(knobs.iter().map(|&knob| parameter(knob, layer, config, grid)));
            if name == "range_map" {
                let of = base.imperfections.of(layer).range_map.map_or(MAP, |map| map.parts());
                let places = (0..of[0]).flat_map(|row| (0..of[1]).map(move |column| [row, column]));
                all.extend(places.map(|at| parameter(Knob::RangeMap { at, of }, layer, config, grid)));
            }
            if name == "modulator_aberration" {
                // Defocus is distance and magnification where the camera stands at one place.
                let wanted = several || choice.free.iter().any(|n| n == name);
                let first = if wanted { 4 } else { 5 };
                all.extend(
                    (first..=choice.zernike).map(|j| parameter(Knob::Zernike(j), layer, config, grid)),
                );
            }
        }
    }
    for (name, knob) in CAMERA {
        if free(name, matches!(name, "gain" | "offset" | "blur")) {
            all.push(parameter(knob, 0, config, grid));
        }
    }
    for p in &mut all {
        let sigmas = choice.response.get(&p.layer);
        let sigma = match p.knob {
            Knob::Range => sigmas.map(|s| s[0]),
            Knob::Gamma => sigmas.map(|s| s[1]),
            _ => None,
        };
        if let Some(sigma) = sigma {
            (p.prior, p.measured) = (sigma, true);
        }
    }
    Ok(all)
}

fn parameter(knob: Knob, layer: usize, config: &MeasurementConfig, grid: &Grid) -> Parameter {
    const AXES: [&str; 2] = ["x", "y"];
    let side = [grid.cols as f64 * grid.dx, grid.rows as f64 * grid.dy];
    let pitch = [grid.dx, grid.dy];
    let z = config.optics.distance.0;
    let lambda = config.optics.wavelength.0 / config.optics.index;
    let open = [f64::NEG_INFINITY, f64::INFINITY];
    let full = 2.0_f64.powi(config.camera.bits as i32);
    let wide = side[0].max(side[1]);
    // Name, unit, scale, prior, limits.
    let (name, unit, scale, prior, limits): (String, _, _, _, _) = match knob {
        Knob::Shift(k) => {
            let most = 0.5 * side[k];
            (format!("shift.{}", AXES[k]), "m", 0.2 * pitch[k], 0.25 * side[k], [-most, most])
        }
        Knob::Axial => ("axial".into(), "m", 1e-3 * z, 0.05 * z, [-0.3 * z, 0.3 * z]),
        Knob::Roll => ("roll".into(), "rad", 0.2 * grid.dx / wide, 0.05, [-0.5, 0.5]),
        Knob::Magnification => ("magnification".into(), "1", 0.2 * grid.dx / wide, 0.05, [0.8, 1.25]),
        Knob::Tilt(k) => (format!("tilt.{}", AXES[k]), "rad", 0.05 * lambda / side[k], 5e-3, [-0.1, 0.1]),
        Knob::Zernike(j) => (format!("modulator_aberration.zernike.{j}"), "rad", 0.05, 3.0, open),
        Knob::Slope(k) => {
            (format!("illumination.centre.{}", AXES[k]), "m", 0.05 / side[k], 4.0 / side[k], open)
        }
        Knob::Curvature(k) => {
            let square = side[k] * side[k];
            // Up to eight times as wide as the modulator: as good as even.
            let limits = [1.0 / (64.0 * square), 100.0 / square];
            (format!("illumination.waist.{}", AXES[k]), "m", 0.05 / square, 4.0 / square, limits)
        }
        Knob::FillFactor => ("fill_factor".into(), "1", 0.01, 0.2, [0.3, 1.0]),
        Knob::Range => ("range".into(), "1", 0.01, 0.3, [0.1, 4.0]),
        Knob::Gamma => ("gamma".into(), "1", 0.01, 0.3, [0.2, 4.0]),
        Knob::RangeMap { at: [row, column], .. } => {
            (format!("range_map.{}.{}", row + 1, column + 1), "1", 0.01, 0.3, [0.1, 4.0])
        }
        Knob::Crosstalk => ("crosstalk".into(), "pixel", 0.05, 0.5, [0.02, 4.0]),
        Knob::Aperture => ("aperture".into(), "pitch", 0.05, 0.4, [0.05, 1.0]),
        Knob::Gain => ("gain".into(), "count", 1.0, 100.0 * full, [1e-12, f64::INFINITY]),
        Knob::Offset => ("offset".into(), "count", 1.0, full, open),
        Knob::Blur => ("blur".into(), "pixel", 0.05, 1.0, [0.0, 25.0]),
        Knob::Distortion => ("distortion".into(), "1/m^2", 1e-3 / (wide * wide), 0.2 / (wide * wide), open),
        Knob::Shear => ("shear".into(), "1", 1e-3, 0.05, [-0.3, 0.3]),
        Knob::Aspect => ("aspect".into(), "1", 1e-3, 0.05, [-0.3, 0.3]),
    };
    let key = match knob {
        Knob::Gain | Knob::Offset | Knob::Blur => format!("response.{name}"),
        Knob::Distortion | Knob::Shear | Knob::Aspect => format!("registration.{name}"),
        _ => format!("imperfections.layer.{layer}.{name}"),
    };
    Parameter { knob, layer, key, unit, scale, prior, measured: false, limits }
}

impl Parameter {
    /// Whether the way of light knows it; otherwise it is the camera's alone.
    pub(crate) fn of_layer(&self) -> bool {
        self.layer > 0
    }

    /// The value in a calibration; where it says nothing, what a good device has.
    pub(crate) fn value(&self, c: &Calibration, grid: &Grid) -> f64 {
        let e = c.imperfections.of(self.layer);
        let light = Light::of(&e, grid);
        let r = c.response;
        let matrix = c.registration.unwrap_or_default().matrix;
        match self.knob {
            Knob::Shift(k) => e.shift.map_or(0.0, |s| s[k].0),
            Knob::Axial => e.axial.map_or(0.0, |a| a.0),
            Knob::Roll => e.roll.map_or(0.0, |a| a.0),
            Knob::Magnification => e.magnification.unwrap_or(1.0),
            Knob::Tilt(k) => e.tilt.map_or(0.0, |t| t[k].0),
            Knob::Zernike(j) => {
                let terms = e.modulator_aberration.map(|a| a.zernike).unwrap_or_default();
                terms.iter().filter(|(n, _)| *n == j).map(|(_, c)| c).sum()
            }
            Knob::Slope(k) => light.slope[k],
            Knob::Curvature(k) => light.curvature[k],
            Knob::FillFactor => e.fill_factor.unwrap_or(0.95),
            Knob::Range => e.range.unwrap_or(1.0),
            Knob::Gamma => e.gamma.unwrap_or(1.0),
            Knob::RangeMap { at: [row, column], .. } => e.range_map.map_or(1.0, |map| map.0[row][column]),
            Knob::Crosstalk => e.crosstalk.unwrap_or(0.2),
            Knob::Aperture => e.aperture.unwrap_or(0.9),
            Knob::Gain => r.map_or(1.0, |r| r.gain),
            Knob::Offset => r.map_or(0.0, |r| r.offset),
            Knob::Blur => r.map_or(0.05, |r| r.blur * r.blur),
            Knob::Distortion => c.registration.unwrap_or_default().distortion,
            Knob::Shear => 0.5 * (matrix[0][1] + matrix[1][0]),
            Knob::Aspect => 0.5 * (matrix[0][0] - matrix[1][1]),
        }
    }

    /// Puts a value into a calibration whose layer has all of its errors itself.
    pub(crate) fn put(&self, c: &mut Calibration, v: f64, grid: &Grid) {
        if self.of_layer() {
            let e = c.imperfections.layer.entry(self.layer.to_string()).or_default();
            return self.put_layer(e, v, grid);
        }
        let dark = Response { gain: 1.0, offset: 0.0, blur: 0.0, electrons_per_count: None };
        let response = c.response.get_or_insert(dark);
        match self.knob {
            Knob::Gain => response.gain = v,
            Knob::Offset => response.offset = v,
            Knob::Blur => response.blur = v.max(0.0).sqrt(),
            Knob::Distortion => c.registration.get_or_insert_default().distortion = v,
            Knob::Shear => {
                let matrix = &mut c.registration.get_or_insert_default().matrix;
                let turn = 0.5 * (matrix[0][1] - matrix[1][0]);
                (matrix[0][1], matrix[1][0]) = (v + turn, v - turn);
            }
            Knob::Aspect => {
                let matrix = &mut c.registration.get_or_insert_default().matrix;
                let size = 0.5 * (matrix[0][0] + matrix[1][1]);
                (matrix[0][0], matrix[1][1]) = (size + v, size - v);
            }
            _ => {}
        }
    }

    /// Puts a value into the errors of its layer.
    pub(crate) fn put_layer(&self, e: &mut LayerErrors, v: f64, grid: &Grid) {
        match self.knob {
            Knob::Shift(k) => e.shift.get_or_insert([Length(0.0); 2])[k] = Length(v),
            Knob::Axial => e.axial = Some(Length(v)),
            Knob::Roll => e.roll = Some(Angle(v)),
            Knob::Magnification => e.magnification = Some(v),
            Knob::Tilt(k) => e.tilt.get_or_insert([Angle(0.0); 2])[k] = Angle(v),
            Knob::Zernike(j) => {
                let terms = &mut e.modulator_aberration.get_or_insert_default().zernike;
                terms.retain(|(n, _)| *n != j);
                terms.push((j, v));
                terms.sort_unstable_by_key(|(n, _)| *n);
            }
            Knob::Slope(k) => {
                let mut light = Light::of(e, grid);
                light.slope[k] = v;
                e.illumination = Some(light.gaussian());
            }
            Knob::Curvature(k) => {
                let mut light = Light::of(e, grid);
                light.curvature[k] = v;
                e.illumination = Some(light.gaussian());
            }
            Knob::FillFactor => e.fill_factor = Some(v),
            Knob::Range => e.range = Some(v),
            Knob::Gamma => e.gamma = Some(v),
            Knob::RangeMap { at: [row, column], of } => {
                e.range_map.get_or_insert_with(|| RangeMap::even(of)).0[row][column] = v;
            }
            Knob::Crosstalk => e.crosstalk = Some(v),
            Knob::Aperture => e.aperture = Some(v),
            _ => {}
        }
    }
}

/// Gaussian illumination as `exp(-curvature x^2 + slope x)` along x and y, which even light is a case of; centre and waist are
/// not determined there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Light {
    pub(crate) slope: [f64; 2],
    pub(crate) curvature: [f64; 2],
}

impl Light {
    pub(crate) fn of(e: &LayerErrors, grid: &Grid) -> Self {
        let side = [grid.cols as f64 * grid.dx, grid.rows as f64 * grid.dy];
        match e.illumination {
            // Twice as wide as the modulator: a beam that is meant to be even.
            None => Self { slope: [0.0; 2], curvature: side.map(|s| 1.0 / (4.0 * s * s)) },
            Some(light) => {
                let curvature = light.waist.map(|w| 1.0 / (w.0 * w.0));
                Self { slope: [0, 1].map(|k| 2.0 * light.centre[k].0 * curvature[k]), curvature }
            }
        }
    }

    pub(crate) fn gaussian(&self) -> Illumination {
        Illumination {
            centre: [0, 1].map(|k| Length(self.centre(k))),
            waist: self.curvature.map(|c| Length(c.sqrt().recip())),
        }
    }

    pub(crate) fn centre(&self, k: usize) -> f64 {
        0.5 * self.slope[k] / self.curvature[k]
    }
}
