//! A modulator at sub-pixel scale: active squares with gaps between them, fringing fields, turned and scaled by geometry.
//!
//! Pixels have edges sharper than any grid. Means over the cells of a grid alias: an edge that moves within its cell moves the light
//! too little or too much, by a tenth at the highest frequencies of pixels of five cells. Pixels that are flat up to their edge
//! are therefore weighted with a cubic B-spline (Unser, IEEE Signal Process. Mag. 16(6), 22 (1999)), whose spectrum `sinc^4` leaves
//! no more than 1/10000 there; its inverse is then put on the whole mask ([`FineMask::order`]).

use std::f64::consts::TAU;

use ndarray::Array2;
use num_complex::Complex64;

use super::error::{LabError, wrong};
use crate::calibrate::LayerErrors;
use crate::optics::Grid;

/// Points of a cell along a side where the phase is not constant over a pixel.
const POINTS: usize = 3;
/// Places within a pixel for which the weights of fringing are tabulated.
const PLACES: usize = 1024;

/// What a modulator makes of gray values, evaluated anywhere.
pub(super) struct FineMask {
    /// Phase of each gray value, radians, before the factor of the pixel.
    phase: Vec<f64>,
    /// Factors on the phases of pixels; none: 1.
    stretch: Option<Array2<f64>>,
    /// Side of the active square, pixels.
    active: f64,
    /// From metres about the axis to pixels: rows of `[y, x]`.
    matrix: [[f64; 2]; 2],
    /// Pixel on the axis.
    centre: [f64; 2],
    shape: [usize; 2],
    /// Half a side of a cell, pixels.
    half: [f64; 2],
    fringe: Option<Fringe>,
}

impl FineMask {
    /// `cell` is the pitch of the fine grid, metres along y and x.
    pub(super) fn new(e: &LayerErrors, grid: &Grid, cell: [f64; 2], layer: usize) -> Result<Self, LabError> {
        let (sin, cos) = e.roll.map_or(0.0, |a| a.0).sin_cos();
        let mag = e.magnification.unwrap_or(1.0);
        let [dy, dx] = [grid.dy * mag, grid.dx * mag];
        let share = e.fill_factor.unwrap_or(1.0) * e.efficiency.unwrap_or(1.0).sqrt();
        Ok(Self {
            phase: (0..256).map(|g| phase(e, g)).collect(),
            stretch: stretch(e, grid, layer)?,
            active: share.sqrt(),
            matrix: [[cos / dy, -sin / dy], [sin / dx, cos / dx]],
            centre: [(grid.rows / 2) as f64, (grid.cols / 2) as f64],
            shape: grid.shape(),
            half: [0.5 * cell[0] / dy, 0.5 * cell[1] / dx],
            fringe: e.crosstalk.filter(|s| *s != 0.0).map(|sigma| Fringe::new(sigma, layer)).transpose()?,
        })
    }

    /// How often a cell is convolved with itself to make the weights of [`Self::transmission`]: their spectrum is `sinc^order`.
    pub(super) fn order(&self) -> i32 {
        // A phase that is smooth has hardly anything to alias.
        if self.fringe.is_some() { 1 } else { 4 }
    }

    /// Weighted mean of the complex transmission about `[y, x]` (metres from the axis) while `gray` is shown; the sides of the
    /// cells are taken along those of the pixels.
    pub(super) fn transmission(&self, gray: &Array2<u8>, [y, x]: [f64; 2]) -> Complex64 {
        let at = [0, 1].map(|k| self.centre[k] + self.matrix[k][0] * y + self.matrix[k][1] * x);
        match &self.fringe {
            None => self.flat(gray, at, self.half),
            Some(fringe) => self.smooth(gray, at, fringe),
        }
    }

    /// The phase of a pixel.
    fn shown(&self, gray: &Array2<u8>, pixel: [usize; 2]) -> f64 {
        self.phase[usize::from(gray[pixel])] * self.stretch.as_ref().map_or(1.0, |s| s[pixel])
    }

    /// Pixels that keep their phase up to their edge.
    fn flat(&self, gray: &Array2<u8>, at: [f64; 2], half: [f64; 2]) -> Complex64 {
        let [rows, cols] = [0, 1].map(|k| self.overlaps(k, at[k], half[k], (2.0, spline_below)));
        let mut sum = Complex64::ZERO;
        for y in rows.iter().filter(|o| o.whole > 0.0) {
            for x in cols.iter().filter(|o| o.whole > 0.0) {
                let (active, whole) = (y.active * x.active, y.whole * x.whole);
                let phase = self.shown(gray, [y.pixel, x.pixel]);
                sum += Complex64::from_polar(active, phase) + (whole - active);
            }
        }
        sum
    }

