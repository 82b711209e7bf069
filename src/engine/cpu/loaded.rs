//! A program in the engine's precision, with plans and scratch.

use num_complex::Complex;
use num_traits::Zero;

use super::encode::Encoder;
use super::measure::Sensor;
use super::modulator::Response;
use super::readout::{Detectors, Reading};
use super::real::Real;
use super::transform::{Transform, transform};
use crate::engine::{Exposure, Program, Relay};

/// Samples whose gradients are summed apart: fixed, so that sums do not depend on the number of threads.
pub(super) const SLOTS: usize = 16;

/// A hop with its arrays.
pub(super) struct Hop<T> {
    pub(super) mask: Option<usize>,
    pub(super) transfer: usize,
    pub(super) after: Option<Vec<Complex<T>>>,
    pub(super) error_transfer: usize,
    pub(super) error_before: Option<Vec<Complex<T>>>,
    pub(super) error_after: Option<Vec<Complex<T>>>,
}

/// Everything that does not change from step to step, and the masks, which do once per update.
pub(super) struct Loaded<T: Real> {
    pub(super) shape: [usize; 2],
    /// Knows the transfer functions, by the numbers the program gives them.
    pub(super) transform: Box<dyn Transform<T>>,
    pub(super) encoder: Encoder<T>,
    pub(super) hops: Vec<Hop<T>>,
    pub(super) responses: Vec<Response<T>>,
    pub(super) masks: Vec<Vec<Complex<T>>>,
    pub(super) detectors: Detectors,
    pub(super) sensor: Option<Sensor>,
    pub(super) relay: Relay,
    pub(super) exposure: Exposure,
}

impl<T: Real> Loaded<T> {
    pub(super) fn new(program: &Program) -> Self {
        let [rows, cols] = program.shape;
        let flat = Exposure { data: vec![1.0; program.hops.len()], error: vec![1.0; program.hops.len()] };
        let hop = |h: &crate::engine::Hop| Hop {
            mask: h.mask,
            transfer: h.transfer,
            after: h.after.as_ref().map(|a| super::convert(a)),
            error_transfer: h.error.transfer,
            error_before: h.error.before.as_ref().map(|a| super::convert(a)),
            error_after: h.error.after.as_ref().map(|a| super::convert(a)),
        };
        let mut transform = transform(program.shape, program.padded);
        for h in &program.transfers {
            transform.add_transfer(h);
        }
        Self {
            shape: program.shape,
            transform,
            encoder: Encoder::new(&program.input),
            hops: program.hops.iter().map(hop).collect(),
            responses: program.masks.iter().map(Response::new).collect(),
            masks: vec![vec![Complex::new(T::of(1.0), T::of(0.0)); rows * cols]; program.masks.len()],
            detectors: Detectors::new(&program.readout),
            sensor: program.camera.as_ref().map(Sensor::new),
            relay: program.relay,
            exposure: flat,
        }
    }

    pub(super) fn pixels(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// Pixels of a block of rows.
    pub(super) fn block_pixels(&self) -> usize {
        self.transform.block_rows() * self.shape[1]
    }
}

/// Scratch of one thread: one sample passes through here at a time and stays in cache.
pub(super) struct Workspace<T> {
    pub(super) work: Vec<Complex<T>>,
    pub(super) scratch: Vec<Complex<T>>,
    /// A block of rows on its way out of or into the transform.
    pub(super) rows: Vec<Complex<T>>,
    /// The same block as it was measured.
    pub(super) measured: Vec<Complex<T>>,
    /// Recorded `U_0 ..= U_L`.
    pub(super) fields: Vec<Vec<Complex<T>>>,
    pub(super) source: Vec<Complex<T>>,
    /// Mean of `|E_l|^2` per hop, of the last error pass without noise.
    pub(super) error_power: Vec<f64>,
    pub(super) reading: Reading,
}

impl<T: Real> Workspace<T> {
    pub(super) fn new(program: &Program, loaded: &Loaded<T>) -> Self {
        let empty = vec![Complex::zero(); loaded.pixels()];
        Self {
            work: vec![Complex::zero(); loaded.transform.work_len()],
            scratch: vec![Complex::zero(); loaded.transform.scratch_len()],
            rows: vec![Complex::zero(); loaded.block_pixels()],
            measured: vec![Complex::zero(); loaded.block_pixels()],
            fields: vec![empty.clone(); program.hops.len() + 1],
            source: empty,
            error_power: vec![0.0; program.hops.len()],
            reading: Reading::new(&program.readout),
        }
    }

    /// Bytes of one workspace.
    pub(super) fn bytes(program: &Program) -> usize {
        let t = transform::<T>(program.shape, program.padded);
        let [rows, cols] = program.shape;
        let fields = (program.hops.len() + 2) * rows * cols;
        let numbers = t.work_len() + t.scratch_len() + 2 * t.block_rows() * cols + fields;
        numbers * size_of::<Complex<T>>()
    }
}

/// Sums of some samples' gradients and readings.
pub(super) struct Slot<T> {
    pub(super) gradients: Vec<Vec<T>>,
    pub(super) loss: f64,
    pub(super) correct: u64,
}
