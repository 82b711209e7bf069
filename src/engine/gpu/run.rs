//! A loaded program: its buffers, its passes bound to them, and how they are submitted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use wgpu::{
    BindGroup, Buffer, CommandEncoderDescriptor, ComputePass, ComputePassDescriptor, PollType,
    SubmissionIndex,
};

use crate::device::noise::{Pass as Light, stage_word};
use crate::engine::{EngineError, Exposure, Program, Update};

use super::context::{Compiled, Context};
use super::inventory::records;
use super::kernel::Kernel;
use super::layout::{Layout, create, of_program};
use super::params::{Params, SLOT};
use super::pass::{Across, Pass};
use super::schedule::{Purpose, Rule, Schedule};
use super::timing::Timer;
use super::upload::Contents;

/// Submissions that may wait in the queue: enough to keep the device busy, few enough to bound memory.
const AHEAD: usize = 4;

/// Groups of passes that are bound and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Group {
    Data(Purpose),
    Error,
    /// The data pass from a recorded field up to another one.
    Again(usize, usize),
    StartFields,
    Update(Rule),
    /// Gradients of as many trained arrays of commands from this one on as there are recorded fields, in the places of these.
    Gradients(usize),
    Masks,
    Tally,
}

/// A pass bound to its buffers.
struct Step {
    compiled: Arc<Compiled>,
    bind: BindGroup,
    pass: Pass,
    params: Params,
}

/// A pass with its grid and the place of its parameters.
struct Dispatch<'a> {
    step: &'a Step,
    groups: [u32; 3],
    offset: u32,
}

