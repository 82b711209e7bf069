//! Exposure times of the camera, measured with the masks as they are.

use super::TrainError;
use crate::engine::cpu::CpuEngine;
use crate::engine::{Batch, Engine, Exposure, Program, State, Store};

/// Measures camera exposures for given masks with some images, on the CPU engine, so that both engines use the same; with several
/// wavelengths those of each, one after the other, with its own images among them.
///
/// # Errors
/// As [`CpuEngine::measure_exposure`].
pub fn measure_exposure(
    program: &Program,
    images: &crate::engine::ImageSet,
    samples: &[u32],
    state: &State,
) -> Result<Exposure, TrainError> {
    let count = program.channels.len();
    if count == 0 {
        return measure_at_one(program, images, samples, state);
    }
    let mut all = Exposure { data: Vec::new(), error: Vec::new() };
    for k in 0..count {
        let own: Vec<u32> = samples.iter().copied().filter(|&j| j as usize % count == k).collect();
        let Exposure { data, error } = measure_at_one(&program.channel(k), images, &own, state)?;
        all.data.extend(data);
        all.error.extend(error);
    }
    Ok(all)
}

fn measure_at_one(
    program: &Program,
    images: &crate::engine::ImageSet,
    samples: &[u32],
    state: &State,
) -> Result<Exposure, TrainError> {
    let mut engine = CpuEngine::<f32>::new(1)?;
    // Exposures are of the light, not of what is recorded of it.
    engine.load(&Program { store: Store::F32, recompute: 0, ..program.clone() }, samples.len())?;
    engine.set_state(state)?;
    let set = engine.upload(&images.only(samples))?;
    let indices: Vec<u32> = (0..samples.len() as u32).collect();
    Ok(engine.measure_exposure(Batch::whole(set, &indices, 0, 0))?)
}
