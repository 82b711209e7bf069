//! Derivatives of what light meets: each parameter changes one mask or one transfer function.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use ndarray::Array2;
use num_complex::Complex64;

use super::parameters::{Knob, Light, Parameter};
use crate::calibrate::predict::{Stage, View};
use crate::engine::{Modulator, cpu};
use crate::optics::effects::{self, frequency};
use crate::optics::{self, Field, Propagation, zernike};
use crate::twin::{ConfigError, LayerParts};

/// How a mask `m` changes with one parameter.
pub(crate) enum MaskChange {
    /// `dm = i psi m`.
    Phase(Array2<f64>),
    /// `dm = a m`.
    Amplitude(Array2<f64>),
    /// Central difference of two responses, `2 step` apart, times the factor that both have.
    Response { more: Modulator, less: Modulator, step: f64 },
    /// The same, of an upright modulator whose pixels come to lie elsewhere, and meet other light.
    Moved { more: Modulator, less: Modulator, step: f64 },
}

impl MaskChange {
    /// Of a parameter of a layer; `None` where it does not change the mask.
    pub(crate) fn of(p: &Parameter, value: f64, stage: &Stage<'_>) -> Result<Option<Self>, ConfigError> {
        let system = stage.system();
        let grid = system.grid();
        let e = system.errors_of(p.layer);
        let light = Light::of(&e, grid);
        let at = |k: usize, r: usize, c: usize| stage.place(r, c)[1 - k];
        let map = |f: &(dyn Fn(usize, usize) -> f64 + Sync)| optics::map(grid.shape(), f);
        Ok(Some(match p.knob {
            Knob::Roll | Knob::Magnification if stage.view().is_some() => {
                let step = 0.5 * p.scale;
                let at = |d: f64| stage.turned(p.layer, |view| turn(view, p.knob, d));
                Self::Moved { more: at(step)?, less: at(-step)?, step }
            }
            Knob::Zernike(j) => {
                let radius = zernike::enclosing_radius(grid);
                let place = |r: usize, c: usize| stage.place(r, c);
                Self::Phase(zernike::wavefront_at(grid.shape(), radius, &[(j, 1.0)], place)?)
            }
            Knob::Tilt(k) => {
                let o = &system.config().optics;
                let wave = TAU * o.index / o.wavelength.0 * value.cos();
                Self::Phase(map(&|r, c| wave * at(k, r, c)))
            }
            // The beam has amplitude 1 in its middle, which moves.
            Knob::Slope(k) => Self::Amplitude(map(&|r, c| at(k, r, c) - light.centre(k))),
            Knob::Curvature(k) => Self::Amplitude(map(&|r, c| light.centre(k).powi(2) - at(k, r, c).powi(2))),
            Knob::Roll
            | Knob::Magnification
            | Knob::FillFactor
            | Knob::Range
            | Knob::Gamma
            | Knob::RangeMap { .. }
            | Knob::Lut { .. }
            | Knob::Crosstalk => {
                let mut bare = e;
                (bare.modulator_aberration, bare.modulator_edge) = (None, None);
                (bare.tilt, bare.illumination) = (None, None);
                let mut at = |v: f64| {
                    p.put_layer(&mut bare, v, grid);
                    system.modulator_with(p.layer, &bare)
                };
                let step = 0.5 * p.scale;
                let (up, down) = ((value + step).min(p.limits[1]), (value - step).max(p.limits[0]));
                Self::Response { more: at(up)?, less: at(down)?, step: 0.5 * (up - down) }
            }
            _ => return Ok(None),
        }))
    }

    /// `dm` of a mask `m`, made by `modulator` of `commands`.
    pub(crate) fn apply(&self, m: &Field, modulator: &Modulator, commands: &Array2<f32>) -> Field {
        let scaled = |by: &Array2<f64>, unit: Complex64| {
            let mut d = m.clone();
            d.zip_mut_with(by, |d, v| *d *= unit * *v);
            d
        };
        match self {
            Self::Phase(psi) => scaled(psi, Complex64::I),
            Self::Amplitude(a) => scaled(a, Complex64::ONE),
            Self::Response { more, less, step } => {
                let mut d = cpu::mask(more, commands);
                d.zip_mut_with(&cpu::mask(less, commands), |d, v| *d = (*d - *v) / (2.0 * step));
                if let Some(factor) = &modulator.factor {
                    d *= factor.as_ref();
                }
                d
            }
            Self::Moved { more, less, step } => {
                let mut d = cpu::mask(more, commands);
                d.zip_mut_with(&cpu::mask(less, commands), |d, v| *d = (*d - *v) / (2.0 * step));
                d
            }
        }
    }
}

