//! A bench that drifts: training goes on on it, masks that were made once do not follow.

use super::files;
use super::programs::Programs;
use super::retest::{Deployed, deploy};
use super::stages::{Context, Learning, Watch};
use crate::engine::{Program, State};
use crate::experiment::{Experiment, RunError};
use crate::report::DriftPoint;
use crate::train::{Method, Moving, Outcome, Start, TrainError};
use crate::twin::System;

/// Whether masks are trained on the calibrated twin of bench step 0, beside the stages that every run has.
pub(super) fn needs_calibration(experiment: &Experiment, system: &System) -> bool {
    system.drift().is_some() || experiment.train.start == Start::Calibrated
}

/// The systems at the bench step at which the third stage's masks were tested, where that is another than the first.
pub(super) fn later(programs: &Programs, trained: &Outcome) -> Result<Option<Programs>, RunError> {
    let row = trained.rows.iter().find(|row| row.epoch == trained.epoch);
    match (programs.drifts(), row) {
        (Some(_), Some(row)) if programs.method.is_physical() => Ok(Some(programs.at(row.step)?)),
        _ => Ok(None),
    }
}

impl Context<'_> {
    /// Trains by the exact adjoint of the twin as it is at bench step 0, without noise.
    pub(super) fn calibrated(
        &mut self,
        programs: &Programs,
        watch: &mut dyn Watch,
    ) -> Result<Outcome, RunError> {
        let program = self.experiment.recording(programs.truth.clone())?;
        self.stage(&program, Method::InSilicoCalibrated, None, watch)
    }

    /// The third stage of the methods that train on the bench itself.
    pub(super) fn on_the_bench(
        &mut self,
        programs: &Programs,
        calibrated: Option<&Outcome>,
        watch: &mut dyn Watch,
    ) -> Result<Outcome, RunError> {
        let start = calibrated.filter(|_| self.experiment.train.start == Start::Calibrated).map(|c| &c.state);
        let Some(every) = programs.drifts() else {
            return self.stage(&programs.twin, programs.method, start, watch);
        };
        let compile = |state: u64| -> Result<Program, TrainError> { Ok(programs.twin_at(state * every)?) };
        let moving = Moving { every, compile: &compile, bench: true };
        let learning = Learning { moving: Some(moving), start, ..Learning::of(&programs.twin) };
        self.train_stage(learning, programs.method, watch)
    }

    /// Tests the masks of three trainings (ideal model, calibrated twin, third stage) on the bench as it drifts, and records it.
    pub(super) fn drift(
        &mut self,
        programs: &Programs,
        [ideal, calibrated, trained]: [&Outcome; 3],
    ) -> Result<Vec<DriftPoint>, RunError> {
        let followed =
            |step: u64| trained.rows.iter().find(|row| row.step == step).map(|row| row.test_accuracy);
        let end = trained.rows.last().map_or(0, |row| row.step);
        let more = programs.system.drift().map_or(&[][..], |drift| &drift.tested_at);
        let mut steps: Vec<u64> =
            trained.rows.iter().map(|row| row.step).chain([0]).chain(more.iter().copied()).collect();
        steps.sort_unstable();
        steps.dedup();
        let (_, test) = self.load(&programs.twin)?;
        let mut points = Vec::with_capacity(steps.len());
        for step in steps {
            let program = programs.twin_at(step)?;
            self.engine.replace(&program)?;
            let mut accuracy = |state: &State| -> Result<f64, RunError> {
                let labels = &self.data.test.labels[..];
                let Deployed { evaluation, .. } =
                    deploy(self.engine, &program, state, &self.data.train, (test, labels), self.experiment)?;
                Ok(evaluation.accuracy)
            };
            let (in_silico, calibrated) = (accuracy(&ideal.state)?, accuracy(&calibrated.state)?);
            let trained = match programs.method.is_physical() {
                true if step == 0 => (self.experiment.train.start == Start::Calibrated).then_some(calibrated),
                true if step <= end => followed(step),
                _ => Some(accuracy(&trained.state)?),
            };
            points.push(DriftPoint { step, in_silico, calibrated, trained });
        }
        files::write_drift(self.dir, &points)?;
        Ok(points)
    }
}
