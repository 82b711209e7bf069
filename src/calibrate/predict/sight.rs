//! From a field on the twin's grid to camera pixels: intensity without aliasing, mean over a pixel, smoothing, sampling.
//!
//! 1. The field is interpolated to half its pitch (windowed sinc), because its intensity has twice its bandwidth.
//! 2. The intensity is convolved with pixel and blur, by weights that are fitted to `sinc(w f) exp(-2 pi^2 s^2 f^2)` in frequency and
//!    are therefore smooth in pixel size `w` and blur `s`.
//! 3. Every camera pixel reads the result where [`Registration::map`] and the [`View`] say that it looks (windowed sinc again).

use std::f64::consts::{PI, TAU};
use std::sync::OnceLock;

use ndarray::{Array2, Axis, Zip};
use num_complex::{Complex32, Complex64};
use rayon::prelude::*;

use super::View;
use crate::calibrate::{LayerErrors, Registration};
use crate::measure::CameraSheet;
use crate::numeric::Factor;
use crate::optics::{Field, Grid, effects::sinc};

/// Neighbours on either side from which a value between two pixels is interpolated.
const REACH: usize = 12;
/// Neighbours on either side when the smoothed intensity is sampled.
const NEAR: usize = 6;
/// Shape of Kaiser's window, with which both err by less than 6e-4, up to 0.4 and 0.3 cycles.
const BETA: f64 = 7.0;
/// Weights of the smoothing beyond pixel and blur, on either side.
const TAIL: usize = 5;
/// Interpolation weights are tabulated at so many places between two pixels, linear in between.
const TABLE: usize = 512;

/// A field at half the pitch, row-major; pixel `(2 r, 2 c)` is the field's `(r, c)`.
pub(crate) struct Fine {
    values: Vec<Complex32>,
    cols: usize,
}

/// An intensity, or its change, at half the pitch, smoothed as a camera pixel does.
pub(crate) struct Smooth {
    values: Vec<f32>,
    cols: usize,
}

/// How a camera sees the last plane of a twin.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    grid: Grid,
    shape: [usize; 2],
    pitch: [f64; 2],
    registration: Registration,
    variance: f64,
    view: View,
    /// Pixel and blur along y and x: weights of the centre and of the pixels to either side, at half the pitch.
    kernels: [Vec<f32>; 2],
    /// Interpolation half-way between pixels.
    halves: Vec<f32>,
    /// Weights of the `2 NEAR` pixels around a place, for `TABLE + 1` places.
    table: Vec<[f32; 2 * NEAR]>,
    /// What every camera pixel reads, row-major; made when it is needed.
    spots: OnceLock<Vec<Spot>>,
}

/// Where a camera pixel reads the smoothed intensity.
#[derive(Clone, Debug)]
struct Spot {
    /// The first of the pixels that it reads; none where it looks outside.
    first: Option<u32>,
    /// Their weights along y and x.
    weights: [[f32; 2 * NEAR]; 2],
}

impl Sight {
    /// `variance`: of the blur, camera pixels squared.
    pub(crate) fn new(grid: &Grid, camera: &CameraSheet, registration: Registration, variance: f64) -> Self {
        let sight = Self {
            grid: *grid,
            shape: camera.pixels.both(),
            pitch: camera.pitch.both().map(|l| l.0),
            registration,
            variance,
            view: View::STRAIGHT,
            kernels: [Vec::new(), Vec::new()],
            halves: halves(),
            table: (0..=TABLE).map(|k| near(k as f64 / TABLE as f64)).collect(),
            spots: OnceLock::new(),
        };
        sight.looking(View::STRAIGHT)
    }

    /// The same camera looking at light with so many samples along each of the grid's.
    pub(crate) fn sampled(&self, samples: usize) -> Self {
        let mut sight = self.bare();
        let Grid { rows, cols, dy, dx } = self.grid;
        let s = samples as f64;
        sight.grid = Grid { rows: rows * samples, cols: cols * samples, dy: dy / s, dx: dx / s };
        sight.looking(self.view)
    }

    /// The same camera looking at the light of a turned and scaled modulator that the twin keeps upright.
    pub(crate) fn looking(&self, view: View) -> Self {
        let m = self.registration.matrix;
        let half = [0.5 * self.grid.dy, 0.5 * self.grid.dx];
        // A pixel's size where it looks, in half pitches; its turn does not matter for so small a square.
        let kernel = |k: usize| {
            let width = self.pitch[k] * m[0][k].hypot(m[1][k]) / view.magnification / half[k];
            smoothing(width, self.variance * width * width)
        };
        Self { view, kernels: [kernel(0), kernel(1)], ..self.bare() }
    }