    /// A phase that goes smoothly from pixel to pixel.
    fn smooth(&self, gray: &Array2<u8>, at: [f64; 2], fringe: &Fringe) -> Complex64 {
        let part = self.half.map(|h| h / POINTS as f64);
        let points: [[f64; POINTS]; 2] =
            [0, 1].map(|k| std::array::from_fn(|q| at[k] + part[k] * (2.0 * q as f64 + 1.0 - POINTS as f64)));
        let phases = fringe.phases(&points, |at| self.shown(gray, at), self.shape);
        let mut sum = Complex64::ZERO;
        let shares: [[[f64; 2]; POINTS]; 2] = [0, 1].map(|k| points[k].map(|at| self.share(k, at, part[k])));
        for (q, [active_y, whole_y]) in shares[0].into_iter().enumerate() {
            for (p, [active_x, whole_x]) in shares[1].into_iter().enumerate() {
                let (active, whole) = (active_y * active_x, whole_y * whole_x);
                sum += Complex64::from_polar(active, phases[q][p]) + (whole - active);
            }
        }
        sum / (POINTS * POINTS) as f64
    }

    /// Shares of an interval in the active parts of pixels, and in pixels at all.
    fn share(&self, axis: usize, at: f64, half: f64) -> [f64; 2] {
        self.overlaps(axis, at, half, (0.5, |t| (t + 0.5).clamp(0.0, 1.0)))
            .iter()
            .fold([0.0; 2], |s, o| [s[0] + o.active, s[1] + o.whole])
    }

    /// The pixels that the weights about a place meet, with the shares of the weights that lie in them. Weights reach `reach` cells
    /// to either side and have the integral `below`; a cell is at most a pixel wide.
    fn overlaps(
        &self,
        axis: usize,
        at: f64,
        half: f64,
        (reach, below): (f64, fn(f64) -> f64),
    ) -> [Overlap; 6] {
        let cell = 2.0 * half;
        let first = (at - reach * cell + 0.5).floor();
        let share = |low: f64, high: f64| below((high - at) / cell) - below((low - at) / cell);
        std::array::from_fn(|k| {
            let pixel = first + k as f64;
            let met = pixel - 0.5 < at + reach * cell;
            if !(met && pixel >= 0.0 && pixel < self.shape[axis] as f64) {
                return Overlap::default();
            }
            Overlap {
                pixel: pixel as usize,
                active: share(pixel - 0.5 * self.active, pixel + 0.5 * self.active),
                whole: share(pixel - 0.5, pixel + 0.5),
            }
        })
    }
}

/// Integral of the cubic B-spline of cells of side 1 from minus infinity.
fn spline_below(t: f64) -> f64 {
    let left = t.abs().min(2.0);
    // From |t| outwards.
    let beyond = match left < 1.0 {
        true => 0.5 - left * (2.0 / 3.0 - left * left * (1.0 / 3.0 - left / 8.0)),
        false => (2.0 - left).powi(4) / 24.0,
    };
    if t < 0.0 { beyond } else { 1.0 - beyond }
}

#[derive(Clone, Copy, Default)]
struct Overlap {
    pixel: usize,
    active: f64,
    whole: f64,
}

fn stretch(e: &LayerErrors, grid: &Grid, layer: usize) -> Result<Option<Array2<f64>>, LabError> {
    let Some(map) = &e.range_map else { return Ok(None) };
    match map.problem() {
        None => Ok(Some(map.over(grid.shape()))),
        Some(problem) => Err(wrong(format!("imperfections (layer {layer}).range_map"), map, problem)),
    }
}

/// The phase that a gray value asks for.
fn phase(e: &LayerErrors, gray: usize) -> f64 {
    let mut command = gray as f64 / 256.0;
    if let Some(bits) = e.bits {
        let levels = f64::from(1_u32 << bits);
        command = (command * levels).round().rem_euclid(levels) / levels;
    }
    match &e.lut {
        None => TAU * e.range.unwrap_or(1.0) * command.powf(e.gamma.unwrap_or(1.0)),
        Some(table) => {
            let at = command * (table.len() - 1) as f64;
            let k = (at as usize).min(table.len() - 2);
            table[k] + (at - k as f64) * (table[k + 1] - table[k])
        }
    }
}

