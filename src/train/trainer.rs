//! The training loop: epochs of shuffled mini-batches, exposures, checkpoints, news for whoever watches.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::checkpoint::{Checkpoint, Effort, Position};
use super::divergence::{Trend, likely_cause};
use super::job::{EpochRow, Job, Observer, Outcome, StepNews};
use super::measure_exposure;
use super::{
    Distances, Ending, Evaluation, Method, TrainError, best_epoch, estimate, evaluate, interleaved_order,
    slopes,
};
use crate::engine::{Batch, Engine, EngineError, Exposure, Program, Quantity, State, Tally, Update};

/// Samples that exposures are measured with.
const EXPOSURE_SAMPLES: usize = 16;
/// Noise of evaluations is keyed by steps from here on, so that it never repeats that of training.
const EVALUATION_STEPS: u64 = 1 << 48;
/// The same for validation.
const VALIDATION_STEPS: u64 = 1 << 53;

/// Trains from a checkpoint (a fresh one to begin with) to the end, or until stopped.
///
/// When the device is lost, what is on it is gone; the run goes on from the last checkpoint. A state that was read for a test
/// becomes one.
///
/// # Errors
/// Settings, engine, files, or divergence; [`TrainError::Lost`] when the device is lost.
pub fn train(
    engine: &mut dyn Engine,
    job: &Job<'_>,
    from: Checkpoint,
    watch: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    job.config.validate()?;
    job.config.check_samples(job.train_images.len())?;
    let mut run = Loop::begin(engine, job, from)?;
    let ended = run.epochs(watch).and_then(|ending| run.finish(ending));
    ended.map_err(|error| run.lost(error, watch))
}

struct Loop<'a> {
    engine: &'a mut dyn Engine,
    job: &'a Job<'a>,
    at: Position,
    exposure: Option<Exposure>,
    tally: Tally,
    trend: Trend,
    rows: Vec<EpochRow>,
    evaluation: Option<Evaluation>,
    begun: Instant,
    saved: Instant,
    /// Steps done at the last checkpoint.
    kept: u64,
    /// The state of a moving system that the engine has, and its program.
    moved: Option<(u64, Program)>,
    /// A state that was read from the device but not saved.
    held: Option<Checkpoint>,
    /// Distances, where they learn.
    distances: Option<Distances>,
    /// What was taken before this run began; samples and training time since are added as they come.
    effort: Effort,
}

impl<'a> Loop<'a> {
    fn begin(engine: &'a mut dyn Engine, job: &'a Job<'a>, from: Checkpoint) -> Result<Self, TrainError> {
        engine.set_state(&from.state)?;
        let kept = from.position.step;
        if let (Some(compile), Some(distances)) = (job.distances, &from.distances) {
            engine.replace(&compile(&distances.metres)?)?;
        }
        if let Some(exposure) = &from.exposure {
            engine.set_exposure(exposure)?;
        }
        let now = Instant::now();
        Ok(Self {
            engine,
            job,
            at: from.position,
            exposure: from.exposure,
            tally: from.tally,
            trend: from.trend,
            rows: from.rows,
            evaluation: None,
            begun: now,
            saved: now,
            kept,
            moved: None,
            held: None,
            distances: from.distances,
            effort: from.effort,
        })
    }

    fn batches(&self) -> u64 {
        self.job.train_images.len().div_ceil(self.job.config.batch) as u64
    }

    /// Steps of the whole run.
    fn steps(&self) -> u64 {
        self.batches() * self.job.config.epochs as u64
    }

    /// Why the run is over.
    fn ending(&self) -> Option<Ending> {
        self.job.config.ending(&self.rows)
    }

    /// All epochs that are left; `None` when stopped.
    fn epochs(&mut self, watch: &mut dyn Observer) -> Result<Option<Ending>, TrainError> {
        loop {
            let ending = self.ending();
            if ending.is_some() || !self.epoch(watch)? {
                return Ok(ending);
            }
        }
    }

