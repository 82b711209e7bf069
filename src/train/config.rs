//! The `[train]` table.

use serde::{Deserialize, Serialize};

use super::{DistanceConfig, Ending, EpochRow, Keep, Method, Monitor, Recompute, Schedule, TrainError};
use crate::engine::Update;
use crate::optics::Length;
use crate::twin::{Misalignment, Registration};

/// How masks are trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training images.
    pub epochs: usize,
    /// Samples per update.
    pub batch: usize,
    /// Update rule.
    pub optimizer: Optimizer,
    /// Learning rate: radians (Adam), radians per unit gradient (SGD).
    pub rate: f64,
    /// Course of the learning rate: a name, or a table with parameters.
    pub schedule: Schedule,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Decay of Adam's first moment.
    pub beta1: f64,
    /// Decay of Adam's second moment.
    pub beta2: f64,
    /// Added to the root of Adam's second moment.
    pub epsilon: f64,
    /// First masks.
    pub start: Start,
    /// Epochs without improvement after which training stops; default: it never stops early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
    /// What `patience` waits for.
    pub monitor: Monitor,
    /// Which masks count as the result: the stages that follow, analysis, mask files and `ffm eval` use them.
    pub keep: Keep,
    /// Steps after which exposure times are measured anew, besides at the beginning of every epoch: masks that learn change how much
    /// light there is, and frames saturate.
    pub expose_every: u64,
    /// Training stops as diverged when the loss of late is this many times that of the first four; 0: only when it is not a
    /// number.
    pub divergence: f64,
    /// Minutes between checkpoints within an epoch; there is one at the end of every epoch besides. When a device is lost, or
    /// the program killed, as much work at most has to be repeated (and the up to sixteen steps between two looks at a GPU).
    pub checkpoint_minutes: f64,
    /// Distances between layers learn in the first stage, and the bench is built with them; default: they are fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distances: Option<DistanceConfig>,
    /// Length of the segments of layers of which one recorded field waits for the error pass, while the others are computed
    /// again: less memory, more time, the same bits. 0: every field waits; `auto`: as few as can be.
    pub recompute: Recompute,
    /// Method of the third stage, on the imperfect twin.
    pub method: Method,
    /// `spsa`: by how much phases are moved, radians.
    pub perturbation: f64,
    /// `in-silico-robust`: steps between two draws of misalignment.
    pub redraw: u64,
    /// `ffm-registered`: how well one-sided errors are known.
    pub registered: Registered,
    /// `in-silico-robust`: limits of the misalignment that is drawn.
    pub robust: Robust,
}

/// How well `ffm-registered` knows the one-sided errors that it corrects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registered {
    /// Error of the measured shift, along x and along y.
    pub shift_error: Length,
    /// Error of the measured camera aberration, radians rms.
    pub aberration_error: f64,
}

/// Limits of the misalignment that `in-silico-robust` draws, uniform, each layer its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Robust {
    /// Largest camera shift along x and along y.
    pub shift: Length,
    /// Largest axial error.
    pub axial: Length,
    /// Largest rms of a smooth aberration of the modulator, radians.
    pub aberration: f64,
}

impl Default for Robust {
    fn default() -> Self {
        Self { shift: Length(10e-6), axial: Length(1e-3), aberration: 0.5 }
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 2,
            batch: 16,
            optimizer: Optimizer::Adam,
            rate: 0.03,
            schedule: Schedule::default(),
            momentum: 0.9,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            start: Start::Flat,
            patience: None,
            monitor: Monitor::Accuracy,
            keep: Keep::Last,
            expose_every: 1000,
            divergence: 1.5,
            checkpoint_minutes: 1.0,
            distances: None,
            recompute: Recompute::default(),
            method: Method::Ffm,
            perturbation: 0.05,
            redraw: 20,
            registered: Registered::default(),
            robust: Robust::default(),
        }
    }
}

/// Update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Adam (Kingma & Ba 2015).
    Adam,
    /// Gradient descent with momentum.
    Sgd,
}

