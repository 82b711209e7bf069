//! The stages of a classification run, each resumable.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::analysis;
use super::drift;
use super::files::{self, Metrics};
use super::starts::start_state;
use super::summary::Summary;
use crate::data::DataSet;
use crate::engine::{Engine, EngineError, Exposure, ImageSet, Program, SetId, State, Store};
use crate::experiment::{Experiment, RunError};
use crate::io::RunDir;
use crate::train::{
    self, Checkpoint, CompileAt, Distances, Ending, EpochRow, Evaluation, Job, Keep, Method, Moving,
    Observer, Outcome, StepNews, TrainError,
};
use crate::twin::{ConfigError, ErrorPass, Lengths, System};

/// Noise key of the tests of deployed masks.
const DEPLOYED_STEP: u64 = 1 << 50;

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

/// The three compiled systems.
pub(super) struct Programs {
    pub(super) system: System,
    /// Of the third stage.
    pub(super) method: Method,
    pub(super) ideal: Program,
    /// The imperfect twin, error travelling as the method has it.
    pub(super) twin: Program,
    /// The imperfect twin, error by the exact transpose, without noise.
    pub(super) truth: Program,
    experiment: Experiment,
    /// Error of the third stage.
    pass: ErrorPass,
}

impl Programs {
    pub(super) fn compile(
        experiment: &Experiment,
        image: [usize; 2],
        engine: &dyn Engine,
    ) -> Result<Self, RunError> {
        let system = System::new(experiment.system(), image, experiment.seed)?;
        Self::build(system, experiment, &|minimum| engine.transform_length(minimum))
    }

    /// The same systems with other distances after the masks.
    fn with_distances(&self, distances: &[f64]) -> Result<Self, RunError> {
        let system = self.system.with_distances(distances)?;
        Self::build(system, &self.experiment, &self.lengths())
    }

    fn build(system: System, experiment: &Experiment, length: Lengths<'_>) -> Result<Self, RunError> {
        let ideal = experiment.compile(&system, |s| s.compile_ideal(length))?;
        let method = experiment.train.method;
        method.check(system.config())?;
        let pass = error_pass(experiment);
        let twin = experiment.compile(&system, |s| s.compile_twin(pass, length))?;
        let mut exact = experiment.clone();
        exact.engine.store = Store::F32;
        let truth = exact.compile(&system, |s| {
            Ok(Program { camera: None, ..s.compile_twin(ErrorPass::Transposed, length)? })
        })?;
        Ok(Self { system, experiment: experiment.clone(), method, ideal, twin, truth, pass })
    }

    /// The lengths that the engine gave: while it trains it is not free to answer.
    pub(super) fn lengths(&self) -> impl Fn(usize) -> Result<usize, EngineError> + use<> {
        let padded = self.ideal.padded;
        move |n| Ok(padded.into_iter().filter(|&p| p >= n).min().unwrap_or(n))
    }

    /// The imperfect twin at a bench step.
    pub(super) fn twin_at(&self, step: u64) -> Result<Program, ConfigError> {
        self.experiment.compile(&self.system, |s| s.compile_twin_at(self.pass, step, &self.lengths()))
    }

    /// The same with the twin as it is at a bench step.
    pub(super) fn at(&self, step: u64) -> Result<Self, ConfigError> {
        let mut exact = self.experiment.clone();
        exact.engine.store = Store::F32;
        let truth = exact.compile(&self.system, |s| {
            let twin = s.compile_twin_at(ErrorPass::Transposed, step, &self.lengths())?;
            Ok(Program { camera: None, ..twin })
        })?;
        Ok(Self {
            system: self.system.clone(),
            experiment: self.experiment.clone(),
            method: self.method,
            ideal: self.ideal.clone(),
            twin: self.twin_at(step)?,
            truth,
            pass: self.pass,
        })
    }

    /// Steps between two states of the bench, where it drifts.
    pub(super) fn drifts(&self) -> Option<u64> {
        self.system.drift().map(|drift| drift.every)
    }
}

