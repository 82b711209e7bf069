//! Which passes a step is made of, as data: stages, flags, buffers, grids. Nothing here touches a device.

use std::collections::HashSet;

use crate::device::noise::Pass as Light;
use crate::engine::{Hop, Loss, Program, Relay};

use super::geometry::{FLAT_THREADS, Geometry, encode_flag, loss_flags};
use super::inventory::SharedArrays;
use super::kernel::Stage;

/// What a data pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// Images, with every field recorded.
    Train,
    /// Images, readout only.
    Infer,
    /// Given fields, noise-free.
    Given,
}

/// What is made of a gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rule {
    Adam,
    Sgd,
    /// Nothing: it is read back.
    Trace,
}

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
    pub(super) across: Across,
    /// Buffers behind names of the kernel, where they differ from the name.
    pub(super) buffers: Vec<(&'static str, String)>,
    /// Hop (from 0) and light of the measurement.
    pub(super) measured: Option<(usize, Light)>,
    /// Whether this is the first of a step to add to its gradient.
    pub(super) first_touch: bool,
    /// Mask whose modulator the pass is told of.
    pub(super) modulator: Option<usize>,
}

impl Pass {
    fn new(stage: Stage, wide: usize, across: Across) -> Self {
        Self {
            stage,
            flags: Vec::new(),
            wide,
            across,
            buffers: Vec::new(),
            measured: None,
            first_touch: false,
            modulator: None,
        }
    }

    fn flag(mut self, wanted: bool, flag: &'static str) -> Self {
        if wanted {
            self.flags.push(flag);
        }
        self
    }

    fn uses(mut self, name: &'static str, buffer: String) -> Self {
        self.buffers.push((name, buffer));
        self
    }

    /// With a buffer and the flag that says there is one.
    fn optional(self, flag: &'static str, name: &'static str, buffer: Option<String>) -> Self {
        match buffer {
            Some(buffer) => self.flag(true, flag).uses(name, buffer),
            None => self,
        }
    }

    fn measuring(mut self, wanted: bool, hop: usize, light: Light) -> Self {
        if wanted {
            self.measured = Some((hop, light));
        }
        self.flag(wanted, "MEASURE")
    }

    /// Buffer behind a name of the kernel.
    pub(super) fn buffer<'a>(&'a self, name: &'a str) -> &'a str {
        self.buffers.iter().find(|(n, _)| *n == name).map_or(name, |(_, buffer)| buffer)
    }
}

/// Makes the passes of a program.
pub(super) struct Schedule<'a> {
    program: &'a Program,
    geometry: &'a Geometry,
    shared: &'a SharedArrays,
}

impl<'a> Schedule<'a> {
    pub(super) fn new(program: &'a Program, geometry: &'a Geometry, shared: &'a SharedArrays) -> Self {
        Self { program, geometry, shared }
    }

    fn rows(&self, stage: Stage, across: Across) -> Pass {
        Pass::new(stage, self.geometry.row_groups(), across)
    }

    fn column(&self, transfer: usize) -> Pass {
        let groups = self.geometry.padded[1] / self.geometry.column.lines;
        Pass::new(Stage::Column, groups, Across::Samples).uses("transfer", format!("transfer{transfer}"))
    }

    fn pixels(&self, stage: Stage) -> Pass {
        Pass::new(stage, self.geometry.pixels().div_ceil(FLAT_THREADS), Across::One)
    }

    fn array(&self, array: &Option<std::sync::Arc<crate::optics::Field>>) -> Option<String> {
        array.as_ref().map(|a| self.shared.name(a))
    }

    fn optical(&self) -> bool {
        self.program.relay == Relay::Optical
    }

    fn mse(&self) -> bool {
        matches!(self.program.readout.loss, Loss::Mse { .. })
    }

    /// Data pass, and with images the readout.
    pub(super) fn data(&self, purpose: Purpose) -> Vec<Pass> {
        let hops = &self.program.hops;
        let camera = self.program.camera.is_some() && purpose != Purpose::Given;
        let mut passes = self.start(purpose, camera);
        for (l, hop) in hops.iter().enumerate() {
            passes.push(self.column(hop.transfer));
            passes.push(match hops.get(l + 1) {
                Some(next) => self.middle(l, hop, next, purpose == Purpose::Train, camera),
                None => self.last(l, hop, purpose, camera),
            });
        }
        if purpose != Purpose::Given {
            passes.extend(self.readout());
        }
        passes
    }

    fn start(&self, purpose: Purpose, camera: bool) -> Vec<Pass> {
        let given = purpose == Purpose::Given;
        // The start field's rms sets the camera's exposure and the unit of the mean square error.
        let sums = !given && (camera || self.mse());
        let mut first = self.rows(Stage::RowFirst, Across::Samples);
        if given {
            first = first.flag(true, "GIVEN").uses("given", self.last_record());
        } else if let Some(flag) = encode_flag(self.program) {
            first = first.flag(true, flag);
        }
        first = first.optional("MASK", "mask", mask_name(&self.program.hops[0])).flag(sums, "SUMS");
        let mut passes = vec![first];
        if sums {
            passes.push(Pass::new(Stage::Rms, 1, Across::Samples));
        }
        passes
    }

    fn middle(&self, l: usize, hop: &Hop, next: &Hop, record: bool, camera: bool) -> Pass {
        // Light that passes on unmeasured and is not recorded needs no camera.
        let measure = camera && (record || !self.optical());
        let pass = self
            .rows(Stage::RowMiddle, Across::Samples)
            .optional("AFTER", "after", self.array(&hop.after))
            .measuring(measure, l, Light::Data)
            .optional("MASK", "mask", mask_name(next))
            .flag(measure && self.optical(), "OPTICAL");
        pass.optional("RECORD", "record", record.then(|| format!("record{}", l + 1)))
    }

