//! Measurement of a complex field by four-step phase shifting, with noise; see [`Camera`].

#[cfg(target_arch = "x86_64")]
mod vector;

use super::buffer::{Layout, by_lanes};
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

/// Measures a block of rows in place; `scale` is the expected rms of the field.
pub(super) fn measure<T: Real>(
    rows: &mut [T],
    layout: Layout,
    block: usize,
    scale: f64,
    sensor: &Sensor,
    key: NoiseKey,
) {
    if scale <= 0.0 {
        return;
    }
    if !own(rows, layout, block, scale, sensor, key) {
        by_lanes!(layout.lanes, measure_lanes::<T>(rows, layout, block, scale, sensor, key));
    }
}

/// Measures with instructions of our own choice, where the processor and the number type have them.
fn own<T: Real>(
    rows: &mut [T],
    layout: Layout,
    block: usize,
    scale: f64,
    sensor: &Sensor,
    key: NoiseKey,
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if let (true, Ok(rows), Some(kernel)) =
        (layout.lanes == 8, bytemuck::try_cast_slice_mut::<T, f32>(rows), vector::kernel())
        && size_of::<T>() == size_of::<f32>()
    {
        // SAFETY: `kernel` has asked the processor.
        unsafe { kernel(rows, layout, block, scales(scale, sensor), sensor, key) };
        return true;
    }
    false
}

/// From field to units of its rms, and from electrons back to field.
fn scales(scale: f64, sensor: &Sensor) -> [f32; 2] {
    let unit = 4.0 * f64::from(sensor.reference) * f64::from(sensor.electrons);
    [(1.0 / scale) as f32, (scale / unit) as f32]
}

wide! {
    /// Step by step over small arrays, because only plain loops vectorise.
    fn measure_lanes<T: Real, const L: usize>(
        rows: &mut [T],
        layout: Layout,
        block: usize,
        scale: f64,
        sensor: &Sensor,
        key: NoiseKey,
    ) {
        let [inverse, back] = scales(scale, sensor);
        let (r, e) = (sensor.reference, sensor.electrons);
        let mut words = [[0_u32; CHUNK]; 4];
        let mut normal = [[0.0_f32; CHUNK]; 4];
        let (mut re, mut im, mut sum) = ([0.0_f32; CHUNK], [0.0_f32; CHUNK], [0.0_f32; CHUNK]);
        let columns = CHUNK / L;
        for (k, part) in rows.chunks_mut(2 * CHUNK).enumerate() {
            // 1. Random words, then normal numbers, of the chunk.
            let start = (block * L * layout.cols + k * columns) as u32;
            let [a, b, c, d] = &mut words;
            for x in 0..columns {
                for l in 0..L {
                    let (i, pixel) = (x * L + l, start + x as u32 + (l * layout.cols) as u32);
                    [a[i], b[i], c[i], d[i]] = noise::words(key.step, pixel, key.sample, key.stage);
                }
            }
            for j in [0, 2] {
                for i in 0..CHUNK {
                    (normal[j][i], normal[j + 1][i]) = noise::pair(words[j][i], words[j + 1][i]);
                }
            }
            // 2. The field in units of its expected rms.
            for (x, u) in part.chunks_exact(2 * L).enumerate() {
                for l in 0..L {
                    re[x * L + l] = u[l].wide() as f32 * inverse;
                    im[x * L + l] = u[L + l].wide() as f32 * inverse;
                }
            }
            for i in 0..CHUNK {
                sum[i] = re[i] * re[i] + im[i] * im[i] + r * r;
            }
            // 3. Four frames, |U + r i^k|^2, and their differences.
            for (part, noise) in [(&mut re, [0, 2]), (&mut im, [1, 3])] {
                for i in 0..CHUNK {
                    let cross = 2.0 * r * part[i];
                    let bright = sensor.read(e * (sum[i] + cross).max(0.0), normal[noise[0]][i]);
                    let dark = sensor.read(e * (sum[i] - cross).max(0.0), normal[noise[1]][i]);
                    part[i] = (bright - dark) * back;
                }
            }
            for (x, u) in part.chunks_exact_mut(2 * L).enumerate() {
                for l in 0..L {
                    u[l] = T::of(f64::from(re[x * L + l]));
                    u[L + l] = T::of(f64::from(im[x * L + l]));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cpu::buffer::Buffer;

    fn camera(adc_bits: u32) -> Camera {
        Camera {
            electrons: 256.0,
            reference: 2.0,
            read_noise: 2.5,
            full_well: 10_500.0,
            adc_bits,
            pedestal: 60.0,
        }
    }

    /// The portable form, in `f64` storage, and the processor's own: the same model and the same random numbers.
    #[test]
    fn both_forms_measure_the_same() {
        // Columns that are no multiple of the packets that run together, and a block in the middle.
        let layout = Layout { rows: 24, cols: 13, lanes: 8 };
        let key = NoiseKey { step: [0xdead_beef, 7], sample: 3, stage: 5 };
        for adc_bits in [0, 12] {
            let sensor = Sensor::new(&camera(adc_bits));
            let mut own_rows = Buffer::<f32>::zeros(2 * layout.block_pixels());
            for (i, v) in own_rows.iter_mut().enumerate() {
                *v = 0.02 * (i as f32 * 0.37).sin();
            }
            let mut portable: Vec<f64> = own_rows.iter().map(|v| f64::from(*v)).collect();
            let exact = portable.clone();
            measure_lanes::<f64, 8>(&mut portable, layout, 1, 0.013, &sensor, key);
            if !own::<f32>(&mut own_rows, layout, 1, 0.013, &sensor, key) {
                println!("skipped: this processor has no AVX2");
                return;
            }
            // A code is 5e-5 here; rounding moves a frame to its neighbour now and then.
            let code = 0.013 * 10_500.0 / 4095.0 / (4.0 * 2.0 * 256.0);
            let apart = |a: &f64, b: &f32| (a - f64::from(*b)).abs();
            let far = portable.iter().zip(own_rows.iter()).filter(|(a, b)| apart(a, b) > 1e-7).count();
            let most = portable.iter().zip(own_rows.iter()).map(|(a, b)| apart(a, b)).fold(0.0, f64::max);
            if adc_bits == 0 {
                assert_eq!(far, 0, "largest difference {most:e}");
            } else {
                assert!(far <= 2 && most < 1.01 * code, "{far} apart, by up to {most:e}");
            }
            let noise = portable.iter().zip(&exact).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
            assert!(noise > 0.0, "there is noise to agree on");
        }
    }
}
