//! The CPU engine: our own vector transform or rustfft, and rayon; in `f32`, and in `f64` for references.
//!
//! Samples run in parallel, each passing all layers in one thread's scratch, so that its fields stay in cache; masks,
//! transfer functions and plans are shared. Gradients are summed in a fixed number of slots, in a fixed order.

mod activation;
mod buffer;
mod encode;
mod loaded;
mod machine;
mod measure;
mod modulator;
mod pixelwise;
mod readout;
mod real;
mod records;
mod sample;
mod state;
mod transform;
mod update;

use std::marker::PhantomData;

use ndarray::Array2;

use super::{
    Batch, DeviceInfo, Engine, EngineError, Exposure, ImageSet, Inference, Program, SetId, State, Tally,
    Trace, Update,
};
use crate::optics::Field;
pub use modulator::mask;
pub use real::Real;

/// The CPU engine. `CpuEngine<f32>` is the product, `CpuEngine<f64>` the reference.
///
/// It stands in front of the generic code, which is compiled here once for each precision and not again in every crate that opens
/// an engine: that takes a minute.
pub struct CpuEngine<T: Real> {
    machine: Box<dyn Measures>,
    precision: PhantomData<fn() -> T>,
}

/// An engine that can tell exposures.
pub trait Measures: Engine {
    /// As [`CpuEngine::measure_exposure`].
    ///
    /// # Errors
    /// As [`Engine::trace`].
    fn measure_exposure(&mut self, batch: Batch<'_>) -> Result<Exposure, EngineError>;
}

impl<T: Real> CpuEngine<T> {
    /// An engine with `threads` threads (0: one per core).
    ///
    /// # Errors
    /// [`EngineError::Device`] when threads cannot be started.
    pub fn new(threads: usize) -> Result<Self, EngineError> {
        Ok(Self { machine: T::machine(threads)?, precision: PhantomData })
    }

    /// Measures the exposures that the camera needs: rms of every field relative to the start of its pass, over a
    /// batch, without noise; more where the brightest pixel would not fit its well
    /// ([`Camera::brightest`](crate::engine::Camera::brightest)). A lab sets its exposure times this way before a training run.
    ///
    /// # Errors
    /// As [`Engine::trace`].
    pub fn measure_exposure(&mut self, batch: Batch<'_>) -> Result<Exposure, EngineError> {
        self.machine.measure_exposure(batch)
    }
}

impl<T: Real> Engine for CpuEngine<T> {
    fn device(&self) -> &DeviceInfo {
        self.machine.device()
    }

    fn transform_length(&self, minimum: usize) -> Result<usize, EngineError> {
        self.machine.transform_length(minimum)
    }

    fn memory_needed(&self, program: &Program, max_batch: usize) -> u64 {
        self.machine.memory_needed(program, max_batch)
    }

    fn load(&mut self, program: &Program, max_batch: usize) -> Result<(), EngineError> {
        self.machine.load(program, max_batch)
    }

    fn replace(&mut self, program: &Program) -> Result<(), EngineError> {
        self.machine.replace(program)
    }

    fn upload(&mut self, images: &ImageSet) -> Result<SetId, EngineError> {
        self.machine.upload(images)
    }

    fn clear_sets(&mut self) {
        self.machine.clear_sets();
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        self.machine.set_state(state)
    }

    fn state(&mut self) -> Result<State, EngineError> {
        self.machine.state()
    }

    fn masks(&mut self) -> Result<Vec<Field>, EngineError> {
        self.machine.masks()
    }

    fn set_exposure(&mut self, exposure: &Exposure) -> Result<(), EngineError> {
        self.machine.set_exposure(exposure)
    }

    fn train(&mut self, batch: Batch<'_>, update: Update) -> Result<(), EngineError> {
        self.machine.train(batch, update)
    }

    fn gradients(&mut self, batch: Batch<'_>) -> Result<Vec<Array2<f32>>, EngineError> {
        self.machine.gradients(batch)
    }

    fn apply(&mut self, gradients: &[Array2<f32>], update: Update) -> Result<(), EngineError> {
        self.machine.apply(gradients, update)
    }

    fn take_tally(&mut self) -> Result<Tally, EngineError> {
        self.machine.take_tally()
    }

    fn infer(&mut self, batch: Batch<'_>) -> Result<Inference, EngineError> {
        self.machine.infer(batch)
    }

    fn trace(&mut self, batch: Batch<'_>) -> Result<Trace, EngineError> {
        self.machine.trace(batch)
    }

    fn propagate(&mut self, fields: &[Field]) -> Result<Vec<Field>, EngineError> {
        self.machine.propagate(fields)
    }
}
