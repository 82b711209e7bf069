//! The numbers that can be estimated: units, scales, and how they get into a calibration.

use crate::calibrate::response::cubic;
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
    /// Phase of a table at command `2 pi at / of`.
    Lut {
        at: usize,
        of: usize,
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

/// Entries that a table gets when its phases are fitted: one a gray value, and the end of the range.
const ENTRIES: usize = 257;

/// A parameter of a layer, or of the camera (0).
pub(super) fn parameter(knob: Knob, layer: usize, config: &MeasurementConfig, grid: &Grid) -> Parameter {
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
        Knob::Lut { at, of } => (format!("lut.{}", 256 * at / of), "rad", 0.01, 0.3, open),
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
            Knob::Lut { at, of } => e.lut.map_or(0.0, |lut| entry(&lut, at as f64 / of as f64)),
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
            Knob::Lut { at, of } => e.lut = e.lut.take().map(|lut| bent(lut, [at, of], v)),
            Knob::Crosstalk => e.crosstalk = Some(v),
            Knob::Aperture => e.aperture = Some(v),
            _ => {}
        }
    }
}

/// The phase of a table at a part of the range.
fn entry(lut: &[f64], part: f64) -> f64 {
    let at = part * (lut.len() - 1) as f64;
    let k = (at as usize).min(lut.len().saturating_sub(2));
    let next = lut[(k + 1).min(lut.len() - 1)];
    lut[k] + (at - k as f64) * (next - lut[k])
}

/// A table whose phase at command `2 pi at / of` is `v`, and at the other multiples of `2 pi / of` what it was.
fn bent(mut lut: Vec<f64>, [at, of]: [usize; 2], v: f64) -> Vec<f64> {
    if !(lut.len() - 1).is_multiple_of(of) {
        lut = (0..ENTRIES).map(|k| entry(&lut, k as f64 / (ENTRIES - 1) as f64)).collect();
    }
    let step = (lut.len() - 1) / of;
    let by = v - lut[at * step];
    let x: Vec<f64> = (0..=of).map(|k| (k * step) as f64).collect();
    let one: Vec<f64> = (0..=of).map(|k| if k == at { 1.0 } else { 0.0 }).collect();
    lut.iter_mut().enumerate().for_each(|(k, phase)| *phase += by * cubic(&x, &one, k as f64));
    lut
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_bent_at_one_phase_and_keeps_the_others() {
        let of = 8;
        let shape = |k: usize| (k as f64 / 3.0).sin() + 0.1 * k as f64;
        for entries in [2, 10, 33, ENTRIES] {
            let mut e =
                LayerErrors { lut: Some((0..entries).map(shape).collect()), ..LayerErrors::default() };
            let before: Vec<f64> =
                (0..=of).map(|k| entry(e.lut.as_ref().unwrap(), k as f64 / of as f64)).collect();
            let grid = Grid::square(16, 10e-6).unwrap();
            let knob = |at| parameter(Knob::Lut { at, of }, 1, &MeasurementConfig::default(), &grid);
            // In any order, and as often as one likes.
            for (at, v) in [(3, 0.2), (8, 6.0), (3, 1.5)] {
                knob(at).put_layer(&mut e, v, &grid);
            }
            let lut = e.lut.as_ref().unwrap();
            for (k, was) in before.iter().enumerate() {
                let put = [(3, 1.5), (8, 6.0)].into_iter().find(|(at, _)| *at == k);
                let expected = put.map_or(*was, |(_, v)| v);
                assert!((entry(lut, k as f64 / of as f64) - expected).abs() < 1e-12, "{entries}: {k}");
            }
            assert!((before[0] - lut[0]).abs() < 1e-15 && lut.len() >= entries.max(33));
        }
    }
}
