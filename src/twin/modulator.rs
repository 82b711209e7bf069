//! From a layer's errors to the modulator an engine runs.

use std::f64::consts::TAU;
use std::sync::Arc;

use ndarray::Array2;
use num_complex::Complex64;

use super::errors::ConfigError;
use super::limits;
use crate::calibrate::{Aberration, Illumination, LayerErrors};
use crate::engine::{Affine, Modulator};
use crate::optics::{Field, Grid, effects, map, zernike};

/// Entries of a look-up table made from gamma and range. Levels of up to 10 bits fall on entries and are exact; between
/// entries linear interpolation errs most next to command 0, by 1e-4 rad for a gamma of 1.06.
const LUT: usize = 1025;

/// What tells random draws apart: each kind of error and each layer has its own stream.
#[derive(Clone, Copy)]
pub(super) struct Draw {
    pub(super) seed: u64,
    /// Layer, from 1.
    pub(super) layer: usize,
}

/// Kinds of drawn errors.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Modulator = 1,
    Camera = 2,
    Registration = 3,
}

/// Where a pixel lies, `[y, x]` in metres from the axis.
type Place<'a> = &'a (dyn Fn(usize, usize) -> [f64; 2] + Sync);

/// The phase modulator of a layer. `wavelength` in the medium, metres.
pub(super) fn modulator(
    e: &LayerErrors,
    grid: &Grid,
    wavelength: f64,
    draw: Draw,
) -> Result<Modulator, ConfigError> {
    modulator_at(e, grid, wavelength, draw, &|r, c| [grid.y(r), grid.x(c)])
}

/// The same, with its pixels at other places than the grid's: what does not move with them (aberration, illumination, tilt) is
/// that of `place`, the `[y, x]` of a pixel in metres. Wavefronts drawn at random stay with the pixels.
pub(super) fn modulator_at(
    e: &LayerErrors,
    grid: &Grid,
    wavelength: f64,
    draw: Draw,
    place: Place<'_>,
) -> Result<Modulator, ConfigError> {
    limits::of_modulator(e, draw.layer)?;
    // Of the light that stays in the band of the grid, amplitude F comes from the active part of the pixels and 1 - F from the
    // gaps; the pixel lattice sends the rest elsewhere. A zero-order efficiency is the power that the active part leaves.
    let active = e.fill_factor.unwrap_or(1.0) * e.efficiency.unwrap_or(1.0).sqrt();
    Ok(Modulator {
        levels: e.bits.map(|b| 1 << b),
        lut: lut(e),
        stretch: stretch(e, grid),
        crosstalk: crosstalk(e),
        leak: 1.0 - active,
        resample: resample(e, grid),
        factor: factor(e, grid, wavelength, draw, place)?,
        ..Modulator::default()
    })
}

/// Phases of the commands, where they are others than their share of a full turn.
fn lut(e: &LayerErrors) -> Option<Arc<[f64]>> {
    if let Some(table) = &e.lut {
        return Some(table.clone().into());
    }
    let (range, gamma) = (e.range.unwrap_or(1.0), e.gamma.unwrap_or(1.0));
    (range != 1.0 || gamma != 1.0).then(|| response(range, gamma).into())
}

/// The factor on every pixel's phase; `None` where it is 1 everywhere.
fn stretch(e: &LayerErrors, grid: &Grid) -> Option<Arc<Array2<f64>>> {
    let uneven = e.range_map.as_ref().filter(|map| map.0.iter().flatten().any(|v| *v != 1.0));
    uneven.map(|map| Arc::new(map.over(grid.shape())))
}

/// The look-up table of a phase response.
pub(super) fn response(range: f64, gamma: f64) -> Vec<f64> {
    (0..LUT).map(|k| TAU * range * (k as f64 / (LUT - 1) as f64).powf(gamma)).collect()
}

/// A sampled Gaussian of the given standard deviation, normalised, out to four deviations.
fn crosstalk(e: &LayerErrors) -> Vec<f64> {
    let Some(sigma) = e.crosstalk.filter(|s| *s != 0.0) else { return Vec::new() };
    let radius = (4.0 * sigma).ceil() as usize;
    let raw: Vec<f64> = (0..=radius).map(|r| (-0.5 * (r as f64 / sigma).powi(2)).exp()).collect();
    let total = raw[0] + 2.0 * raw[1..].iter().sum::<f64>();
    raw.into_iter().map(|v| v / total).collect()
}

/// Rotation by `roll` and scaling by `magnification` about the axis: pixel `p` shows the command at `R(-roll) p / mag`.
fn resample(e: &LayerErrors, grid: &Grid) -> Option<Affine> {
    let (roll, mag) = (e.roll.map_or(0.0, |a| a.0), e.magnification.unwrap_or(1.0));
    if roll == 0.0 && mag == 1.0 {
        return None;
    }
    let (sin, cos) = roll.sin_cos();
    let ratio = grid.dx / grid.dy;
    // (y, x) in metres rotate back; pixels differ from metres by the pitches.
    let matrix = [[cos / mag, -sin / mag * ratio], [sin / mag / ratio, cos / mag]];
    let centre = [(grid.rows / 2) as f64, (grid.cols / 2) as f64];
    let offset = [0, 1].map(|k| centre[k] - matrix[k][0] * centre[0] - matrix[k][1] * centre[1]);
    Some(Affine { matrix, offset })
}

