//! The systems of a run, compiled.

use crate::engine::{Engine, EngineError, Program, Store};
use crate::experiment::{Experiment, RunError};
use crate::train::Method;
use crate::twin::{ConfigError, ErrorPass, Lengths, System};

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
    pub(super) fn with_distances(&self, distances: &[f64]) -> Result<Self, RunError> {
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
