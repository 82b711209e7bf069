//! Which imperfections of a layer are possible at all: ranges that do not depend on how they are compiled.

use std::f64::consts::{FRAC_PI_2, PI};

use super::errors::{ConfigError, value};
use crate::calibrate::{Aberration, LayerErrors};
use crate::optics::Grid;

/// Highest Noll index (radial order 30): finer structure is not an aberration, and a typing error must not run for hours.
pub(super) const HIGHEST_NOLL: usize = 496;

/// Refuses what no layer (from 1) on `grid`, `distance` metres of free space behind it, can have.
pub(crate) fn check(e: &LayerErrors, number: usize, grid: &Grid, distance: f64) -> Result<(), ConfigError> {
    let key = |name: &str| format!("imperfections (layer {number}).{name}");
    of_modulator(e, number)?;
    if let Some([x, y]) = e.shift {
        // Beyond half a layer the light would come in again at the other side of the padded grid.
        let sides = [(x.0, grid.cols as f64 * grid.dx), (y.0, grid.rows as f64 * grid.dy)];
        if let Some((v, side)) = sides.into_iter().find(|(v, side)| !(0.0..=0.5 * side).contains(&v.abs())) {
            let problem = format!("must be at most half a layer, {} m, to either side", 0.5 * side);
            return Err(value(key("shift (m)"), v, problem));
        }
    }
    if let Some(axial) = e.axial.filter(|a| !(distance + a.0 > 0.0 && a.0.is_finite())) {
        let problem = format!("must leave a positive distance; optics.distance is {distance} m");
        return Err(value(key("axial (m)"), axial.0, problem));
    }
    if let Some(angle) = e.tilt.and_then(|t| t.into_iter().find(|a| !(0.0..FRAC_PI_2).contains(&a.0.abs()))) {
        return Err(value(key("tilt (rad)"), angle.0, "must be less than a quarter turn to either side"));
    }
    if let Some(light) = &e.illumination {
        if let Some(waist) = light.waist.into_iter().find(|w| !(w.0.is_finite() && w.0 > 0.0)) {
            return Err(value(key("illumination.waist (m)"), waist.0, "must be a positive length"));
        }
        if let Some(centre) = light.centre.into_iter().find(|c| !c.0.is_finite()) {
            return Err(value(key("illumination.centre (m)"), centre.0, "must be finite"));
        }
    }
    if let Some(side) = e.aperture.filter(|a| !(0.0..=1.0).contains(a)) {
        return Err(value(key("aperture"), side, "must be 0 (points) to 1 pitch"));
    }
    if let Some(v) = e.camera_edge.filter(|v| !share(*v)) {
        return Err(value(key("camera_edge"), v, "must be above 0 and at most 1"));
    }
    let sides = [("camera_aberration", &e.camera_aberration), ("pupil_aberration", &e.pupil_aberration)];
    sides.into_iter().try_for_each(|(name, a)| a.as_ref().map_or(Ok(()), |a| aberration(a, &key(name))))
}

/// Refuses what no modulator (that of a layer, from 1) can have.
pub(super) fn of_modulator(e: &LayerErrors, number: usize) -> Result<(), ConfigError> {
    let key = |name: &str| format!("imperfections (layer {number}).{name}");
    if let Some(bits) = e.bits.filter(|b| !(1..=16).contains(b)) {
        return Err(value(key("bits"), bits, "must be 1 to 16"));
    }
    let shares =
        [("efficiency", e.efficiency), ("fill_factor", e.fill_factor), ("modulator_edge", e.modulator_edge)];
    for (name, v) in shares {
        if let Some(v) = v.filter(|v| !share(*v)) {
            return Err(value(key(name), v, "must be above 0 and at most 1"));
        }
    }
    if let Some(table) = e.lut.as_ref().filter(|t| t.len() < 2 || t.iter().any(|v| !v.is_finite())) {
        let count = format!("{} entries", table.len());
        return Err(value(key("lut"), count, "needs at least 2 finite phases in radians"));
    }
    for (name, v) in [("range", e.range), ("gamma", e.gamma)] {
        if let Some(v) = v.filter(|v| !(*v > 0.0 && *v < 10.0)) {
            return Err(value(key(name), v, "must be above 0 and below 10"));
        }
    }
    if let Some((map, problem)) = e.range_map.as_ref().and_then(|map| Some((map, map.problem()?))) {
        return Err(value(key("range_map"), map, problem));
    }
    if let Some(sigma) = e.crosstalk.filter(|s| !(0.0..=4.0).contains(s)) {
        return Err(value(key("crosstalk"), sigma, "must be 0 to 4 pixels"));
    }
    if let Some(mag) = e.magnification.filter(|m| !(0.5..=2.0).contains(m)) {
        return Err(value(key("magnification"), mag, "must be 0.5 to 2"));
    }
    if let Some(roll) = e.roll.filter(|r| !(0.0..=PI).contains(&r.0.abs())) {
        return Err(value(key("roll"), roll.0, "must be at most half a turn"));
    }
    e.modulator_aberration.as_ref().map_or(Ok(()), |a| aberration(a, &key("modulator_aberration")))
}

/// Whether a part of a whole is something and at most all; no number is neither.
fn share(v: f64) -> bool {
    v > 0.0 && v <= 1.0
}

fn aberration(a: &Aberration, key: &str) -> Result<(), ConfigError> {
    if !(a.rms.is_finite() && a.rms >= 0.0) {
        return Err(value(format!("{key}.rms"), a.rms, "must be 0 or more radians"));
    }
    if a.rms > 0.0 && !(4..=HIGHEST_NOLL).contains(&a.terms) {
        let problem = format!("must be 4 (the first Noll term above piston and tilts) to {HIGHEST_NOLL}");
        return Err(value(format!("{key}.terms"), a.terms, problem));
    }
    let wrong = a.zernike.iter().find(|(j, c)| !((1..=HIGHEST_NOLL).contains(j) && c.is_finite()));
    wrong.map_or(Ok(()), |(j, c)| {
        let problem = format!("must be a Noll index of 1 to {HIGHEST_NOLL} and a finite rms in radians");
        Err(value(format!("{key}.zernike"), format!("[{j}, {c}]"), problem))
    })
}