/// First masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Phase 0 everywhere; pi where masks serve several wavelengths.
    Flat,
    /// Uniform in 0..2 pi.
    Random,
    /// Of the third stage: those trained on the calibrated twin of bench step 0. Stages before it start flat.
    Calibrated,
}

impl TrainConfig {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`TrainError::Config`] with key, value and remedy.
    pub fn validate(&self) -> Result<(), TrainError> {
        let bad = |key, value: &dyn std::fmt::Display, problem: &str| {
            Err(TrainError::Config { key, value: value.to_string(), problem: problem.into() })
        };
        let unit = |v: f64| (0.0..1.0).contains(&v);
        if self.epochs == 0 {
            return bad("epochs", &self.epochs, "at least 1 epoch is needed");
        }
        if self.batch == 0 {
            return bad("batch", &self.batch, "at least 1 sample per update is needed");
        }
        if !(self.rate.is_finite() && self.rate > 0.0) {
            return bad(
                "rate",
                &self.rate,
                "the learning rate must be positive; 0.03 is a good start for Adam",
            );
        }
        for (key, value) in [("momentum", self.momentum), ("beta1", self.beta1), ("beta2", self.beta2)] {
            if !unit(value) {
                return bad(key, &value, "must be at least 0 and below 1");
            }
        }
        // Smaller ones are 0 in single precision, and 0 / 0 where a pixel has no light.
        if !(self.epsilon.is_finite() && self.epsilon >= 1e-30) {
            return bad("epsilon", &format!("{:e}", self.epsilon), "must be 1e-30 or more; 1e-8 is usual");
        }
        if self.patience == Some(0) {
            return bad(
                "patience",
                &0,
                "at least 1 epoch without improvement must pass; leave it out to never stop",
            );
        }
        if !(self.checkpoint_minutes.is_finite() && self.checkpoint_minutes > 0.0) {
            return bad("checkpoint_minutes", &self.checkpoint_minutes, "must be positive");
        }
        if !(self.divergence.is_finite() && (self.divergence == 0.0 || self.divergence > 1.0)) {
            return bad("divergence", &self.divergence, "must be above 1, or 0 to go on whatever the loss");
        }
        if !(self.perturbation.is_finite() && self.perturbation > 0.0) {
            return bad("perturbation", &self.perturbation, "must be positive radians; 0.05 is usual");
        }
        if self.expose_every == 0 {
            return bad(
                "expose_every",
                &0,
                "at least 1 step lies between two measurements of exposure times",
            );
        }
        if self.redraw == 0 {
            return bad("redraw", &self.redraw, "at least 1 step lies between two draws");
        }
        if !self.registered.shift_error.0.is_finite() {
            return bad("registered.shift_error", &self.registered.shift_error.0, "must be a length");
        }
        for (key, value) in [
            ("registered.aberration_error", self.registered.aberration_error),
            ("robust.shift", self.robust.shift.0),
            ("robust.axial", self.robust.axial.0),
            ("robust.aberration", self.robust.aberration),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return bad(key, &value, "must be 0 or more");
            }
        }
        self.distances.map_or(Ok(()), |d| d.validate())?;
        self.schedule.validate()
    }

    /// Refuses what does not fit a run with `samples` training samples.
    ///
    /// # Errors
    /// As [`TrainConfig::validate`].
    pub fn check_samples(&self, samples: usize) -> Result<(), TrainError> {
        self.schedule.check_steps((samples.div_ceil(self.batch.max(1)) * self.epochs) as u64)
    }

    /// Why training is over after these epochs; `None` while it is not.
    pub fn ending(&self, rows: &[EpochRow]) -> Option<Ending> {
        if rows.len() >= self.epochs {
            return Some(Ending::Epochs);
        }
        let epochs = self.patience?;
        let stale = self.monitor.epochs_since_improvement(rows) >= epochs;
        let validation = rows.iter().any(|row| row.validation_accuracy.is_some());
        stale.then_some(Ending::Patience { monitor: self.monitor, epochs, validation })
    }

    /// Refuses distances to learn that begin out of their bounds. `distance` in metres.
    ///
    /// # Errors
    /// As [`TrainConfig::validate`].
    pub fn check_distance(&self, distance: f64) -> Result<(), TrainError> {
        self.distances.map_or(Ok(()), |d| d.check_start(distance))
    }

    /// The learning rate at step `step` (from 0) of `steps`.
    pub fn rate_at(&self, step: u64, steps: u64) -> f64 {
        self.rate * self.schedule.factor(step, steps, self.epochs)
    }

    /// What `ffm-registered` knows.
    pub fn registration(&self) -> Registration {
        Registration { shift: self.registered.shift_error.0, aberration: self.registered.aberration_error }
    }

    /// What `in-silico-robust` draws.
    pub fn misalignment(&self) -> Misalignment {
        let Robust { shift, axial, aberration } = self.robust;
        Misalignment { shift: shift.0, axial: axial.0, aberration }
    }

    /// The update of step `step` (from 0) of `steps`.
    pub fn update(&self, step: u64, steps: u64) -> Update {
        let rate = self.rate_at(step, steps);
        match self.optimizer {
            Optimizer::Adam => Update::Adam {
                rate,
                beta1: self.beta1,
                beta2: self.beta2,
                epsilon: self.epsilon,
                t: step + 1,
            },
            Optimizer::Sgd => Update::Sgd { rate, momentum: self.momentum },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_of_an_optimizer_reaches_the_update() {
        let config = TrainConfig {
            rate: 0.5,
            schedule: Schedule::Constant,
            momentum: 0.7,
            beta1: 0.8,
            beta2: 0.99,
            epsilon: 1e-6,
            ..TrainConfig::default()
        };
        let adam = Update::Adam { rate: 0.5, beta1: 0.8, beta2: 0.99, epsilon: 1e-6, t: 8 };
        assert_eq!(config.update(7, 100), adam);
        let sgd = TrainConfig { optimizer: Optimizer::Sgd, ..config };
        assert_eq!(sgd.update(7, 100), Update::Sgd { rate: 0.5, momentum: 0.7 });
    }

    #[test]
    fn impossible_values_are_named() {
        type Change = fn(&mut TrainConfig);
        let cases: [(Change, &str); 19] = [
            (|c| c.epochs = 0, "epochs"),
            (|c| c.batch = 0, "batch"),
            (|c| c.rate = -1.0, "rate"),
            (|c| c.momentum = 1.0, "momentum"),
            (|c| c.beta1 = -0.1, "beta1"),
            (|c| c.beta2 = f64::NAN, "beta2"),
            (|c| c.epsilon = 0.0, "epsilon"),
            (|c| c.epsilon = 1e-40, "epsilon"),
            (|c| c.schedule = Schedule::Cosine { last: -1.0, warmup: 0 }, "schedule.final"),
            (|c| c.patience = Some(0), "patience"),
            (|c| c.checkpoint_minutes = 0.0, "checkpoint_minutes"),
            (|c| c.divergence = 0.5, "divergence"),
            (|c| c.perturbation = 0.0, "perturbation"),
            (|c| c.redraw = 0, "redraw"),
            (|c| c.expose_every = 0, "expose_every"),
            (|c| c.robust.axial.0 = -1.0, "robust.axial"),
            (|c| c.distances = Some(DistanceConfig { every: 0, ..<_>::default() }), "distances.every"),
            (
                |c| c.distances = Some(DistanceConfig { probe: Length(1.0), ..<_>::default() }),
                "distances.least (m)",
            ),
            (
                |c| c.distances = Some(DistanceConfig { rate: Length(-1.0), ..<_>::default() }),
                "distances.rate (m)",
            ),
        ];
        assert!(TrainConfig::default().validate().is_ok());
        for (change, key) in cases {
            let mut config = TrainConfig::default();
            change(&mut config);
            let message = config.validate().unwrap_err().to_string();
            assert!(message.starts_with(&format!("train.{key} = ")), "{message}");
        }
    }
}
