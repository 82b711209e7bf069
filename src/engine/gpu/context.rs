//! A device, its queue, its compiled kernels, and its complaints.

use std::collections::HashMap;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout, BindGroupLayoutDescriptor,
    BindGroupLayoutEntry, BindingType, Buffer, BufferBinding, BufferBindingType, BufferDescriptor,
    BufferUsages, ComputePipeline, ComputePipelineDescriptor, Device, DeviceDescriptor, DownlevelFlags,
    ErrorFilter, Features, PipelineCompilationOptions, PipelineLayoutDescriptor, PollType, Queue,
    ShaderModuleDescriptor, ShaderRuntimeChecks, ShaderSource, ShaderStages,
};

use crate::engine::{EngineError, Store};

use super::adapters::{self, Selection};
use super::cache::{KernelCache, OpenCache};
use super::faults::{Fault, Faults};
use super::kernel::Kernel;
use super::params::SLOT;
use super::plan::WorkgroupLimits;
use super::template::{Access, Binding};

/// How long a failing device may take to say whether it is lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Features that are used where there are any.
const WELCOME: Features = Features::TIMESTAMP_QUERY.union(Features::PIPELINE_CACHE).union(Features::SUBGROUP);

/// A compiled kernel.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) pipeline: ComputePipeline,
    pub(super) bindings: Vec<Binding>,
    layout: BindGroupLayout,
}

/// A device and what belongs to it.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) device: Device,
    pub(super) queue: Queue,
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) limits: WorkgroupLimits,
    /// Largest array a kernel can bind.
    pub(super) binding_bytes: u64,
    /// Whether kernels can pack numbers in half precision.
    halves: bool,
    /// Whether kernels check indices and start with cleared workgroup memory.
    checked: bool,
    /// By text.
    compiled: HashMap<String, Arc<Compiled>>,
    faults: Faults,
    /// Kernels compiled earlier.
    pub(super) cache: Option<OpenCache>,
}

