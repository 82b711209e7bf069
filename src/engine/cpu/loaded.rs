//! A program in the engine's precision, with plans and scratch.

use half::f16;

use super::activation::Unit;
use super::buffer::{Buffer, Layout};
use super::encode::Encoder;
use super::measure::Sensor;
use super::modulator::Response;
use super::readout::{Detectors, Reading};
use super::real::Real;
use super::records::widen;
use super::transform::{Transform, transform};
use crate::engine::segments::Segments;
use crate::engine::{Exposure, Program, Quantity, Relay, Store};
use crate::optics::Field;

/// Samples whose gradients are summed apart: fixed, so that sums do not depend on the number of threads.
pub(super) const SLOTS: usize = 16;

/// A hop with its arrays.
pub(super) struct Hop<T> {
    pub(super) mask: Option<usize>,
    /// Places of the gradients of the mask's phases and amplitudes, where these are trained.
    pub(super) phase_gradient: Option<usize>,
    pub(super) amplitude_gradient: Option<usize>,
    /// Whether the error comes to this mask here first: no later hop has it too.
    pub(super) mask_is_new: bool,
    pub(super) transfer: usize,
    pub(super) after: Option<Buffer<T>>,
    pub(super) activation: Option<Unit<T>>,
    pub(super) error_transfer: usize,
    pub(super) error_before: Option<Buffer<T>>,
    pub(super) error_after: Option<Buffer<T>>,
}

/// Everything that does not change from step to step, and the masks, which do once per update.
pub(super) struct Loaded<T: Real> {
    /// Order of pixels in all arrays.
    pub(super) layout: Layout,
    /// Knows the transfer functions, by the numbers the program gives them.
    pub(super) transform: Box<dyn Transform<T>>,
    pub(super) encoder: Encoder<T>,
    pub(super) hops: Vec<Hop<T>>,
    pub(super) responses: Vec<Response<T>>,
    pub(super) masks: Vec<Buffer<T>>,
    /// What gradients of amplitudes are made of, one per entry of `masks`; empty where there are none.
    pub(super) carriers: Vec<Buffer<T>>,
    /// Which commands the amplitudes of a mask are.
    pub(super) amplitudes: Vec<Option<usize>>,
    /// Where the masks of the error pass begin.
    pub(super) error_masks: usize,
    pub(super) detectors: Detectors,
    pub(super) sensor: Option<Sensor>,
    pub(super) error_measured: bool,
    pub(super) relay: Relay,
    pub(super) exposure: Exposure,
    pub(super) store: Store,
    pub(super) segments: Segments,
}

impl<T: Real> Loaded<T> {
    pub(super) fn new(program: &Program) -> Self {
        let flat = Exposure { data: vec![1.0; program.hops.len()], error: vec![1.0; program.hops.len()] };
        let mut transform = transform(program.shape, program.padded);
        for h in &program.transfers {
            transform.add_transfer(h);
        }
        let layout = transform.layout();
        let array = |a: &Option<std::sync::Arc<_>>| a.as_ref().map(|a| layout.complex(a));
        let hop = |(l, h): (usize, &crate::engine::Hop)| Hop {
            mask: h.mask,
            phase_gradient: h.mask.and_then(|m| program.trained(m, Quantity::Phase)),
            amplitude_gradient: h.mask.and_then(|m| program.trained(m, Quantity::Amplitude)),
            mask_is_new: program.hops[l + 1..].iter().all(|later| later.mask != h.mask),
            transfer: h.transfer,
            after: array(&h.after),
            activation: h.activation.as_ref().map(Unit::new),
            error_transfer: h.error.transfer,
            error_before: array(&h.error.before),
            error_after: array(&h.error.after),
        };
        Self {
            layout,
            transform,
            encoder: Encoder::new(&program.input, layout),
            hops: program.hops.iter().enumerate().map(hop).collect(),
            responses: program.modulators().map(|m| Response::new(m, layout)).collect(),
            masks: vec![Buffer::zeros(2 * layout.pixels()); program.modulators().count()],
            carriers: program
                .carriers()
                .iter()
                .map(|&there| Buffer::zeros(if there { 2 * layout.pixels() } else { 0 }))
                .collect(),
            amplitudes: (0..program.masks.len()).map(|m| program.amplitude_of(m)).collect(),
            error_masks: program.first_error_mask(),
            detectors: Detectors::new(&program.readout, layout),
            sensor: program.camera.as_ref().map(Sensor::new),
            error_measured: program.error_measured,
            relay: program.relay,
            exposure: flat,
            store: program.store,
            segments: Segments::of(program),
        }
    }
}

impl<T: Real> Loaded<T> {
    /// Whether `U_l` waits in half precision for the error pass.
    pub(super) fn is_half(&self, l: usize) -> bool {
        self.store == Store::F16 && l > 0 && l < self.hops.len()
    }

    /// Where `U_l` is among the fields of a workspace.
    pub(super) fn place(&self, l: usize) -> usize {
        place(self.segments, l)
    }
}