/// Turns or scales a view a little.
pub(crate) fn turn(view: &mut View, knob: Knob, by: f64) {
    match knob {
        Knob::Roll => view.roll += by,
        Knob::Magnification => view.magnification += by,
        _ => {}
    }
}

/// Derivative of a layer's transfer function, `distance` metres of free space without errors; `None` where a parameter does not
/// change it. With a view the layer is upright, at a distance of `(distance + axial) / magnification^2`.
pub(crate) fn transfer_change(
    p: &Parameter,
    value: f64,
    parts: &LayerParts,
    stage: &Stage<'_>,
    distance: f64,
) -> Result<Option<Arc<Field>>, ConfigError> {
    let (system, view) = (stage.system(), stage.view());
    let distance = distance + system.errors_of(p.layer).axial.map_or(0.0, |a| a.0);
    let pull = match (p.knob, view) {
        (Knob::Axial, None) => Some(1.0),
        (Knob::Axial, Some(view)) => Some(view.magnification.powi(-2)),
        (Knob::Magnification, Some(view)) => Some(-2.0 * distance / view.magnification),
        _ => None,
    };
    if let Some(pull) = pull {
        let h = axial_change(p.layer, distance, parts, stage)?;
        return Ok(Some(Arc::new(h.mapv(|v| v * pull))));
    }
    // Where an upright layer's light goes.
    let along = |k: usize| {
        let unit = [0, 1].map(|n| if n == k { 1.0 } else { 0.0 });
        view.map_or(unit, |view| view.turned(unit))
    };
    let ([dy, dx], samples) = (stage.pitch(), stage.samples() as f64);
    let (rows, cols) = parts.transfer.dim();
    let factor: Box<dyn Fn(f64, f64) -> Complex64 + Sync> = match p.knob {
        // Shift theorem.
        Knob::Shift(k) => {
            let [x, y] = along(k);
            Box::new(move |fy, fx| Complex64::new(0.0, -TAU * (fx * x / dx + fy * y / dy)))
        }
        Knob::Aperture => {
            let one = move |f: f64| log_sinc(value, samples * f);
            Box::new(move |fy, fx| (one(fy) + one(fx)).into())
        }
        _ => return Ok(None),
    };
    let mut h = parts.transfer.as_ref().clone();
    effects::change(&mut h, |[r, c], v| v * factor(frequency(r, rows, 1.0), frequency(c, cols, 1.0)));
    Ok(Some(Arc::new(h)))
}

/// Central difference over the distance, without the phase `k z` that all frequencies share. (A multiplier `i (kz - k)` would be
/// the derivative of the angular spectrum, but not of an impulse response that ends with the padded grid.)
fn axial_change(
    layer: usize,
    distance: f64,
    parts: &LayerParts,
    stage: &Stage<'_>,
) -> Result<Field, ConfigError> {
    let [dy, dx] = stage.pitch();
    let (rows, cols) = parts.transfer.dim();
    // The same method on both sides.
    let space = Propagation { allow_undersampled: true, ..stage.space(distance) };
    let method = space.resolve([rows, cols], dy, dx)?;
    let step = 1e-4 * distance;
    let side = |step: f64| -> Result<Field, ConfigError> {
        let space = Propagation { distance: distance + step, method, ..space };
        let (h, _) = space.transfer([rows, cols], dy, dx)?;
        let common = Complex64::cis(-TAU * space.index / space.wavelength * step);
        Ok(h.mapv(|v| v * common))
    };
    let mut h = (side(step)? - side(-step)?).mapv(|v| v / (2.0 * step));
    stage.spoil(layer, &mut h)?;
    Ok(h)
}

/// `d/da ln sinc(a f)`.
fn log_sinc(a: f64, f: f64) -> f64 {
    let t = PI * a * f;
    if t.abs() < 1e-3 { -t * PI * f / 3.0 } else { PI * f / t.tan() - 1.0 / a }
}
