//! Every buffer of a loaded program: its name, its size, what it holds. `memory_needed` sums this list, `load` creates it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::segments::Segments;
use crate::engine::{Loss, Program, Quantity, Store};
use crate::optics::Field;

use super::fft::twiddles;
use super::geometry::{Geometry, MOST_GROUPS};
use super::upload::{Contents, Runs, map_words};

/// Row workgroups that keep a large device busy; the error pass splits the batch in groups until it has as many.
const BUSY: usize = 1024;
/// The same for shaders that run on a few processor cores.
const BUSY_SOFTWARE: usize = 16;

/// How many samples run at once, and in how many groups their gradients are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Portion {
    /// Samples that run at once.
    pub(super) samples: usize,
    /// Groups of samples whose gradients are summed apart.
    pub(super) groups: usize,
}

impl Portion {
    /// The portion of batches of `max_batch` when one array over samples may take `bytes`.
    pub(super) fn new(geometry: &Geometry, max_batch: usize, bytes: u64, software: bool) -> Self {
        let one = (geometry.work() * 8) as u64;
        let fitting = usize::try_from(bytes / one).unwrap_or(MOST_GROUPS);
        let most = fitting.clamp(1, MOST_GROUPS).min(max_batch.max(1));
        // Portions of nearly equal size.
        let samples = max_batch.max(1).div_ceil(max_batch.max(1).div_ceil(most));
        let busy = if software { BUSY_SOFTWARE } else { BUSY };
        let groups = busy.div_ceil(geometry.row_groups()).clamp(1, samples);
        Self { samples, groups }
    }
}

/// Name of the buffer of `U_l`, `0 < l <= L`.
pub(super) fn record(program: &Program, l: usize) -> String {
    let segments = Segments::of(program);
    let place = if l == segments.hops() { segments.places() } else { segments.place(l) };
    format!("record{place}")
}

/// Number of buffers of recorded fields, the last field's among them.
pub(super) fn records(program: &Program) -> usize {
    Segments::of(program).places() + 1
}

/// A buffer to be created.
pub(super) struct Item<'a> {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) contents: Contents<'a>,
}

/// Names of the arrays that hops share: the same `Arc` is uploaded once.
#[derive(Debug, Default)]
pub(super) struct SharedArrays {
    /// By address.
    numbers: HashMap<usize, usize>,
}

impl SharedArrays {
    /// All multipliers of a program.
    pub(super) fn of(program: &Program) -> (Self, Vec<Arc<Field>>) {
        let mut shared = Self::default();
        let mut arrays = Vec::new();
        let of_hops = program.hops.iter().flat_map(|h| [&h.after, &h.error.before, &h.error.after]);
        for array in of_hops.chain(program.modulators().map(|m| &m.factor)).flatten() {
            shared.numbers.entry(Arc::as_ptr(array) as usize).or_insert_with(|| {
                arrays.push(Arc::clone(array));
                arrays.len() - 1
            });
        }
        (shared, arrays)
    }

    /// Buffer name of an array of the program.
    pub(super) fn name(&self, array: &Arc<Field>) -> String {
        let number = self.numbers.get(&(Arc::as_ptr(array) as usize)).copied().unwrap_or_default();
        format!("array{number}")
    }
}

/// The buffers of a program, without the parameter slots. `arrays` are its shared arrays, `runs` its detector map.
pub(super) fn inventory<'a>(
    program: &'a Program,
    geometry: &Geometry,
    arrays: &'a [Arc<Field>],
    runs: &Runs,
    portion: Portion,
    max_batch: usize,
) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    let mut add = |name: &str, bytes: usize, contents: Contents<'a>| {
        // No empty buffers: a binding needs at least one element.
        items.push(Item { name: name.to_owned(), bytes: bytes.max(16) as u64, contents });
    };
    let (pixels, samples) = (geometry.pixels(), portion.samples);
    let [rows, cols] = geometry.shape;
    add("sheet", max_batch * geometry.sheet() * 4, Contents::Zero);
    add("tally", 16, Contents::Zero);
    add("work", samples * geometry.work() * 8, Contents::Zero);
    add("row_sums", samples * rows * 8, Contents::Zero);
    add("run_sums", samples * runs.count * 4, Contents::Zero);
    add("runs", runs.runs.len() * 4, Contents::Words(runs.runs.clone()));
    add("regions", runs.regions.len() * 4, Contents::Words(runs.regions.clone()));
    add("row_twiddles", geometry.padded[1] * 16, Contents::Pairs(twiddles(geometry.padded[1])));
    add("column_twiddles", geometry.padded[0] * 16, Contents::Pairs(twiddles(geometry.padded[0])));
    add("source", (pixels + rows + cols) * 8, Contents::Source(&program.input));
    match &program.readout.loss {
        Loss::CrossEntropy { .. } => add("map", pixels * 4, Contents::Words(map_words(&program.readout.map))),
        Loss::Mse { targets } => {
            add("targets", targets.len() * 4, Contents::Floats(targets.iter().copied().collect()))
        }
    }
    let records = records(program);
    for place in 0..records {
        let bytes = if program.store == Store::F16 && place + 1 < records { 4 } else { 8 };
        add(&format!("record{place}"), samples * pixels * bytes, Contents::Zero);
    }
    for (k, transfer) in program.transfers.iter().enumerate() {
        add(&format!("transfer{k}"), geometry.transfer() * 8, Contents::Transfer(transfer));
    }
    for (k, array) in arrays.iter().enumerate() {
        add(&format!("array{k}"), pixels * 8, Contents::Pixels(array));
    }
    let parameters = program.parameters();
    for (k, p) in parameters.iter().enumerate() {
        let start = match p.quantity {
            Quantity::Phase => Contents::Zero,
            Quantity::Amplitude => Contents::Ones(pixels),
        };
        add(&format!("command{k}"), pixels * 4, start);
        for name in ["first", "second"] {
            add(&format!("{name}{k}"), pixels * 4, Contents::Zero);
        }
    }
    for m in 0..program.masks.len() {
        // Sums of phases, then of amplitudes.
        let sums = parameters.iter().filter(|p| p.trained && p.mask == m).count();
        if sums > 0 {
            add(&format!("partial{m}"), sums * portion.groups * pixels * 4, Contents::Zero);
        }
    }
    let carriers = program.carriers();
    for (m, modulator) in program.modulators().enumerate() {
        // The mask, and its carrier where gradients need it.
        add(&format!("mask{m}"), pixels * if carriers[m] { 16 } else { 8 }, Contents::Zero);
        if let Some(lut) = &modulator.lut {
            let turns: Vec<f32> = lut.iter().map(|phase| (phase / std::f64::consts::TAU) as f32).collect();
            add(&format!("lut{m}"), turns.len() * 4, Contents::Floats(turns));
        }
        if let Some(stretch) = &modulator.stretch {
            let factors: Vec<f32> = stretch.iter().map(|&v| v as f32).collect();
            add(&format!("stretch{m}"), factors.len() * 4, Contents::Floats(factors));
        }
        if modulator.crosstalk.len() > 1 {
            let kernel: Vec<f32> = modulator.crosstalk.iter().map(|&k| k as f32).collect();
            add(&format!("kernel{m}"), kernel.len() * 4, Contents::Floats(kernel));
        }
    }
    add("turns", pixels * 4, Contents::Zero);
    add("blurred", pixels * 4, Contents::Zero);
    items
}
