//! The stages of a classification run, each resumable.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::analysis;
use super::drift;
use super::files::{self, Metrics};
use super::programs::Programs;
use super::retest::{Deployed, deploy, test_as_trained};
use super::saved::{load_best, load_checkpoint};
use super::starts::start_state;
use super::summary::Summary;
use crate::data::DataSet;
use crate::engine::{Engine, ImageSet, Program, SetId, State};
use crate::experiment::{Experiment, RunError};
use crate::io::RunDir;
use crate::train::{
    self, Checkpoint, CompileAt, Distances, Ending, EpochRow, Job, Keep, Method, Moving, Observer, Outcome,
    StepNews, TrainError,
};

/// Whoever looks at a run: the command line's progress display, or nobody.
pub trait Watch {
    /// A stage begins.
    fn stage(&mut self, method: Method, epochs: usize);
    /// Some steps are done.
    fn step(&mut self, news: StepNews);
    /// An epoch is done and tested.
    fn epoch(&mut self, method: Method, row: EpochRow);
    /// Anything else worth a line.
    fn note(&mut self, text: &str);
}

/// A classification run, ready to go.
pub struct Classification<'a> {
    /// Settings.
    pub experiment: &'a Experiment,
    /// Images.
    pub data: &'a DataSet,
    /// Where it runs.
    pub engine: &'a mut dyn Engine,
    /// Where it writes.
    pub run: &'a RunDir,
    /// The command that repeats it.
    pub command: String,
    /// Set from outside to stop.
    pub stop: &'a AtomicBool,
}

/// How a run ended.
pub enum Ended {
    /// All stages are done and reported.
    Done(Box<Summary>),
    /// Stopped from outside; resumable.
    Interrupted,
}

/// Runs (or resumes) a classification experiment.
///
/// # Errors
/// Settings, engine, files, divergence; what was finished before stays on disk. [`RunError::Lost`] when the device is lost.
pub fn classify(run: Classification<'_>, watch: &mut dyn Watch) -> Result<Ended, RunError> {
    let folder = run.run.path();
    stages(run, watch).map_err(|error| error.resumable(folder))
}

fn stages(run: Classification<'_>, watch: &mut dyn Watch) -> Result<Ended, RunError> {
    let Classification { experiment, data, engine, run: dir, command, stop } = run;
    experiment.check_training_data(data)?;
    let (data, validation) = &experiment.split(data)?;
    let mut programs = Programs::compile(experiment, data.train.size, engine)?;
    let mut context = Context { experiment, data, validation: validation.as_ref(), engine, dir, stop };

    // (a) the ideal network, in silico.
    let ideal = context.design(&programs, watch)?;
    if ideal.interrupted() {
        return Ok(Ended::Interrupted);
    }
    if let Some(distances) = &ideal.distances {
        programs = programs.with_distances(distances)?;
    }
    // (b) the same masks on the imperfect twin.
    let deployed = context.deploy(&programs.twin, &ideal.state)?;
    watch.note(&format!(
        "in-silico masks: {:.1} % on the ideal system, {:.1} % on the imperfect twin",
        100.0 * ideal.evaluation.accuracy,
        100.0 * deployed.evaluation.accuracy
    ));
    // What knowing everything about the bench at step 0 is worth, where somebody asks.
    let calibrated = match drift::needs_calibration(experiment, &programs.system) {
        true => Some(context.calibrated(&programs, watch)?),
        false => None,
    };
    if calibrated.as_ref().is_some_and(Outcome::interrupted) {
        return Ok(Ended::Interrupted);
    }
    // (c) training on the imperfect twin.
    let ffm = match programs.method {
        // These masks have been there since the first stage.
        Method::InSilico => Outcome {
            evaluation: deployed.evaluation.clone(),
            exposure: deployed.exposure.clone(),
            ..ideal.clone()
        },
        Method::InSilicoRobust => context.robust(&programs, watch)?,
        Method::InSilicoCalibrated => {
            let trained = context.calibrated(&programs, watch)?;
            context.deployed(&programs, trained)?
        }
        _ => context.on_the_bench(&programs, calibrated.as_ref(), watch)?,
    };
    if ffm.interrupted() {
        return Ok(Ended::Interrupted);
    }
    let drift = match (&calibrated, programs.drifts()) {
        (Some(calibrated), Some(_)) => context.drift(&programs, [&ideal, calibrated, &ffm])?,
        _ => Vec::new(),
    };
    let later = drift::later(&programs, &ffm)?;
    let later = later.as_ref().unwrap_or(&programs);
    let found = analysis::Found {
        ideal,
        deployed,
        ffm,
        validation: validation.as_ref().map_or(0, ImageSet::len),
        drift,
    };
    let (data, engine) = (context.data, context.engine);
    let analysed = analysis::analyse(context.experiment, data, engine, (&programs, later), &found)?;
    let summary = files::write_results(dir, experiment, data, &programs, &found, analysed, &command)?;
    Ok(Ended::Done(Box::new(summary)))
}

