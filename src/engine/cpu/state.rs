//! Trainable state in the engine's order of pixels.

use super::buffer::{Buffer, Layout};
use crate::engine::State;

/// [`State`], array by array in the order of [`Layout`].
pub(super) struct Arrays {
    pub(super) phases: Vec<Buffer<f32>>,
    pub(super) first: Vec<Buffer<f32>>,
    pub(super) second: Vec<Buffer<f32>>,
}

impl Arrays {
    /// Phases and moments of zero.
    pub(super) fn zeros(masks: usize, layout: Layout) -> Self {
        let all = || vec![Buffer::zeros(layout.pixels()); masks];
        Self { phases: all(), first: all(), second: all() }
    }

    pub(super) fn new(state: &State, layout: Layout) -> Self {
        let all = |arrays: &[_]| arrays.iter().map(|a| layout.real(a)).collect();
        Self { phases: all(&state.phases), first: all(&state.first), second: all(&state.second) }
    }

    pub(super) fn state(&self, layout: Layout) -> State {
        let all = |arrays: &[Buffer<f32>]| arrays.iter().map(|a| layout.array::<f32>(a)).collect();
        State { phases: all(&self.phases), first: all(&self.first), second: all(&self.second) }
    }
}
