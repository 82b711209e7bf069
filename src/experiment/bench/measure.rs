//! The measurement: cases take turns in rounds, so that a machine that slows down for a while slows all of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::cases::{CHAIN, SEED, Settings, images, indices, program};
use crate::engine::{Batch, Engine, EngineError, Exposure, ImageSet, SetId, State, Update};
use crate::experiment::RunError;
use crate::report::bench::{BenchCase, Timing, Work};
use crate::train::{self, Start};

/// Rounds in which the cases take turns.
pub const ROUNDS: usize = 3;
/// Repeats of a case in a round at least: six in all.
const REPEATS: usize = 2;
/// Calls before a case is timed in a round.
const WARM_UP: usize = 2;
/// Seconds a repeat lasts at least: as many calls as that takes, so that waiting for a GPU weighs as little as it does
/// in training.
const REPEAT_SECONDS: f64 = 0.02;
/// Calls of a repeat at most: so many wait in a GPU's queue.
const CALLS: usize = 256;

/// Whoever looks at a benchmark.
pub trait Watch {
    /// Case number `done` of `all` (rounds counted) begins, in a round from 1.
    fn case(&mut self, done: usize, all: usize, round: usize, case: &BenchCase);
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Measured {
    /// All cases with times or reasons.
    pub cases: Vec<BenchCase>,
    /// Free-space hops of a propagation.
    pub chain: usize,
    /// Whether `stop` was set before the end.
    pub interrupted: bool,
}

/// Times of a case so far.
#[derive(Default)]
struct Course {
    seconds: Vec<f64>,
    /// Exposures of a noisy camera, measured once.
    exposure: Option<Exposure>,
}

/// Measures all cases on all devices; those that fail say why and take part no more. `stop` ends it after a repeat.
///
/// # Errors
/// Only what no case can do without: the images.
pub fn bench(
    engines: &mut [Box<dyn Engine>],
    settings: &Settings,
    watch: &mut dyn Watch,
    stop: &AtomicBool,
) -> Result<Measured, RunError> {
    let images = images(settings.batch.iter().copied().max().unwrap_or(1))?;
    let mut cases = settings.cases(engines.len());
    let mut courses: Vec<Course> = cases.iter().map(|_| Course::default()).collect();
    let all = ROUNDS * cases.len();
    for round in 0..ROUNDS {
        let first = round * cases.len();
        for (k, (case, course)) in cases.iter_mut().zip(&mut courses).enumerate() {
            if stop.load(Ordering::Relaxed) || case.failed.is_some() {
                continue;
            }
            watch.case(first + k, all, round + 1, case);
            let engine = &mut *engines[case.device];
            let visit = Visit { images: &images, seconds: settings.seconds / ROUNDS as f64, stop };
            if let Err(error) = visit.run(engine, case, course) {
                case.failed = Some(error.to_string());
            }
        }
    }
    for (case, course) in cases.iter_mut().zip(&mut courses) {
        if case.failed.is_none() {
            case.timing = timing(case, &mut course.seconds);
        }
        if case.failed.is_none() && case.timing.is_none() {
            case.failed = Some("stopped before its turn".into());
        }
    }
    Ok(Measured { cases, chain: CHAIN, interrupted: stop.load(Ordering::Relaxed) })
}

/// One case in one round.
struct Visit<'a> {
    images: &'a ImageSet,
    seconds: f64,
    stop: &'a AtomicBool,
}

impl Visit<'_> {
    fn run(
        &self,
        engine: &mut dyn Engine,
        case: &mut BenchCase,
        course: &mut Course,
    ) -> Result<(), RunError> {
        let program = program(case, self.images, &|n| engine.transform_length(n))?;
        case.padded = Some(program.padded[1]);
        case.memory_bytes = Some(engine.memory_needed(&program, case.batch));
        engine.load(&program, case.batch)?;
        engine.clear_sets();
        let set = engine.upload(self.images)?;
        let phases = train::initial_phases(Start::Random, program.shape, program.masks.len(), SEED);
        let state = State::fresh(phases);
        engine.set_state(&state)?;
        if program.camera.is_some() {
            if course.exposure.is_none() {
                course.exposure = Some(train::measure_exposure(&program, self.images, &[0], &state)?);
            }
            if let Some(exposure) = &course.exposure {
                engine.set_exposure(exposure)?;
            }
        }
        let indices = indices(self.images, case.batch);
        let mut calls = Calls { engine, work: case.work, set, indices: &indices, t: 0 };
        self.time(&mut calls, &mut course.seconds)?;
        Ok(())
    }

    fn time(&self, calls: &mut Calls<'_>, seconds: &mut Vec<f64>) -> Result<(), EngineError> {
        let mut warm = 0.0;
        for _ in 0..WARM_UP {
            warm = calls.repeat(1)?;
        }
        let each = ((REPEAT_SECONDS / warm.max(f64::MIN_POSITIVE)).ceil() as usize).clamp(1, CALLS);
        let (begin, mut repeats) = (Instant::now(), 0);
        while repeats < REPEATS || begin.elapsed().as_secs_f64() < self.seconds {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            seconds.push(calls.repeat(each)?);
            repeats += 1;
        }
        Ok(())
    }
}

