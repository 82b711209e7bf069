//! Programs, images and comparisons that the engine tests share.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod watched;

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use ffm_twin::engine::{
    Activation, Batch, Encoding, Engine, ErrorHop, Hop, ImageSet, Input, Loss, Modulator, Program, Readout,
    Relay, Scoring, SetId, State, Store,
};
use ffm_twin::optics::Field;
use ndarray::{Array2, Array3};
use num_complex::Complex64;

/// What a test program is made of.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub shape: [usize; 2],
    pub padding: usize,
    pub layers: usize,
    pub pitch: f64,
    pub distance: f64,
    pub scoring: Scoring,
    pub mse: bool,
    /// Weight of light that misses the detectors, smoothing of the target.
    pub efficiency: f64,
    pub smoothing: f64,
    /// Lead that the label's score must have.
    pub margin: f64,
    /// Camera shift along x in metres: makes `H` odd.
    pub shift: f64,
    /// Whether the error pass is the exact transpose.
    pub transposed: bool,
    /// One-sided pixel-plane aberration, radians rms; one camera sees every hop.
    pub camera_aberration: f64,
    /// After every hop but the last.
    pub activation: Option<Activation>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            shape: [64, 64],
            padding: 2,
            layers: 3,
            pitch: 32e-6,
            distance: 0.1,
            scoring: Scoring::Normalised,
            mse: false,
            efficiency: 0.0,
            smoothing: 0.0,
            margin: 0.0,
            shift: 0.0,
            transposed: false,
            camera_aberration: 0.0,
            activation: None,
        }
    }
}

pub(crate) const WAVELENGTH: f64 = 532e-9;

/// Uniform numbers in 0..1 from a counter.
pub(crate) fn uniform(seed: u64, i: usize) -> f64 {
    let w = ffm_twin::device::noise::pcg4d([seed as u32, (seed >> 32) as u32, i as u32, 17]);
    f64::from(w[0]) / f64::from(u32::MAX)
}

/// Angular-spectrum transfer function in DFT order, with a lateral shift.
pub(crate) fn transfer(padded: [usize; 2], pitch: f64, z: f64, shift: f64) -> Field {
    let f = |k: usize, n: usize| if 2 * k < n { k as f64 } else { k as f64 - n as f64 } / (n as f64 * pitch);
    Array2::from_shape_fn((padded[0], padded[1]), |(r, c)| {
        let (fy, fx) = (f(r, padded[0]), f(c, padded[1]));
        let s = WAVELENGTH * WAVELENGTH * (fx * fx + fy * fy);
        let phase = -TAU / WAVELENGTH * z * s / (1.0 + (1.0 - s).sqrt()) - TAU * fx * shift;
        Complex64::cis(phase)
    })
}

/// `H(-f)`.
pub(crate) fn reversed(h: &Field) -> Field {
    let (n, m) = h.dim();
    Array2::from_shape_fn((n, m), |(r, c)| h[[(n - r) % n, (m - c) % m]])
}

/// A smooth phase screen of the given rms, as a complex factor.
pub(crate) fn screen(shape: [usize; 2], rms: f64, seed: u64) -> Field {
    let wave = |i: usize| 6.0 * uniform(seed, i) - 3.0;
    let raw = Array2::from_shape_fn((shape[0], shape[1]), |(r, c)| {
        let (y, x) = (r as f64 / shape[0] as f64, c as f64 / shape[1] as f64);
        (0..6).map(|k| (TAU * (wave(3 * k) * x + wave(3 * k + 1) * y + wave(3 * k + 2))).cos()).sum::<f64>()
    });
    let mean = raw.mean().unwrap();
    let std = raw.mapv(|v| (v - mean) * (v - mean)).mean().unwrap().sqrt();
    raw.mapv(|v| Complex64::cis((v - mean) / std * rms))
}

/// The program of a setup.
pub(crate) fn program(s: &Setup) -> Program {
    let [rows, cols] = s.shape;
    let padded = [rows * s.padding, cols * s.padding];
    let h = Arc::new(transfer(padded, s.pitch, s.distance, s.shift));
    let transfers = if s.transposed { vec![h.clone(), Arc::new(reversed(&h))] } else { vec![h] };
    let hop = |l: usize| {
        let side = (s.camera_aberration > 0.0).then(|| Arc::new(screen(s.shape, s.camera_aberration, 100)));
        let error = if s.transposed {
            ErrorHop { transfer: 1, before: side.clone(), after: None }
        } else {
            ErrorHop { transfer: 0, before: None, after: side.clone() }
        };
        Hop {
            mask: Some(l),
            transfer: 0,
            after: side,
            activation: s.activation.filter(|_| l + 1 < s.layers),
            error,
        }
    };
    let differential = s.scoring == Scoring::Differential;
    let (classes, regions) = if differential { (5, 10) } else { (10, 10) };
    Program {
        shape: s.shape,
        padded,
        input: Input {
            source: Arc::new(Array2::from_elem((rows, cols), Complex64::new(1.0, 0.0))),
            image: [28, 28],
            origin: [rows / 8, cols / 8],
            window: [rows * 3 / 4, cols * 3 / 4],
            encoding: Encoding::Amplitude,
        },
        transfers,
        hops: (0..s.layers).map(hop).collect(),
        masks: vec![Modulator::default(); s.layers],
        readout: Readout {
            map: Arc::new(regions_343(s.shape)),
            regions,
            classes,
            scoring: s.scoring,
            loss: if s.mse {
                Loss::Mse { targets: Arc::new(targets(s.shape, classes)) }
            } else {
                Loss::CrossEntropy {
                    scale: 10.0,
                    efficiency: s.efficiency,
                    smoothing: s.smoothing,
                    margin: s.margin,
                }
            },
        },
        error_masks: None,
        camera: None,
        error_measured: true,
        relay: Relay::Measured,
        store: Store::F32,
        recompute: 0,
        channels: Vec::new(),
    }
}

