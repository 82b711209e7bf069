//! Masks for modulators with few phase levels: rounded after training, against trained with the rounding in the loop.
//!
//! Rounding has no useful derivative; training with it takes the gradient at the rounded phases and applies it to the
//! continuous ones, the straight-through estimator (Bengio, Leonard & Courville 2013, arXiv:1308.3432). Both ways begin with one
//! training with continuous phases; a second of the same length goes on from its masks, with or without the rounding.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::classify::{best_name, load_best, load_checkpoint, start_state};
use super::{Experiment, RunError};
use crate::data::DataSet;
use crate::engine::{Engine, Program, State};
use crate::io::RunDir;
use crate::train::{
    Checkpoint, EpochRow, Job, Keep, Method, Observer, StepNews, TrainError, evaluate, evaluation_key, train,
};
use crate::twin::System;

/// Test accuracies (0 to 1) on the ideal system, one seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BitsRow {
    /// Seed of training, and of images that are drawn.
    pub seed: u64,
    /// Continuous phases, after both trainings.
    pub continuous: f64,
    /// One entry for each number of bits that was asked for.
    pub bits: Vec<BitsPair>,
}

/// The two ways to few levels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BitsPair {
    /// Bits of the phase levels.
    pub bits: u32,
    /// Accuracy of the continuous masks, rounded.
    pub rounded: f64,
    /// Accuracy of masks whose second training was with rounding.
    pub trained: f64,
}

/// Trains the ideal system with continuous phases, then again from the masks found: with continuous phases, and with rounding to each
/// number of bits, all with the same settings. `None` when stopped; then the same study in the same folder goes on.
///
/// # Errors
/// Impossible settings, engine failures, divergence, a folder that cannot be written to.
pub fn compare_bits(
    experiment: &Experiment,
    data: &DataSet,
    engine: &mut dyn Engine,
    (bits, dir): (&[u32], &RunDir),
    stop: &AtomicBool,
    note: &mut dyn FnMut(&str),
) -> Result<Option<BitsRow>, RunError> {
    experiment.check_training_data(data)?;
    let (data, held) = experiment.split(data)?;
    let mut bench = Bench { experiment, data: &data, held: held.as_ref(), engine, dir, stop };
    let seed = experiment.seed;
    let Some((first, _)) = bench.train("continuous-1", None, None)? else { return Ok(None) };
    let Some((state, continuous)) = bench.train("continuous-2", None, Some(&first))? else { return Ok(None) };
    note(&format!("seed {seed}: continuous {:.2} %", 100.0 * continuous));
    let mut row = BitsRow { seed, continuous, bits: Vec::new() };
    for &bits in bits {
        let rounded = bench.test(bits, &state)?;
        let Some((_, trained)) = bench.train(&format!("bits-{bits}"), Some(bits), Some(&first))? else {
            return Ok(None);
        };
        note(&format!(
            "seed {seed}: {bits} bits: rounded {:.2} %, trained with rounding {:.2} %",
            100.0 * rounded,
            100.0 * trained
        ));
        row.bits.push(BitsPair { bits, rounded, trained });
    }
    Ok(Some(row))
}

struct Bench<'a> {
    experiment: &'a Experiment,
    data: &'a DataSet,
    held: Option<&'a crate::engine::ImageSet>,
    engine: &'a mut dyn Engine,
    dir: &'a RunDir,
    stop: &'a AtomicBool,
}

impl Bench<'_> {
    fn load(&mut self, bits: Option<u32>) -> Result<Program, RunError> {
        let mut config = self.experiment.system();
        config.optics.bits = bits;
        let system = System::new(config, self.data.train.size, self.experiment.seed)?;
        let length = |n: usize| self.engine.transform_length(n);
        let program = self.experiment.compile(&system, |s| s.compile_ideal(&length))?;
        self.engine.load(&program, self.experiment.batch(self.data))?;
        self.engine.clear_sets();
        Ok(program)
    }

    /// Masks and their accuracy, from given masks or those of the settings, or as far as they were trained before; `None` when
    /// stopped.
    fn train(
        &mut self,
        name: &str,
        bits: Option<u32>,
        from: Option<&State>,
    ) -> Result<Option<(State, f64)>, RunError> {
        let program = self.load(bits)?;
        let (config, seed) = (&self.experiment.train, self.experiment.seed);
        let (train_set, test_set) =
            (self.engine.upload(&self.data.train)?, self.engine.upload(&self.data.test)?);
        let validation = match self.held {
            Some(held) => Some((self.engine.upload(held)?, &held.labels[..])),
            None => None,
        };
        let job = Job {
            config,
            method: Method::InSilico,
            moving: None,
            distances: None,
            seed,
            program: &program,
            train: train_set,
            train_images: &self.data.train,
            test: test_set,
            test_labels: &self.data.test.labels,
            validation,
            tally_every: 16,
            stop: self.stop,
        };
        let mut files =
            Files { last: self.dir.checkpoint(name), best: self.dir.checkpoint(&best_name(name)) };
        let begin = match (files.last.exists(), from) {
            (true, _) => load_checkpoint(&files.last, &program)?,
            (false, Some(state)) => {
                let state = State::with_amplitudes(state.phases.clone(), state.amplitudes.clone());
                Checkpoint::fresh(state)
            }
            (false, None) => Checkpoint::fresh(start_state(self.experiment, &program, None)?),
        };
        let outcome = train(self.engine, &job, begin, &mut files)?;
        if outcome.interrupted() {
            return Ok(None);
        }
        if config.keep == Keep::Last {
            return Ok(Some((outcome.state, outcome.evaluation.accuracy)));
        }
        let best = load_best(self.dir, name, &program, &outcome.rows)?;
        self.engine.set_state(&best.state)?;
        let labels = &self.data.test.labels;
        let key = evaluation_key(seed, best.position.step);
        let found = evaluate(self.engine, test_set, labels, config.batch, key)?;
        Ok(Some((best.state, found.accuracy)))
    }

    /// Accuracy of masks that are rounded now.
    fn test(&mut self, bits: u32, state: &State) -> Result<f64, RunError> {
        self.load(Some(bits))?;
        let set = self.engine.upload(&self.data.test)?;
        self.engine.set_state(state)?;
        let key = evaluation_key(self.experiment.seed, 0);
        Ok(evaluate(self.engine, set, &self.data.test.labels, self.experiment.train.batch, key)?.accuracy)
    }
}

/// Keeps the last state and that of the best epoch on disk.
struct Files {
    last: PathBuf,
    best: PathBuf,
}

impl Observer for Files {
    fn step(&mut self, _: StepNews) {}

    fn epoch(&mut self, _: EpochRow) -> Result<(), TrainError> {
        Ok(())
    }

    fn best(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        checkpoint.save(&self.best)
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        checkpoint.save(&self.last)
    }
}
