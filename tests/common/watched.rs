//! An engine that is looked over the shoulder: before every call something may happen to it.

use ffm_twin::engine::{
    Batch, DeviceInfo, Engine, EngineError, Exposure, ImageSet, Inference, Program, SetId, State, Tally,
    Trace, Update,
};
use ffm_twin::optics::Field;
use ndarray::Array2;

/// What an engine is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Load,
    State,
    Train,
    Gradients,
    Infer,
    Trace,
}

/// What happens before a call; an error replaces it.
pub(crate) type Before<E> = Box<dyn FnMut(Call, &mut E) -> Result<(), EngineError> + Send>;

/// An engine that is watched.
pub(crate) struct Watched<E> {
    pub engine: E,
    pub before: Before<E>,
}

impl<E: Engine> Watched<E> {
    /// Something happens before the `n`-th call (from 1) of a kind.
    pub(crate) fn at(
        engine: E,
        (call, n): (Call, usize),
        happens: impl Fn(&mut E) -> Result<(), EngineError> + Send + 'static,
    ) -> Self {
        let mut seen = 0;
        let before = move |now, engine: &mut E| {
            seen += usize::from(now == call);
            if now == call && seen == n { happens(engine) } else { Ok(()) }
        };
        Self { engine, before: Box::new(before) }
    }

    fn now(&mut self, call: Call) -> Result<(), EngineError> {
        (self.before)(call, &mut self.engine)
    }
}

/// The loss of a device.
pub(crate) fn loss() -> EngineError {
    EngineError::Lost { device: "test card".into(), reason: "the cable was pulled".into() }
}

impl<E: Engine> Engine for Watched<E> {
    fn device(&self) -> &DeviceInfo {
        self.engine.device()
    }

    fn transform_length(&self, minimum: usize) -> Result<usize, EngineError> {
        self.engine.transform_length(minimum)
    }

    fn memory_needed(&self, program: &Program, max_batch: usize) -> u64 {
        self.engine.memory_needed(program, max_batch)
    }

    fn replace(&mut self, program: &Program) -> Result<(), EngineError> {
        self.engine.replace(program)
    }

    fn load(&mut self, program: &Program, max_batch: usize) -> Result<(), EngineError> {
        self.now(Call::Load)?;
        self.engine.load(program, max_batch)
    }

    fn upload(&mut self, images: &ImageSet) -> Result<SetId, EngineError> {
        self.engine.upload(images)
    }

    fn clear_sets(&mut self) {
        self.engine.clear_sets();
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        self.engine.set_state(state)
    }

    fn state(&mut self) -> Result<State, EngineError> {
        self.now(Call::State)?;
        self.engine.state()
    }

    fn masks(&mut self) -> Result<Vec<Field>, EngineError> {
        self.engine.masks()
    }

    fn set_exposure(&mut self, exposure: &Exposure) -> Result<(), EngineError> {
        self.engine.set_exposure(exposure)
    }

    fn train(&mut self, batch: Batch<'_>, update: Update) -> Result<(), EngineError> {
        self.now(Call::Train)?;
        self.engine.train(batch, update)
    }

    fn gradients(&mut self, batch: Batch<'_>) -> Result<Vec<Array2<f32>>, EngineError> {
        self.now(Call::Gradients)?;
        self.engine.gradients(batch)
    }

    fn apply(&mut self, gradients: &[Array2<f32>], update: Update) -> Result<(), EngineError> {
        self.engine.apply(gradients, update)
    }

    fn take_tally(&mut self) -> Result<Tally, EngineError> {
        self.engine.take_tally()
    }

    fn infer(&mut self, batch: Batch<'_>) -> Result<Inference, EngineError> {
        self.now(Call::Infer)?;
        self.engine.infer(batch)
    }

    fn trace(&mut self, batch: Batch<'_>) -> Result<Trace, EngineError> {
        self.now(Call::Trace)?;
        self.engine.trace(batch)
    }

    fn propagate(&mut self, fields: &[Field]) -> Result<Vec<Field>, EngineError> {
        self.engine.propagate(fields)
    }
}