    /// The same, with the smoothing that there is: for small changes of the view, which move what a pixel sees by many times
    /// what they change its size.
    pub(crate) fn glancing(&self, view: View) -> Self {
        Self { view, ..self.bare() }
    }

    /// A copy that has not found its spots yet.
    fn bare(&self) -> Self {
        Self {
            spots: OnceLock::new(),
            kernels: self.kernels.clone(),
            halves: self.halves.clone(),
            table: self.table.clone(),
            ..*self
        }
    }

    /// Where a camera pixel looks in the last plane, metres from the axis along y and x.
    pub(crate) fn looks(&self, r: usize, c: usize) -> [f64; 2] {
        let q = [
            (r as f64 - (self.shape[0] / 2) as f64) * self.pitch[0],
            (c as f64 - (self.shape[1] / 2) as f64) * self.pitch[1],
        ];
        self.registration.map(q)
    }

    /// The place, rows and columns of the half-pitch grid, that a camera pixel looks at.
    fn place(&self, r: usize, c: usize) -> [f64; 2] {
        let p = self.view.place(self.looks(r, c));
        let centre = [2 * (self.grid.rows / 2), 2 * (self.grid.cols / 2)].map(|n| n as f64);
        [p[0] / (0.5 * self.grid.dy) + centre[0], p[1] / (0.5 * self.grid.dx) + centre[1]]
    }

    /// Camera pixels whose light is all of the twin's grid: where a twin knows what they see.
    pub(crate) fn inside(&self) -> Array2<bool> {
        let margin = [0, 1].map(|k| (self.kernels[k].len() + NEAR + REACH) as f64);
        let last = [2 * self.grid.rows, 2 * self.grid.cols].map(|n| n as f64 - 1.0);
        Array2::from_shape_fn((self.shape[0], self.shape[1]), |(r, c)| {
            let p = self.place(r, c);
            (0..2).all(|k| p[k] >= margin[k] && p[k] <= last[k] - margin[k])
        })
    }

    /// Those that stay so in the views of all layers.
    pub(crate) fn inside_all(&self, layers: impl Iterator<Item = LayerErrors>) -> Array2<bool> {
        let mut inside = self.inside();
        for view in layers.filter_map(|e| View::of(&e)) {
            inside.zip_mut_with(&self.looking(view).inside(), |all, one| *all &= *one);
        }
        inside
    }

    /// The field at half its pitch.
    pub(crate) fn fine(&self, field: &Field) -> Fine {
        let (rows, cols) = field.dim();
        let wide = 2 * cols;
        let mut along = vec![Complex32::default(); rows * wide];
        along.par_chunks_mut(wide).zip(field.axis_iter(Axis(0)).into_par_iter()).for_each(|(to, from)| {
            let mut row = vec![Complex32::default(); cols + 2 * REACH];
            for (v, u) in row[REACH..].iter_mut().zip(from) {
                *v = Complex32::new(u.re as f32, u.im as f32);
            }
            let mut between = vec![Complex32::default(); cols];
            for (k, w) in self.halves.iter().enumerate() {
                let (left, right) = (&row[REACH - k..][..cols], &row[REACH + 1 + k..][..cols]);
                between.iter_mut().zip(left.iter().zip(right)).for_each(|(v, (a, b))| *v += (a + b) * *w);
            }
            for (c, pair) in to.chunks_exact_mut(2).enumerate() {
                pair.copy_from_slice(&[row[REACH + c], between[c]]);
            }
        });
        let mut values = vec![Complex32::default(); 2 * rows * wide];
        let line = |r: isize| {
            let inside = r >= 0 && (r as usize) < rows;
            inside.then(|| &along[r as usize * wide..(r as usize + 1) * wide])
        };
        values.par_chunks_mut(wide).enumerate().for_each(|(r, to)| {
            let from = (r / 2) as isize;
            if r % 2 == 0 {
                to.copy_from_slice(&along[r / 2 * wide..(r / 2 + 1) * wide]);
                return;
            }
            for (k, w) in (0..).zip(&self.halves) {
                for row in [line(from - k), line(from + 1 + k)].into_iter().flatten() {
                    to.iter_mut().zip(row).for_each(|(to, v)| *to += *v * *w);
                }
            }
        });
        Fine { values, cols: wide }
    }

