//! The camera: light over the area of each pixel, then electrons, noise and counts.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Poisson};

use super::bench::Plane;
use super::truth::LabCamera;
use crate::optics::effects::sinc;

/// Nodes and weights of Gauss-Legendre quadrature with five points over a pixel of side 1: exact for polynomials of degree 9, and
/// to 1e-4 for a fringe of one period over the pixel.
const NODES: [(f64, f64); 5] = [
    (-0.453_089_922_969_332, 0.118_463_442_528_094_54),
    (-0.269_234_655_052_841_55, 0.239_314_335_249_683_24),
    (0.0, 0.284_444_444_444_444_44),
    (0.269_234_655_052_841_55, 0.239_314_335_249_683_24),
    (0.453_089_922_969_332, 0.118_463_442_528_094_54),
];
/// Points along an axis from which a place between them is interpolated.
pub(super) const TAPS: usize = 20;

/// A camera of a resolved truth.
pub(super) struct Sensor {
    sheet: LabCamera,
    pub(super) shape: [usize; 2],
    pub(super) pitch: [f64; 2],
    seed: u64,
    /// Relative sensitivity of each pixel, where pixels differ.
    sensitivity: Option<Array2<f64>>,
}

/// Stream of the differences between pixels; frames have the streams from 0.
const PIXELS: u64 = u64::MAX;

impl Sensor {
    pub(super) fn new(sheet: &LabCamera, shape: [usize; 2], pitch: [f64; 2], seed: u64) -> Self {
        let mut sensor = Self { sheet: sheet.clone(), shape, pitch, seed, sensitivity: None };
        if let Some(spread) = Normal::new(1.0, sheet.uneven).ok().filter(|_| sheet.uneven > 0.0) {
            let mut rng = sensor.random(PIXELS);
            let draw = || spread.sample(&mut rng).max(0.0);
            sensor.sensitivity = Some(Array2::from_shape_simple_fn((shape[0], shape[1]), draw));
        }
        sensor
    }

    fn random(&self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(stream);
        rng
    }

    /// The largest distance from the axis that a pixel looks at, metres along y and x, with room for smoothing.
    pub(super) fn view(&self) -> [f64; 2] {
        let half = [0, 1].map(|k| 0.5 * self.shape[k] as f64 + 1.0);
        let mut far = [0.0_f64; 2];
        for (sy, sx) in [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)] {
            let q = [sy * half[0] * self.pitch[0], sx * half[1] * self.pitch[1]];
            let p = self.sheet.registration.map(q);
            for k in 0..2 {
                far[k] = far[k].max(p[k].abs());
            }
        }
        [0, 1].map(|k| far[k] + 4.0 * self.sheet.blur * self.pitch[k])
    }

    /// Standard deviations of the smoothing, metres, where there is any.
    pub(super) fn blur(&self) -> Option<[f64; 2]> {
        (self.sheet.blur > 0.0).then(|| self.pitch.map(|d| d * self.sheet.blur))
    }

    /// The mean intensity over the area of each pixel.
    pub(super) fn collect(&self, light: &Plane<f64>) -> Array2<f64> {
        let mut image = Array2::zeros((self.shape[0], self.shape[1]));
        let centre = self.shape.map(|n| (n / 2) as f64);
        image.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(r, mut row)| {
            for (c, v) in row.iter_mut().enumerate() {
                let mut sum = 0.0;
                for (a, weight_y) in NODES {
                    for (b, weight_x) in NODES {
                        let q = [
                            (r as f64 + a - centre[0]) * self.pitch[0],
                            (c as f64 + b - centre[1]) * self.pitch[1],
                        ];
                        sum += weight_y * weight_x * interpolate(light, self.sheet.registration.map(q));
                    }
                }
                *v = sum.max(0.0);
            }
        });
        image
    }

    /// Counts of a frame whose pixels collect `electrons` on average; `number` (from 0) is that of the frame and draws its noise.
    pub(super) fn read(&self, electrons: &Array2<f64>, number: usize) -> Array2<u16> {
        let mut rng = self.random(number as u64);
        let (sheet, gain) = (&self.sheet, self.sheet.gain());
        let noise = Normal::new(0.0, sheet.read_noise).ok();
        let largest = f64::from(sheet.largest_count());
        let mut out = Array2::zeros(electrons.dim());
        for ((place, count), mean) in out.indexed_iter_mut().zip(electrons) {
            let mean = mean * self.sensitivity.as_ref().map_or(1.0, |s| s[place]);
            let caught = Poisson::new(mean).map_or(0.0, |p| p.sample(&mut rng));
            let held = (caught * (1.0 - sheet.nonlinearity * caught / sheet.full_well)).min(sheet.full_well);
            let read = held + noise.map_or(0.0, |n| n.sample(&mut rng));
            *count = (sheet.offset + read / gain).round().clamp(0.0, largest) as u16;
        }
        out
    }
}