/// What a training is about.
pub(super) struct Learning<'a> {
    /// The system.
    pub(super) program: &'a Program,
    /// How it moves.
    pub(super) moving: Option<Moving<'a>>,
    /// First masks, where the settings do not say them.
    pub(super) start: Option<&'a State>,
    /// The system with other distances, and those to begin with.
    pub(super) distances: Option<(CompileAt<'a>, &'a [f64])>,
}

impl<'a> Learning<'a> {
    /// Of the masks of a system that stands still.
    pub(super) fn of(program: &'a Program) -> Self {
        Self { program, moving: None, start: None, distances: None }
    }
}

/// What all stages of a run have in common.
pub(super) struct Context<'a> {
    pub(super) experiment: &'a Experiment,
    /// Without the images that are held out.
    pub(super) data: &'a DataSet,
    validation: Option<&'a ImageSet>,
    pub(super) engine: &'a mut dyn Engine,
    pub(super) dir: &'a RunDir,
    stop: &'a AtomicBool,
}

impl Context<'_> {
    pub(super) fn load(&mut self, program: &Program) -> Result<(SetId, SetId), RunError> {
        self.engine.load(program, self.experiment.batch(self.data))?;
        self.engine.clear_sets();
        Ok((self.engine.upload(&self.data.train)?, self.engine.upload(&self.data.test)?))
    }

    /// Trains masks, and distances where these learn, on the ideal model.
    fn design(&mut self, programs: &Programs, watch: &mut dyn Watch) -> Result<Outcome, RunError> {
        if self.experiment.train.distances.is_none() {
            return self.stage(&programs.ideal, Method::InSilico, None, watch);
        }
        let (lengths, experiment) = (programs.lengths(), self.experiment);
        let compile = |distances: &[f64]| -> Result<Program, TrainError> {
            Ok(experiment.compile(&programs.system, |s| s.compile_ideal_at(distances, &lengths))?)
        };
        let program = compile(programs.system.distances())?;
        let learning =
            Learning { distances: Some((&compile, programs.system.distances())), ..Learning::of(&program) };
        self.train_stage(learning, Method::InSilico, watch)
    }

    /// Trains on a model with random misalignment, then tests on the twin.
    fn robust(&mut self, programs: &Programs, watch: &mut dyn Watch) -> Result<Outcome, RunError> {
        let config = &self.experiment.train;
        let (limits, experiment) = (config.misalignment(), self.experiment);
        let lengths = programs.lengths();
        let redraw = |draw: u64| -> Result<Program, TrainError> {
            Ok(experiment.compile(&programs.system, |s| s.compile_misaligned(&limits, draw, &lengths))?)
        };
        let first = redraw(0)?;
        let moving = Moving { every: config.redraw, compile: &redraw, bench: false };
        let trained = self.train_stage(
            Learning { moving: Some(moving), ..Learning::of(&first) },
            Method::InSilicoRobust,
            watch,
        )?;
        self.deployed(programs, trained)
    }

    /// A training on a model, with its test replaced by one on the bench as it was at first.
    fn deployed(&mut self, programs: &Programs, trained: Outcome) -> Result<Outcome, RunError> {
        if trained.interrupted() {
            return Ok(trained);
        }
        let Deployed { evaluation, exposure } = self.deploy(&programs.twin, &trained.state)?;
        Ok(Outcome { evaluation, exposure, ..trained })
    }

    /// Trains on a system that stands still, from masks or, without, from those that the settings say.
    pub(super) fn stage(
        &mut self,
        program: &Program,
        method: Method,
        start: Option<&State>,
        watch: &mut dyn Watch,
    ) -> Result<Outcome, RunError> {
        self.train_stage(Learning { start, ..Learning::of(program) }, method, watch)
    }

    /// Trains.
    pub(super) fn train_stage(
        &mut self,
        learning: Learning<'_>,
        method: Method,
        watch: &mut dyn Watch,
    ) -> Result<Outcome, RunError> {
        let Learning { program, moving, .. } = learning;
        let distances = learning.distances.map(|(compile, _)| compile);
        let (train_set, test_set) = self.load(program)?;
        let validation = match self.validation {
            Some(held) => Some((self.engine.upload(held)?, &held.labels[..])),
            None => None,
        };
        let name = method.name();
        let path = self.dir.checkpoint(name);
        let from = match path.exists() {
            true => load_checkpoint(&path, program)?,
            false => self.fresh(&learning)?,
        };
        let config = &self.experiment.train;
        let begins = config.ending(&from.rows).is_none();
        let mut metrics = Metrics::open(self.dir, method, from.rows.last().map_or(0, |r| r.step))?;
        if begins {
            watch.stage(method, config.epochs);
        }
        let job = Job {
            config,
            method,
            moving,
            distances,
            seed: self.experiment.seed,
            program,
            train: train_set,
            train_images: &self.data.train,
            test: test_set,
            test_labels: &self.data.test.labels,
            validation,
            // Looking at the tally waits for a GPU; on the CPU it is free.
            tally_every: if self.engine.device().engine == "cpu" { 1 } else { 16 },
            stop: self.stop,
        };
        let best = self.dir.checkpoint(&files::best_name(name));
        let mut observer = Recorder { watch, metrics: &mut metrics, path: &path, best: &best, method };
        let outcome = train::train(self.engine, &job, from, &mut observer)?;
        if let (true, Some(ending @ Ending::Patience { .. })) = (begins, outcome.ending) {
            watch.note(&format!("stopped after epoch {}: {ending}", outcome.rows.len()));
        }
        match config.keep {
            Keep::Best if !outcome.interrupted() => self.best(outcome, name, &learning, test_set),
            _ => Ok(outcome),
        }
    }

    /// The outcome with the masks of the best epoch, tested as they were then.
    fn best(
        &mut self,
        outcome: Outcome,
        stage: &str,
        learning: &Learning<'_>,
        test: SetId,
    ) -> Result<Outcome, RunError> {
        let best = load_best(self.dir, stage, learning.program, &outcome.rows)?;
        let distances = best.distances.as_ref().map(|d| d.metres.clone());
        if let (Some((compile, _)), Some(distances)) = (learning.distances, &distances) {
            self.engine.replace(&compile(distances)?)?;
        }
        if let Some(moving) = learning.moving.filter(|m| m.bench) {
            self.engine.replace(&(moving.compile)(best.position.step / moving.every)?)?;
        }
        let labels = &self.data.test.labels[..];
        let evaluation = test_as_trained(self.engine, &best, (test, labels), self.experiment)?;
        let (state, exposure, epoch) = (best.state, best.exposure, best.position.epoch);
        Ok(Outcome { state, exposure, evaluation, epoch, distances, ..outcome })
    }

    fn fresh(&self, learning: &Learning<'_>) -> Result<Checkpoint, RunError> {
        let state = match learning.start {
            Some(state) => State::with_amplitudes(state.phases.clone(), state.amplitudes.clone()),
            None => start_state(self.experiment, learning.program, Some(self.dir))?,
        };
        let distances = learning.distances.map(|(_, first)| Distances::fresh(first.to_vec()));
        Ok(Checkpoint { distances, ..Checkpoint::fresh(state) })
    }

    pub(super) fn deploy(&mut self, program: &Program, state: &State) -> Result<Deployed, RunError> {
        let (_, test) = self.load(program)?;
        deploy(self.engine, program, state, &self.data.train, (test, &self.data.test.labels), self.experiment)
    }
}

/// Passes news on and keeps the records.
struct Recorder<'a> {
    watch: &'a mut dyn Watch,
    metrics: &'a mut Metrics,
    path: &'a Path,
    best: &'a Path,
    method: Method,
}

impl Observer for Recorder<'_> {
    fn step(&mut self, news: StepNews) {
        self.watch.step(news);
    }

    fn epoch(&mut self, row: EpochRow) -> Result<(), TrainError> {
        self.metrics.epoch(row)?;
        self.watch.epoch(self.method, row);
        Ok(())
    }

    fn best(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        checkpoint.save(self.best)
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        checkpoint.save(self.path)
    }
}