    fn last(&self, l: usize, hop: &Hop, purpose: Purpose, camera: bool) -> Pass {
        let record = purpose != Purpose::Infer || self.mse();
        self.rows(Stage::RowLast, Across::Samples)
            .optional("AFTER", "after", self.array(&hop.after))
            .measuring(camera, l, Light::Data)
            .optional("RECORD", "record", record.then(|| self.last_record()))
            .flag(purpose != Purpose::Given, "READOUT")
    }

    fn last_record(&self) -> String {
        format!("record{}", self.program.hops.len())
    }

    fn readout(&self) -> Vec<Pass> {
        let mut passes = Vec::new();
        if self.mse() {
            let rows = self.geometry.shape[0];
            passes.push(Pass::new(Stage::Mse, rows, Across::Samples).uses("record", self.last_record()));
        }
        let mut loss = Pass::new(Stage::Loss, 1, Across::Samples);
        loss.flags = loss_flags(self.program);
        passes.push(loss);
        passes
    }

    /// Error pass down to the first mask; nothing when there is none.
    pub(super) fn error(&self) -> Vec<Pass> {
        let hops = &self.program.hops;
        let Some(stop) = hops.iter().position(|h| h.mask.is_some()) else { return Vec::new() };
        let last = &hops[hops.len() - 1];
        let first = self
            .rows(Stage::ErrorFirst, Across::Samples)
            .flag(self.mse(), "MSE")
            .uses("record", self.last_record())
            .optional("BEFORE", "before", self.array(&last.error.before));
        let mut passes = vec![first];
        let mut touched = HashSet::new();
        for l in (stop..hops.len()).rev() {
            passes.push(self.column(hops[l].error.transfer));
            let mut row = self.error_row(l, l > stop);
            row.first_touch = hops[l].mask.is_some_and(|m| touched.insert(m));
            passes.push(row);
        }
        passes
    }

    fn error_row(&self, l: usize, onward: bool) -> Pass {
        let hop = &self.program.hops[l];
        let camera = self.program.camera.is_some();
        let measure = camera && (hop.mask.is_some() || !self.optical());
        let mut pass = self
            .rows(Stage::ErrorRow, Across::Groups)
            .optional("AFTER", "after", self.array(&hop.error.after))
            .measuring(measure, l, Light::Error)
            .flag(measure && self.optical(), "OPTICAL")
            .optional("MASK", "mask", mask_name(hop))
            .flag(onward, "ONWARD");
        if onward {
            pass = pass.optional("BEFORE", "before", self.array(&self.program.hops[l - 1].error.before));
        }
        if let Some(m) = hop.mask {
            pass = pass.uses("partial", format!("partial{m}"));
        }
        if l > 0 {
            return pass.uses("record", format!("record{l}"));
        }
        // The start field is encoded again: cheaper than a recorded copy.
        let phase = encode_flag(self.program);
        pass.flag(true, "ENCODED").flag(phase.is_some(), "PHASE")
    }

    /// Start fields alone, into the work array.
    pub(super) fn start_fields(&self) -> Vec<Pass> {
        let mut pass = self.pixels(Stage::Start).uses("record", "work".to_owned());
        pass.across = Across::Samples;
        pass.flags.extend(encode_flag(self.program));
        vec![pass]
    }

    /// Gradient of a mask and what the rule makes of it.
    pub(super) fn update(&self, m: usize, rule: Rule) -> Pass {
        let pass = self
            .pixels(Stage::Update)
            .flag(rule == Rule::Adam, "ADAM")
            .flag(rule == Rule::Trace, "TRACE")
            .uses("partial", format!("partial{m}"));
        if rule == Rule::Trace {
            return pass.uses("gradient", "work".to_owned());
        }
        pass.uses("phases", format!("phases{m}"))
            .uses("first_moment", format!("first{m}"))
            .uses("second_moment", format!("second{m}"))
    }

    /// From phases to complex masks.
    pub(super) fn masks(&self) -> Vec<Pass> {
        let mut passes = Vec::new();
        for (m, modulator) in self.program.masks.iter().enumerate() {
            let lut = modulator.lut.is_some().then(|| format!("lut{m}"));
            let command = self
                .pixels(Stage::Command)
                .uses("phases", format!("phases{m}"))
                .flag(modulator.levels.is_some(), "LEVELS")
                .optional("LUT", "lut", lut);
            let first = passes.len();
            passes.push(command);
            if modulator.crosstalk.len() > 1 {
                let blur = |rowwise| {
                    self.pixels(Stage::Blur).flag(rowwise, "ROWWISE").uses("kernel", format!("kernel{m}"))
                };
                passes.push(blur(true));
                let back = blur(false).uses("turns", "blurred".to_owned());
                passes.push(back.uses("blurred", "turns".to_owned()));
            }
            let mask = self
                .pixels(Stage::Mask)
                .uses("mask", format!("mask{m}"))
                .flag(modulator.resample.is_some(), "RESAMPLE")
                .optional("FACTOR", "factor", self.array(&modulator.factor));
            passes.push(mask);
            for pass in &mut passes[first..] {
                pass.modulator = Some(m);
            }
        }
        passes
    }

    /// Adds the batch to the tally.
    pub(super) fn tally(&self) -> Pass {
        Pass::new(Stage::Tally, 1, Across::One)
    }
}

fn mask_name(hop: &Hop) -> Option<String> {
    hop.mask.map(|m| format!("mask{m}"))
}
