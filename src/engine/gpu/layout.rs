//! What is decided and checked before a program is loaded: sizes, portions, memory.

use std::sync::Arc;

use wgpu::Buffer;

use crate::engine::{EngineError, Program};
use crate::optics::Field;

use super::context::Context;
use super::geometry::Geometry;
use super::inventory::{Item, Portion, SharedArrays, inventory};
use super::params::SLOT;
use super::plan::WorkgroupLimits;
use super::schedule::{Purpose, Schedule};
use super::upload::Runs;

const PROGRAM: &str = "transfer functions, masks, gradients and recorded fields";
const REMEDY: &str =
    "lower optics.pixels, optics.padding, optics.layers or train.batch, or use the CPU engine";

/// What is decided before anything is allocated.
pub(super) struct Layout {
    pub(super) geometry: Geometry,
    pub(super) portion: Portion,
    pub(super) shared: SharedArrays,
    arrays: Vec<Arc<Field>>,
    runs: Runs,
}

impl Layout {
    /// Plans a program on a device. `portion_bytes` bounds one array over samples.
    pub(super) fn new(
        program: &Program,
        max_batch: usize,
        limits: WorkgroupLimits,
        portion_bytes: u64,
        device: &str,
    ) -> Result<Self, EngineError> {
        let geometry = Geometry::new(program, limits).map_err(|(length, why)| EngineError::Length {
            length,
            device: device.to_owned(),
            limit: why.limit,
            remedy: why.remedy,
        })?;
        let portion = Portion::new(&geometry, max_batch, portion_bytes, limits.software);
        let (shared, arrays) = SharedArrays::of(program);
        Ok(Self { geometry, portion, shared, arrays, runs: Runs::new(&program.readout)? })
    }

    /// Runs of the detector map.
    pub(super) fn run_count(&self) -> usize {
        self.runs.count
    }

    /// All buffers.
    pub(super) fn items<'a>(&'a self, program: &'a Program, max_batch: usize) -> Vec<Item<'a>> {
        inventory(program, &self.geometry, &self.arrays, &self.runs, self.portion, max_batch)
    }

    /// Dispatches of the longest submission, a training step.
    pub(super) fn slots(&self, program: &Program, max_batch: usize) -> usize {
        let schedule = Schedule::new(program, &self.geometry, &self.shared);
        let portions = max_batch.div_ceil(self.portion.samples);
        let passes = schedule.data(Purpose::Train).len() + schedule.error().len();
        portions * passes + 1 + schedule.trained().len() + schedule.masks().len()
    }

    /// Bytes of all buffers.
    pub(super) fn bytes(&self, program: &Program, max_batch: usize) -> u64 {
        let items: u64 = self.items(program, max_batch).iter().map(|item| item.bytes).sum();
        items + self.slots(program, max_batch) as u64 * SLOT
    }
}

/// Refuses a program that needs more than it may take.
pub(super) fn check_limit(context: &Context, needed: u64, limit: Option<u64>) -> Result<(), EngineError> {
    match limit {
        Some(available) if needed > available => Err(EngineError::Memory {
            device: context.name.clone(),
            needed,
            available,
            what: PROGRAM.to_owned(),
            remedy: REMEDY.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Creates the buffer of an item and fills it.
pub(super) fn create(context: &Context, geometry: &Geometry, item: &Item<'_>) -> Result<Buffer, EngineError> {
    if item.bytes > context.binding_bytes {
        return Err(too_large(context, item));
    }
    match item.contents.bytes(geometry) {
        Some(contents) if contents.len() as u64 == item.bytes => context.buffer_with(&item.name, &contents),
        Some(contents) => {
            let buffer = context.buffer(&item.name, item.bytes)?;
            context.queue.write_buffer(&buffer, 0, &contents);
            Ok(buffer)
        }
        None => context.buffer(&item.name, item.bytes),
    }
}

/// A device that runs out of memory at one array is said to lack it for the program; what it gave so far it has.
pub(super) fn of_program(error: EngineError, needed: u64, given: u64) -> EngineError {
    match error {
        EngineError::Memory { device, available: 0, .. } => EngineError::Memory {
            device,
            needed,
            available: given,
            what: PROGRAM.to_owned(),
            remedy: REMEDY.to_owned(),
        },
        other => other,
    }
}

fn too_large(context: &Context, item: &Item<'_>) -> EngineError {
    EngineError::Memory {
        device: context.name.clone(),
        needed: item.bytes,
        available: context.binding_bytes,
        what: format!("the array {:?} in one piece", item.name),
        remedy: "lower optics.pixels or optics.padding, or use the CPU engine".to_owned(),
    }
}