    /// The error that ends the run. After the loss of a device what is left of its state is saved.
    fn lost(&mut self, error: TrainError, watch: &mut dyn Observer) -> TrainError {
        let TrainError::Engine(EngineError::Lost { device, reason }) = error else { return error };
        if let Some(checkpoint) = self.held.take() {
            match watch.checkpoint(&checkpoint) {
                Ok(()) => self.kept = checkpoint.position.step,
                Err(unsaved) => return unsaved,
            }
        }
        TrainError::Lost { device, reason, step: self.at.step, steps: self.steps(), kept: self.kept }
    }

    /// The rest of the current epoch; false when stopped.
    fn epoch(&mut self, watch: &mut dyn Observer) -> Result<bool, TrainError> {
        let job = self.job;
        let wavelengths = job.program.channels.len().max(1);
        let order = interleaved_order(job.seed, self.at.epoch, job.train_images.len(), wavelengths);
        let (batches, mut since) = (self.batches(), 0);
        let mut clock = Instant::now();
        while self.at.batch < batches {
            if self.at.batch.is_multiple_of(job.config.expose_every) {
                self.expose(&order)?;
            }
            let start = self.at.batch as usize * job.config.batch;
            let indices = &order[start..(start + job.config.batch).min(order.len())];
            let step = self.at.step;
            let update = job.config.update(step, self.steps());
            let batch = Batch::whole(job.train, indices, job.seed, step);
            self.step(batch, update)?;
            self.adjust(batch)?;
            self.at.batch += 1;
            self.at.step += 1;
            self.effort.samples += indices.len() as u64;
            since += 1;
            if since == job.tally_every || self.at.batch == batches {
                since = 0;
                self.look(batches)?;
                self.effort.training += clock.elapsed().as_secs_f64();
                watch.step(self.news());
                let stop = job.stop.load(Ordering::Relaxed);
                let due = self.saved.elapsed().as_secs_f64() > 60.0 * job.config.checkpoint_minutes;
                if self.at.batch < batches && (stop || due) {
                    self.save(watch)?;
                }
                if stop && self.at.batch < batches {
                    return Ok(false);
                }
                clock = Instant::now();
            }
        }
        self.close_epoch(watch)?;
        Ok(!job.stop.load(Ordering::Relaxed) || self.ending().is_some())
    }

    /// One update.
    fn step(&mut self, batch: Batch<'_>, update: Update) -> Result<(), TrainError> {
        self.move_to(batch.step)?;
        if self.job.method != Method::Spsa {
            return Ok(self.engine.train(batch, update)?);
        }
        let state = self.engine.state()?;
        let labels = &self.job.train_images.labels;
        let c = self.job.config.perturbation;
        let found = estimate(self.engine, &self.job.program.parameters(), &state, batch, labels, c)?;
        self.engine.apply(&found.gradients, update)?;
        self.add(found.tally);
        Ok(())
    }

    /// One update of the distances, when it is due.
    fn adjust(&mut self, batch: Batch<'_>) -> Result<(), TrainError> {
        let (config, share) =
            (self.job.config, self.job.config.rate_at(batch.step, self.steps()) / self.job.config.rate);
        let (Some(compile), Some(learn)) = (self.job.distances, &config.distances) else { return Ok(()) };
        let Some(distances) = &mut self.distances else { return Ok(()) };
        if !(batch.step + 1).is_multiple_of(learn.every) {
            return Ok(());
        }
        let slopes = slopes(self.engine, batch, &distances.metres, learn.probe.0, compile)?;
        distances.update(&slopes, learn, [config.beta1, config.beta2], share);
        Ok(self.engine.replace(&compile(&distances.metres)?)?)
    }

    /// Gives the engine the state of a moving system at a step.
    fn move_to(&mut self, step: u64) -> Result<(), TrainError> {
        let Some(moving) = self.job.moving else { return Ok(()) };
        let state = step / moving.every;
        if self.moved.as_ref().is_none_or(|(known, _)| *known != state) {
            let program = (moving.compile)(state)?;
            self.engine.replace(&program)?;
            self.moved = Some((state, program));
        }
        Ok(())
    }

