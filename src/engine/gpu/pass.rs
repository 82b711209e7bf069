//! One dispatch as data: stage, flags, buffers, grid.

use crate::device::noise::Pass as Light;
use crate::engine::{Activation, ActivationKind};

use super::kernel::Stage;

/// Extent of a grid across the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Across {
    /// One workgroup a sample of the portion.
    Samples,
    /// One workgroup a group of samples.
    Groups,
    /// One.
    One,
}

/// One dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    pub(super) stage: Stage,
    pub(super) flags: Vec<&'static str>,
    /// Workgroups along x.
    pub(super) wide: usize,
    /// Workgroups along z: planes of `wide` where one is too large for a dimension.
    pub(super) planes: usize,
    pub(super) across: Across,
    /// Buffers behind names of the kernel, where they differ from the name.
    pub(super) buffers: Vec<(&'static str, String)>,
    /// Hop (from 0) and light of the measurement.
    pub(super) measured: Option<(usize, Light)>,
    /// Hop (from 0) of the field that is stored in half precision.
    pub(super) stored: Option<usize>,
    /// Hop (from 0) whose activation the pass applies.
    pub(super) activated: Option<usize>,
    /// Whether this is the first of a step to add to its gradient.
    pub(super) first_touch: bool,
    /// Whether the gradient that is read lies behind another one.
    pub(super) second: bool,
    /// Mask whose modulator the pass is told of.
    pub(super) modulator: Option<usize>,
}

impl Pass {
    pub(super) fn new(stage: Stage, wide: usize, across: Across) -> Self {
        Self {
            stage,
            flags: Vec::new(),
            wide,
            planes: 1,
            across,
            buffers: Vec::new(),
            measured: None,
            stored: None,
            activated: None,
            first_touch: false,
            second: false,
            modulator: None,
        }
    }

    pub(super) fn flag(mut self, wanted: bool, flag: &'static str) -> Self {
        if wanted {
            self.flags.push(flag);
        }
        self
    }

    pub(super) fn uses(mut self, name: &'static str, buffer: String) -> Self {
        self.buffers.push((name, buffer));
        self
    }

    /// With a buffer and the flag that says there is one.
    pub(super) fn optional(self, flag: &'static str, name: &'static str, buffer: Option<String>) -> Self {
        match buffer {
            Some(buffer) => self.flag(true, flag).uses(name, buffer),
            None => self,
        }
    }

    pub(super) fn measuring(mut self, wanted: bool, hop: usize, light: Light) -> Self {
        if wanted {
            self.measured = Some((hop, light));
        }
        self.flag(wanted, "MEASURE")
    }

    /// With the field after a hop in half precision.
    pub(super) fn stored(mut self, wanted: bool, hop: usize) -> Self {
        if wanted {
            self.stored = Some(hop);
        }
        self.flag(wanted, "HALF")
    }

    /// With the activation at the end of a hop.
    pub(super) fn activating(mut self, activation: Option<&Activation>, hop: usize) -> Self {
        let Some(activation) = activation else { return self };
        self.activated = Some(hop);
        let flag = match activation.kind {
            ActivationKind::Intensity => "INTENSITY",
            ActivationKind::Saturable { .. } => "SATURABLE",
            ActivationKind::Relu { .. } => "RELU",
            ActivationKind::ElectroOptic { .. } => "ELECTRO",
        };
        self.flag(true, flag)
    }

    /// Buffer behind a name of the kernel.
    pub(super) fn buffer<'a>(&'a self, name: &'a str) -> &'a str {
        self.buffers.iter().find(|(n, _)| *n == name).map_or(name, |(_, buffer)| buffer)
    }
}
