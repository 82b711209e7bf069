//! Light through the modulators to the camera's plane, on a grid finer than the twin's.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::ops::Range;
use std::sync::Arc;

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};
use num_complex::Complex64;

use super::camera::TAPS;
use super::error::{LabError, wrong};
use super::fft::Convolver;
use super::mask::FineMask;
use super::side::{Side, orders, sum};
use super::truth::Truth;
use crate::calibrate::{Aberration, LayerErrors};
use crate::engine::next_fast_length;
use crate::optics::effects::sinc;
use crate::optics::{Grid, Method, Propagation};
use crate::twin::{SourceConfig, SystemConfig};

/// Light in a plane: point `[r, c]` is at `((r - rows / 2) pitch_y, (c - cols / 2) pitch_x) + offset`, metres from the axis.
pub(super) struct Plane<T> {
    pub(super) values: Array2<T>,
    pub(super) pitch: [f64; 2],
    pub(super) offset: [f64; 2],
}

impl<T> Plane<T> {
    fn axis(&self, axis: usize, index: usize) -> f64 {
        let n = self.values.len_of(Axis(axis));
        (index as f64 - (n / 2) as f64) * self.pitch[axis] + self.offset[axis]
    }

    /// Where a point is, metres from the axis.
    pub(super) fn at(&self, r: usize, c: usize) -> [f64; 2] {
        [self.axis(0, r), self.axis(1, c)]
    }
}

/// What one layer does to light.
struct Layer {
    errors: LayerErrors,
    mask: FineMask,
}

/// The bench as it really is.
pub(super) struct Bench {
    config: SystemConfig,
    truth: Truth,
    grid: Grid,
    pitch: [f64; 2],
    layers: Vec<Layer>,
    convolver: Convolver,
    shape: [usize; 2],
    /// Points that a modulator can light.
    window: [Range<usize>; 2],
    /// Points that the camera can see.
    seen: [Range<usize>; 2],
    /// Inverse spectra of the weights of masks, for orders 1 and 4 ([`FineMask::order`]).
    sharpening: [Array2<Complex64>; 2],
    transfers: HashMap<(u64, usize), Arc<Array2<Complex64>>>,
    /// Static factors of modulators, by layer and place of the grid.
    factors: HashMap<(usize, [u64; 2]), Arc<Array2<Complex64>>>,
}

