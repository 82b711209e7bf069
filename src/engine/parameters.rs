//! What of a program can be trained: the commands of its masks, as a list of arrays.

use serde::{Deserialize, Serialize};

use super::Program;

/// What the commands of a mask set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskKind {
    /// The phase; all light passes.
    #[default]
    Phase,
    /// The amplitude transmission, 0 to 1; the phase stays as it is.
    Amplitude,
    /// Both.
    Complex,
}

impl MaskKind {
    /// Whether there are amplitude commands.
    pub fn has_amplitude(self) -> bool {
        self != Self::Phase
    }

    /// Whether phases are trained.
    pub fn has_phase(self) -> bool {
        self != Self::Amplitude
    }
}

/// What an array of commands is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Phases, radians.
    Phase,
    /// Amplitude transmissions, kept within 0..=1 by projection after every update.
    Amplitude,
}

/// An array of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The mask it drives.
    pub mask: usize,
    /// What it sets.
    pub quantity: Quantity,
    /// Whether it has a gradient and is updated.
    pub trained: bool,
}

impl Program {
    /// All arrays of commands: the phases of every mask, then the amplitudes of the masks that have them. Gradients and moments
    /// are lists in this order; those of an array that is not trained are zero and stay as they are.
    pub fn parameters(&self) -> Vec<Parameter> {
        let of = |quantity, has: fn(MaskKind) -> bool| {
            self.masks.iter().enumerate().map(move |(mask, m)| Parameter {
                mask,
                quantity,
                trained: !m.frozen && has(m.kind),
            })
        };
        let amplitudes = of(Quantity::Amplitude, MaskKind::has_amplitude);
        let phases = of(Quantity::Phase, MaskKind::has_phase);
        phases.chain(amplitudes.filter(|p| self.masks[p.mask].kind.has_amplitude())).collect()
    }

    /// The masks that have amplitude commands, in their order.
    pub fn amplitude_masks(&self) -> Vec<usize> {
        (0..self.masks.len()).filter(|&m| self.masks[m].kind.has_amplitude()).collect()
    }

    /// Place of a mask's amplitudes among [`Program::parameters`].
    pub(super) fn amplitude_of(&self, mask: usize) -> Option<usize> {
        let place = self.amplitude_masks().iter().position(|&m| m == mask)?;
        Some(self.masks.len() + place)
    }

    /// For each of [`Program::modulators`], whether gradients of amplitudes are made of its carrier.
    pub(super) fn carriers(&self) -> Vec<bool> {
        let (first, masks) = (self.first_error_mask(), self.masks.len());
        let learns = |m: usize| self.trained(m, Quantity::Amplitude).is_some();
        (0..self.modulators().count()).map(|m| m >= first && learns((m - first) % masks)).collect()
    }

    /// Place of a trained array among [`Program::parameters`].
    pub(super) fn trained(&self, mask: usize, quantity: Quantity) -> Option<usize> {
        let wanted = Parameter { mask, quantity, trained: true };
        self.parameters().iter().position(|p| *p == wanted)
    }
}
