//! From summed gradients to new phases and masks.

use rayon::prelude::*;

use super::loaded::{Loaded, Slot};
use super::modulator::Spare;
use super::real::{Real, wide};
use super::state::Arrays;
use crate::engine::{Quantity, Update};

/// Pixels of one unit of parallel work.
const CHUNK: usize = 4096;

/// Sums the slots in their order and updates the commands that are trained.
pub(super) fn apply<T: Real>(slots: &[Slot<T>], update: Update, state: &mut Arrays) {
    for (m, parameter) in state.parameters.iter().enumerate().filter(|(_, p)| p.trained) {
        let chunks = state.commands[m]
            .par_chunks_mut(CHUNK)
            .zip(state.first[m].par_chunks_mut(CHUNK))
            .zip(state.second[m].par_chunks_mut(CHUNK));
        chunks.enumerate().for_each(|(k, ((command, first), second))| {
            let (start, n) = (k * CHUNK, command.len());
            let mut sums = [T::of(0.0); CHUNK];
            for slot in slots {
                add(&mut sums[..n], &slot.gradients[m][start..start + n]);
            }
            step(&Rule::new(update), &sums[..n], command, first, second);
            if parameter.quantity == Quantity::Amplitude {
                command.iter_mut().for_each(|a| *a = a.clamp(0.0, 1.0));
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

wide! {
    /// The update of a chunk.
    fn step<T: Real>(rule: &Rule, gradient: &[T], phase: &mut [f32], first: &mut [f32], second: &mut [f32]) {
        for (((g, phase), first), second) in gradient.iter().zip(phase).zip(first).zip(second) {
            rule.step(g.wide() as f32, phase, first, second);
        }
    }
}

/// Rebuilds all masks from the commands. `spare` holds scratch for each.
pub(super) fn masks<T: Real>(p: &mut Loaded<T>, state: &Arrays, spare: &mut [Spare<T>]) {
    let (layout, responses, amplitudes) = (p.layout, &p.responses, &p.amplitudes);
    let each = p.masks.par_iter_mut().zip(&mut p.carriers).zip(spare).enumerate();
    each.for_each(|(m, ((mask, carrier), spare))| {
        let m_command = m % amplitudes.len();
        let phases = &state.commands[m_command];
        match amplitudes[m_command] {
            None => responses[m].apply(phases, layout, mask, spare),
            Some(k) => {
                responses[m].apply_graded([phases, &state.commands[k]], layout, [mask, carrier], spare)
            }
        }
    });
}
