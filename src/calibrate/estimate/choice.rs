//! Which numbers are estimated, by the names that a person gives them.

use std::collections::BTreeMap;

use super::EstimateError;
use super::parameters::{Knob, Parameter, parameter};
use crate::calibrate::Calibration;
use crate::measure::MeasurementConfig;
use crate::optics::Grid;

/// Knobs of a layer with the names by which `--free` and `--fix` know them.
const LAYER: [(&str, &[Knob]); 15] = [
    ("shift", &[Knob::Shift(0), Knob::Shift(1)]),
    ("axial", &[Knob::Axial]),
    ("roll", &[Knob::Roll]),
    ("magnification", &[Knob::Magnification]),
    ("tilt", &[Knob::Tilt(0), Knob::Tilt(1)]),
    ("illumination", &[Knob::Slope(0), Knob::Slope(1), Knob::Curvature(0), Knob::Curvature(1)]),
    ("fill_factor", &[Knob::FillFactor]),
    ("range", &[Knob::Range]),
    ("gamma", &[Knob::Gamma]),
    ("lut", &[]),
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

/// Phases of a table that are fitted, equally far apart; between them its shape stays what it was. Cubics through so many follow
/// what a smooth table may be wrong by.
const PHASES: usize = 16;

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
    /// How well the phase response of the calibration that is started from is known, by layer, where a sweep measured it.
    pub response: BTreeMap<usize, Swept>,
}

/// How well a sweep knows a phase response: standard deviations.
#[derive(Clone, Debug, PartialEq)]
pub enum Swept {
    /// Of a power law.
    Law {
        /// Of its range, in units of `2 pi`.
        range: f64,
        /// Of its exponent.
        gamma: f64,
    },
    /// Of the phases of a look-up table at [`Self::grays`], radians.
    Table(Vec<f64>),
}

impl Swept {
    /// The gray values whose phases are fitted where the response is a table.
    pub fn grays() -> impl Iterator<Item = f64> {
        (1..=PHASES).map(|k| 256.0 * k as f64 / PHASES as f64)
    }

    /// Of a number, where it is one of the response.
    fn sigma(&self, knob: Knob) -> Option<f64> {
        match (self, knob) {
            (Self::Law { range, .. }, Knob::Range) => Some(*range),
            (Self::Law { gamma, .. }, Knob::Gamma) => Some(*gamma),
            (Self::Table(sigmas), Knob::Lut { at, .. }) => sigmas.get(at - 1).copied(),
            _ => None,
        }
    }
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
    let table = |layer| base.imperfections.of(layer).lut.is_some();
    refuse(choice, layers, &table)?;
    let mut all = Vec::new();
    for &(layer, distances) in layers {
        let several = distances > 1;
        for (name, knobs) in LAYER {
            let default = match name {
                "tilt" => several,
                "crosstalk" | "range_map" => false,
                // A map says how large the range is everywhere.
                "range" => !mapped,
                "lut" => matches!(choice.response.get(&layer), Some(Swept::Table(_))),
                _ => true,
            };
            if !free(name, default) || lacks(name, table(layer)).is_some() {
                continue;
            }
            all.extend(knobs.iter().map(|&knob| parameter(knob, layer, config, grid)));
            if name == "lut" {
                all.extend(
                    (1..=PHASES).map(|at| parameter(Knob::Lut { at, of: PHASES }, layer, config, grid)),
                );
            }
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
        if let Some(sigma) = choice.response.get(&p.layer).and_then(|known| known.sigma(p.knob)) {
            (p.prior, p.measured) = (sigma, true);
        }
    }
    Ok(all)
}

/// Why a layer's response has nothing of that name: it is a table, or it is none.
fn lacks(name: &str, table: bool) -> Option<&'static str> {
    match name {
        "range" | "gamma" if table => {
            Some("has a table (lut), which stands in place of range and gamma; --free lut fits its phases")
        }
        "lut" if !table => {
            Some("has no table whose phases could be fitted; record a gray sweep, or give lut in --start")
        }
        _ => None,
    }
}

/// Refuses names that no layer's response has anything for.
fn refuse(
    choice: &Choice,
    layers: &[(usize, usize)],
    table: &dyn Fn(usize) -> bool,
) -> Result<(), EstimateError> {
    for name in &choice.free {
        let lacking: Option<Vec<_>> =
            layers.iter().map(|&(layer, _)| Some((layer, lacks(name, table(layer))?))).collect();
        if let Some((layer, problem)) = lacking.and_then(|all| all.first().copied()) {
            let problem = format!("layer {layer} {problem}");
            return Err(EstimateError::Choice { name: name.clone(), problem });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_of_a_table_are_fitted_where_there_is_a_table() {
        let grid = Grid::square(16, 10e-6).unwrap();
        let swept = Swept::Table(vec![0.02; PHASES]);
        let choice = Choice { response: [(1, swept.clone()), (2, swept)].into(), ..Choice::default() };
        // The second layer's response was given by hand.
        let imperfections =
            toml::from_str("[layer.1]\nlut = [0.0, 3.0, 6.0]\n[layer.2]\nrange = 0.9").unwrap();
        let base = Calibration { imperfections, ..Calibration::default() };
        let all = list(&MeasurementConfig::default(), &base, &grid, &[(1, 1), (2, 1)], &choice).unwrap();
        let of = |layer, name: &str| {
            let key = format!("imperfections.layer.{layer}.{name}");
            all.iter().filter(|p| p.key.starts_with(&key)).collect::<Vec<_>>()
        };
        assert!(of(1, "lut.").iter().all(|p| p.measured && p.prior == 0.02));
        let count = |layer| ["lut.", "range", "gamma"].map(|name| of(layer, name).len());
        assert_eq!([count(1), count(2)], [[PHASES, 0, 0], [0, 1, 1]]);

        // A name is for the layers that have something for it, and refused where none has.
        let free = Choice { free: vec!["lut".into(), "gamma".into()], ..Choice::default() };
        let numbers = |layers: &[(usize, usize)]| {
            list(&MeasurementConfig::default(), &base, &grid, layers, &free).map(|all| {
                all.iter().filter(|p| p.key.contains(".lut.") || p.key.ends_with(".gamma")).count()
            })
        };
        assert_eq!(numbers(&[(1, 1), (2, 1)]).unwrap(), PHASES + 1);
        assert!(numbers(&[(1, 1)]).unwrap_err().to_string().contains("layer 1 has a table"));
        assert!(numbers(&[(2, 1)]).unwrap_err().to_string().contains("layer 2 has no table"));
    }
}
