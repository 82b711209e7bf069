//! Measurement of a complex field by four-step phase shifting, with noise; see [`Camera`].

use num_complex::Complex;

use super::real::{Real, wide};
use crate::device::noise;
use crate::engine::Camera;

/// Pixels whose random numbers are drawn together; a few hundred keep them in the first-level cache.
const CHUNK: usize = 128;

/// The camera's numbers, ready for the loop.
#[derive(Clone, Copy)]
pub(super) struct Sensor {
    electrons: f32,
    reference: f32,
    read_variance: f32,
    full_well: f32,
    pedestal: f32,
    /// `1 / lsb` and `lsb`; zero where the converter does not quantise.
    per_code: f32,
    code: f32,
}

impl Sensor {
    pub(super) fn new(camera: &Camera) -> Self {
        let code = if camera.adc_bits == 0 {
            0.0
        } else {
            camera.full_well / (2f64.powi(camera.adc_bits as i32) - 1.0)
        };
        Self {
            electrons: camera.electrons as f32,
            reference: camera.reference as f32,
            read_variance: (camera.read_noise * camera.read_noise) as f32,
            full_well: camera.full_well as f32,
            pedestal: camera.pedestal as f32,
            per_code: if code > 0.0 { (1.0 / code) as f32 } else { 0.0 },
            code: code as f32,
        }
    }

    /// One frame at one pixel: photo-electrons that are expected, to electrons that are read.
    #[inline(always)]
    fn read(&self, expected: f32, normal: f32) -> f32 {
        let electrons = expected + (expected + self.read_variance).sqrt() * normal + self.pedestal;
        let kept = electrons.max(0.0).min(self.full_well);
        if self.code > 0.0 { (kept * self.per_code + 0.5).floor() * self.code } else { kept }
    }
}

/// Where the noise of a row is found.
#[derive(Clone, Copy)]
pub(super) struct NoiseKey {
    pub(super) step: [u32; 2],
    pub(super) sample: u32,
    pub(super) stage: u32,
}

wide! {
    /// Measures a row in place. `first` is the number of its first pixel, `scale` the expected rms of the field.
    pub(super) fn measure<T: Real>(row: &mut [Complex<T>], first: usize, scale: f64, sensor: &Sensor, key: NoiseKey) {
        if scale <= 0.0 {
            return;
        }
        let inverse = T::of(1.0 / scale);
        let back = T::of(scale / (4.0 * f64::from(sensor.reference) * f64::from(sensor.electrons)));
        let r = sensor.reference;
        let mut n = [[0.0_f32; CHUNK]; 4];
        for (k, part) in row.chunks_mut(CHUNK).enumerate() {
            let start = (first + k * CHUNK) as u32;
            for i in 0..CHUNK {
                let v = noise::normals(key.step, start + i as u32, key.sample, key.stage);
                for (n, v) in n.iter_mut().zip(v) {
                    n[i] = v;
                }
            }
            for (i, u) in part.iter_mut().enumerate() {
                let (re, im) = ((u.re * inverse).wide() as f32, (u.im * inverse).wide() as f32);
                let sum = re * re + im * im + r * r;
                let frame = |cross: f32, normal: f32| {
                    sensor.read(sensor.electrons * (sum + 2.0 * r * cross).max(0.0), normal)
                };
                let real = frame(re, n[0][i]) - frame(-re, n[2][i]);
                let imag = frame(im, n[1][i]) - frame(-im, n[3][i]);
                *u = Complex::new(T::of(f64::from(real)) * back, T::of(f64::from(imag)) * back);
            }
        }
    }
}
