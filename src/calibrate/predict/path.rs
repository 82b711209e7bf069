//! Batches of fields through free space, on any engine.

use std::sync::Arc;

use crate::engine::{Engine, EngineError, ErrorHop, Hop, Program};
use crate::optics::Field;
use crate::twin::{ConfigError, System};

/// Bytes that one batch of fields may take on the engine.
const BATCH_BYTES: usize = 256 << 20;

/// An engine with one hop of free space, whose transfer function is exchanged as it is needed.
pub(crate) struct FreeSpace {
    engine: Box<dyn Engine>,
    program: Program,
    batch: usize,
}

impl FreeSpace {
    pub(crate) fn new(system: &System, mut engine: Box<dyn Engine>) -> Result<Self, ConfigError> {
        let ideal = system.compile_ideal(&|n| engine.transform_length(n))?;
        let error = ErrorHop { transfer: 0, before: None, after: None };
        let hop = Hop { mask: None, transfer: 0, after: None, activation: None, error };
        let program = Program {
            hops: vec![hop],
            masks: Vec::new(),
            transfers: vec![ideal.transfers[0].clone()],
            ..ideal
        };
        let bytes = 16 * program.padded[0] * program.padded[1];
        let batch = (BATCH_BYTES / bytes).clamp(1, 32);
        engine.load(&program, batch)?;
        Ok(Self { engine, program, batch })
    }

    /// Lengths of the transforms.
    pub(crate) fn padded(&self) -> [usize; 2] {
        self.program.padded
    }

    /// Fields behind a stretch of free space.
    pub(crate) fn carry(
        &mut self,
        fields: &[Field],
        transfer: &Arc<Field>,
    ) -> Result<Vec<Field>, EngineError> {
        if !Arc::ptr_eq(&self.program.transfers[0], transfer) {
            self.program.transfers[0] = transfer.clone();
            self.engine.replace(&self.program)?;
        }
        let mut carried = Vec::with_capacity(fields.len());
        for part in fields.chunks(self.batch) {
            carried.extend(self.engine.propagate(part)?);
        }
        Ok(carried)
    }
}