    /// What the camera's pixels see of `|U|^2`.
    pub(crate) fn intensity(&self, u: &Fine) -> Array2<f64> {
        self.read(&self.smooth(u))
    }

    /// What they see of `U` itself beside an even reference, in the fringes: its mean over each pixel, smoothed.
    pub(crate) fn amplitude(&self, u: &Fine) -> Field {
        let part = |of: fn(&Complex32) -> f32| {
            self.read(&self.smoothed(u, |row, to| {
                let values = &u.values[row * u.cols..(row + 1) * u.cols];
                to.iter_mut().zip(values).for_each(|(to, v)| *to = of(v));
            }))
        };
        let (re, im) = (part(|v| v.re), part(|v| v.im));
        Zip::from(&re).and(&im).map_collect(|re, im| Complex64::new(*re, *im))
    }

    /// What they would see wherever they looked.
    pub(crate) fn smooth(&self, u: &Fine) -> Smooth {
        self.smoothed(u, |row, to| {
            let values = &u.values[row * u.cols..(row + 1) * u.cols];
            to.iter_mut().zip(values).for_each(|(to, v)| *to = v.norm_sqr());
        })
    }

    /// What they see of its change `2 Re(U* dU)`.
    pub(crate) fn change(&self, u: &Fine, du: &Fine) -> Array2<f64> {
        let smooth = self.smoothed(u, |row, to| {
            let part = row * u.cols..(row + 1) * u.cols;
            let pairs = u.values[part.clone()].iter().zip(&du.values[part]);
            to.iter_mut().zip(pairs).for_each(|(to, (v, d))| *to = 2.0 * (v.re * d.re + v.im * d.im));
        });
        self.read(&smooth)
    }

    /// Smooths an image whose rows at half the pitch `fill` writes.
    fn smoothed(&self, like: &Fine, fill: impl Fn(usize, &mut [f32]) + Sync) -> Smooth {
        let cols = like.cols;
        let rows = like.values.len() / cols;
        let mut along = vec![0.0_f32; rows * cols];
        let radius = self.kernels[1].len() - 1;
        along.par_chunks_mut(cols).enumerate().for_each(|(r, to)| {
            let mut row = vec![0.0_f32; cols + 2 * radius];
            fill(r, &mut row[radius..radius + cols]);
            for (k, w) in self.kernels[1].iter().enumerate() {
                let (left, right) = (&row[radius - k..][..cols], &row[radius + k..][..cols]);
                let w = if k == 0 { 0.5 * w } else { *w };
                to.iter_mut().zip(left.iter().zip(right)).for_each(|(to, (a, b))| *to += w * (a + b));
            }
        });
        let mut smooth = vec![0.0_f32; rows * cols];
        smooth.par_chunks_mut(cols).enumerate().for_each(|(r, to)| {
            for (k, w) in self.kernels[0].iter().enumerate() {
                let mut add = |from: usize| {
                    let row = &along[from * cols..(from + 1) * cols];
                    to.iter_mut().zip(row).for_each(|(to, v)| *to += *w * *v);
                };
                if r + k < rows {
                    add(r + k);
                }
                if k > 0 && r >= k {
                    add(r - k);
                }
            }
        });
        Smooth { values: smooth, cols }
    }

    /// Samples where the pixels look.
    pub(crate) fn read(&self, from: &Smooth) -> Array2<f64> {
        let cols = self.shape[1];
        let spots = self.spots.get_or_init(|| self.spots([from.values.len() / from.cols, from.cols]));
        let mut seen = Array2::zeros((self.shape[0], cols));
        seen.axis_iter_mut(Axis(0)).into_par_iter().zip(spots.par_chunks(cols)).for_each(
            |(mut to, spots)| {
                for (to, spot) in to.iter_mut().zip(spots) {
                    *to = f64::from(spot.read(from));
                }
            },
        );
        seen
    }

    /// The spots of all pixels in a smoothed intensity of this shape.
    fn spots(&self, shape: [usize; 2]) -> Vec<Spot> {
        let [rows, cols] = self.shape;
        (0..rows * cols).into_par_iter().map(|n| self.spot(shape, self.place(n / cols, n % cols))).collect()
    }

    fn spot(&self, shape: [usize; 2], place: [f64; 2]) -> Spot {
        let first = place.map(|p| p.floor() - (NEAR as f64 - 1.0));
        let inside = |k: usize| first[k] >= 0.0 && first[k] + 2.0 * NEAR as f64 <= shape[k] as f64;
        let at = (inside(0) && inside(1)).then(|| (first[0] as usize * shape[1] + first[1] as usize) as u32);
        Spot { first: at, weights: place.map(|p| self.weights(p - p.floor())) }
    }

