//! Which passes a step is made of, as data: stages, flags, buffers, grids. Nothing here touches a device.

use std::collections::HashSet;

use crate::device::noise::Pass as Light;
use crate::engine::segments::Segments;
use crate::engine::{Hop, Loss, MaskKind, Parameter, Program, Quantity, Relay, Store, Update};

use super::geometry::{Geometry, encode_flag, loss_flags};
use super::inventory::{SharedArrays, record};
use super::kernel::Stage;
use super::pass::{Across, Pass};

/// What a data pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// Images, with every field recorded that waits for the error pass.
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
}

impl Rule {
    /// The rule of an update.
    pub(super) fn of(update: Update) -> Self {
        match update {
            Update::Adam { .. } => Self::Adam,
            Update::Sgd { .. } => Self::Sgd,
        }
    }
}

/// Where the error goes at the end of a hop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Onward {
    /// Nowhere: this was the first mask.
    No,
    /// Into the next hop.
    Yes,
    /// In the place of the field that nobody needs any more, while light takes the work array.
    Park,
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
        let [wide, planes] = self.geometry.flat_groups();
        Pass { planes, ..Pass::new(stage, wide, Across::One) }
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

    /// Whether any field is stored in half precision: the last one, which makes the error, is not.
    fn half(&self) -> bool {
        self.program.store == Store::F16 && self.program.hops.len() > 1
    }

    /// Data pass, and with images the readout.
    pub(super) fn data(&self, purpose: Purpose) -> Vec<Pass> {
        let hops = &self.program.hops;
        let camera = self.program.camera.is_some() && purpose != Purpose::Given;
        let mut passes = self.start(purpose, camera);
        let segments = Segments::of(self.program);
        for (l, hop) in hops.iter().enumerate() {
            passes.push(self.column(hop.transfer));
            passes.push(match hops.get(l + 1) {
                Some(next) => {
                    let records = purpose == Purpose::Train && segments.waits(l + 1);
                    self.middle(l, hop, next, records, camera)
                }
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
        // The start field's rms sets the camera's exposure, the unit of the mean square error and that of stored halves; and
        // the light on the detectors is reckoned in parts of its energy.
        let halves = purpose == Purpose::Train && self.half();
        let energy = purpose == Purpose::Infer || loss_flags(self.program).contains(&"EFFICIENCY");
        // ... and that of activations, whatever the fields come from.
        let active = self.program.hops.iter().any(|hop| hop.activation.is_some());
        let sums = active || !given && (camera || self.mse() || halves || energy);
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

    fn middle(&self, l: usize, hop: &Hop, next: &Hop, records: bool, camera: bool) -> Pass {
        // Light that passes on unmeasured and is not recorded needs no camera.
        let measure = camera && (records || !self.optical());
        let pass = self
            .rows(Stage::RowMiddle, Across::Samples)
            .optional("AFTER", "after", self.array(&hop.after))
            .measuring(measure, l, Light::Data)
            .optional("MASK", "mask", mask_name(next))
            .flag(measure && self.optical(), "OPTICAL");
        pass.optional("RECORD", "record", records.then(|| record(self.program, l + 1)))
            .stored(records && self.half(), l)
            .activating(hop.activation.as_ref(), l)
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
        record(self.program, self.program.hops.len())
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

    /// Whether anything of a hop's mask is trained.
    fn learns(&self, hop: &Hop) -> bool {
        hop.mask.is_some_and(|m| !self.program.masks[m].frozen)
    }

    /// Error pass down to the first mask that is trained; nothing when there is none.
    pub(super) fn error(&self) -> Vec<Pass> {
        let hops = &self.program.hops;
        let Some(stop) = hops.iter().position(|h| self.learns(h)) else { return Vec::new() };
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
            let again = Segments::of(self.program).before(l).filter(|_| l > stop);
            let onward = match again {
                _ if l == stop => Onward::No,
                Some(_) => Onward::Park,
                None => Onward::Yes,
            };
            let mut row = self.error_row(l, onward);
            row.first_touch = hops[l].mask.is_some_and(|m| touched.insert(m));
            passes.push(row);
            if let Some(stretch) = again {
                passes.extend(self.again(stretch));
                let before = self.array(&hops[l - 1].error.before);
                let on = self.rows(Stage::RowFirst, Across::Samples).flag(true, "GIVEN");
                passes.push(on.uses("given", record(self.program, l)).optional("MASK", "mask", before));
            }
        }
        passes
    }

    /// The part of the data pass from the recorded field `from` to the field `to`, all of them recorded.
    pub(super) fn again(&self, (from, to): (usize, usize)) -> Vec<Pass> {
        let (hops, camera) = (&self.program.hops, self.program.camera.is_some());
        let first = self.rows(Stage::RowFirst, Across::Samples);
        let first = match from.checked_sub(1) {
            Some(before) => first
                .flag(true, "GIVEN")
                .uses("given", record(self.program, from))
                .activating(hops[before].activation.as_ref(), before),
            None => first.flag(encode_flag(self.program).is_some(), "PHASE"),
        };
        let mut passes = vec![first.optional("MASK", "mask", mask_name(&hops[from]))];
        for l in from..to {
            passes.push(self.column(hops[l].transfer));
            passes.push(if l + 1 < to {
                self.middle(l, &hops[l], &hops[l + 1], true, camera)
            } else {
                self.rows(Stage::RowLast, Across::Samples)
                    .optional("AFTER", "after", self.array(&hops[l].after))
                    .measuring(camera, l, Light::Data)
                    .optional("RECORD", "record", Some(record(self.program, to)))
            });
        }
        passes
    }

    fn error_row(&self, l: usize, onward: Onward) -> Pass {
        let hop = &self.program.hops[l];
        let camera = self.program.camera.is_some() && self.program.error_measured;
        let measure = camera && (self.learns(hop) || !self.optical());
        let mut pass = self
            .rows(Stage::ErrorRow, Across::Groups)
            .optional("AFTER", "after", self.array(&hop.error.after))
            .measuring(measure, l, Light::Error)
            .flag(measure && self.optical(), "OPTICAL")
            .flag(onward == Onward::Yes, "ONWARD")
            .flag(onward == Onward::Park, "PARK");
        if onward == Onward::Yes {
            pass = pass.optional("BEFORE", "before", self.array(&self.program.hops[l - 1].error.before));
        }
        if let Some(m) = hop.mask {
            let kind = match (self.learns(hop), self.program.masks[m].kind) {
                (false, _) => "FROZEN",
                (true, MaskKind::Phase) => "MASK",
                (true, MaskKind::Amplitude) => "AMPLITUDE",
                (true, MaskKind::Complex) => "COMPLEX",
            };
            let mask = format!("mask{}", self.program.first_error_mask() + m);
            pass = pass.flag(true, kind).uses("mask", mask).uses("partial", format!("partial{m}"));
        }
        if l > 0 {
            let activation = self.program.hops[l - 1].activation.as_ref();
            let reads = self.learns(hop) || activation.is_some();
            return pass
                .uses("record", record(self.program, l))
                .stored(reads && self.half(), l - 1)
                .activating(activation, l - 1);
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

    /// Arrays of commands that are trained, with their places in [`Program::parameters`].
    pub(super) fn trained(&self) -> Vec<(usize, Parameter)> {
        self.program.parameters().into_iter().enumerate().filter(|(_, p)| p.trained).collect()
    }

    /// Gradients of all commands that are trained, and what the rule makes of them.
    pub(super) fn updates(&self, rule: Rule) -> Vec<Pass> {
        let update = |(k, p): (usize, Parameter)| {
            self.of_gradient(p)
                .flag(rule == Rule::Adam, "ADAM")
                .flag(p.quantity == Quantity::Amplitude, "BOUNDED")
                .uses("commands", format!("command{k}"))
                .uses("first_moment", format!("first{k}"))
                .uses("second_moment", format!("second{k}"))
        };
        self.trained().into_iter().map(update).collect()
    }

    /// A gradient alone, in the place of a recorded field, which nobody needs after the error pass.
    pub(super) fn gradient(&self, parameter: Parameter, place: usize) -> Pass {
        self.of_gradient(parameter).flag(true, "TRACE").uses("gradient", format!("record{place}"))
    }

    fn of_gradient(&self, p: Parameter) -> Pass {
        let mut pass = self.pixels(Stage::Update).uses("partial", format!("partial{}", p.mask));
        pass.second = is_second(self.program, p);
        pass
    }

    /// From phases to complex masks.
    pub(super) fn masks(&self) -> Vec<Pass> {
        let (mut passes, carriers) = (Vec::new(), self.program.carriers());
        for (m, modulator) in self.program.modulators().enumerate() {
            let lut = modulator.lut.is_some().then(|| format!("lut{m}"));
            let own = m % self.program.masks.len();
            let command = self
                .pixels(Stage::Command)
                .uses("phases", format!("command{own}"))
                .flag(modulator.levels.is_some(), "LEVELS")
                .optional("LUT", "lut", lut)
                .optional("STRETCH", "stretch", modulator.stretch.is_some().then(|| format!("stretch{m}")));
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
                .optional("FACTOR", "factor", self.array(&modulator.factor))
                .optional(
                    "GRADED",
                    "amplitudes",
                    self.program.amplitude_of(own).map(|k| format!("command{k}")),
                )
                .flag(carriers[m], "CARRIER");
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

/// Whether the sums of a gradient lie behind those of the same mask's phases.
pub(super) fn is_second(program: &Program, p: Parameter) -> bool {
    p.quantity == Quantity::Amplitude && program.masks[p.mask].kind == MaskKind::Complex
}

fn mask_name(hop: &Hop) -> Option<String> {
    hop.mask.map(|m| format!("mask{m}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::{Array2, Array3};
    use num_complex::Complex64;

    use super::*;
    use crate::engine::gpu::geometry::{FLAT_THREADS, MOST_GROUPS};
    use crate::engine::gpu::plan::WorkgroupLimits;
    use crate::engine::{Camera, Encoding, ErrorHop, Input, Modulator, Readout, Scoring};

    /// A program of which only sizes and structure count: its arrays are single pixels.
    fn program(side: usize, masks: &[Option<usize>]) -> Program {
        let dot = Arc::new(Array2::from_elem((1, 1), Complex64::ONE));
        let error = ErrorHop { transfer: 0, before: Some(dot.clone()), after: Some(dot.clone()) };
        let hop = |&mask| Hop {
            mask,
            transfer: 0,
            after: Some(dot.clone()),
            activation: None,
            error: error.clone(),
        };
        Program {
            shape: [side; 2],
            padded: [side; 2],
            input: Input {
                source: dot.clone(),
                image: [28; 2],
                origin: [0; 2],
                window: [side; 2],
                encoding: Encoding::Amplitude,
            },
            transfers: vec![dot.clone()],
            hops: masks.iter().map(hop).collect(),
            masks: vec![Modulator { crosstalk: vec![0.8, 0.1], ..Modulator::default() }; 2],
            readout: Readout {
                map: Arc::new(Array2::zeros((1, 1))),
                regions: 10,
                classes: 10,
                scoring: Scoring::Normalised,
                loss: Loss::Mse { targets: Arc::new(Array3::zeros((10, 1, 1))) },
            },
            error_masks: None,
            camera: None,
            error_measured: true,
            relay: Relay::Measured,
            store: Store::F32,
            recompute: 0,
            channels: Vec::new(),
        }
    }

    fn stages(passes: &[Pass]) -> Vec<Stage> {
        passes.iter().map(|pass| pass.stage).collect()
    }

    #[test]
    fn grids_of_every_pass_are_within_the_limit() {
        for (side, limits) in [(2048, WorkgroupLimits::PORTABLE), (4096, WorkgroupLimits::DESKTOP)] {
            let program = program(side, &[Some(0), Some(1)]);
            let geometry = Geometry::new(&program, limits).expect("the longest length");
            let (shared, _) = SharedArrays::of(&program);
            let schedule = Schedule::new(&program, &geometry, &shared);
            let mut passes = [schedule.data(Purpose::Train), schedule.error(), schedule.masks()].concat();
            passes.extend(schedule.start_fields());
            passes.extend(schedule.updates(Rule::Adam));
            passes.push(schedule.tally());
            assert!(passes.iter().all(|pass| pass.wide <= MOST_GROUPS), "{passes:?}");
            let update = &schedule.updates(Rule::Adam)[0];
            let spare = update.wide * update.planes * FLAT_THREADS - side * side;
            assert!(spare < update.planes * FLAT_THREADS, "{update:?}");
        }
    }

    #[test]
    fn the_error_pass_stops_at_the_first_mask_and_starts_each_gradient_once() {
        use Stage::{Column, ErrorFirst, ErrorRow};
        let passes_of = |masks: &[Option<usize>]| {
            let program = program(64, masks);
            let geometry = Geometry::new(&program, WorkgroupLimits::DESKTOP).expect("a length");
            let (shared, _) = SharedArrays::of(&program);
            Schedule::new(&program, &geometry, &shared).error()
        };
        assert!(passes_of(&[None, None]).is_empty());
        let passes = passes_of(&[None, Some(0), None, Some(0), Some(1)]);
        let pair = [Column, ErrorRow];
        assert_eq!(stages(&passes), [&[ErrorFirst][..], &pair, &pair, &pair, &pair].concat());
        let touches: Vec<_> = passes.iter().map(|pass| pass.first_touch).collect();
        assert_eq!(touches, [false, false, true, false, true, false, false, false, false]);
        let last = &passes[passes.len() - 1];
        assert!(!last.flags.contains(&"ONWARD") && !last.flags.contains(&"ENCODED"));
        assert_eq!(last.buffer("record"), "record0");
    }

    #[test]
    fn cameras_that_nobody_reads_are_left_out() {
        let mut program = program(64, &[Some(0), Some(1)]);
        program.camera = Some(Camera {
            electrons: 1.0,
            reference: 1.0,
            read_noise: 0.0,
            full_well: 1.0,
            adc_bits: 0,
            pedestal: 0.0,
        });
        program.relay = Relay::Optical;
        let geometry = Geometry::new(&program, WorkgroupLimits::DESKTOP).expect("a length");
        let (shared, _) = SharedArrays::of(&program);
        let schedule = Schedule::new(&program, &geometry, &shared);
        let measured = |purpose| schedule.data(purpose).iter().filter(|pass| pass.measured.is_some()).count();
        assert_eq!([Purpose::Train, Purpose::Infer, Purpose::Given].map(measured), [2, 1, 0]);
    }
}
