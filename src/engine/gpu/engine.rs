//! [`GpuEngine`]: the engine trait on top of a device and a loaded program.

use ndarray::Array2;
use num_complex::Complex32;
use wgpu::Buffer;

use crate::device::noise::step_key;
use crate::engine::segments::Segments;
use crate::engine::{
    Batch, DeviceInfo, Engine, EngineError, Exposure, ImageSet, Inference, Program, SetId, State, Tally,
    Trace, Update, check,
};
use crate::optics::Field;

use super::adapters::Selection;
use super::batch::{Ready, read_fields, read_reals};
use super::cache::KernelCache;
use super::context::Context;
use super::inventory::record;
use super::layout::{Layout, check_limit};
use super::plan::{LineOrder, Plan};
use super::radices::lengths;
use super::run::{Common, Group, Order, Run};
use super::schedule::{Purpose, Rule, is_second};
use super::sheet::Sheets;
use super::traffic::{PassTraffic, step_traffic};
use super::upload::{image_bytes, narrow};

/// How a GPU engine runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuOptions {
    /// Which device.
    pub selection: Selection,
    /// Whether kernels check indices and clear workgroup memory: for tests, some per cent slower.
    pub checked: bool,
    /// Bytes of one array over samples; larger batches run in portions. Smaller portions stay in the device's cache.
    pub portion_bytes: u64,
    /// Bytes that a program may take; `None`: what the device gives.
    pub memory_limit: Option<u64>,
    /// Whether kernels are written as for a graphics processor; `None`: by what the device is. For tests and timings.
    pub hardware_plans: Option<bool>,
    /// Whether sums may use subgroups, where the device has them. For tests.
    pub subgroups: bool,
    /// Where compiled kernels are kept.
    pub kernel_cache: KernelCache,
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self {
            selection: Selection::Best,
            checked: cfg!(debug_assertions),
            portion_bytes: 256 << 20,
            memory_limit: None,
            hardware_plans: None,
            subgroups: true,
            kernel_cache: KernelCache::User,
        }
    }
}

/// Runs programs in `f32` on a graphics processor (or Mesa's software imitation of one) through wgpu.
pub struct GpuEngine {
    pub(super) context: Context,
    software: bool,
    info: DeviceInfo,
    options: GpuOptions,
    sets: Vec<ImageSet>,
    images: Vec<Buffer>,
    run: Option<Run>,
}

impl GpuEngine {
    /// Opens a device.
    ///
    /// # Errors
    /// [`EngineError::NoDevice`] when there is none that matches; the text says what there is or what to install.
    pub fn new(selection: Selection) -> Result<Self, EngineError> {
        Self::with_options(GpuOptions { selection, ..GpuOptions::default() })
    }

    /// Opens a device with options.
    ///
    /// # Errors
    /// As [`GpuEngine::new`].
    pub fn with_options(options: GpuOptions) -> Result<Self, EngineError> {
        let mut context = Context::open(&options.selection, options.checked, &options.kernel_cache)?;
        let software = context.limits.software;
        context.limits.subgroups &= options.subgroups;
        context.limits.software = options.hardware_plans.map_or(software, |hardware| !hardware);
        let info = DeviceInfo {
            engine: "gpu",
            name: context.name.clone(),
            precision: "f32",
            detail: context.detail.clone(),
        };
        Ok(Self { context, software, info, options, sets: Vec::new(), images: Vec::new(), run: None })
    }

    /// Whether the device is a program on the processor, not a graphics processor.
    pub fn is_software(&self) -> bool {
        self.software
    }

    /// Bytes of compiled kernels that were found on disk when the device was opened.
    pub fn cached_kernel_bytes(&self) -> usize {
        self.context.cache.as_ref().map_or(0, |cache| cache.loaded)
    }

    /// What the passes of one training step with a batch of `batch` samples read and write.
    ///
    /// # Errors
    /// As [`Engine::load`], for lengths and detector maps.
    pub fn traffic(&self, program: &Program, batch: usize) -> Result<Vec<PassTraffic>, EngineError> {
        check::program(program, batch)?;
        let layout = self.layout(program, batch)?;
        Ok(step_traffic(program, &layout, batch, Rule::Adam))
    }