impl Context {
    /// Opens the selected device with all that it allows.
    pub(super) fn open(
        selection: &Selection,
        checked: bool,
        cache: &KernelCache,
    ) -> Result<Self, EngineError> {
        let adapter = adapters::choose(selection)?;
        let info = adapter.get_info();
        let limits = adapter.limits();
        let descriptor = DeviceDescriptor {
            label: Some("ffm"),
            required_features: adapter.features() & WELCOME,
            required_limits: limits.clone(),
            ..DeviceDescriptor::default()
        };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&descriptor)).map_err(|e| EngineError::NoDevice {
                wanted: info.name.clone(),
                reason: format!("it cannot be opened: {e}; choose another device, or the CPU engine"),
            })?;
        let faults = Faults::of(&device);
        let mut context = Self {
            device,
            queue,
            detail: format!("{:?}, {} {}", info.backend, info.driver, info.driver_info).trim().to_owned(),
            name: info.name.clone(),
            limits: adapters::workgroup_limits(&adapter),
            binding_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
            halves: adapter.get_downlevel_capabilities().flags.contains(DownlevelFlags::SHADER_F16_IN_F32),
            checked,
            compiled: HashMap::new(),
            faults,
            cache: None,
        };
        context.cache = OpenCache::open(&context, &info, cache);
        Ok(context)
    }

    /// Refuses fields in half precision where kernels cannot pack them.
    pub(super) fn check_store(&self, store: Store) -> Result<(), EngineError> {
        match store {
            Store::F16 if !self.halves => Err(self.failed(
                "its kernels cannot pack half-precision numbers; set engine.store = \"f32\", or use another device"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Whatever the device complained of since the last check.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        match self.faults.take() {
            None => Ok(()),
            Some(Fault::Memory(reason)) => Err(self.out_of_memory(0, &reason)),
            Some(Fault::Device(reason)) => Err(self.failed(reason)),
            Some(Fault::Lost(reason)) => Err(EngineError::Lost { device: self.name.clone(), reason }),
        }
    }

    /// The error of a failed operation: the loss of the device, if that is why it failed.
    pub(super) fn failed(&self, reason: String) -> EngineError {
        self.lost().unwrap_or_else(|| EngineError::Device { device: self.name.clone(), reason })
    }

    /// The loss of the device, if it is lost. Asks it first: a loss is told only to those who wait for it.
    fn lost(&self) -> Option<EngineError> {
        // Only what it says of a loss matters here.
        let _told = self
            .faults
            .poll(&self.device, PollType::Wait { submission_index: None, timeout: Some(PATIENCE) });
        let reason = self.faults.loss()?;
        Some(EngineError::Lost { device: self.name.clone(), reason })
    }

    /// Destroys the device behind the engine's back, as a failing driver or a pulled cable would.
    pub(super) fn destroy(&self) {
        self.device.destroy();
    }

    pub(super) fn out_of_memory(&self, needed: u64, what: &str) -> EngineError {
        if let Some(lost) = self.lost() {
            return lost;
        }
        EngineError::Memory {
            device: self.name.clone(),
            needed,
            available: 0,
            what: what.to_owned(),
            remedy: "lower the batch, the number of pixels or the padding, or use the CPU engine".to_owned(),
        }
    }

    /// Runs `work` and turns what the device says of it into an error.
    pub(super) fn guarded<T>(&self, work: impl FnOnce() -> T) -> Result<T, (bool, String)> {
        let memory = self.device.push_error_scope(ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(ErrorFilter::Validation);
        let internal = self.device.push_error_scope(ErrorFilter::Internal);
        let result = work();
        let internal = pollster::block_on(internal.pop());
        let validation = pollster::block_on(validation.pop());
        let memory = pollster::block_on(memory.pop());
        if let Some(error) = memory {
            return Err((true, error.to_string()));
        }
        match validation.or(internal) {
            Some(error) => Err((false, error.to_string())),
            None => Ok(result),
        }
    }

    /// A storage buffer of `bytes`.
    pub(super) fn buffer(&self, label: &str, bytes: u64) -> Result<Buffer, EngineError> {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        self.allocate(label, bytes, usage)
    }

    /// A uniform buffer of `slots` parameter slots.
    pub(super) fn slots(&self, slots: usize) -> Result<Buffer, EngineError> {
        self.allocate("params", slots as u64 * SLOT, BufferUsages::UNIFORM | BufferUsages::COPY_DST)
    }

    /// A buffer of `bytes` for given uses.
    pub(super) fn allocate(
        &self,
        label: &str,
        bytes: u64,
        usage: BufferUsages,
    ) -> Result<Buffer, EngineError> {
        self.create(&BufferDescriptor { label: Some(label), size: bytes, usage, mapped_at_creation: false })
    }

    fn create(&self, descriptor: &BufferDescriptor<'_>) -> Result<Buffer, EngineError> {
        self.guarded(|| self.device.create_buffer(descriptor)).map_err(|(memory, reason)| match memory {
            true => self.out_of_memory(descriptor.size, descriptor.label.unwrap_or_default()),
            false => self.failed(reason),
        })
    }

    /// A storage buffer that holds `contents`, whole words.
    pub(super) fn buffer_with(&self, label: &str, contents: &[u8]) -> Result<Buffer, EngineError> {
        // wgpu's `create_buffer_init` does the same but panics where there is no memory, or no device any more.
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        let size = contents.len() as u64;
        let descriptor = BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: true };
        let buffer = self.create(&descriptor)?;
        let mut view = buffer.get_mapped_range_mut(..).map_err(|e| self.failed(e.to_string()))?;
        view.slice(..).copy_from_slice(contents);
        drop(view);
        buffer.unmap();
        Ok(buffer)
    }

    /// The compiled form of a kernel; compiled on first use.
    pub(super) fn compile(&mut self, kernel: &Kernel) -> Result<Arc<Compiled>, EngineError> {
        if let Some(ready) = self.compiled.get(&kernel.text) {
            return Ok(Arc::clone(ready));
        }
        let built = self.guarded(|| self.build(kernel)).map_err(|(memory, reason)| {
            let what = format!("kernel {}: {reason}", kernel.name);
            if memory { self.out_of_memory(0, &what) } else { self.failed(what) }
        })?;
        let ready = Arc::new(built);
        self.compiled.insert(kernel.text.clone(), Arc::clone(&ready));
        Ok(ready)
    }

    fn build(&self, kernel: &Kernel) -> Compiled {
        let descriptor = ShaderModuleDescriptor {
            label: Some(&kernel.name),
            source: ShaderSource::Wgsl(kernel.text.as_str().into()),
        };
        let module = if self.checked {
            self.device.create_shader_module(descriptor)
        } else {
            // SAFETY: every index of every stage is bounded by the sizes written into its text (`inside`, `exists`, loops
            // over counts), buffers are allocated for these sizes, and the tests run the same kernels checked.
            unsafe { self.device.create_shader_module_trusted(descriptor, ShaderRuntimeChecks::unchecked()) }
        };
        let entries: Vec<_> =
            kernel.bindings.iter().enumerate().map(|(number, b)| layout_entry(number, b)).collect();
        let layout = self.device.create_bind_group_layout(&BindGroupLayoutDescriptor {
            label: Some(&kernel.name),
            entries: &entries,
        });
        let pipeline_layout = self.device.create_pipeline_layout(&PipelineLayoutDescriptor {
            label: Some(&kernel.name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&ComputePipelineDescriptor {
            label: Some(&kernel.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: PipelineCompilationOptions {
                zero_initialize_workgroup_memory: self.checked,
                ..PipelineCompilationOptions::default()
            },
            cache: self.cache.as_ref().map(|cache| &cache.pipelines),
        });
        Compiled { pipeline, bindings: kernel.bindings.clone(), layout }
    }

    /// Binds the buffers that `find` knows by name.
    pub(super) fn bind<'a>(
        &self,
        compiled: &Compiled,
        find: &dyn Fn(&str) -> Option<&'a Buffer>,
    ) -> Result<BindGroup, EngineError> {
        let mut entries = Vec::new();
        for (number, binding) in compiled.bindings.iter().enumerate() {
            let buffer = find(&binding.name)
                .ok_or_else(|| self.failed(format!("internal error: no buffer {:?}", binding.name)))?;
            let size = (binding.access == Access::Uniform).then(|| wgpu::BufferSize::new(SLOT)).flatten();
            let resource = wgpu::BindingResource::Buffer(BufferBinding { buffer, offset: 0, size });
            entries.push(BindGroupEntry { binding: number as u32, resource });
        }
        let descriptor = BindGroupDescriptor { label: None, layout: &compiled.layout, entries: &entries };
        self.guarded(|| self.device.create_bind_group(&descriptor)).map_err(|(_, reason)| self.failed(reason))
    }

    /// Waits for all submitted work.
    pub(super) fn wait(&self) -> Result<(), EngineError> {
        self.poll(PollType::wait_indefinitely())?;
        self.check()
    }

    /// Waits for some submitted work.
    pub(super) fn poll(&self, what: PollType) -> Result<(), EngineError> {
        self.faults.poll(&self.device, what).map_err(|reason| self.failed(reason))
    }

    /// Reads the first `bytes` of buffers; waits for the device. Not for the training loop.
    pub(super) fn read(&self, sources: &[(&Buffer, u64)]) -> Result<Vec<Vec<u8>>, EngineError> {
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut staged = Vec::new();
        for &(buffer, bytes) in sources {
            let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
            let staging = self.allocate("read back", bytes, usage)?;
            encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, bytes);
            staged.push(staging);
        }
        self.queue.submit([encoder.finish()]);
        let (sender, receiver) = mpsc::channel();
        for staging in &staged {
            let sender = sender.clone();
            // The receiver outlives the callbacks: they run during `wait`.
            staging.map_async(wgpu::MapMode::Read, .., move |result| drop(sender.send(result)));
        }
        drop(sender);
        self.wait()?;
        while let Ok(result) = receiver.recv() {
            result.map_err(|e| self.failed(e.to_string()))?;
        }
        let view = |staging: &Buffer| {
            staging.get_mapped_range(..).map(|range| range.to_vec()).map_err(|e| self.failed(e.to_string()))
        };
        staged.iter().map(view).collect()
    }
}

fn layout_entry(number: usize, binding: &Binding) -> BindGroupLayoutEntry {
    let (ty, has_dynamic_offset) = match binding.access {
        Access::Read => (BufferBindingType::Storage { read_only: true }, false),
        Access::Write => (BufferBindingType::Storage { read_only: false }, false),
        Access::Uniform => (BufferBindingType::Uniform, true),
    };
    BindGroupLayoutEntry {
        binding: number as u32,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    }
}