impl Dispatch<'_> {
    fn record(&self, pass: &mut ComputePass<'_>) {
        let [x, y, z] = self.groups;
        let Compiled { pipeline, bindings, .. } = &*self.step.compiled;
        pass.set_pipeline(pipeline);
        let offsets = [self.offset];
        let used = usize::from(bindings.iter().any(|b| b.name == "p"));
        pass.set_bind_group(0, &self.step.bind, &offsets[..used]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Passes to run for some samples of a batch.
pub(super) struct Order {
    pub(super) group: Group,
    /// First sample (position in the batch) and number of samples.
    pub(super) samples: (usize, usize),
}

/// What all orders of a submission share.
#[derive(Clone, Copy)]
pub(super) struct Common {
    pub(super) key: [u32; 2],
    pub(super) batch: usize,
    /// Place in the whole batch: first sample, number of samples.
    pub(super) share: (usize, usize),
    pub(super) update: Option<Update>,
    /// Whether the gradients are given, not sums over the groups of samples.
    pub(super) given: bool,
    /// Number of the image set; 0 where no images are used.
    pub(super) set: usize,
}

impl Common {
    /// Where there is no batch.
    pub(super) const NONE: Self =
        Self { key: [0; 2], batch: 1, share: (0, 1), update: None, given: false, set: 0 };
}

/// A loaded program.
pub(super) struct Run {
    pub(super) program: Program,
    pub(super) layout: Layout,
    pub(super) max_batch: usize,
    pub(super) exposure: Exposure,
    pub(super) bytes: u64,
    buffers: HashMap<String, Buffer>,
    slots: Buffer,
    base: Params,
    steps: HashMap<(Group, usize), Arc<Vec<Step>>>,
    staging: Vec<u8>,
    pending: VecDeque<SubmissionIndex>,
}

impl Run {
    /// Allocates and uploads.
    pub(super) fn new(
        context: &Context,
        program: &Program,
        layout: Layout,
        max_batch: usize,
    ) -> Result<Self, EngineError> {
        let mut buffers = HashMap::new();
        let mut bytes = 0;
        let needed = layout.bytes(program, max_batch);
        for item in layout.items(program, max_batch) {
            let buffer =
                create(context, &layout.geometry, &item).map_err(|error| of_program(error, needed, bytes))?;
            bytes += buffer.size();
            buffers.insert(item.name, buffer);
        }
        let slots = context.slots(layout.slots(program, max_batch))?;
        bytes += slots.size();
        context.check()?;
        let hops = program.hops.len();
        Ok(Self {
            base: Params::of(program, layout.run_count(), layout.portion.groups),
            program: program.clone(),
            layout,
            max_batch,
            exposure: Exposure { data: vec![1.0; hops], error: vec![1.0; hops] },
            bytes,
            buffers,
            slots,
            steps: HashMap::new(),
            staging: Vec::new(),
            pending: VecDeque::new(),
        })
    }

    /// Uploads the arrays of a program of the same structure; what is computed from phases or measured stays.
    pub(super) fn replace(
        &mut self,
        context: &Context,
        program: &Program,
        layout: Layout,
    ) -> Result<(), EngineError> {
        let sizes = |layout: &Layout, program: &Program| -> Vec<(String, u64)> {
            layout.items(program, self.max_batch).into_iter().map(|item| (item.name, item.bytes)).collect()
        };
        let (expected, actual) = (sizes(&self.layout, &self.program), sizes(&layout, program));
        if expected != actual {
            return Err(EngineError::Shape {
                what: "buffers of the program in place of the loaded one".into(),
                expected: format!("{} buffers of the same sizes", expected.len()),
                actual: format!("{} buffers; arrays that were shared must stay shared", actual.len()),
            });
        }
        for item in layout.items(program, self.max_batch) {
            let stays = matches!(item.contents, Contents::Ones(_));
            if let Some(bytes) = item.contents.bytes(&layout.geometry).filter(|_| !stays) {
                context.queue.write_buffer(self.buffer(&item.name), 0, &bytes);
            }
        }
        self.base = Params::of(program, layout.run_count(), layout.portion.groups);
        (self.program, self.layout) = (program.clone(), layout);
        // Bound passes hold numbers of the modulators, and names of arrays.
        self.steps.clear();
        context.check()
    }

    /// A buffer that the inventory lists.
    pub(super) fn buffer(&self, name: &str) -> &Buffer {
        &self.buffers[name]
    }

    /// Portions of a batch: first sample and number.
    pub(super) fn portions(&self, batch: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let samples = self.layout.portion.samples;
        (0..batch).step_by(samples).map(move |first| (first, samples.min(batch - first)))
    }

    /// Forgets passes that are bound to image sets.
    pub(super) fn forget_sets(&mut self) {
        self.steps.clear();
    }

    /// Runs orders in one submission.
    pub(super) fn submit(
        &mut self,
        context: &mut Context,
        orders: &[Order],
        common: Common,
        images: Option<&Buffer>,
    ) -> Result<(), EngineError> {
        let groups = self.prepare(context, orders, common, images)?;
        if self.staging.is_empty() {
            return Ok(());
        }
        let mut encoder = context.device.create_command_encoder(&CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
            for dispatch in self.dispatches(orders, &groups) {
                dispatch.record(&mut pass);
            }
        }
        self.pending.push_back(context.queue.submit([encoder.finish()]));
        self.throttle(context)?;
        context.check()
    }

    /// Runs orders with every dispatch in a pass of its own between two timestamps, and waits: seconds of the dispatches
    /// of each order.
    pub(super) fn submit_timed(
        &mut self,
        context: &mut Context,
        orders: &[Order],
        common: Common,
        images: Option<&Buffer>,
    ) -> Result<Vec<Vec<f64>>, EngineError> {
        let groups = self.prepare(context, orders, common, images)?;
        let dispatches: Vec<_> = self.dispatches(orders, &groups).collect();
        let timer = Timer::new(context, dispatches.len())?;
        let mut seconds = Vec::new();
        for part in dispatches.chunks(timer.passes()) {
            let mut encoder = context.device.create_command_encoder(&CommandEncoderDescriptor::default());
            for (number, dispatch) in part.iter().enumerate() {
                let timestamp_writes = Some(timer.around(number));
                let descriptor = ComputePassDescriptor { label: None, timestamp_writes };
                dispatch.record(&mut encoder.begin_compute_pass(&descriptor));
            }
            timer.resolve(&mut encoder, part.len());
            context.queue.submit([encoder.finish()]);
            seconds.extend(timer.seconds(context, part.len())?);
        }
        let mut seconds = seconds.into_iter();
        Ok(groups.iter().map(|steps| seconds.by_ref().take(steps.len()).collect()).collect())
    }

    /// Binds the passes of orders and uploads their parameters.
    fn prepare(
        &mut self,
        context: &mut Context,
        orders: &[Order],
        common: Common,
        images: Option<&Buffer>,
    ) -> Result<Vec<Arc<Vec<Step>>>, EngineError> {
        let groups = orders.iter().map(|order| self.bound(context, order.group, common.set, images));
        let groups = groups.collect::<Result<Vec<_>, _>>()?;
        self.staging.clear();
        for (order, steps) in orders.iter().zip(&groups) {
            for step in steps.iter() {
                let params = fill(step, order, common, &self.exposure);
                self.staging.extend_from_slice(bytemuck::bytes_of(&params));
                self.staging.resize(self.staging.len().next_multiple_of(SLOT as usize), 0);
            }
        }
        context.queue.write_buffer(&self.slots, 0, &self.staging);
        Ok(groups)
    }

    /// The dispatches of orders, in the order of their parameters.
    fn dispatches<'a>(
        &self,
        orders: &'a [Order],
        groups: &'a [Arc<Vec<Step>>],
    ) -> impl Iterator<Item = Dispatch<'a>> {
        let of_portion = self.layout.portion.groups;
        let each = orders.iter().zip(groups);
        let steps = each.flat_map(|(order, steps)| steps.iter().map(move |step| (order, step)));
        steps.enumerate().map(move |(number, (order, step))| {
            let y = match step.pass.across {
                Across::Samples => order.samples.1,
                Across::Groups => of_portion,
                Across::One => 1,
            };
            let groups = [step.pass.wide, y, step.pass.planes].map(|n| n as u32);
            Dispatch { step, groups, offset: number as u32 * SLOT as u32 }
        })
    }

    /// Waits for an old submission when many are under way.
    fn throttle(&mut self, context: &Context) -> Result<(), EngineError> {
        while self.pending.len() > AHEAD {
            let oldest = self.pending.pop_front();
            context.poll(PollType::Wait { submission_index: oldest, timeout: None })?;
        }
        Ok(())
    }

    fn bound(
        &mut self,
        context: &mut Context,
        group: Group,
        set: usize,
        images: Option<&Buffer>,
    ) -> Result<Arc<Vec<Step>>, EngineError> {
        if let Some(steps) = self.steps.get(&(group, set)) {
            return Ok(Arc::clone(steps));
        }
        let steps = passes(&self.program, &self.layout, group)
            .into_iter()
            .map(|pass| self.bind(context, pass, images))
            .collect::<Result<Vec<_>, _>>()?;
        let steps = Arc::new(steps);
        self.steps.insert((group, set), Arc::clone(&steps));
        Ok(steps)
    }

    fn bind(&self, context: &mut Context, pass: Pass, images: Option<&Buffer>) -> Result<Step, EngineError> {
        let kernel = Kernel::new(pass.stage, &pass.flags, &self.layout.geometry);
        let compiled = context.compile(&kernel)?;
        let bind = context.bind(&compiled, &|name| match name {
            "p" => Some(&self.slots),
            "images" => images,
            name => self.buffers.get(pass.buffer(name)),
        })?;
        let mut params = self.base;
        if let Some(m) = pass.modulator {
            params = self.program.modulators().nth(m).map_or(params, |it| params.with_modulator(it));
        }
        if pass.second {
            params.partial_from = self.layout.portion.groups as u32;
        }
        if let Some(activation) = pass.activated.and_then(|hop| self.program.hops[hop].activation.as_ref()) {
            params = params.with_activation(activation);
        }
        Ok(Step { compiled, bind, pass, params })
    }
}

