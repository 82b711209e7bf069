//! Batches of fields through free space, on any engine.

use std::sync::Arc;

use crate::engine::{Engine, EngineError, ErrorHop, Hop, Program};
use crate::optics::{Field, Length};
use crate::twin::{ConfigError, Pair, System, SystemConfig};

/// Bytes that one batch of fields may take on the engine.
const BATCH_BYTES: usize = 256 << 20;

/// An engine with one hop of free space, whose transfer function is exchanged as it is needed.
pub(crate) struct FreeSpace {
    engine: Box<dyn Engine>,
    /// One for each number of samples along a pixel.
    programs: Vec<(usize, Program)>,
    loaded: Option<usize>,
}

impl FreeSpace {
    pub(crate) fn new(system: &System, engine: Box<dyn Engine>) -> Result<Self, ConfigError> {
        let mut space = Self { engine, programs: Vec::new(), loaded: None };
        space.padded(system, 1)?;
        space.load(0)?;
        Ok(space)
    }

    /// Lengths of the transforms of light with so many samples along a pixel of the modulators.
    pub(crate) fn padded(&mut self, system: &System, samples: usize) -> Result<[usize; 2], ConfigError> {
        if let Some((_, known)) = self.programs.iter().find(|(s, _)| *s == samples) {
            return Ok(known.padded);
        }
        let mut optics = system.config().optics.clone();
        optics.pixels = Pair::Two(optics.pixels.both().map(|n| n * samples));
        optics.pitch = Pair::Two(optics.pitch.both().map(|l| Length(l.0 / samples as f64)));
        let config = SystemConfig { optics, ..SystemConfig::default() };
        let engine = &self.engine;
        let ideal = System::new(config, [1, 1], 0)?.compile_ideal(&|n| engine.transform_length(n))?;
        let error = ErrorHop { transfer: 0, before: None, after: None };
        let hop = Hop { mask: None, transfer: 0, after: None, activation: None, error };
        let program = Program {
            hops: vec![hop],
            masks: Vec::new(),
            transfers: vec![ideal.transfers[0].clone()],
            ..ideal
        };
        let padded = program.padded;
        self.programs.push((samples, program));
        Ok(padded)
    }

    /// Fields that the engine takes at once.
    fn batch(program: &Program) -> usize {
        (BATCH_BYTES / (16 * program.padded[0] * program.padded[1])).clamp(1, 32)
    }

    fn load(&mut self, at: usize) -> Result<(), EngineError> {
        if self.loaded != Some(at) {
            let program = &self.programs[at].1;
            self.engine.load(program, Self::batch(program))?;
            self.loaded = Some(at);
        }
        Ok(())
    }

    /// Fields behind a stretch of free space; their transfer function says how many samples they have.
    pub(crate) fn carry(
        &mut self,
        fields: &[Field],
        transfer: &Arc<Field>,
    ) -> Result<Vec<Field>, EngineError> {
        let shape = [transfer.nrows(), transfer.ncols()];
        let Some(at) = self.programs.iter().position(|(_, p)| p.padded == shape) else {
            let (what, expected) = ("transfer function", self.programs[0].1.padded);
            return Err(EngineError::Shape {
                what: what.into(),
                expected: format!("{expected:?}"),
                actual: format!("{shape:?}"),
            });
        };
        self.load(at)?;
        let program = &mut self.programs[at].1;
        if !Arc::ptr_eq(&program.transfers[0], transfer) {
            program.transfers[0] = transfer.clone();
            self.engine.replace(program)?;
        }
        let mut carried = Vec::with_capacity(fields.len());
        for part in fields.chunks(Self::batch(program)) {
            carried.extend(self.engine.propagate(part)?);
        }
        Ok(carried)
    }
}
