//! The cases of a benchmark and the programs they run.

use crate::calibrate::{Imperfections, resolve};
use crate::engine::{ImageSet, Program};
use crate::experiment::RunError;
use crate::optics::{Length, Method};
use crate::report::bench::{BenchCase, Work};
use crate::twin::{ErrorPass, InputConfig, Lengths, OpticsConfig, Pair, System, SystemConfig};

/// Free-space hops of the propagation that is timed: enough that encoding, detection and the reading of scores, which
/// an engine does once a call, weigh little.
pub(super) const CHAIN: usize = 8;
/// Distinct images at most; larger batches use them again.
const IMAGES: usize = 256;
/// Seed of images and masks.
pub(super) const SEED: u64 = 1;

/// What is measured: all combinations of the lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Pixels along a side.
    pub sizes: Vec<usize>,
    /// Padding factors; 1 is periodic.
    pub padding: Vec<usize>,
    /// Samples of a batch.
    pub batch: Vec<usize>,
    /// Phase layers of training steps.
    pub layers: Vec<usize>,
    /// What is timed.
    pub work: Vec<Work>,
    /// Seconds of timed work a case, over all rounds.
    pub seconds: f64,
}

impl Settings {
    /// All cases on `devices` devices, those of one size together.
    pub(super) fn cases(&self, devices: usize) -> Vec<BenchCase> {
        let mut cases = Vec::new();
        for &pixels in &self.sizes {
            for &padding in &self.padding {
                for &batch in &self.batch {
                    for &work in &self.work {
                        // Propagation has no layers: one case stands for all.
                        let layers = if work == Work::Hop { &[0][..] } else { &self.layers };
                        for &layers in layers {
                            let case = |device| BenchCase {
                                device,
                                work,
                                pixels,
                                padding,
                                batch,
                                layers,
                                padded: None,
                                memory_bytes: None,
                                timing: None,
                                failed: None,
                            };
                            cases.extend((0..devices).map(case));
                        }
                    }
                }
            }
        }
        cases
    }
}

/// The program of a case.
///
/// # Errors
/// Sizes that no system can have, lengths that the device lacks, too little memory.
pub(super) fn program(
    case: &BenchCase,
    images: &ImageSet,
    lengths: Lengths<'_>,
) -> Result<Program, RunError> {
    let system = System::new(config(case)?, images.size, SEED)?;
    if case.work == Work::NoisyStep {
        return Ok(system.compile_twin(ErrorPass::Forward, lengths)?);
    }
    let mut program = system.compile_ideal(lengths)?;
    if case.work == Work::Hop {
        program.hops.truncate(1);
        let lead = program.hops[0].clone();
        program.hops.resize(CHAIN, lead);
        program.masks.clear();
    }
    Ok(program)
}

/// Masks of 8 um pixels, 20 mm apart and 20 mm behind the input, which fills the middle half of the first plane.
fn config(case: &BenchCase) -> Result<SystemConfig, RunError> {
    let distance = Length(0.02);
    let camera = match case.work {
        Work::NoisyStep => {
            let bench = Imperfections { preset: Some("bench".into()), ..Imperfections::default() };
            resolve(&bench).map_err(crate::twin::ConfigError::from)?.camera
        }
        Work::Hop | Work::Step => None,
    };
    Ok(SystemConfig {
        optics: OpticsConfig {
            pixels: Pair::One(case.pixels),
            pitch: Pair::One(Length(8e-6)),
            layers: case.layers.max(1),
            distance,
            input_distance: distance,
            padding: case.padding as f64,
            propagation: Method::BandLimited,
            ..OpticsConfig::default()
        },
        input: InputConfig { size: Some(Pair::One(case.pixels / 2)), ..InputConfig::default() },
        imperfections: Imperfections { camera, ..Imperfections::default() },
        ..SystemConfig::default()
    })
}

/// The images of a batch: their set, and indices into it.
pub(super) fn images(largest: usize) -> Result<ImageSet, RunError> {
    let limits = crate::data::Limits { train: Some(largest.clamp(1, IMAGES)), test: Some(1) };
    Ok(crate::data::load("strokes", limits, SEED)?.train)
}

/// Image numbers of a batch.
pub(super) fn indices(images: &ImageSet, batch: usize) -> Vec<u32> {
    (0..images.len() as u32).cycle().take(batch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            sizes: vec![32, 48],
            padding: vec![1, 2],
            batch: vec![3],
            layers: vec![1, 2],
            work: Work::ALL.to_vec(),
            seconds: 0.1,
        }
    }

    fn compiled(case: &BenchCase) -> Program {
        program(case, &images(3).unwrap(), &|n| Ok(n)).unwrap()
    }

    #[test]
    fn all_combinations_are_there_once() {
        let cases = settings().cases(2);
        // Two sizes, two paddings, one hop and two kinds of step with two depths, two devices.
        assert_eq!(cases.len(), 2 * 2 * (1 + 2 * 2) * 2);
        let names: std::collections::HashSet<_> =
            cases.iter().map(|c| format!("{} {:?} {}", c.device, c.work, c.name())).collect();
        assert_eq!(names.len(), cases.len());
    }

    #[test]
    fn programs_are_what_the_tables_say() {
        for case in settings().cases(1) {
            let p = compiled(&case);
            assert_eq!((p.shape[0], p.padded[0]), (case.pixels, case.pixels * case.padding));
            let (hops, masks) = match case.work {
                Work::Hop => (CHAIN, 0),
                _ => (case.layers + 1, case.layers),
            };
            assert_eq!((p.hops.len(), p.masks.len()), (hops, masks), "{case:?}");
            assert_eq!(p.hops[0].mask, None);
            assert_eq!(p.camera.is_some(), case.work == Work::NoisyStep);
            assert_eq!(p.input.window, [case.pixels / 2; 2]);
        }
    }

    #[test]
    fn batches_beyond_the_images_use_them_again() {
        let set = images(10_000).unwrap();
        let indices = indices(&set, 300);
        assert_eq!((set.len(), indices.len(), indices[256]), (256, 300, 0));
    }
}