    /// The traffic of a step of the loaded program, in the portions it was loaded for.
    pub(super) fn loaded_traffic(&self, batch: usize, rule: Rule) -> Result<Vec<PassTraffic>, EngineError> {
        let Some(run) = &self.run else { return Err(check::nothing_loaded(&self.info.name)) };
        Ok(step_traffic(&run.program, &run.layout, batch, rule))
    }

    /// Destroys the device, as if its driver had failed: whatever comes after is [`EngineError::Lost`]. For tests.
    #[doc(hidden)]
    pub fn lose_device(&self) {
        self.context.destroy();
    }

    /// Bytes that the loaded program takes on the device, counted as its buffers were created; 0 when none is loaded.
    pub fn memory_taken(&self) -> u64 {
        self.run.as_ref().map_or(0, |run| run.bytes)
    }

    fn layout(&self, program: &Program, max_batch: usize) -> Result<Layout, EngineError> {
        let bytes = self.options.portion_bytes.min(self.context.binding_bytes);
        let mut layout = Layout::new(program, max_batch, self.context.limits, bytes, &self.info.name)?;
        // Under a limit smaller portions take less memory, down to one sample.
        if let Some(limit) = self.options.memory_limit {
            while layout.bytes(program, max_batch) > limit && layout.portion.samples > 1 {
                let smaller = (layout.portion.samples / 2 * layout.geometry.work() * 8) as u64;
                layout = Layout::new(program, max_batch, self.context.limits, smaller, &self.info.name)?;
            }
        }
        Ok(layout)
    }

    fn run(&mut self) -> Result<(&mut Context, &mut Run), EngineError> {
        match &mut self.run {
            Some(run) => Ok((&mut self.context, run)),
            None => Err(check::nothing_loaded(&self.info.name)),
        }
    }

    /// Checks a batch and writes its sheet.
    pub(super) fn begin(
        &mut self,
        batch: Batch<'_>,
        update: Option<Update>,
    ) -> Result<Ready<'_>, EngineError> {
        let Some(run) = &mut self.run else { return Err(check::nothing_loaded(&self.info.name)) };
        let set = check::batch(&self.sets, batch, &run.program, run.max_batch)?;
        let sheets = Sheets::new(&run.layout.geometry);
        let words = sheets.fresh(batch.indices, &set.labels);
        self.context.queue.write_buffer(run.buffer("sheet"), 0, bytemuck::cast_slice(&words));
        let common = Common {
            key: step_key(batch.seed, batch.step),
            batch: batch.indices.len(),
            share: (batch.first, batch.of),
            update,
            given: false,
            set: batch.set.0,
        };
        let images = &self.images[batch.set.0];
        Ok(Ready { context: &mut self.context, run, images, common, sheets })
    }
}

impl Engine for GpuEngine {
    fn device(&self) -> &DeviceInfo {
        &self.info
    }

    fn transform_length(&self, minimum: usize) -> Result<usize, EngineError> {
        let possible = |length: usize, order| Plan::new(length, order, self.context.limits);
        let candidate = lengths().find(|&length| length >= minimum).unwrap_or(minimum);
        let both = possible(candidate, LineOrder::Rows).and(possible(candidate, LineOrder::Columns));
        both.map(|_| candidate).map_err(|why| EngineError::Length {
            length: minimum,
            device: self.info.name.clone(),
            limit: why.limit,
            remedy: why.remedy,
        })
    }

    fn memory_needed(&self, program: &Program, max_batch: usize) -> u64 {
        // A program that cannot be planned needs more than any device has; `load` says why.
        self.layout(program, max_batch).map_or(u64::MAX, |layout| layout.bytes(program, max_batch))
    }

    fn load(&mut self, program: &Program, max_batch: usize) -> Result<(), EngineError> {
        check::program(program, max_batch)?;
        super::validate::program(program)?;
        self.context.check_store(program.store)?;
        let layout = self.layout(program, max_batch)?;
        self.run = None;
        let needed = layout.bytes(program, max_batch);
        if self.software {
            check::host_memory(&self.info.name, needed)?;
        }
        check_limit(&self.context, needed, self.options.memory_limit)?;
        let run = self.run.insert(Run::new(&self.context, program, layout, max_batch)?);
        run.submit(&mut self.context, &[Order { group: Group::Masks, samples: (0, 1) }], Common::NONE, None)
    }

