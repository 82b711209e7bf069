//! From summed gradients to new phases and masks.

use num_complex::Complex;
use rayon::prelude::*;

use super::loaded::{Loaded, Slot};
use super::real::Real;
use crate::engine::{State, Update};

/// Pixels of one unit of parallel work.
const CHUNK: usize = 4096;

/// Sums the slots in their order and updates the phases.
pub(super) fn apply<T: Real>(slots: &[Slot<T>], update: Update, state: &mut State) {
    for m in 0..state.phases.len() {
        let arrays = (slice(&mut state.phases[m]), slice(&mut state.first[m]), slice(&mut state.second[m]));
        let chunks = arrays
            .0
            .par_chunks_mut(CHUNK)
            .zip(arrays.1.par_chunks_mut(CHUNK))
            .zip(arrays.2.par_chunks_mut(CHUNK));
        chunks.enumerate().for_each(|(k, ((phase, first), second))| {
            for i in 0..phase.len() {
                let g = slots.iter().map(|s| s.gradients[m][k * CHUNK + i]).sum::<T>();
                step(update, g.wide() as f32, &mut phase[i], &mut first[i], &mut second[i]);
            }
        });
    }
}

/// One parameter's update.
#[inline(always)]
fn step(update: Update, g: f32, phase: &mut f32, first: &mut f32, second: &mut f32) {
    match update {
        Update::Adam { rate, beta1, beta2, epsilon, t } => {
            let (b1, b2) = (beta1 as f32, beta2 as f32);
            *first = b1 * *first + (1.0 - b1) * g;
            *second = b2 * *second + (1.0 - b2) * g * g;
            let t = t.min(i32::MAX as u64) as i32;
            let (c1, c2) = (1.0 - beta1.powi(t), 1.0 - beta2.powi(t));
            let (rate, root) = ((rate / c1) as f32, (1.0 / c2.sqrt()) as f32);
            *phase -= rate * *first / (second.sqrt() * root + epsilon as f32);
        }
        Update::Sgd { rate, momentum } => {
            *first = momentum as f32 * *first + g;
            *phase -= rate as f32 * *first;
        }
    }
}

/// Rebuilds all masks from the phases. `spare` holds one scratch array per mask.
pub(super) fn masks<T: Real>(p: &mut Loaded<T>, state: &State, spare: &mut [Vec<Complex<T>>]) {
    let shape = p.shape;
    let responses = &p.responses;
    p.masks.par_iter_mut().zip(spare).enumerate().for_each(|(m, (mask, spare))| {
        if let Some(phases) = state.phases[m].as_slice() {
            responses[m].apply(phases, shape, mask, spare);
        }
    });
}

fn slice(a: &mut ndarray::Array2<f32>) -> &mut [f32] {
    a.as_slice_mut().expect("state arrays are checked to be contiguous when they are set")
}
