//! Accuracy on an image set.

use crate::engine::{Batch, Engine, EngineError, SetId};

/// How well a system classifies.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Share of right answers, 0..=1.
    pub accuracy: f64,
    /// Mean loss.
    pub loss: f64,
    /// Mean over the images of the share of the input's light that falls on the detectors (as measured, where there is a
    /// camera).
    pub light: f64,
    /// One class per image.
    pub predictions: Vec<u8>,
}

/// Infers all `labels.len()` images of a set in batches of `batch`; `seed` and `step` key the measurement noise of the
/// first batch, later ones count on.
///
/// # Errors
/// As [`Engine::infer`].
pub fn evaluate(
    engine: &mut dyn Engine,
    set: SetId,
    labels: &[u8],
    batch: usize,
    (seed, step): (u64, u64),
) -> Result<Evaluation, EngineError> {
    let all: Vec<u32> = (0..labels.len() as u32).collect();
    let (mut predictions, mut loss, mut light) = (Vec::with_capacity(labels.len()), 0.0, 0.0);
    for (k, indices) in all.chunks(batch).enumerate() {
        let found = engine.infer(Batch::whole(set, indices, seed, step + k as u64))?;
        let shares = found.energies.rows().into_iter().zip(&found.input_energies);
        light += shares.filter(|(_, input)| **input > 0.0).map(|(e, input)| e.sum() / input).sum::<f64>();
        loss += found.losses.iter().sum::<f64>();
        predictions.extend(found.predictions);
    }
    let right = predictions.iter().zip(labels).filter(|(p, l)| p == l).count();
    let n = labels.len().max(1) as f64;
    Ok(Evaluation { accuracy: right as f64 / n, loss: loss / n, light: light / n, predictions })
}
