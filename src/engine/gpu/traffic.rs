//! Bytes that the passes of a training step move, counted from the schedule: what a profile is compared with.

use crate::engine::Program;

use super::geometry::Geometry;
use super::inventory::Portion;
use super::kernel::{Kernel, Stage};
use super::layout::Layout;
use super::pass::Pass;
use super::run::{Group, passes};
use super::schedule::{Purpose, Rule};
use super::template::Access;

/// What one kind of dispatch reads and writes, over all samples of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassTraffic {
    /// Stage and variant.
    pub name: String,
    /// Dispatches of a step (more than one when the batch runs in portions).
    pub dispatches: usize,
    /// Bytes read. Arrays that all samples share count once a dispatch: they stay in cache.
    pub reads: u64,
    /// Bytes written.
    pub writes: u64,
}

/// Traffic of the passes of a training step.
pub(super) fn step_traffic(program: &Program, layout: &Layout, batch: usize, rule: Rule) -> Vec<PassTraffic> {
    let step = [Group::Data(Purpose::Train), Group::Error, Group::Tally, Group::Update(rule), Group::Masks];
    let mut list = Vec::new();
    for group in step {
        let once = !matches!(group, Group::Data(_) | Group::Error);
        for pass in passes(program, layout, group) {
            list.push(traffic(&pass, &layout.geometry, layout.portion, batch, once));
        }
    }
    list
}

/// Traffic of a pass that runs for a batch in portions; `over_batch` passes run once a step instead.
fn traffic(
    pass: &Pass,
    geometry: &Geometry,
    portion: Portion,
    batch: usize,
    over_batch: bool,
) -> PassTraffic {
    let kernel = Kernel::new(pass.stage, &pass.flags, geometry);
    let dispatches = if over_batch { 1 } else { batch.div_ceil(portion.samples) };
    let (mut reads, mut writes) = (0, 0);
    for binding in &kernel.bindings {
        let bytes = (per_sample(pass, &binding.name, geometry) * batch
            + shared(&binding.name, geometry, portion.groups) * arrays(pass, &binding.name) * dispatches)
            as u64;
        match binding.access {
            Access::Read => reads += bytes,
            Access::Uniform => {}
            Access::Write => {
                writes += bytes;
                if in_place(pass, &binding.name) {
                    reads += bytes;
                }
            }
        }
    }
    PassTraffic { name: kernel.name, dispatches, reads, writes }
}

fn in_place(pass: &Pass, name: &str) -> bool {
    match name {
        "record" => pass.flags.contains(&"PARK"),
        "work" => matches!(pass.stage, Stage::Column | Stage::RowMiddle | Stage::ErrorRow),
        "commands" | "first_moment" | "second_moment" => true,
        "partial" => !pass.first_touch,
        _ => false,
    }
}

/// Bytes of an array over samples.
fn per_sample(pass: &Pass, name: &str, geometry: &Geometry) -> usize {
    match name {
        "record" if pass.flags.contains(&"HALF") => geometry.pixels() * 4,
        "work" => geometry.shape[0] * geometry.padded[1] * 8,
        "record" | "given" => geometry.pixels() * 8,
        "images" => geometry.image_bytes(),
        "row_sums" => geometry.shape[0] * 8,
        "sheet" => geometry.sheet() * 4,
        _ => 0,
    }
}

/// Arrays in a buffer that samples share: masks may have a carrier, and sums of gradients a second part.
fn arrays(pass: &Pass, name: &str) -> usize {
    let has = |flags: &[&str]| flags.iter().any(|f| pass.flags.contains(f));
    match (pass.stage, name) {
        (Stage::ErrorRow, "mask") if has(&["AMPLITUDE", "COMPLEX"]) => 2,
        (Stage::ErrorRow, "partial") if has(&["COMPLEX"]) => 2,
        (Stage::Mask, "mask") if has(&["CARRIER"]) => 2,
        _ => 1,
    }
}

/// Bytes of an array that samples share.
fn shared(name: &str, geometry: &Geometry, groups: usize) -> usize {
    let pixels = geometry.pixels();
    match name {
        "transfer" => geometry.transfer() * 8,
        "mask" | "after" | "before" | "factor" | "source" => pixels * 8,
        "partial" => groups * pixels * 4,
        "map" | "targets" | "phases" | "commands" | "amplitudes" | "first_moment" | "second_moment"
        | "turns" | "blurred" | "stretch" | "gradient" => pixels * 4,
        _ => 0,
    }
}