/// The work of a case on a loaded engine.
struct Calls<'a> {
    engine: &'a mut dyn Engine,
    work: Work,
    set: SetId,
    indices: &'a [u32],
    t: u64,
}

impl Calls<'_> {
    /// Seconds a call, over `calls` calls and the wait for the device.
    fn repeat(&mut self, calls: usize) -> Result<f64, EngineError> {
        let start = Instant::now();
        for _ in 0..calls {
            self.t += 1;
            let batch = Batch::whole(self.set, self.indices, SEED, self.t);
            match self.work {
                Work::Hop => drop(self.engine.infer(batch)?),
                Work::Step | Work::NoisyStep => self.engine.train(batch, update(self.t))?,
            }
        }
        if self.work != Work::Hop {
            self.engine.take_tally()?;
        }
        Ok(start.elapsed().as_secs_f64() / calls as f64)
    }
}

/// The update of every step.
pub(super) fn update(t: u64) -> Update {
    Update::Adam { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t }
}

/// Median, extremes and rates; propagation counts a hop.
fn timing(case: &BenchCase, seconds: &mut [f64]) -> Option<Timing> {
    seconds.sort_by(f64::total_cmp);
    let (&low, &high) = (seconds.first()?, seconds.last()?);
    let middle = seconds.len() / 2;
    let median =
        if seconds.len() % 2 == 1 { seconds[middle] } else { 0.5 * (seconds[middle - 1] + seconds[middle]) };
    let (parts, factor) = match case.work {
        Work::Hop => (CHAIN as f64, 1.0),
        Work::Step | Work::NoisyStep => (1.0, case.layers as f64),
    };
    let per_second = case.batch as f64 * parts / median;
    let pixels = (case.pixels * case.pixels) as f64;
    Some(Timing {
        median_ms: 1e3 * median / parts,
        min_ms: 1e3 * low / parts,
        max_ms: 1e3 * high / parts,
        repeats: seconds.len(),
        per_second,
        megapixels_per_second: per_second * pixels * factor / 1e6,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cpu::CpuEngine;

    struct Nobody;

    impl Watch for Nobody {
        fn case(&mut self, _: usize, _: usize, _: usize, _: &BenchCase) {}
    }

    fn settings(sizes: &[usize]) -> Settings {
        Settings {
            sizes: sizes.to_vec(),
            padding: vec![1],
            batch: vec![2],
            layers: vec![2],
            work: Work::ALL.to_vec(),
            seconds: 0.0,
        }
    }

    fn measure(settings: &Settings, stop: bool) -> Measured {
        let mut engines: Vec<Box<dyn Engine>> = vec![Box::new(CpuEngine::<f32>::new(1).unwrap())];
        bench(&mut engines, settings, &mut Nobody, &AtomicBool::new(stop)).unwrap()
    }

    #[test]
    fn medians_and_rates_follow_from_the_times() {
        let case = settings(&[100]).cases(1).pop().unwrap();
        let t = timing(&case, &mut [0.4, 0.1, 0.3, 0.2]).unwrap();
        assert_eq!((t.median_ms, t.min_ms, t.max_ms, t.repeats), (250.0, 100.0, 400.0, 4));
        assert_eq!((t.per_second, t.megapixels_per_second), (8.0, 8.0 * 1e4 * 2.0 / 1e6));
        let hop = settings(&[100]).cases(1).swap_remove(0);
        let t = timing(&hop, &mut [0.8]).unwrap();
        assert_eq!((t.median_ms, t.per_second), (100.0, 20.0));
        assert_eq!(timing(&case, &mut []), None);
    }

    #[test]
    fn every_case_is_measured_or_says_why_not() {
        let measured = measure(&settings(&[20, 32]), false);
        for case in &measured.cases {
            if case.pixels == 20 {
                assert!(case.failed.as_ref().unwrap().contains("28 x 28"), "{case:?}");
                assert!(case.timing.is_none());
            } else {
                let t = case.timing.as_ref().unwrap();
                assert!(t.repeats >= ROUNDS * REPEATS && t.min_ms > 0.0, "{case:?}");
                assert!(t.min_ms <= t.median_ms && t.median_ms <= t.max_ms);
                assert!(case.memory_bytes.unwrap() > 0 && case.padded == Some(32));
            }
        }
        assert!(!measured.interrupted);
    }

    #[test]
    fn a_stop_leaves_reasons() {
        let measured = measure(&settings(&[32]), true);
        assert!(measured.interrupted && measured.cases.iter().all(|c| c.failed.is_some()));
    }
}