impl Bench {
    /// A bench of a resolved truth, with `fine` points along a pixel; the camera sees `view` metres about the axis, `[y, x]`.
    pub(super) fn new(
        config: &SystemConfig,
        truth: &Truth,
        fine: usize,
        view: [f64; 2],
    ) -> Result<Self, LabError> {
        let o = &config.optics;
        let ([rows, cols], [dy, dx]) = (o.pixels.both(), o.pitch.both().map(|l| l.0));
        let grid = Grid::new(rows, cols, dy, dx)?;
        let pitch = [dy, dx].map(|d| d / fine as f64);
        let errors: Vec<_> = (1..=o.layers).map(|l| truth.imperfections.of(l)).collect();
        // Half extents, metres: of the modulators as they lie, and of all that is looked at.
        let mut lit = [0.0_f64; 2];
        let mut moved = [0.0_f64; 2];
        for e in &errors {
            let (sin, cos) = e.roll.map_or(0.0, |a| a.0).sin_cos();
            let mag = e.magnification.unwrap_or(1.0);
            let half = [0.5 * rows as f64 * dy, 0.5 * cols as f64 * dx].map(|v| v * mag);
            let turned =
                [half[0] * cos.abs() + half[1] * sin.abs(), half[1] * cos.abs() + half[0] * sin.abs()];
            let shift = e.shift.map_or([0.0; 2], |s| [s[1].0, s[0].0]);
            for k in 0..2 {
                lit[k] = lit[k].max(turned[k]);
                moved[k] += shift[k].abs();
            }
        }
        let points = |metres: f64, k: usize| (metres / pitch[k]).ceil() + (fine + TAPS / 2 + 2) as f64;
        let reach: [f64; 2] = [0, 1].map(|k| points(lit[k] + moved[k], k));
        let look: [f64; 2] = [0, 1].map(|k| points(view[k] + moved[k], k).max(reach[k]));
        let least = [0, 1].map(|k| 2.0 * (reach[k] + look[k]));
        // Field, mask, spectra of its weights, transfer functions of two distances and intensity.
        let bytes = 8.0 * 16.0 * least[0] * least[1];
        if bytes.is_nan() || bytes > 12e9 {
            let [rows, cols] = least.map(|n| if n < 1e7 { n.to_string() } else { format!("{n:.1e}") });
            let problem = format!(
                "the fine grid has {rows} x {cols} points and would need {:.0} GB or more; lower --fine, the camera's field \
                 (camera.pixels, camera.pitch, camera.registration), or the pixels",
                (bytes / 1e9).min(1e9)
            );
            return Err(wrong("--fine", fine, problem));
        }
        let [reach, look] = [reach, look].map(|half| half.map(|n| n as usize));
        let shape = [0, 1].map(|k| next_fast_length(2 * (reach[k] + look[k])));
        let around = |half: [usize; 2]| [0, 1].map(|k| shape[k] / 2 - half[k]..shape[k] / 2 + half[k]);
        let layers = (1..)
            .zip(errors)
            .map(|(l, e)| Ok(Layer { mask: FineMask::new(&e, &grid, pitch, l)?, errors: e }))
            .collect::<Result<_, LabError>>()?;
        Ok(Self {
            config: config.clone(),
            truth: truth.clone(),
            grid,
            pitch,
            layers,
            convolver: Convolver::new(shape),
            shape,
            window: around(reach),
            seen: around(look),
            sharpening: [1, 4].map(|order| inverse_weights(shape, order)),
            transfers: HashMap::new(),
            factors: HashMap::new(),
        })
    }

    /// The field in the camera's plane while the layers (from 1, ascending) show these gray values; `distance` is the free space
    /// behind the last of them, metres.
    pub(super) fn field(
        &mut self,
        shown: &[(usize, Array2<u8>)],
        distance: f64,
    ) -> Result<Plane<Complex64>, LabError> {
        let mut plane = Plane {
            values: Array2::zeros((self.shape[0], self.shape[1])),
            pitch: self.pitch,
            offset: [0.0; 2],
        };
        self.illuminate(&mut plane);
        if shown.is_empty() {
            self.hop(&mut plane, distance, &LayerErrors::default(), 0, true)?;
        }
        for (k, (number, gray)) in shown.iter().enumerate() {
            let last = k + 1 == shown.len();
            let z = if last { distance } else { self.config.optics.distance.0 };
            self.modulate(&mut plane, *number, gray)?;
            let errors = self.layers[number - 1].errors.clone();
            self.hop(&mut plane, z, &errors, *number, last)?;
        }
        Ok(plane)
    }

    fn illuminate(&self, plane: &mut Plane<Complex64>) {
        let beam = &self.truth.illumination;
        let waist = beam.waist.map(|w| w.0).or(match self.config.source {
            SourceConfig::Plane => None,
            SourceConfig::Gaussian { waist } => Some(waist.0),
        });
        let centre = [beam.centre[1].0, beam.centre[0].0];
        self.fill(plane, &self.window, |[y, x], _| {
            let rho2 = (y - centre[0]).powi(2) + (x - centre[1]).powi(2);
            Complex64::new(waist.map_or(1.0, |w| (-rho2 / (w * w)).exp()), 0.0)
        });
    }

    /// Replaces values within `range` by a function of place and old value.
    fn fill(
        &self,
        plane: &mut Plane<Complex64>,
        range: &[Range<usize>; 2],
        value: impl Fn([f64; 2], Complex64) -> Complex64 + Sync,
    ) {
        let y: Vec<f64> = (0..self.shape[0]).map(|r| plane.axis(0, r)).collect();
        let x: Vec<f64> = (0..self.shape[1]).map(|c| plane.axis(1, c)).collect();
        let rows = plane.values.axis_iter_mut(Axis(0)).into_par_iter().enumerate();
        rows.filter(|(r, _)| range[0].contains(r)).for_each(|(r, mut row)| {
            for c in range[1].clone() {
                row[c] = value([y[r], x[c]], row[c]);
            }
        });
    }

