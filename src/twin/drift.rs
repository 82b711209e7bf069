//! The twin at a bench step: what has drifted, added to what is wrong anyway.

use super::errors::{ConfigError, value};
use super::system::System;
use super::{limits, modulator};
use crate::calibrate::{Drift, LayerErrors};

impl System {
    /// What is wrong with a layer (from 1) at a bench step.
    ///
    /// # Errors
    /// [`ConfigError::Value`] when a parameter has drifted out of its range.
    pub fn errors_at(&self, layer: usize, step: u64) -> Result<LayerErrors, ConfigError> {
        let base = self.errors_of(layer);
        let Some(drift) = self.drift() else { return Ok(base) };
        let (mut now, response) = drift.at(base, layer, step, self.seed());
        if let Some([range, gamma]) = response {
            for (name, v) in [("range", range), ("gamma", gamma)] {
                if !(v > 0.0 && v < 10.0) {
                    let problem =
                        format!("has drifted there by bench step {step}; it must stay above 0 and below 10");
                    return Err(value(format!("imperfections (layer {layer}).{name}"), v, problem));
                }
            }
            now.lut = Some(modulator::response(range, gamma));
        }
        limits::check(&now, layer, self.grid(), self.distances()[layer - 1])?;
        Ok(now)
    }

    /// What was wrong with a layer (0: the hop in front of the first) when the bench was registered, at step 0.
    pub(super) fn registered_errors(&self, layer: usize) -> Result<LayerErrors, ConfigError> {
        match layer {
            0 => Ok(LayerErrors::default()),
            layer => self.errors_at(layer, 0),
        }
    }

    /// Refuses motions that are impossible whatever the step.
    pub(super) fn check_drift(&self, drift: Option<&Drift>) -> Result<(), ConfigError> {
        let Some(drift) = drift else { return Ok(()) };
        let key = |name: &str| format!("imperfections.drift.{name}");
        if drift.every == 0 {
            return Err(value(key("every"), 0, "at least 1 bench step lies between two states"));
        }
        if !(4..=limits::HIGHEST_NOLL).contains(&drift.terms) {
            let problem =
                format!("must be 4 (the first Noll term above piston and tilts) to {}", limits::HIGHEST_NOLL);
            return Err(value(key("terms"), drift.terms, problem));
        }
        for (name, walk, amplitude, steps) in drift.motions() {
            if !(walk.is_finite() && walk >= 0.0) {
                return Err(value(key(&format!("{name}.walk")), walk, "must be 0 or more"));
            }
            if !amplitude.is_finite() {
                return Err(value(key(&format!("{name}.amplitude")), amplitude, "must be a finite number"));
            }
            if !(steps.is_finite() && steps > 0.0) {
                return Err(value(
                    key(&format!("{name}.steps")),
                    steps,
                    "must be a positive number of bench steps",
                ));
            }
        }
        let table = (1..=self.config().optics.layers).find(|l| self.errors_of(*l).lut.is_some());
        match table {
            Some(layer) if drift.range.is_some() || drift.gamma.is_some() => {
                let problem = format!(
                    "layer {layer} has a measured response (lut), which stands in place of range and gamma; drop one of the two"
                );
                Err(value(key(if drift.range.is_some() { "range" } else { "gamma" }), "a motion", problem))
            }
            _ => Ok(()),
        }
    }
}