    fn replace(&mut self, program: &Program) -> Result<(), EngineError> {
        let (_, run) = self.run()?;
        let max_batch = run.max_batch;
        check::replacement(&run.program, program, max_batch)?;
        super::validate::program(program)?;
        let layout = self.layout(program, max_batch)?;
        let (context, run) = self.run()?;
        run.replace(context, program, layout)?;
        run.submit(context, &[Order { group: Group::Masks, samples: (0, 1) }], Common::NONE, None)?;
        // Rare enough to wait for: a loss shows here and not steps later.
        context.wait()
    }

    fn upload(&mut self, images: &ImageSet) -> Result<SetId, EngineError> {
        super::validate::images(images)?;
        let bytes = image_bytes(images);
        if bytes.len() as u64 > self.context.binding_bytes {
            return Err(EngineError::Memory {
                device: self.info.name.clone(),
                needed: bytes.len() as u64,
                available: self.context.binding_bytes,
                what: "an image set in one piece".to_owned(),
                remedy: "use fewer samples (data.train, data.test), or the CPU engine".to_owned(),
            });
        }
        self.images.push(self.context.buffer_with("images", &bytes)?);
        self.sets.push(images.clone());
        Ok(SetId(self.sets.len() - 1))
    }

    fn clear_sets(&mut self) {
        self.sets.clear();
        self.images.clear();
        if let Some(run) = &mut self.run {
            run.forget_sets();
        }
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        let (context, run) = self.run()?;
        check::state(state, &run.program)?;
        let commands: Vec<_> = state.commands().collect();
        let [first, second] = [&state.first, &state.second].map(|moment| moment.iter().collect());
        for (name, arrays) in [("command", commands), ("first", first), ("second", second)] {
            for (k, array) in arrays.into_iter().enumerate() {
                let values: Vec<f32> = array.iter().copied().collect();
                let buffer = run.buffer(&format!("{name}{k}"));
                context.queue.write_buffer(buffer, 0, bytemuck::cast_slice(&values));
            }
        }
        run.submit(context, &[Order { group: Group::Masks, samples: (0, 1) }], Common::NONE, None)
    }

    fn state(&mut self) -> Result<State, EngineError> {
        let (context, run) = self.run()?;
        let parameters = run.program.parameters().len();
        let all = |name: &str| read_reals(context, run, (0..parameters).map(|k| format!("{name}{k}")));
        let mut phases = all("command")?;
        let amplitudes = phases.split_off(run.program.masks.len());
        Ok(State { phases, amplitudes, first: all("first")?, second: all("second")? })
    }

    fn masks(&mut self) -> Result<Vec<Field>, EngineError> {
        let (context, run) = self.run()?;
        let mut masks = Vec::new();
        for m in 0..run.program.masks.len() {
            masks.extend(read_fields(context, run, &format!("mask{m}"), 1)?);
        }
        Ok(masks)
    }

    fn set_exposure(&mut self, exposure: &Exposure) -> Result<(), EngineError> {
        let (_, run) = self.run()?;
        check::exposure(exposure, run.program.hops.len())?;
        run.exposure = exposure.clone();
        Ok(())
    }

    fn train(&mut self, batch: Batch<'_>, update: Update) -> Result<(), EngineError> {
        let mut ready = self.begin(batch, Some(update))?;
        let orders = ready.step(Rule::of(update));
        ready.submit(&orders)
    }

    fn gradients(&mut self, batch: Batch<'_>) -> Result<Vec<Array2<f32>>, EngineError> {
        let mut ready = self.begin(batch, None)?;
        let mut orders = ready.portions(&[Group::Data(Purpose::Train), Group::Error]);
        orders.push(ready.whole(Group::Tally));
        ready.submit(&orders)?;
        ready.read_gradients()
    }