    fn weights(&self, part: f64) -> [f32; 2 * NEAR] {
        let at = part * TABLE as f64;
        let k = (at as usize).min(TABLE - 1);
        let t = (at - k as f64) as f32;
        let (a, b) = (&self.table[k], &self.table[k + 1]);
        std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t)
    }
}

impl Spot {
    /// The value between the pixels; zero outside.
    fn read(&self, from: &Smooth) -> f32 {
        let Some(first) = self.first else { return 0.0 };
        // Column by column, which fills vector registers.
        let mut columns = [0.0_f32; 2 * NEAR];
        for (k, w) in self.weights[0].into_iter().enumerate() {
            let at = first as usize + k * from.cols;
            columns.iter_mut().zip(&from.values[at..at + 2 * NEAR]).for_each(|(sum, v)| *sum += w * v);
        }
        columns.iter().zip(&self.weights[1]).map(|(v, w)| v * w).sum()
    }
}

/// Kaiser's window (Kaiser & Schafer, IEEE Trans. ASSP 28, 105 (1980)) at `t` in -1..1.
fn kaiser(t: f64, beta: f64) -> f64 {
    let bessel = |x: f64| {
        let term = |(term, sum): (f64, f64), k: i32| {
            let next = term * (0.5 * x / f64::from(k)).powi(2);
            (next, sum + next)
        };
        (1..40).fold((1.0, 1.0), term).1
    };
    bessel(beta * (1.0 - t * t).max(0.0).sqrt()) / bessel(beta)
}

/// Weights of the neighbours at distances 1/2, 3/2, ... (either side alike), sum 1.
fn halves() -> Vec<f32> {
    let raw: Vec<f64> = (0..REACH)
        .map(|k| {
            let d = k as f64 + 0.5;
            sinc(d) * kaiser(d / REACH as f64, BETA)
        })
        .collect();
    let total = 2.0 * raw.iter().sum::<f64>();
    raw.into_iter().map(|w| (w / total) as f32).collect()
}

/// Weights of the pixels `1 - NEAR ..= NEAR` around a place `part` behind pixel 0, sum 1.
fn near(part: f64) -> [f32; 2 * NEAR] {
    let raw: [f64; 2 * NEAR] = std::array::from_fn(|i| {
        let d = i as f64 - (NEAR as f64 - 1.0) - part;
        sinc(d) * kaiser(d / NEAR as f64, BETA)
    });
    let total: f64 = raw.iter().sum();
    raw.map(|w| (w / total) as f32)
}

/// Centre and one side of the kernel with the spectrum `sinc(width f) exp(-2 pi^2 variance f^2)`, sum 1: least squares over the
/// frequencies `f`, which weigh `(1 - 2 f)^4`, since intensities have least near half a cycle. A spectrum that is cut off would ring.
fn smoothing(width: f64, variance: f64) -> Vec<f32> {
    const STEPS: usize = 128;
    // A blur that is almost none has as many weights as none has: what a camera sees must not leap where a fit begins to blur.
    let radius = (0.5 * width + 4.0 * (variance + 0.045).sqrt()).ceil() as usize + TAIL;
    let n = radius + 1;
    let (mut normal, mut right) = (vec![0.0; n * n], vec![0.0; n]);
    for step in 0..STEPS {
        let f = (step as f64 + 0.5) / (2 * STEPS) as f64;
        let weight = (1.0 - 2.0 * f).powi(4);
        let spectrum = sinc(width * f) * (-2.0 * PI * PI * variance * f * f).exp();
        let waves: Vec<f64> =
            (0..n).map(|k| (TAU * k as f64 * f).cos() * if k == 0 { 1.0 } else { 2.0 }).collect();
        for (i, wave) in waves.iter().enumerate() {
            right[i] += weight * wave * spectrum;
            normal[i * n..][..n]
                .iter_mut()
                .zip(&waves)
                .for_each(|(sum, other)| *sum += weight * wave * other);
        }
    }
    // Cosines differ, so that there is a solution; without one there is no smoothing.
    let raw = Factor::of(&normal, n).map_or_else(|| vec![1.0], |factor| factor.solve(&right));
    let total = 2.0 * raw.iter().sum::<f64>() - raw[0];
    raw.into_iter().map(|w| (w / total) as f32).collect()
}

#[cfg(test)]
#[path = "sight_tests.rs"]
mod tests;