/// The passes of a group.
pub(super) fn passes(program: &Program, layout: &Layout, group: Group) -> Vec<Pass> {
    let schedule = Schedule::new(program, &layout.geometry, &layout.shared);
    match group {
        Group::Data(purpose) => schedule.data(purpose),
        Group::Error => schedule.error(),
        Group::Again(from, to) => schedule.again((from, to)),
        Group::StartFields => schedule.start_fields(),
        Group::Update(rule) => schedule.updates(rule),
        Group::Gradients(first) => (schedule.trained().into_iter().skip(first))
            .zip(0..records(program))
            .map(|((_, parameter), place)| schedule.gradient(parameter, place))
            .collect(),
        Group::Masks => schedule.masks(),
        Group::Tally => vec![schedule.tally()],
    }
}

fn fill(step: &Step, order: &Order, common: Common, exposure: &Exposure) -> Params {
    let mut params = step.params;
    if let Some(update) = common.update {
        params = params.with_update(update);
    }
    params.key = common.key;
    params.first = order.samples.0 as u32;
    params.count = order.samples.1 as u32;
    params.fresh = u32::from(step.pass.first_touch && order.samples.0 == 0);
    (params.offset, params.weight) = (common.share.0 as u32, (1.0 / common.share.1 as f64) as f32);
    if common.given {
        params.groups = 1;
    }
    if let Some((hop, light)) = step.pass.measured {
        params.stage = stage_word(hop, light);
        let levels = match light {
            Light::Data => &exposure.data,
            Light::Error => &exposure.error,
        };
        params.level = levels[hop] as f32;
    }
    if let Some(hop) = step.pass.stored {
        params.stored_level = exposure.data[hop] as f32;
    }
    params
}
