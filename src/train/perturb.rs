//! Simultaneous perturbation (Spall 1992): an estimate of the gradient from losses alone.

use ndarray::Array2;

use super::TrainError;
use crate::device::noise::{pcg4d, step_key};
use crate::engine::{Batch, Engine, Parameter, State, Tally};

/// Noise of the perturbed passes is keyed by steps from here on; two a step.
const PERTURBED_STEPS: u64 = 1 << 49;

/// A gradient from two forward passes, and what these passes scored.
pub struct Estimate {
    /// `(L+ - L-) / (2 c) D` for every array of commands, zero where it is not trained.
    pub gradients: Vec<Array2<f32>>,
    /// Means of the two passes' sums.
    pub tally: Tally,
}

/// Estimates the gradient at a state: all commands that are trained move by `c D` with `D = +1` or `-1` drawn by seed and step,
/// then by `-c D`, amplitudes as far as 0 and 1 allow (there an estimate is of one side, and half as large); both losses are measured, each with its own noise. Leaves `state` in the engine.
///
/// # Errors
/// As [`Engine::set_state`] and [`Engine::infer`].
pub fn estimate(
    engine: &mut dyn Engine,
    parameters: &[Parameter],
    state: &State,
    batch: Batch<'_>,
    labels: &[u8],
    c: f64,
) -> Result<Estimate, TrainError> {
    let signs = directions(parameters, state, batch.seed, batch.step);
    let (mut losses, mut tally) = ([0.0; 2], Tally::default());
    for (k, factor) in [c as f32, -c as f32].into_iter().enumerate() {
        let moved = |(command, sign): (&Array2<f32>, &Array2<f32>)| command + &(sign * factor);
        let mut phases: Vec<_> = state.commands().zip(&signs).map(moved).collect();
        let mut amplitudes = phases.split_off(state.phases.len());
        amplitudes.iter_mut().for_each(|a| a.mapv_inplace(|v| v.clamp(0.0, 1.0)));
        engine.set_state(&State { phases, amplitudes, ..state.clone() })?;
        let step = PERTURBED_STEPS + 2 * batch.step + k as u64;
        let read = engine.infer(Batch { step, ..batch })?;
        let sum: f64 = read.losses.iter().sum();
        losses[k] = sum / batch.of as f64;
        tally.loss += 0.5 * sum;
        if k == 0 {
            let truth = batch.indices.iter().map(|&i| labels[i as usize]);
            tally.correct = read.predictions.iter().zip(truth).filter(|(p, l)| **p == *l).count() as u64;
        }
    }
    tally.samples = batch.indices.len() as u64;
    engine.set_state(state)?;
    let slope = ((losses[0] - losses[1]) / (2.0 * c)) as f32;
    Ok(Estimate { gradients: signs.into_iter().map(|sign| sign * slope).collect(), tally })
}

/// `+1` or `-1` for every command, a function of seed, step and place alone; 0 where it is not trained.
fn directions(parameters: &[Parameter], state: &State, seed: u64, step: u64) -> Vec<Array2<f32>> {
    let [a, b] = step_key(seed, PERTURBED_STEPS + step);
    let one = |(m, phase): (usize, &Array2<f32>)| {
        if !parameters[m].trained {
            return Array2::zeros(phase.dim());
        }
        let cols = phase.ncols();
        Array2::from_shape_fn(phase.dim(), |(r, c)| {
            let place = (r * cols + c) as u32;
            let bit = pcg4d([a, b, place / 32, m as u32])[0] >> (place % 32) & 1;
            if bit == 1 { 1.0 } else { -1.0 }
        })
    };
    state.commands().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Quantity;

    #[test]
    fn directions_are_balanced_and_differ_by_step_and_mask() {
        let state = State::fresh(vec![Array2::zeros((64, 65)); 2]);
        let trained = |mask| Parameter { mask, quantity: Quantity::Phase, trained: true };
        let frozen = Parameter { trained: false, ..trained(0) };
        let both = [trained(0), trained(1)];
        let (a, b) = (directions(&both, &state, 1, 0), directions(&both, &state, 1, 1));
        assert!(a.iter().flatten().all(|s| s.abs() == 1.0));
        // 4160 signs: the mean has a standard deviation of 0.0155.
        for (x, y) in [(&a[0], &a[1]), (&a[0], &b[0])] {
            assert!(x.mean().unwrap().abs() < 0.06);
            assert!((x * y).mean().unwrap().abs() < 0.06);
        }
        assert_eq!(directions(&both, &state, 1, 0), a);
        let half = directions(&[frozen, trained(1)], &state, 1, 0);
        assert!(half[0].iter().all(|s| *s == 0.0) && half[1] == a[1]);
    }
}
