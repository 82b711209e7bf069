//! A program in the engine's precision, with plans and scratch.

use num_complex::Complex;
use num_traits::Zero;

use super::encode::Encoder;
use super::lines::{Lines, Scratch};
use super::measure::Sensor;
use super::modulator::Response;
use super::readout::{Detectors, Reading};
use super::real::Real;
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
    pub(super) lines: Lines<T>,
    pub(super) encoder: Encoder<T>,
    /// Column-major, `1 / (rows cols)` of the inverse transform folded in.
    pub(super) transfers: Vec<Vec<Complex<T>>>,
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
        Self {
            shape: program.shape,
            lines: Lines::new(program.shape, program.padded),
            encoder: Encoder::new(&program.input),
            transfers: program.transfers.iter().map(|h| columnwise(h)).collect(),
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
}

/// `h` transposed and scaled by the inverse transform's `1 / (rows cols)`.
fn columnwise<T: Real>(h: &crate::optics::Field) -> Vec<Complex<T>> {
    let scale = 1.0 / h.len() as f64;
    h.t().iter().map(|v| Complex::new(T::of(v.re * scale), T::of(v.im * scale))).collect()
}

/// Scratch of one thread: one sample passes through here at a time and stays in cache.
pub(super) struct Workspace<T> {
    pub(super) work: Vec<Complex<T>>,
    pub(super) scratch: Scratch<T>,
    /// One row, for what passes on when the camera only observes.
    pub(super) row: Vec<Complex<T>>,
    /// Recorded `U_0 ..= U_L`.
    pub(super) fields: Vec<Vec<Complex<T>>>,
    pub(super) source: Vec<Complex<T>>,
    /// Mean of `|E_l|^2` per hop, of the last error pass.
    pub(super) error_power: Vec<f64>,
    pub(super) reading: Reading,
}

impl<T: Real> Workspace<T> {
    pub(super) fn new(program: &Program, loaded: &Loaded<T>) -> Self {
        let empty = vec![Complex::zero(); loaded.pixels()];
        Self {
            work: vec![Complex::zero(); loaded.lines.work_len()],
            scratch: loaded.lines.scratch(),
            row: vec![Complex::zero(); loaded.shape[1]],
            fields: vec![empty.clone(); program.hops.len() + 1],
            source: empty,
            error_power: vec![0.0; program.hops.len()],
            reading: Reading::new(&program.readout),
        }
    }

    /// Bytes of one workspace.
    pub(super) fn bytes(program: &Program) -> usize {
        let lines = Lines::<T>::new(program.shape, program.padded);
        let pixels = program.shape[0] * program.shape[1];
        let numbers = lines.work_len() + (program.hops.len() + 2) * pixels + program.shape[1];
        numbers * size_of::<Complex<T>>() + lines.scratch_bytes()
    }
}

/// Sums of some samples' gradients and readings.
pub(super) struct Slot<T> {
    pub(super) gradients: Vec<Vec<T>>,
    pub(super) loss: f64,
    pub(super) correct: u64,
}