    fn apply(&mut self, gradients: &[Array2<f32>], update: Update) -> Result<(), EngineError> {
        let (context, run) = self.run()?;
        check::gradients(gradients, &run.program)?;
        for (gradient, p) in gradients.iter().zip(run.program.parameters()).filter(|(_, p)| p.trained) {
            let values: Vec<f32> = gradient.iter().copied().collect();
            let partial = run.buffer(&format!("partial{}", p.mask));
            let groups = if is_second(&run.program, p) { run.layout.portion.groups } else { 0 };
            let at = (groups * run.layout.geometry.pixels() * 4) as u64;
            context.queue.write_buffer(partial, at, bytemuck::cast_slice(&values));
        }
        let groups = [Group::Update(Rule::of(update)), Group::Masks];
        let orders = groups.map(|group| Order { group, samples: (0, 1) });
        run.submit(context, &orders, Common { update: Some(update), given: true, ..Common::NONE }, None)
    }

    fn take_tally(&mut self) -> Result<Tally, EngineError> {
        let (context, run) = self.run()?;
        let tally = run.buffer("tally");
        let read = context.read(&[(tally, 16)])?;
        let words: Vec<u32> = bytemuck::pod_collect_to_vec(&read[0]);
        context.queue.write_buffer(tally, 0, &[0; 16]);
        Ok(Tally {
            loss: f64::from(f32::from_bits(words[0])) + f64::from(f32::from_bits(words[1])),
            correct: u64::from(words[2]),
            samples: u64::from(words[3]),
        })
    }

    fn infer(&mut self, batch: Batch<'_>) -> Result<Inference, EngineError> {
        let mut ready = self.begin(batch, None)?;
        let orders = ready.portions(&[Group::Data(Purpose::Infer)]);
        ready.submit(&orders)?;
        Ok(ready.sheets.inference(&ready.read_sheets()?))
    }

    fn trace(&mut self, batch: Batch<'_>) -> Result<Trace, EngineError> {
        let mut ready = self.begin(batch, None)?;
        let segments = Segments::of(&ready.run.program);
        let hops = ready.run.program.hops.len();
        let mut fields = vec![Vec::new(); hops + 1];
        let portions: Vec<_> = ready.run.portions(ready.common.batch).collect();
        for samples in portions {
            ready.submit(&[Order { group: Group::StartFields, samples }])?;
            fields[0].extend(ready.read_fields("work", samples.1)?);
            let order = |group| [Order { group, samples }];
            ready.submit(&order(Group::Data(Purpose::Train)))?;
            for (l, fields) in fields.iter_mut().enumerate().skip(1).filter(|(l, _)| segments.waits(*l)) {
                fields.extend(ready.read_recorded(l, samples)?);
            }
            let again: Vec<_> = (1..hops).filter_map(|l| segments.before(l)).collect();
            for &(from, to) in &again {
                ready.submit(&order(Group::Again(from, to)))?;
                for (l, fields) in fields.iter_mut().enumerate().take(to + 1).skip(from + 1) {
                    fields.extend(ready.read_recorded(l, samples)?);
                }
            }
            if !again.is_empty() {
                // The fields of the last segment have lost their places.
                ready.submit(&order(Group::Data(Purpose::Train)))?;
            }
            ready.submit(&order(Group::Error))?;
        }
        let gradients = ready.read_gradients()?.iter().map(|g| g.mapv(f64::from)).collect();
        let losses = ready.sheets.inference(&ready.read_sheets()?).losses;
        Ok(Trace { loss: losses.iter().sum::<f64>() / batch.of as f64, gradients, fields })
    }

    fn propagate(&mut self, fields: &[Field]) -> Result<Vec<Field>, EngineError> {
        let (context, run) = self.run()?;
        check::fields(fields, &run.program, run.max_batch)?;
        let record = record(&run.program, run.program.hops.len());
        let mut results = Vec::new();
        for (first, count) in run.portions(fields.len()) {
            let values: Vec<Complex32> = fields[first..first + count].iter().flat_map(narrow).collect();
            context.queue.write_buffer(run.buffer(&record), 0, bytemuck::cast_slice(&values));
            let order = Order { group: Group::Data(Purpose::Given), samples: (first, count) };
            run.submit(context, &[order], Common::NONE, None)?;
            results.extend(read_fields(context, run, &record, count)?);
        }
        Ok(results)
    }
}