    /// The same for a bench, which moves on without being trained.
    fn wait_until(&mut self, step: u64) -> Result<(), TrainError> {
        match self.job.moving {
            Some(moving) if moving.bench => self.move_to(step),
            _ => Ok(()),
        }
    }

    /// Exposure times for the masks as they are now, as a lab sets them before it records.
    fn expose(&mut self, order: &[u32]) -> Result<(), TrainError> {
        if self.job.program.camera.is_none() {
            return Ok(());
        }
        self.wait_until(self.at.step)?;
        let samples = &order[..order.len().min(EXPOSURE_SAMPLES)];
        let program = self.moved.as_ref().map_or(self.job.program, |(_, program)| program);
        let exposure = measure_exposure(program, self.job.train_images, samples, &self.engine.state()?)?;
        self.engine.set_exposure(&exposure)?;
        self.exposure = Some(exposure);
        Ok(())
    }

    fn add(&mut self, new: Tally) {
        self.tally.loss += new.loss;
        self.tally.correct += new.correct;
        self.tally.samples += new.samples;
        self.trend.add(new.loss, new.samples, self.job.config.batch);
    }

    fn look(&mut self, batches: u64) -> Result<(), TrainError> {
        let new = self.engine.take_tally()?;
        self.add(new);
        if self.tally.loss.is_finite() {
            return self.falling(batches);
        }
        self.finite_state()?;
        let epoch = (self.at.step / batches.max(1)) as usize + 1;
        let cause =
            "all commands are finite, so a field is not: check source, distances and imperfections".into();
        Err(TrainError::Diverged { loss: self.tally.loss, step: self.at.step, epoch, cause })
    }

    /// Refuses to go on when the loss has risen for long.
    fn falling(&self, batches: u64) -> Result<(), TrainError> {
        let config = self.job.config;
        let limit = config.divergence;
        let risen = self.trend.ratio(config.batch).filter(|&ratio| limit > 0.0 && ratio > limit);
        let Some(ratio) = risen else { return Ok(()) };
        let epoch = (self.at.step.saturating_sub(1) / batches.max(1)) as usize + 1;
        let cause = format!(
            "it is {ratio:.1} times that of the first steps; {}. The masks of the best epoch are kept, if there was one. (train.divergence = 0 goes \
             on all the same)",
            likely_cause(self.job.method, config.rate)
        );
        Err(TrainError::Diverged { loss: self.trend.recent(), step: self.at.step, epoch, cause })
    }

    /// The state, refused when a command is no number any more: detectors take NaN for darkness, so that neither the loss
    /// nor an accuracy need show it.
    fn finite_state(&mut self) -> Result<State, TrainError> {
        let state = self.engine.state()?;
        let parameters = self.job.program.parameters();
        let wrong = state.commands().zip(&parameters).find_map(|(a, p)| {
            let ((row, col), &v) = a.indexed_iter().find(|(_, v)| !v.is_finite())?;
            let what = match p.quantity {
                Quantity::Phase => "phase",
                Quantity::Amplitude => "amplitude",
            };
            Some(EngineError::NotFinite { what, layer: p.mask + 1, row, col, value: v.into() })
        });
        let Some(found) = wrong else { return Ok(state) };
        let cause = format!("{found}; {}", likely_cause(self.job.method, self.job.config.rate));
        let loss = self.tally.loss / self.tally.samples.max(1) as f64;
        let batches = self.batches().max(1);
        let epoch = (self.at.step.saturating_sub(1) / batches) as usize + 1;
        Err(TrainError::Diverged { loss, step: self.at.step, epoch, cause })
    }

    fn news(&self) -> StepNews {
        StepNews {
            epoch: self.at.epoch + 1,
            step: self.at.step,
            steps: self.steps(),
            tally: self.tally,
            samples_per_second: self.speed(),
        }
    }

    fn speed(&self) -> f64 {
        let Effort { training, samples, .. } = self.effort;
        if training > 0.0 { samples as f64 / training } else { 0.0 }
    }

