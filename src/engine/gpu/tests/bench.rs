//! Runs one kernel on given arrays.

use std::collections::{BTreeMap, BTreeSet};

use num_complex::{Complex32, Complex64};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wgpu::Buffer;

use super::super::adapters::Selection;
use super::super::cache::KernelCache;
use super::super::context::Context;
use super::super::fft::twiddles;
use super::super::geometry::Geometry;
use super::super::kernel::{Kernel, Stage, shared};
use super::super::params::Params;
use super::super::template::expand;

/// A device and the buffers of a test.
pub(super) struct Bench {
    context: Context,
    buffers: BTreeMap<String, Buffer>,
}

impl Bench {
    /// Opens the best device; fails the test when there is none.
    pub(super) fn new(checked: bool) -> Self {
        let context =
            Context::open(&Selection::Best, checked, &KernelCache::Off).unwrap_or_else(|e| panic!("{e}"));
        Self { context, buffers: BTreeMap::new() }
    }

    pub(super) fn limits(&self) -> super::super::plan::WorkgroupLimits {
        self.context.limits
    }

    /// Puts an array under a name.
    pub(super) fn put<T: bytemuck::Pod>(&mut self, name: &str, values: &[T]) {
        let buffer =
            self.context.buffer_with(name, bytemuck::cast_slice(values)).unwrap_or_else(|e| panic!("{e}"));
        self.buffers.insert(name.to_owned(), buffer);
    }

    /// An array of NaN: what a kernel does not write stays visible.
    pub(super) fn poison(&mut self, name: &str, words: usize) {
        self.put(name, &vec![f32::NAN; words]);
    }

    /// Runs a kernel once.
    pub(super) fn run(
        &mut self,
        stage: Stage,
        flags: &[&'static str],
        geometry: &Geometry,
        params: Params,
        groups: [usize; 2],
    ) {
        self.put("row_twiddles", &twiddles(geometry.padded[1]));
        self.put("column_twiddles", &twiddles(geometry.padded[0]));
        self.run_kernel(&Kernel::new(stage, flags, geometry), params, groups);
    }

    /// Runs a kernel that is written for a test.
    pub(super) fn run_text(&mut self, name: &str, source: &str, params: Params, groups: [usize; 2]) {
        let expanded = expand(source, &BTreeSet::new(), None, &shared);
        let kernel = Kernel { name: name.to_owned(), text: expanded.text, bindings: expanded.bindings };
        self.run_kernel(&kernel, params, groups);
    }

    fn run_kernel(&mut self, kernel: &Kernel, params: Params, groups: [usize; 2]) {
        let fail = |e: crate::engine::EngineError| -> ! { panic!("{}: {e}", kernel.name) };
        let compiled = self.context.compile(kernel).unwrap_or_else(|e| fail(e));
        let slots = self.context.slots(1).unwrap_or_else(|e| fail(e));
        self.context.queue.write_buffer(&slots, 0, bytemuck::bytes_of(&params));
        let find = |name: &str| if name == "p" { Some(&slots) } else { self.buffers.get(name) };
        let bind = self.context.bind(&compiled, &find).unwrap_or_else(|e| fail(e));
        let mut encoder =
            self.context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&compiled.pipeline);
            let offsets: &[u32] = if compiled.bindings.iter().any(|b| b.name == "p") { &[0] } else { &[] };
            pass.set_bind_group(0, &bind, offsets);
            pass.dispatch_workgroups(groups[0] as u32, groups[1] as u32, 1);
        }
        self.context.queue.submit([encoder.finish()]);
        self.context.wait().unwrap_or_else(|e| fail(e));
    }

    /// Reads an array back.
    pub(super) fn get<T: bytemuck::Pod>(&self, name: &str) -> Vec<T> {
        let buffer = &self.buffers[name];
        let bytes = self.context.read(&[(buffer, buffer.size())]).unwrap_or_else(|e| panic!("{e}"));
        bytemuck::pod_collect_to_vec(&bytes[0])
    }
}

/// Random complex numbers, the same in `f32` and `f64`.
pub(super) fn noise(len: usize, seed: u64) -> (Vec<Complex32>, Vec<Complex64>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut number = || (f64::from(random.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0) as f32;
    let narrow: Vec<_> = (0..len).map(|_| Complex32::new(number(), number())).collect();
    let wide = narrow.iter().map(|z| Complex64::new(z.re.into(), z.im.into())).collect();
    (narrow, wide)
}

/// Parameters that only say that two transforms make a pair.
pub(super) fn plain_params() -> Params {
    Params { passes: 2, groups: 1, ..bytemuck::Zeroable::zeroed() }
}