/// How the error of the third stage travels. (Where the method needs none, nobody asks.)
pub fn error_pass(experiment: &Experiment) -> ErrorPass {
    match experiment.train.method {
        Method::InSituBackprop => ErrorPass::Transposed,
        Method::PhysicsAware => ErrorPass::Model,
        Method::FfmRegistered => ErrorPass::Registered(experiment.train.registration()),
        Method::InSilico
        | Method::Ffm
        | Method::InSilicoRobust
        | Method::Spsa
        | Method::InSilicoCalibrated => ErrorPass::Forward,
    }
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
    let (data, validation) = &experiment.hold_out(data)?;
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

/// Masks tested on a system, with the exposures that were used.
pub(super) struct Deployed {
    pub(super) evaluation: Evaluation,
    pub(super) exposure: Option<Exposure>,
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

/// A checkpoint whose masks are those of a program.
fn load_checkpoint(path: &Path, program: &Program) -> Result<Checkpoint, TrainError> {
    let checkpoint = Checkpoint::load(path)?;
    checkpoint.check(path, program)?;
    Ok(checkpoint)
}

/// The checkpoint of the best of these epochs.
fn load_best(
    dir: &RunDir,
    stage: &str,
    program: &Program,
    rows: &[EpochRow],
) -> Result<Checkpoint, TrainError> {
    let path = dir.checkpoint(&files::best_name(stage));
    let foreign = |problem| TrainError::Checkpoint { path: path.display().to_string(), problem };
    let Some(epoch) = train::best_epoch(rows).map(|row| row.epoch) else {
        return Err(not_so_far(dir, &path));
    };
    if !path.exists() {
        return Err(foreign("it is missing; with train.keep = \"last\" it is not needed".to_owned()));
    }
    let best = load_checkpoint(&path, program)?;
    match best.position.epoch {
        found if found == epoch => Ok(best),
        found => Err(foreign(format!(
            "it holds the masks of epoch {found}, but epoch {epoch} was the best; go on with: ffm resume {}",
            dir.path().display()
        ))),
    }
}

/// The checkpoint of a stage that must have begun, with the masks that count.
fn finished(dir: &RunDir, stage: &str, program: &Program, keep: Keep) -> Result<Checkpoint, TrainError> {
    let path = dir.checkpoint(stage);
    if !path.exists() {
        return Err(not_so_far(dir, &path));
    }
    let last = load_checkpoint(&path, program)?;
    match keep {
        Keep::Last => Ok(last),
        Keep::Best => load_best(dir, stage, program, &last.rows),
    }
}

fn not_so_far(dir: &RunDir, path: &Path) -> TrainError {
    let resume = format!("the run has not come that far; go on with: ffm resume {}", dir.path().display());
    TrainError::Checkpoint { path: path.display().to_string(), problem: resume }
}

/// Tests masks on a loaded system, exposures set for them first.
pub(super) fn deploy(
    engine: &mut dyn Engine,
    program: &Program,
    state: &State,
    images: &ImageSet,
    (test, labels): (SetId, &[u8]),
    experiment: &Experiment,
) -> Result<Deployed, RunError> {
    engine.set_state(state)?;
    let exposure = match program.camera {
        Some(_) => {
            let few: Vec<u32> = (0..images.len().min(16) as u32).collect();
            let exposure = train::measure_exposure(program, images, &few, state)?;
            engine.set_exposure(&exposure)?;
            Some(exposure)
        }
        None => None,
    };
    let key = (experiment.seed, DEPLOYED_STEP);
    let evaluation = train::evaluate(engine, test, labels, experiment.train.batch, key)?;
    Ok(Deployed { evaluation, exposure })
}

/// Accuracies of a finished run's masks.
#[derive(Clone, Copy, Debug)]
pub struct Retested {
    /// In-silico masks on the ideal system.
    pub ideal: f64,
    /// In-silico masks on the twin.
    pub in_silico_deployed: f64,
    /// The masks of the third stage on the twin.
    pub trained: f64,
    /// Its method.
    pub method: Method,
    /// Test images.
    pub samples: usize,
}

/// Tests the masks of a run folder on a data set.
///
/// # Errors
/// Missing or foreign checkpoints, engine failures.
pub fn retest(
    experiment: &Experiment,
    data: &DataSet,
    engine: &mut dyn Engine,
    dir: &RunDir,
) -> Result<Retested, RunError> {
    let programs = Programs::compile(experiment, data.test.size, engine)?;
    experiment.check_test_data(data)?;
    // The images that exposures were measured with are those that were trained on.
    let held_out = if data.train.is_empty() { None } else { Some(experiment.hold_out(data)?.0) };
    let data = held_out.as_ref().unwrap_or(data);
    let keep = experiment.train.keep;
    let ideal = finished(dir, Method::InSilico.name(), &programs.ideal, keep)?;
    let programs = match &ideal.distances {
        Some(learned) => programs.with_distances(&learned.metres)?,
        None => programs,
    };
    let ffm = finished(dir, programs.method.name(), &programs.twin, keep)?;
    let images = if data.train.is_empty() { &data.test } else { &data.train };
    let labels = &data.test.labels[..];
    let load = |engine: &mut dyn Engine, program: &Program| -> Result<SetId, RunError> {
        engine.load(program, experiment.batch(data))?;
        engine.clear_sets();
        Ok(engine.upload(&data.test)?)
    };
    let test = load(engine, &programs.ideal)?;
    let on_ideal = test_as_trained(engine, &ideal, (test, labels), experiment)?;
    let test = load(engine, &programs.twin)?;
    let deployed = deploy(engine, &programs.twin, &ideal.state, images, (test, labels), experiment)?;
    let on_twin = match programs.method {
        Method::InSilico | Method::InSilicoRobust | Method::InSilicoCalibrated => {
            deploy(engine, &programs.twin, &ffm.state, images, (test, labels), experiment)?.evaluation
        }
        _ => {
            if programs.drifts().is_some() {
                engine.replace(&programs.twin_at(ffm.position.step)?)?;
            }
            test_as_trained(engine, &ffm, (test, labels), experiment)?
        }
    };
    Ok(Retested {
        ideal: on_ideal.accuracy,
        in_silico_deployed: deployed.evaluation.accuracy,
        trained: on_twin.accuracy,
        method: programs.method,
        samples: data.test.len(),
    })
}

/// Tests masks on the system they were trained on as at the end of their training: same exposures, same noise.
fn test_as_trained(
    engine: &mut dyn Engine,
    checkpoint: &Checkpoint,
    (test, labels): (SetId, &[u8]),
    experiment: &Experiment,
) -> Result<Evaluation, RunError> {
    engine.set_state(&checkpoint.state)?;
    if let Some(exposure) = &checkpoint.exposure {
        engine.set_exposure(exposure)?;
    }
    let key = train::evaluation_key(experiment.seed, checkpoint.position.step);
    Ok(train::evaluate(engine, test, labels, experiment.train.batch, key)?)
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
