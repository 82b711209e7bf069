//! The passes of a training step on a GPU: what each reads and writes, and how long it takes.

use super::cases::{SEED, Settings, images, indices, program};
use super::measure::update;
use crate::engine::gpu::{GpuEngine, PassTime};
use crate::engine::{Batch, Engine, EngineError, ImageSet, Program};
use crate::experiment::RunError;
use crate::report::bench::{BenchCase, PassLine, Profile, Work};

/// Steps that are timed; a pass's time is the median.
const STEPS: usize = 7;

/// Profiles the noise-free training steps of `settings` on a GPU; `device` is its index in the report. Cases that fail
/// say why.
///
/// # Errors
/// Only what no case can do without: the images.
pub fn profile(engine: &mut GpuEngine, device: usize, settings: &Settings) -> Result<Vec<Profile>, RunError> {
    let images = images(1)?;
    let steps = Settings { work: vec![Work::Step], ..settings.clone() };
    let one = |case: BenchCase| {
        let program = program(&case, &images, &|n| engine.transform_length(n));
        let found = program.and_then(|program| Ok(passes(engine, &program, &case, &images)?));
        let (passes, copy, failed) = match found {
            Ok((passes, copy)) => (by_name(passes), copy, None),
            Err(error) => (Vec::new(), None, Some(error.to_string())),
        };
        Profile { device, case: case.name(), copy_bytes_per_second: copy, passes, failed }
    };
    Ok(steps.cases(1).into_iter().map(one).collect())
}

/// Times and bytes of the passes of a step, and the bytes a second of a copy.
fn passes(
    engine: &mut GpuEngine,
    program: &Program,
    case: &BenchCase,
    images: &ImageSet,
) -> Result<(Vec<PassLine>, Option<f64>), EngineError> {
    engine.load(program, case.batch)?;
    engine.clear_sets();
    let set = engine.upload(images)?;
    let indices = indices(images, case.batch);
    let batch = Batch::whole(set, &indices, SEED, 1);
    let line = |t: PassTime| PassLine {
        name: short(&t.name),
        dispatches: t.dispatches,
        reads: t.reads,
        writes: t.writes,
        ms: Some(1e3 * t.seconds),
    };
    let timed = engine.profile(batch, update(1), STEPS)?;
    Ok((timed.passes.into_iter().map(line).collect(), Some(engine.copy_bandwidth()?)))
}

/// Stage and variant of a kernel's name, without the sizes, which are those of the case.
fn short(kernel: &str) -> String {
    let size =
        |word: &&str| word.contains(|c: char| c.is_ascii_digit()) || ["in", "from", "to"].contains(word);
    kernel.split('_').filter(|word| !size(word)).collect::<Vec<_>>().join("_")
}

/// Passes of one name added up.
fn by_name(passes: Vec<PassLine>) -> Vec<PassLine> {
    let mut sums: Vec<PassLine> = Vec::new();
    for pass in passes {
        match sums.iter_mut().find(|sum| sum.name == pass.name) {
            Some(sum) => {
                sum.dispatches += pass.dispatches;
                sum.reads += pass.reads;
                sum.writes += pass.writes;
                sum.ms = sum.ms.zip(pass.ms).map(|(a, b)| a + b);
            }
            None => sums.push(pass),
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_stage_and_variant() {
        assert_eq!(
            short("row_middle_64x64_in_128x128_from_28x28_to_10of10_mask_record"),
            "row_middle_mask_record"
        );
    }

    #[test]
    fn passes_of_one_name_are_one_line() {
        let pass = |name: &str, ms| PassLine { name: name.into(), dispatches: 1, reads: 2, writes: 3, ms };
        let sums =
            by_name(vec![pass("a", Some(1.0)), pass("b", None), pass("a", Some(0.5)), pass("b", Some(1.0))]);
        assert_eq!(sums.len(), 2);
        assert_eq!(sums[0], PassLine { dispatches: 2, reads: 4, writes: 6, ..pass("a", Some(1.5)) });
        assert_eq!(sums[1].ms, None, "a sum with an unknown part is unknown");
    }
}