    /// Passes the light through a modulator; all that misses the window of the modulators is blocked.
    fn modulate(
        &mut self,
        plane: &mut Plane<Complex64>,
        number: usize,
        gray: &Array2<u8>,
    ) -> Result<(), LabError> {
        let factor = self.factor(plane, number)?;
        let mask = &self.layers[number - 1].mask;
        let values = Array2::zeros(plane.values.raw_dim());
        let mut through = Plane { values, pitch: plane.pitch, offset: plane.offset };
        self.fill(&mut through, &self.window, |at, _| mask.transmission(gray, at));
        let [rows, cols] = &self.window;
        let sharp = self.sharpening[usize::from(mask.order() > 1)].view();
        self.convolver.apply(&mut through.values, sharp, rows.clone(), rows.clone());
        for ((r, c), v) in plane.values.indexed_iter_mut() {
            match rows.contains(&r) && cols.contains(&c) {
                true => *v *= through.values[[r, c]] * factor[[r - rows.start, c - cols.start]],
                false => *v = Complex64::ZERO,
            }
        }
        Ok(())
    }

    /// Aberration, edge and tilt of a modulator over the window.
    fn factor(
        &mut self,
        plane: &Plane<Complex64>,
        number: usize,
    ) -> Result<Arc<Array2<Complex64>>, LabError> {
        let key = (number, plane.offset.map(f64::to_bits));
        if let Some(known) = self.factors.get(&key) {
            return Ok(known.clone());
        }
        let e = &self.layers[number - 1].errors;
        let side = Side::new(e.modulator_aberration.as_ref(), e.modulator_edge, &self.grid)?;
        let k = TAU * self.config.optics.index / self.config.optics.wavelength.0;
        let [tilt_x, tilt_y] = e.tilt.map_or([0.0; 2], |t| t.map(|a| k * a.0.sin()));
        let [rows, cols] = self.window.clone();
        let mut factor = Array2::zeros((rows.len(), cols.len()));
        factor.axis_iter_mut(Axis(0)).into_par_iter().zip(rows).for_each(|(mut row, r)| {
            for (v, c) in row.iter_mut().zip(cols.clone()) {
                let [y, x] = plane.at(r, c);
                *v = side.at([y, x]) * Complex64::cis(tilt_x * x + tilt_y * y);
            }
        });
        let factor = Arc::new(factor);
        self.factors.insert(key, factor.clone());
        Ok(factor)
    }

    /// Free space with its errors, and the camera's side behind it.
    fn hop(
        &mut self,
        plane: &mut Plane<Complex64>,
        distance: f64,
        e: &LayerErrors,
        number: usize,
        last: bool,
    ) -> Result<(), LabError> {
        let z = distance + e.axial.map_or(0.0, |a| a.0);
        if !(z.is_finite() && z > 0.0) {
            let problem = format!("behind layer {number} {z} m are left of {distance} m; must be positive");
            return Err(wrong("imperfections.axial", z, problem));
        }
        let transfer = self.transfer(z, number)?;
        let wanted = if last { &self.seen } else { &self.window };
        self.convolver.apply(&mut plane.values, transfer.view(), self.window[0].clone(), wanted[0].clone());
        // The field arrives moved by +s: its points are that much farther than they were.
        if let Some([x, y]) = e.shift {
            plane.offset[0] += y.0;
            plane.offset[1] += x.0;
        }
        let side = Side::new(e.camera_aberration.as_ref(), e.camera_edge, &self.grid)?;
        if !side.is_perfect() {
            let wanted = wanted.clone();
            self.fill(plane, &wanted, |at, u| u * side.at(at));
        }
        Ok(())
    }