/// Ten squares in rows of 3, 4, 3.
pub(crate) fn regions_343([rows, cols]: [usize; 2]) -> Array2<u16> {
    let mut map = Array2::zeros((rows, cols));
    let (h, w) = (rows / 10, cols / 10);
    let mut region = 0;
    for (r, count) in [3, 4, 3].into_iter().enumerate() {
        for c in 0..count {
            region += 1;
            let y0 = (r + 1) * rows / 4 - h / 2;
            let x0 = (c + 1) * cols / (count + 1) - w / 2;
            map.slice_mut(ndarray::s![y0..y0 + h, x0..x0 + w]).fill(region);
        }
    }
    map
}

fn targets([rows, cols]: [usize; 2], classes: usize) -> Array3<f32> {
    let map = regions_343([rows, cols]);
    Array3::from_shape_fn(
        (classes, rows, cols),
        |(k, r, c)| if usize::from(map[[r, c]]) == k + 1 { 2.0 } else { 0.0 },
    )
}

/// Blobs with labels 0..classes.
pub(crate) fn images(n: usize, classes: usize) -> ImageSet {
    let mut pixels = Vec::with_capacity(n * 784);
    for b in 0..n {
        let (cy, cx) = (6.0 + 16.0 * uniform(1, b), 6.0 + 16.0 * uniform(2, b));
        for i in 0..784 {
            let (y, x) = ((i / 28) as f64, (i % 28) as f64);
            let d = ((y - cy).powi(2) + (x - cx).powi(2)) / 20.0;
            pixels.push((255.0 * (-d).exp() * (0.5 + 0.5 * uniform(3, b * 784 + i))) as u8);
        }
    }
    ImageSet { size: [28, 28], pixels, labels: (0..n).map(|b| (b % classes) as u8).collect() }
}

/// Random phases in 0..2 pi.
pub(crate) fn phases(shape: [usize; 2], layers: usize, seed: u64) -> Vec<Array2<f32>> {
    let one = |l: usize| {
        Array2::from_shape_fn((shape[0], shape[1]), |(r, c)| {
            (2.0 * PI * uniform(seed + l as u64, r * shape[1] + c)) as f32
        })
    };
    (0..layers).map(one).collect()
}

/// Loads program, images and random phases into an engine.
pub(crate) fn prepare(engine: &mut dyn Engine, p: &Program, batch: usize, phase_seed: u64) -> SetId {
    engine.load(p, batch).unwrap();
    engine.set_state(&State::fresh(phases(p.shape, p.masks.len(), phase_seed))).unwrap();
    engine.upload(&images(batch, p.readout.classes)).unwrap()
}

/// Images 0..n of a set.
pub(crate) fn batch(set: SetId, indices: &[u32]) -> Batch<'_> {
    Batch::whole(set, indices, 5, 9)
}

/// `|a - b| / |b|` of complex fields.
pub(crate) fn field_error<'a>(
    a: impl IntoIterator<Item = &'a Field>,
    b: impl IntoIterator<Item = &'a Field>,
) -> f64 {
    let (mut top, mut bottom) = (0.0, 0.0);
    for (a, b) in a.into_iter().zip(b) {
        assert_eq!(a.dim(), b.dim());
        top += a.iter().zip(b).map(|(x, y)| (x - y).norm_sqr()).sum::<f64>();
        bottom += b.iter().map(|y| y.norm_sqr()).sum::<f64>();
    }
    (top / bottom).sqrt()
}

/// `|a - b| / |b|` of real arrays.
pub(crate) fn real_error(a: &[Array2<f64>], b: &[Array2<f64>]) -> f64 {
    assert_eq!(a.len(), b.len());
    let top: f64 = a.iter().zip(b).map(|(a, b)| (a - b).mapv(|v| v * v).sum()).sum();
    let bottom: f64 = b.iter().map(|b| b.mapv(|v| v * v).sum()).sum();
    (top / bottom).sqrt()
}

/// Cosine between two gradients.
pub(crate) fn cosine(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    (a * b).sum() / ((a * a).sum() * (b * b).sum()).sqrt()
}