/// Fringing fields: the phase of square pixels, smoothed by a Gaussian.
struct Fringe {
    radius: usize,
    /// Weights of the pixels `-radius..=radius` about the nearest, for places from half a pixel before its centre to half a
    /// pixel behind it.
    weights: Vec<Vec<f64>>,
}

impl Fringe {
    fn new(sigma: f64, layer: usize) -> Result<Self, LabError> {
        if !(sigma > 0.0 && sigma <= 4.0) {
            let key = format!("imperfections (layer {layer}).crosstalk");
            return Err(wrong(key, sigma, "must be 0 to 4 pixels"));
        }
        let radius = (4.0 * sigma + 0.5).ceil() as usize;
        let below = |t: f64| 0.5 * libm::erfc(-t / (sigma * std::f64::consts::SQRT_2));
        let at = |place: usize| {
            let u = place as f64 / PLACES as f64 - 0.5;
            let share = |p: f64| below(p + 0.5 - u) - below(p - 0.5 - u);
            let raw: Vec<f64> = (0..=2 * radius).map(|k| share(k as f64 - radius as f64)).collect();
            let total: f64 = raw.iter().sum();
            raw.into_iter().map(|w| w / total).collect()
        };
        Ok(Self { radius, weights: (0..=PLACES).map(at).collect() })
    }

    /// Smoothed phases at `points[0] x points[1]` (pixels); the border is repeated.
    fn phases(
        &self,
        points: &[[f64; POINTS]; 2],
        phase: impl Fn([usize; 2]) -> f64,
        shape: [usize; 2],
    ) -> [[f64; POINTS]; POINTS] {
        let mut out = [[0.0; POINTS]; POINTS];
        let near = |at: f64, n: usize| (at.round() as isize).clamp(0, n as isize - 1);
        let pixel = |middle: isize, k: usize, n: usize| {
            (middle + k as isize - self.radius as isize).clamp(0, n as isize - 1) as usize
        };
        for (q, y) in points[0].iter().enumerate() {
            let rows = self.at(*y);
            let middle_y = near(*y, shape[0]);
            for (p, x) in points[1].iter().enumerate() {
                let cols = self.at(*x);
                let middle_x = near(*x, shape[1]);
                let mut sum = 0.0;
                for (i, wy) in rows.iter().enumerate() {
                    let r = pixel(middle_y, i, shape[0]);
                    let line: f64 = cols
                        .iter()
                        .enumerate()
                        .map(|(j, wx)| wx * phase([r, pixel(middle_x, j, shape[1])]))
                        .sum();
                    sum += wy * line;
                }
                out[q][p] = sum;
            }
        }
        out
    }