/// What light meets on a modulator that shows phase 0; `None` where that is 1 everywhere.
pub(super) fn flat_response(m: &Modulator, grid: &Grid) -> Option<Field> {
    let start = m.lut.as_ref().and_then(|l| l.first().copied()).unwrap_or(0.0);
    if m.factor.is_none() && m.resample.is_none() && start == 0.0 && m.leak == 0.0 {
        return None;
    }
    let mut field = Field::from_shape_fn((grid.rows, grid.cols), |(r, c)| {
        let phase = start * m.stretch.as_ref().map_or(1.0, |s| s[[r, c]]);
        let response = Complex64::from_polar(m.gain(), phase) + m.leak;
        response * m.resample.as_ref().map_or(1.0, |a| coverage(a, [r, c], grid.shape()))
    });
    if let Some(factor) = &m.factor {
        field *= factor.as_ref();
    }
    Some(field)
}

/// Share of a pixel that a turned or scaled mask covers: bilinear sampling of a mask of ones, zero outside.
fn coverage(a: &Affine, pixel: [usize; 2], shape: [usize; 2]) -> f64 {
    let along = |k: usize| {
        let at = a.matrix[k][0] * pixel[0] as f64 + a.matrix[k][1] * pixel[1] as f64 + a.offset[k];
        // The two weights add to 1 between the first and the last pixel and fall to 0 within one pixel outside.
        (1.0 + at.min(shape[k] as f64 - 1.0 - at)).clamp(0.0, 1.0)
    };
    along(0) * along(1)
}

/// Static aberration, tilt and amplitude of the modulator.
fn factor(
    e: &LayerErrors,
    grid: &Grid,
    wavelength: f64,
    draw: Draw,
    place: Place<'_>,
) -> Result<Option<Arc<Field>>, ConfigError> {
    let aberration = e.modulator_aberration.as_ref();
    let mut factor = side_at(aberration, e.modulator_edge, grid, (draw, Kind::Modulator), place)?;
    let mut put = |by: &(dyn Fn([f64; 2]) -> Complex64 + Sync)| {
        let light = map(grid.shape(), |r, c| by(place(r, c)));
        factor = Some(factor.take().map_or_else(|| light.clone(), |f| f * &light));
    };
    if let Some(light) = &e.illumination {
        put(&|at| illumination(light, at).into());
    }
    if let Some([x, y]) = e.tilt.filter(|t| t.iter().any(|a| a.0 != 0.0)) {
        put(&|at| effects::tilt_at(at, wavelength, x.0, y.0));
    }
    Ok(factor.map(Arc::new))
}

/// Amplitude of a Gaussian beam on the modulator.
fn illumination(light: &Illumination, [y, x]: [f64; 2]) -> f64 {
    let ([cx, cy], [wx, wy]) = (light.centre.map(|l| l.0), light.waist.map(|l| l.0));
    let (y, x) = ((y - cy) / wy, (x - cx) / wx);
    (-(x * x + y * y)).exp()
}

/// Phase and amplitude over pixels of one side of a layer; `None` where it is perfect.
pub(super) fn side(
    aberration: Option<&Aberration>,
    edge: Option<f64>,
    grid: &Grid,
    draw: Draw,
    kind: Kind,
) -> Result<Option<Field>, ConfigError> {
    side_at(aberration, edge, grid, (draw, kind), &|r, c| [grid.y(r), grid.x(c)])
}

fn side_at(
    aberration: Option<&Aberration>,
    edge: Option<f64>,
    grid: &Grid,
    (draw, kind): (Draw, Kind),
    place: Place<'_>,
) -> Result<Option<Field>, ConfigError> {
    let mut field: Option<Field> = None;
    if let Some(a) = aberration.filter(|a| a.rms != 0.0 || !a.zernike.is_empty()) {
        let radius = zernike::enclosing_radius(grid);
        let mut phase = zernike::wavefront_at(grid.shape(), radius, &a.zernike, place)?;
        if a.rms > 0.0 {
            let layer = if a.common { 0 } else { draw.layer as u64 };
            phase += &zernike::random_wavefront(grid, a.rms, a.terms, draw.seed, kind as u64 * 1000 + layer)?;
        }
        field = Some(phase.mapv(Complex64::cis));
    }
    if let Some(edge) = edge.filter(|v| *v != 1.0) {
        let amplitude = map(grid.shape(), |r, c| {
            let [y, x] = place(r, c);
            let (y, x) = (y / (0.5 * grid.rows as f64 * grid.dy), x / (0.5 * grid.cols as f64 * grid.dx));
            Complex64::new((edge.ln() * (x * x + y * y)).exp(), 0.0)
        });
        field = Some(field.map_or(amplitude.clone(), |f| f * &amplitude));
    }
    Ok(field)
}