/// Scratch of one thread: one sample passes through here at a time and stays in cache.
pub(super) struct Workspace<T> {
    pub(super) work: Buffer<T>,
    pub(super) scratch: Buffer<T>,
    /// Scratch of the encoder.
    pub(super) gray: Buffer<T>,
    /// A block of rows that passes on, where it is not what was measured.
    pub(super) rows: Buffer<T>,
    /// A block of the error as it was measured.
    pub(super) measured: Buffer<T>,
    /// A block of a recorded field.
    pub(super) recorded: Buffer<T>,
    /// A block of an activated field; empty where nothing is.
    pub(super) activated: Buffer<T>,
    /// `U_0`, places for recorded fields, `U_L`; those between are empty where they are in `halves`.
    pub(super) fields: Vec<Buffer<T>>,
    /// Recorded `U_1 .. U_{L-1}` in half precision, and their units.
    pub(super) halves: Vec<Vec<f16>>,
    pub(super) units: Vec<f32>,
    pub(super) source: Buffer<T>,
    /// Mean of `|E_l|^2` per hop, of the last error pass without noise.
    pub(super) error_power: Vec<f64>,
    /// Largest intensity of the error at the end of every hop, likewise.
    pub(super) error_peak: Vec<f64>,
    pub(super) reading: Reading,
}

impl<T: Real> Workspace<T> {
    pub(super) fn new(program: &Program, loaded: &Loaded<T>) -> Self {
        let field = || Buffer::zeros(2 * loaded.layout.pixels());
        let block = || Buffer::zeros(2 * loaded.layout.block_pixels());
        let (hops, pixels) = (program.hops.len(), 2 * loaded.layout.pixels());
        let half = |l| loaded.is_half(l);
        let last = loaded.place(hops);
        Self {
            work: Buffer::zeros(loaded.transform.work_len()),
            scratch: Buffer::zeros(loaded.transform.scratch_len()),
            gray: Buffer::zeros(loaded.encoder.scratch_len()),
            rows: block(),
            measured: block(),
            recorded: block(),
            activated: if is_active(program) { block() } else { Buffer::zeros(0) },
            fields: (0..=last).map(|l| if half(l) { Buffer::zeros(0) } else { field() }).collect(),
            halves: (0..=hops).map(|l| vec![f16::ZERO; if half(l) { pixels } else { 0 }]).collect(),
            units: vec![1.0; hops + 1],
            source: field(),
            error_power: vec![0.0; program.hops.len()],
            error_peak: vec![0.0; program.hops.len()],
            reading: Reading::new(&program.readout),
        }
    }

    /// Bytes of one workspace.
    pub(super) fn bytes(program: &Program) -> usize {
        let t = transform::<T>(program.shape, program.padded);
        let layout = t.layout();
        let between = Segments::of(program).places();
        let (fields, halves) = match program.store {
            Store::F32 => (between + 3, 0),
            Store::F16 => (3, between),
        };
        let gray = (2 + layout.lanes) * program.input.window[1];
        let blocks = if is_active(program) { 8 } else { 6 } * layout.block_pixels();
        let numbers = t.work_len() + t.scratch_len() + gray + blocks + 2 * fields * layout.pixels();
        numbers * size_of::<T>() + 2 * halves * layout.pixels() * size_of::<f16>()
    }
}

impl<T: Real> Workspace<T> {
    /// `U_L`.
    pub(super) fn last(&self) -> &Buffer<T> {
        &self.fields[self.fields.len() - 1]
    }

    /// `U_l` as it is recorded, while it is in its place.
    pub(super) fn field(&self, l: usize, layout: Layout, segments: Segments) -> Field {
        match &self.halves[l][..] {
            [] => layout.field(&self.fields[place(segments, l)]),
            halves => {
                let mut wide = Buffer::<T>::zeros(halves.len());
                widen(halves, self.units[l], &mut wide);
                layout.field(&wide)
            }
        }
    }
}

/// Where `U_l` is among the fields of a workspace.
fn place(segments: Segments, l: usize) -> usize {
    match l {
        0 => 0,
        l if l == segments.hops() => 1 + segments.places(),
        l => 1 + segments.place(l),
    }
}

/// Whether any field is activated.
fn is_active(program: &Program) -> bool {
    program.hops.iter().any(|hop| hop.activation.is_some())
}

impl<T> Hop<T> {
    /// Whether the error teaches something here.
    pub(super) fn learns(&self) -> bool {
        self.phase_gradient.is_some() || self.amplitude_gradient.is_some()
    }
}

/// Places for the gradients of all arrays of commands; empty where these are not trained.
pub(super) fn gradients<T: Real>(program: &Program, layout: Layout) -> Vec<Buffer<T>> {
    let pixels = layout.pixels();
    let parameters = program.parameters().into_iter();
    parameters.map(|p| Buffer::zeros(if p.trained { pixels } else { 0 })).collect()
}

/// Sums of some samples' gradients and readings.
pub(super) struct Slot<T> {
    pub(super) gradients: Vec<Buffer<T>>,
    pub(super) loss: f64,
    pub(super) correct: u64,
}
