//! Whether a training still goes somewhere: the loss of late against that of the first steps.

use serde::{Deserialize, Serialize};

use super::Method;

/// Steps at the beginning that the rest is compared with: the masks have hardly moved by then.
const BEGINNING: u64 = 4;
/// About as many steps count as "of late".
const LATE: u64 = 32;
/// Steps that must pass before anything is said: at first a loss may rise.
const PATIENCE: u64 = 128;

/// Losses at the beginning of a training and of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// Sum of losses over the first samples.
    begun: f64,
    /// Their number.
    samples: u64,
    /// Mean loss of late, older samples fading out.
    recent: f64,
    /// Samples seen after the first.
    since: u64,
}

impl Trend {
    /// Takes the sum of the losses of `samples` samples, trained in batches of `batch`.
    pub fn add(&mut self, loss: f64, samples: u64, batch: usize) {
        let batch = batch as u64;
        if samples == 0 {
            return;
        }
        if self.samples < BEGINNING * batch {
            self.begun += loss;
            self.samples += samples;
            self.recent = self.begun / self.samples as f64;
            return;
        }
        let weight = (samples as f64 / (LATE * batch) as f64).min(1.0);
        self.recent += weight * (loss / samples as f64 - self.recent);
        self.since += samples;
    }

    /// Loss of late in parts of that at the beginning; none before there is enough of either.
    pub fn ratio(&self, batch: usize) -> Option<f64> {
        let enough = self.since >= PATIENCE * batch as u64;
        enough.then(|| self.recent * self.samples as f64 / self.begun)
    }

    /// Mean loss of late.
    pub fn recent(&self) -> f64 {
        self.recent
    }
}

/// Why the loss of a method may rise.
pub(super) fn likely_cause(method: Method, rate: f64) -> String {
    let gradient = match method {
        Method::PhysicsAware => {
            "or the model is too far from the hardware for its gradient to point downhill: calibrate it, or use \
             train.method = \"ffm\""
        }
        Method::Ffm | Method::FfmRegistered => {
            "or the hardware is too asymmetric or too noisy for its gradient to point downhill: look at shift, camera \
             aberration and exposure, or use train.method = \"ffm-registered\""
        }
        Method::Spsa => "or train.perturbation is too small for the noise",
        _ => "or loss.scale is too large for masks that know nothing yet",
    };
    format!(
        "the likely cause is a learning rate that is too high: lower train.rate (now {rate:e}), {gradient}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A trend after steps with these mean losses, batches of 4.
    fn trend(losses: impl IntoIterator<Item = f64>) -> Trend {
        let mut trend = Trend::default();
        losses.into_iter().for_each(|loss| trend.add(4.0 * loss, 4, 4));
        trend
    }

    #[test]
    fn a_loss_that_rises_for_long_is_seen_and_a_short_spike_is_not() {
        let level = |loss: f64, steps: usize| std::iter::repeat_n(loss, steps);
        assert_eq!(trend(level(2.0, 130)).ratio(4), None, "too early to say");
        assert!((trend(level(2.0, 200)).ratio(4).unwrap() - 1.0).abs() < 1e-12);
        let spike = trend(level(2.0, 100).chain(level(9.0, 4)).chain(level(1.0, 60)));
        assert!(spike.ratio(4).unwrap() < 1.0);
        let risen = trend(level(2.0, 100).chain(level(9.0, 150)));
        assert!(risen.ratio(4).unwrap() > 4.0 && risen.recent() > 8.9);
    }
}
