//! Trainable state in the engine's order of pixels.

use super::buffer::{Buffer, Layout};
use crate::engine::{Parameter, Quantity, State};

/// [`State`], array by array in the order of [`Layout`].
pub(super) struct Arrays {
    /// What the arrays are.
    pub(super) parameters: Vec<Parameter>,
    pub(super) commands: Vec<Buffer<f32>>,
    pub(super) first: Vec<Buffer<f32>>,
    pub(super) second: Vec<Buffer<f32>>,
}

impl Arrays {
    /// Phases and moments of zero, amplitudes of 1.
    pub(super) fn start(parameters: Vec<Parameter>, layout: Layout) -> Self {
        let zeros = || vec![Buffer::zeros(layout.pixels()); parameters.len()];
        let (mut commands, first, second) = (zeros(), zeros(), zeros());
        for (command, parameter) in commands.iter_mut().zip(&parameters) {
            if parameter.quantity == Quantity::Amplitude {
                command.fill(1.0);
            }
        }
        Self { parameters, commands, first, second }
    }

    pub(super) fn new(state: &State, parameters: Vec<Parameter>, layout: Layout) -> Self {
        let all = |arrays: &[_]| arrays.iter().map(|a| layout.real(a)).collect();
        let commands = state.commands().map(|a| layout.real(a)).collect();
        Self { parameters, commands, first: all(&state.first), second: all(&state.second) }
    }

    pub(super) fn state(&self, layout: Layout) -> State {
        let all = |arrays: &[Buffer<f32>]| arrays.iter().map(|a| layout.array::<f32>(a)).collect();
        let phases = self.parameters.iter().take_while(|p| p.quantity == Quantity::Phase).count();
        let (phases, amplitudes) = self.commands.split_at(phases);
        State {
            phases: all(phases),
            amplitudes: all(amplitudes),
            first: all(&self.first),
            second: all(&self.second),
        }
    }
}