    fn transfer(&mut self, z: f64, number: usize) -> Result<Arc<Array2<Complex64>>, LabError> {
        let pupil = number
            .checked_sub(1)
            .and_then(|k| self.layers[k].errors.pupil_aberration.clone())
            .filter(|p| !p.zernike.is_empty());
        // Layers without an aberration in the pupil share transfer functions.
        let key = (z.to_bits(), if pupil.is_some() { number } else { 0 });
        if let Some(known) = self.transfers.get(&key) {
            return Ok(known.clone());
        }
        let o = &self.config.optics;
        let space = Propagation {
            wavelength: o.wavelength.0,
            index: o.index,
            distance: z,
            method: Method::Auto,
            allow_undersampled: false,
        };
        let (mut h, _) = space.transfer(self.shape, self.pitch[0], self.pitch[1])?;
        if let Some(pupil) = pupil {
            if pupil.rms != 0.0 {
                let key = format!("imperfections (layer {number}).pupil_aberration.rms");
                return Err(wrong(
                    key,
                    pupil.rms,
                    "give Zernike terms; random draws are for the two pixel planes",
                ));
            }
            self.aberrate(&mut h, &pupil)?;
        }
        let h = Arc::new(h);
        // Two distances are in use at a time; keeping more of these large arrays costs more than making them.
        if self.transfers.len() >= 3 {
            self.transfers.clear();
        }
        self.transfers.insert(key, h.clone());
        Ok(h)
    }

    /// Zernike terms over the disc of the highest frequency of the modulator's pixels.
    fn aberrate(&self, h: &mut Array2<Complex64>, pupil: &Aberration) -> Result<(), LabError> {
        let orders = orders(&pupil.zernike)?;
        let edge = 0.5 / self.grid.dy.max(self.grid.dx);
        let (shape, pitch) = (self.shape, self.pitch);
        let frequency = move |k: usize, axis: usize| {
            let n = shape[axis];
            let signed = if 2 * k < n { k as f64 } else { k as f64 - n as f64 };
            signed / (n as f64 * pitch[axis]) / edge
        };
        h.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(r, mut row)| {
            let fy = frequency(r, 0);
            for (c, v) in row.iter_mut().enumerate() {
                let fx = frequency(c, 1);
                if fy.hypot(fx) <= 1.0 {
                    *v *= Complex64::cis(sum(&orders, fy, fx));
                }
            }
        });
        Ok(())
    }

    /// Points of the fine grid, `[along y, along x]`.
    pub(super) fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The points that the camera can see.
    pub(super) fn seen(&self) -> &[Range<usize>; 2] {
        &self.seen
    }

    /// Smooths an intensity by a Gaussian of these standard deviations, metres along y and x.
    pub(super) fn smooth(&self, intensity: &mut Plane<f64>, sigma: [f64; 2]) {
        let line = |axis: usize| -> Vec<f64> {
            let n = self.shape[axis];
            let value = |k: usize| {
                let signed = if 2 * k < n { k as f64 } else { k as f64 - n as f64 };
                let f = signed / (n as f64 * self.pitch[axis]);
                (-2.0 * (std::f64::consts::PI * f * sigma[axis]).powi(2)).exp()
            };
            (0..n).map(value).collect()
        };
        let (y, x) = (line(0), line(1));
        let h =
            Array2::from_shape_fn((self.shape[0], self.shape[1]), |(r, c)| Complex64::new(y[r] * x[c], 0.0));
        let mut values = intensity.values.mapv(|v| Complex64::new(v, 0.0));
        self.convolver.apply(&mut values, h.view(), self.seen[0].clone(), self.seen[0].clone());
        intensity.values.assign(&values.mapv(|v| v.re.max(0.0)));
    }
}

/// `1 / sinc^order` of both frequencies, cycles per point, in DFT order.
fn inverse_weights(shape: [usize; 2], order: i32) -> Array2<Complex64> {
    let [y, x] = shape.map(|n| -> Vec<f64> {
        let frequency = |k: usize| if 2 * k < n { k as f64 } else { k as f64 - n as f64 } / n as f64;
        (0..n).map(|k| sinc(frequency(k)).powi(-order)).collect()
    });
    Array2::from_shape_fn((shape[0], shape[1]), |(r, c)| (y[r] * x[c]).into())
}

#[cfg(test)]
#[path = "bench_tests.rs"]
mod tests;
