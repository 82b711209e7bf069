//! From summed gradients to new phases and masks.

use num_complex::Complex;
use rayon::prelude::*;

use super::loaded::{Loaded, Slot};
use super::real::{Real, wide};
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
            let (start, n) = (k * CHUNK, phase.len());
            let mut sums = [T::of(0.0); CHUNK];
            for slot in slots {
                add(&mut sums[..n], &slot.gradients[m][start..start + n]);
            }
            let rule = Rule::new(update);
            for (i, g) in sums[..n].iter().enumerate() {
                rule.step(g.wide() as f32, &mut phase[i], &mut first[i], &mut second[i]);
            }
        });
    }
}

/// An update rule with its constants worked out.
enum Rule {
    Adam { b1: f32, b2: f32, rate: f32, root: f32, epsilon: f32 },
    Sgd { rate: f32, momentum: f32 },
}

impl Rule {
    fn new(update: Update) -> Self {
        match update {
            Update::Adam { rate, beta1, beta2, epsilon, t } => {
                let t = t.min(i32::MAX as u64) as i32;
                let (c1, c2) = (1.0 - beta1.powi(t), 1.0 - beta2.powi(t));
                Self::Adam {
                    b1: beta1 as f32,
                    b2: beta2 as f32,
                    rate: (rate / c1) as f32,
                    root: (1.0 / c2.sqrt()) as f32,
                    epsilon: epsilon as f32,
                }
            }
            Update::Sgd { rate, momentum } => Self::Sgd { rate: rate as f32, momentum: momentum as f32 },
        }
    }

    /// One parameter's update.
    #[inline(always)]
    fn step(&self, g: f32, phase: &mut f32, first: &mut f32, second: &mut f32) {
        match *self {
            Self::Adam { b1, b2, rate, root, epsilon } => {
                *first = b1 * *first + (1.0 - b1) * g;
                *second = b2 * *second + (1.0 - b2) * g * g;
                *phase -= rate * *first / (second.sqrt() * root + epsilon);
            }
            Self::Sgd { rate, momentum } => {
                *first = momentum * *first + g;
                *phase -= rate * *first;
            }
        }
    }
}

wide! {
    /// `sum += values`.
    fn add<T: Real>(sum: &mut [T], values: &[T]) {
        for (sum, value) in sum.iter_mut().zip(values) {
            *sum += *value;
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