    fn at(&self, u: f64) -> &[f64] {
        let place = (u - u.round() + 0.5) * PLACES as f64;
        &self.weights[(place.round() as usize).min(PLACES)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optics::Angle;

    fn mask(e: &LayerErrors, fine: f64) -> (FineMask, Array2<u8>, Grid) {
        let grid = Grid::new(8, 8, 10e-6, 20e-6).unwrap();
        let mask = FineMask::new(e, &grid, [10e-6 / fine, 20e-6 / fine], 1).unwrap();
        let gray = Array2::from_shape_fn((8, 8), |(r, c)| (r * 31 + c * 7) as u8);
        (mask, gray, grid)
    }

    #[test]
    fn a_pixel_adds_the_light_of_its_active_area_where_it_lies() {
        let e = LayerErrors { fill_factor: Some(0.9), magnification: Some(1.03), ..LayerErrors::default() };
        let (mask, _, grid) = mask(&e, 3.0);
        let (even, mut other) = (Array2::zeros((8, 8)), Array2::zeros((8, 8)));
        other[[5, 2]] = 90;
        // Area, in cells, and centre of the difference, in cells from the axis.
        let (mut area, mut centre) = (Complex64::ZERO, [Complex64::ZERO; 2]);
        for (r, c) in (-14..14).flat_map(|r| (-14..14).map(move |c| (f64::from(r), f64::from(c)))) {
            let at = [r * 10e-6 / 3.0, c * 20e-6 / 3.0];
            let d = mask.transmission(&other, at) - mask.transmission(&even, at);
            area += d;
            centre = [centre[0] + d * r, centre[1] + d * c];
        }
        let expected = (Complex64::cis(TAU * 90.0 / 256.0) - 1.0) * 0.9 * 9.0 * 1.03 * 1.03;
        assert!((area - expected).norm() < 1e-12, "{area} {expected}");
        // Magnified about the axis, and not by the cell.
        let lies = [grid.y(5) / 10e-6 * 3.0 * 1.03, grid.x(2) / 20e-6 * 3.0 * 1.03];
        for k in 0..2 {
            assert!((centre[k] / area - lies[k]).norm() < 1e-12, "{k}: {} {}", centre[k] / area, lies[k]);
        }
    }

    #[test]
    fn the_weights_of_a_cell_add_up() {
        let sum = |t: f64| {
            (-4..4)
                .map(|k| spline_below(t + f64::from(k) + 1.0) - spline_below(t + f64::from(k)))
                .sum::<f64>()
        };
        assert!([-0.4, 0.0, 0.3].iter().all(|&t| (sum(t) - 1.0).abs() < 1e-15));
        // The spline itself: 2/3 in the middle, 1/6 a cell away.
        let slope = |t: f64| (spline_below(t + 1e-5) - spline_below(t - 1e-5)) / 2e-5;
        for (t, value) in [(0.0, 2.0 / 3.0), (1.0, 1.0 / 6.0), (-1.5, 1.0 / 48.0), (2.5, 0.0)] {
            assert!((slope(t) - value).abs() < 1e-9, "{t}: {}", slope(t));
        }
    }

    #[test]
    fn a_turned_and_larger_mask_shows_what_was_commanded_elsewhere() {
        let quarter = Angle(std::f64::consts::FRAC_PI_2);
        let grid = Grid::square(8, 10e-6).unwrap();
        let gray = Array2::from_shape_fn((8, 8), |(r, c)| (r * 31 + c * 7) as u8);
        let e = LayerErrors { roll: Some(quarter), magnification: Some(2.0), ..LayerErrors::default() };
        let mask = FineMask::new(&e, &grid, [1e-6; 2], 1).unwrap();
        // Turned from +x towards +y: what was at +x (column 5) is at +y, twice as far.
        let here = mask.transmission(&gray, [20e-6, 0.0]);
        let expected = Complex64::cis(TAU * f64::from(gray[[4, 5]]) / 256.0);
        assert!((here - expected).norm() < 1e-9);
        assert_eq!(mask.transmission(&gray, [90e-6, 0.0]), Complex64::ZERO);
    }

    #[test]
    fn fringing_smooths_a_step_and_leaves_flat_regions() {
        let e = LayerErrors { crosstalk: Some(0.3), ..LayerErrors::default() };
        let (mask, _, grid) = mask(&e, 9.0);
        let step = Array2::from_shape_fn((8, 8), |(_, c)| if c < 4 { 0 } else { 64 });
        let arg = |x: f64| mask.transmission(&step, [0.0, x]).arg();
        assert!((arg(grid.x(7)) - TAU / 4.0).abs() < 1e-6 && arg(grid.x(1)).abs() < 1e-6);
        // The edge is half a pixel before the axis.
        assert!((arg(-10e-6) - TAU / 8.0).abs() < 1e-3, "{}", arg(-10e-6));
        let one_sigma = arg(-10e-6 + 0.3 * 20e-6) / (TAU / 4.0);
        assert!((one_sigma - 0.8413).abs() < 3e-3, "{one_sigma}");
    }

    #[test]
    fn responses_are_levels_powers_and_tables() {
        let e = LayerErrors { range: Some(0.9), gamma: Some(1.2), ..LayerErrors::default() };
        assert!((phase(&e, 64) - TAU * 0.9 * 0.25_f64.powf(1.2)).abs() < 1e-12);
        let two = LayerErrors { bits: Some(1), ..LayerErrors::default() };
        assert_eq!([0, 63, 65, 200].map(|g| phase(&two, g)), [0.0, 0.0, TAU / 2.0, 0.0]);
        let table = LayerErrors { lut: Some(vec![0.1, 1.1, 3.1]), ..LayerErrors::default() };
        assert!((phase(&table, 64) - 0.6).abs() < 1e-12 && (phase(&table, 192) - 2.1).abs() < 1e-12);
    }
}