    /// What was taken up to now.
    fn effort(&self) -> Effort {
        Effort { seconds: self.effort.seconds + self.begun.elapsed().as_secs_f64(), ..self.effort }
    }

    fn test(&mut self) -> Result<Evaluation, TrainError> {
        self.wait_until(self.at.step)?;
        let key = evaluation_key(self.job.seed, self.at.step);
        Ok(evaluate(self.engine, self.job.test, self.job.test_labels, self.job.config.batch, key)?)
    }

    fn validate(&mut self) -> Result<Option<Evaluation>, TrainError> {
        let Some((set, labels)) = self.job.validation else { return Ok(None) };
        let key = (self.job.seed, VALIDATION_STEPS + self.at.step);
        Ok(Some(evaluate(self.engine, set, labels, self.job.config.batch, key)?))
    }

    fn close_epoch(&mut self, watch: &mut dyn Observer) -> Result<(), TrainError> {
        self.held = Some(self.checkpoint()?);
        let test = self.test()?;
        let validation = self.validate()?;
        let n = self.tally.samples.max(1) as f64;
        self.at = Position { epoch: self.at.epoch + 1, batch: 0, step: self.at.step };
        let row = EpochRow {
            epoch: self.at.epoch,
            step: self.at.step,
            rate: self.job.config.rate_at(self.at.step.saturating_sub(1), self.steps()),
            train_loss: self.tally.loss / n,
            train_accuracy: self.tally.correct as f64 / n,
            test_loss: test.loss,
            test_accuracy: test.accuracy,
            test_light: test.light,
            validation_loss: validation.as_ref().map(|v| v.loss),
            validation_accuracy: validation.as_ref().map(|v| v.accuracy),
        };
        self.evaluation = Some(test);
        self.tally = Tally::default();
        self.rows.push(row);
        watch.epoch(row)?;
        let checkpoint = self.checkpoint()?;
        if best_epoch(&self.rows).is_some_and(|best| best.epoch == row.epoch) {
            watch.best(&checkpoint)?;
        }
        self.keep(&checkpoint, watch)
    }

    fn save(&mut self, watch: &mut dyn Observer) -> Result<(), TrainError> {
        let checkpoint = self.checkpoint()?;
        self.keep(&checkpoint, watch)
    }

    fn keep(&mut self, checkpoint: &Checkpoint, watch: &mut dyn Observer) -> Result<(), TrainError> {
        self.saved = Instant::now();
        watch.checkpoint(checkpoint)?;
        (self.kept, self.held) = (self.at.step, None);
        Ok(())
    }

    /// Where the run is now.
    fn checkpoint(&mut self) -> Result<Checkpoint, TrainError> {
        Ok(Checkpoint {
            position: self.at,
            state: self.finite_state()?,
            exposure: self.exposure.clone(),
            tally: self.tally,
            rows: self.rows.clone(),
            effort: self.effort(),
            trend: self.trend,
            distances: self.distances.clone(),
        })
    }

    fn finish(&mut self, ending: Option<Ending>) -> Result<Outcome, TrainError> {
        let evaluation = match self.evaluation.take() {
            Some(done) => done,
            None if ending.is_none() => {
                Evaluation { accuracy: f64::NAN, loss: f64::NAN, light: f64::NAN, predictions: Vec::new() }
            }
            None => self.test()?,
        };
        Ok(Outcome {
            state: self.engine.state()?,
            exposure: self.exposure.clone(),
            evaluation,
            samples_per_second: self.speed(),
            seconds: self.effort().seconds,
            epoch: self.at.epoch,
            distances: self.distances.as_ref().map(|d| d.metres.clone()),
            ending,
            rows: std::mem::take(&mut self.rows),
        })
    }
}

/// The noise key of the test after `step` steps: whoever tests the same masks again with it measures the same fields.
pub fn evaluation_key(seed: u64, step: u64) -> (u64, u64) {
    (seed, EVALUATION_STEPS + step)
}
