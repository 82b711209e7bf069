//! What happens within a pixel: light that is not the same all over it, and gaps around the active square.
//!
//! Aberration, illumination and tilt are smooth, and a twin takes them at the middle of a pixel. Across it the wavefront is
//! inclined, so that the square sends its light a little aside, where more or less of it is seen. To first order a pixel of side
//! `a` with mask `m` under light `g` is `m (g + g' x)` within `|x| < a d / 2`, and `x` has the spectrum of a derivative:
//! `(i / 2 pi) d/df sinc(a d f)` (derivative theorem of Fourier transforms). The next order, `(a d)^2 g'' / 24`, is a thousandth
//! of that.
//!
//! What leaves a modulator without its phase comes from the gaps, which are frames between squares of side `a` and 1 and have the
//! spectrum `(sinc(d f) - a^2 sinc(a d f)) / (1 - a^2)` (products over both axes), and not that of the square.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use num_complex::Complex64;

use super::View;
use crate::optics::Field;
use crate::optics::effects::{self, frequency, sinc};
use crate::twin::{ConfigError, System};

/// What is added to the light of pixels that are filled evenly.
pub(crate) struct Within {
    /// For light that is inclined, along x and y: `d g' / g` of every pixel, where `d` is the pitch, and the transfer function of
    /// squares that are filled with `x / d` in place of 1.
    pub(super) slopes: Option<[(Field, Arc<Field>); 2]>,
    /// The light of the gaps, and the transfer function of frames less that of squares.
    pub(super) gaps: Option<(Field, Arc<Field>)>,
}

/// Relative change of the light `factor` on an upright layer from edge to edge of its pixels, along x and y.
pub(super) fn slopes(
    system: &System,
    layer: usize,
    view: &View,
    factor: &Field,
) -> Result<[Field; 2], ConfigError> {
    let grid = system.grid();
    let light = |y: f64, x: f64| -> Result<Option<Arc<Field>>, ConfigError> {
        let place = |r: usize, c: usize| view.lies([grid.y(r) + y, grid.x(c) + x]);
        Ok(system.modulator_at(layer, &place)?.factor)
    };
    let along = |[y, x]: [f64; 2]| -> Result<Field, ConfigError> {
        let (more, less) = rayon::join(|| light(y, x), || light(-y, -x));
        let (Some(more), Some(less)) = (more?, less?) else { return Ok(Field::zeros(factor.raw_dim())) };
        let mut slope = more.as_ref() - less.as_ref();
        // No light, no slope.
        slope.zip_mut_with(factor, |s, g| *s = if g.norm_sqr() > 0.0 { *s / *g } else { Complex64::ZERO });
        Ok(slope)
    };
    let (x, y) = rayon::join(|| along([0.0, 0.5 * grid.dx]), || along([0.5 * grid.dy, 0.0]));
    Ok([x?, y?])
}

/// A transfer function for squares of side `a` pitches, with so many `samples` along a pitch, that are filled with the distance
/// from their middle along axis `k` (x, y), in pitches.
pub(super) fn moment(h: &Field, [a, samples]: [f64; 2], k: usize) -> Field {
    let (rows, cols) = h.dim();
    let line = |n: usize, inclined: bool| -> Vec<f64> {
        let one = |k: usize| {
            let t = a * samples * frequency(k, n, 1.0);
            if inclined { a * sinc_slope(t) / TAU } else { sinc(t) }
        };
        (0..n).map(one).collect()
    };
    let (y, x) = (line(rows, k == 1), line(cols, k == 0));
    let mut h = h.clone();
    effects::change(&mut h, |[r, c], v| v * Complex64::new(0.0, y[r] * x[c]));
    h
}

/// A transfer function for the frames around squares of side `a` pitches, less that for the squares themselves; both are 1 at
/// frequency 0.
pub(super) fn frame(h: &Field, [a, samples]: [f64; 2]) -> Field {
    // The thinnest of frames is a line.
    let a = a.min(1.0 - 1e-6);
    let (rows, cols) = h.dim();
    let line = |n: usize, side: f64| -> Vec<f64> {
        (0..n).map(|k| sinc(side * samples * frequency(k, n, 1.0))).collect()
    };
    let sides = [1.0, a].map(|side| (line(rows, side), line(cols, side)));
    let mut h = h.clone();
    effects::change(&mut h, |[r, c], v| {
        let [pixel, square] = [0, 1].map(|k| sides[k].0[r] * sides[k].1[c]);
        v * ((pixel - square) / (1.0 - a * a))
    });
    h
}

/// Derivative of `sin(pi t) / (pi t)`.
fn sinc_slope(t: f64) -> f64 {
    if t.abs() < 1e-3 { -PI * PI * t / 3.0 } else { ((PI * t).cos() - sinc(t)) / t }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_and_frames_make_pixels() {
        let (a, samples) = (0.8, 3.0);
        let ones = Field::from_elem((32, 40), Complex64::ONE);
        let found = frame(&ones, [a, samples]);
        for (r, c) in [(0, 0), (3, 39), (16, 20), (31, 1)] {
            let f = [samples * frequency(r, 32, 1.0), samples * frequency(c, 40, 1.0)];
            let square = |side: f64| sinc(side * f[0]) * sinc(side * f[1]);
            // A frame of 1 - a^2 and a square of a^2.
            let pixel = (1.0 - a * a) * (found[[r, c]].re + square(a)) + a * a * square(a);
            assert!((pixel - square(1.0)).abs() < 1e-12, "{r} {c}");
        }
        let thin = frame(&ones, [1.0, samples]);
        let thinner = frame(&ones, [1.0 - 1e-5, samples]);
        assert!(thin.iter().zip(&thinner).all(|(a, b)| (a - b).norm() < 1e-3 && a.is_finite()));
    }

    #[test]
    fn a_square_filled_with_the_distance_has_the_spectrum_of_its_points() {
        const N: usize = 64;
        let (a, samples) = (0.8, 2.0);
        for k in 0..2 {
            let found = moment(&Field::from_elem((N, N), Complex64::ONE), [a, samples], k);
            // Midpoint rule over the square, pitches.
            let mean = |f: f64, weight: &dyn Fn(f64) -> f64| -> Complex64 {
                let points = (0..2000).map(|i| a * ((f64::from(i) + 0.5) / 2000.0 - 0.5));
                points.map(|x| weight(x) * Complex64::cis(-TAU * f * x)).sum::<Complex64>() / 2000.0
            };
            for (r, c) in [(0, 0), (0, 1), (3, 40), (32, 5), (50, 50)] {
                let f = [r, c].map(|i| samples * frequency(i, N, 1.0));
                let one = |axis: usize| mean(f[axis], &|x| if axis == 1 - k { x } else { 1.0 });
                let exact = one(0) * one(1);
                assert!((found[[r, c]] - exact).norm() < 1e-6, "{k} {r} {c}: {} {exact}", found[[r, c]]);
            }
        }
    }
}
