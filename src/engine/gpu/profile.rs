//! Where the time of a training step goes: seconds and bytes of every pass, and what a plain copy achieves.

use std::collections::BTreeSet;

use wgpu::{Buffer, CommandEncoderDescriptor, ComputePassDescriptor};

use crate::engine::{Batch, EngineError, Update};

use super::context::Context;
use super::engine::GpuEngine;
use super::geometry::FLAT_THREADS;
use super::kernel::{Kernel, shared};
use super::run::Group;
use super::schedule::Rule;
use super::template::expand;
use super::timing::{Timer, median};
use super::traffic::PassTraffic;

/// Bytes of an array that is copied: several times the largest cache.
const COPIED: u64 = 256 << 20;
/// Workgroups of the copy: each thread copies many values, as a streaming kernel does.
const COPY_GROUPS: u32 = 8192;
/// Copies that are timed, after one that is not.
const COPIES: usize = 5;

/// Time and traffic of the passes of a training step.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// In the order of [`GpuEngine::traffic`].
    pub passes: Vec<PassTime>,
    /// Steps that were timed.
    pub repeats: usize,
}

/// Time and traffic of one pass of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct PassTime {
    /// Stage and variant.
    pub name: String,
    /// Dispatches of a step (more than one when the batch runs in portions).
    pub dispatches: usize,
    /// Bytes read, as [`PassTraffic::reads`].
    pub reads: u64,
    /// Bytes written.
    pub writes: u64,
    /// Seconds of all its dispatches on the device, median of the repeats.
    pub seconds: f64,
}

impl PassTime {
    /// Bytes read and written a second; compare with [`GpuEngine::copy_bandwidth`].
    pub fn bandwidth(&self) -> f64 {
        (self.reads + self.writes) as f64 / self.seconds
    }
}

impl Profile {
    /// Seconds of all passes.
    pub fn seconds(&self) -> f64 {
        self.passes.iter().map(|pass| pass.seconds).sum()
    }
}

impl GpuEngine {
    /// Runs `repeats` training steps with a timestamp before and after every pass. They train: phases, moments and tally
    /// move on as after as many calls of [`crate::engine::Engine::train`] with the same arguments.
    ///
    /// Passes are timed one by one, each begun when the one before has ended; a step of
    /// [`crate::engine::Engine::train`] may be a little faster than the sum.
    ///
    /// # Errors
    /// As [`crate::engine::Engine::train`]; a device without timestamp queries; no repeats.
    pub fn profile(
        &mut self,
        batch: Batch<'_>,
        update: Update,
        repeats: usize,
    ) -> Result<Profile, EngineError> {
        if repeats == 0 {
            return Err(EngineError::Shape {
                what: "repeats of a profile".to_owned(),
                expected: "at least 1".to_owned(),
                actual: "0".to_owned(),
            });
        }
        let mut steps = Vec::new();
        for _ in 0..repeats {
            steps.push(self.timed_step(batch, update)?);
        }
        let traffic = self.loaded_traffic(batch.indices.len(), Rule::of(update))?;
        let time = |(k, pass): (usize, PassTraffic)| PassTime {
            name: pass.name,
            dispatches: pass.dispatches,
            reads: pass.reads,
            writes: pass.writes,
            seconds: median(steps.iter().map(|step| step[k]).collect()),
        };
        Ok(Profile { passes: traffic.into_iter().enumerate().map(time).collect(), repeats })
    }

    /// Seconds of every pass of a training step, summed over the portions of the batch.
    fn timed_step(&mut self, batch: Batch<'_>, update: Update) -> Result<Vec<f64>, EngineError> {
        let mut ready = self.begin(batch, Some(update))?;
        let orders = ready.step(Rule::of(update));
        let times = ready.submit_timed(&orders)?;
        let mut sums: Vec<(Group, Vec<f64>)> = Vec::new();
        for (order, times) in orders.iter().zip(times) {
            match sums.iter_mut().find(|(group, _)| *group == order.group) {
                Some((_, sums)) => sums.iter_mut().zip(times).for_each(|(sum, time)| *sum += time),
                None => sums.push((order.group, times)),
            }
        }
        Ok(sums.into_iter().flat_map(|(_, sums)| sums).collect())
    }

    /// Bytes read and written a second by a plain copy of an array that no cache holds: what a pass can reach at best.
    ///
    /// # Errors
    /// A device without timestamp queries, or without memory for the two arrays.
    pub fn copy_bandwidth(&mut self) -> Result<f64, EngineError> {
        let bytes = COPIED.min(self.context.binding_bytes) / 16 * 16;
        let buffers = [
            ("original", self.context.buffer("original", bytes)?),
            ("duplicate", self.context.buffer("duplicate", bytes)?),
        ];
        let times = time_copies(&mut self.context, &buffers)?;
        Ok(2.0 * bytes as f64 / median(times))
    }
}

fn time_copies(context: &mut Context, buffers: &[(&str, Buffer)]) -> Result<Vec<f64>, EngineError> {
    let source = include_str!("../../../shaders/copy.wgsl");
    let expanded = expand(source, &BTreeSet::new(), None, &shared);
    let kernel = Kernel {
        name: "copy".to_owned(),
        text: format!("const THREADS: u32 = {FLAT_THREADS}u;\n{}", expanded.text),
        bindings: expanded.bindings,
    };
    let compiled = context.compile(&kernel)?;
    let find = |name: &str| buffers.iter().find(|(known, _)| *known == name).map(|(_, buffer)| buffer);
    let bind = context.bind(&compiled, &find)?;
    let timer = Timer::new(context, COPIES + 1)?;
    let mut encoder = context.device.create_command_encoder(&CommandEncoderDescriptor::default());
    for copy in 0..=COPIES {
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor {
            label: Some("copy"),
            timestamp_writes: Some(timer.around(copy)),
        });
        pass.set_pipeline(&compiled.pipeline);
        pass.set_bind_group(0, &bind, &[]);
        pass.dispatch_workgroups(COPY_GROUPS, 1, 1);
    }
    timer.resolve(&mut encoder, COPIES + 1);
    context.queue.submit([encoder.finish()]);
    let times = timer.seconds(context, COPIES + 1)?;
    Ok(times[1..].to_vec())
}