/// The interpolation of [`weights`] along each axis; 0 outside the plane.
fn interpolate(light: &Plane<f64>, at: [f64; 2]) -> f64 {
    let index = [0, 1].map(|k| {
        let n = light.values.len_of(Axis(k));
        (at[k] - light.offset[k]) / light.pitch[k] + (n / 2) as f64
    });
    let first = index.map(|u| u.floor() as isize - (TAPS / 2 - 1) as isize);
    let inside = |k: usize| first[k] >= 0 && first[k] as usize + TAPS <= light.values.len_of(Axis(k));
    if !(inside(0) && inside(1)) {
        return 0.0;
    }
    let [wy, wx] = [0, 1].map(|k| weights(index[k] - first[k] as f64));
    let (r0, c0) = (first[0] as usize, first[1] as usize);
    let line = |r: usize| wx.iter().enumerate().map(|(c, w)| w * light.values[[r, c0 + c]]).sum::<f64>();
    wy.iter().enumerate().map(|(r, w)| w * line(r0 + r)).sum()
}

/// Weights of the points `0..TAPS` at `u` near their middle: `sinc(t) (1 - t^2 / h^2)^3` at the distance `t`, with half their
/// number `h`, sum 1. Errors are below 1e-4 up to a quarter of a cycle from point to point, and 2e-4 at three tenths.
fn weights(u: f64) -> [f64; TAPS] {
    let half = 0.5 * TAPS as f64;
    let raw: [f64; TAPS] = std::array::from_fn(|k| {
        let t = u - k as f64;
        sinc(t) * (1.0 - (t / half).powi(2)).max(0.0).powi(3)
    });
    let total: f64 = raw.iter().sum();
    raw.map(|w| w / total)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::calibrate::Registration;

    #[test]
    fn a_pixel_averages_over_its_area_where_it_looks() {
        // A fringe, four fifths of a period over a pixel: its mean is that at the middle times a sinc for each side of the pixel.
        let pitch = [1e-6, 2e-6];
        let mut light = Plane { values: Array2::zeros((80, 80)), pitch, offset: [3e-7, -5e-7] };
        let f = [0.2 / pitch[0], 0.1 / pitch[1]];
        let periods = |[y, x]: [f64; 2]| f[0] * y + f[1] * x;
        let value = |at: [f64; 2], contrast: f64| 2.0 + contrast * (TAU * periods(at)).cos();
        light.values = Array2::from_shape_fn((80, 80), |(r, c)| value(light.at(r, c), 1.0));
        let registration =
            Registration { matrix: [[1.0, 0.02], [-0.02, 1.0]], offset: [1.3e-6, -2.1e-6], distortion: 0.0 };
        let sheet = LabCamera { registration, ..LabCamera::default() };
        let sensor = Sensor::new(&sheet, [6, 8], [4e-6, 5e-6], 1);
        let image = sensor.collect(&light);
        for (r, c) in [(4, 2), (0, 0), (5, 7), (3, 4)] {
            let place = |r: f64, c: f64| registration.map([(r - 3.0) * 4e-6, (c - 4.0) * 5e-6]);
            let (r, c) = (r as f64, c as f64);
            let side = |a: [f64; 2], b: [f64; 2]| sinc(periods(a) - periods(b));
            let contrast = side(place(r + 1.0, c), place(r, c)) * side(place(r, c + 1.0), place(r, c));
            let (found, expected) = (image[[r as usize, c as usize]], value(place(r, c), contrast));
            assert!((found - expected).abs() < 1e-4, "{r} {c}: {found} {expected}");
        }
    }

    #[test]
    fn counts_have_the_mean_and_the_variance_of_the_sheet() {
        let sheet = LabCamera { electrons_per_count: Some(2.0), ..LabCamera::default() };
        let sensor = Sensor::new(&sheet, [200, 200], [1e-6; 2], 5);
        for mean in [0.0, 3.0, 4000.0] {
            let counts = sensor.read(&Array2::from_elem((200, 200), mean), 0).mapv(f64::from);
            let n = counts.len() as f64;
            let average = counts.sum() / n;
            let variance = counts.mapv(|v| (v - average).powi(2)).sum() / (n - 1.0);
            // Shot noise, read noise, rounding.
            let expected = (mean + 2.5 * 2.5) / 4.0 + 1.0 / 12.0;
            let standard_error = (expected / n).sqrt();
            assert!((average - 60.0 - mean / 2.0).abs() < 4.0 * standard_error, "{mean}: {average}");
            assert!((variance / expected - 1.0).abs() < 4.0 * (2.0 / n).sqrt(), "{mean}: {variance}");
        }
        let full = sensor.read(&Array2::from_elem((200, 200), 2e4), 0);
        assert!(full.iter().all(|&v| v == 4095));
    }

    #[test]
    fn frames_have_noise_of_their_own_and_repeat() {
        let sensor = Sensor::new(&LabCamera { uneven: 0.1, ..LabCamera::default() }, [8, 8], [1e-6; 2], 5);
        let even = Array2::from_elem((8, 8), 1000.0);
        assert_eq!(sensor.read(&even, 3), sensor.read(&even, 3));
        assert_ne!(sensor.read(&even, 3), sensor.read(&even, 4));
    }
}
