//! Random choices of training, each a function of the seed and its place alone.

use std::f32::consts::{PI, TAU};

use ndarray::Array2;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Start;
use crate::engine::{MaskKind, Program};

/// Streams of the run's generator.
const SHUFFLE: u64 = 1 << 32;
const PHASES: u64 = 2 << 32;
const AMPLITUDES: u64 = 3 << 32;
const HELD_OUT: u64 = 4 << 32;

fn generator(seed: u64, stream: u64) -> impl Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// The order of `n` images in an epoch.
pub fn epoch_order(seed: u64, epoch: usize, n: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.shuffle(&mut generator(seed, SHUFFLE + epoch as u64));
    order
}

/// `held` of `n` images, in rising order: those that have no part in training.
pub fn held_out(seed: u64, n: usize, held: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.shuffle(&mut generator(seed, HELD_OUT));
    order.truncate(held);
    order.sort_unstable();
    order
}

/// The order of `n` images in an epoch where `count` wavelengths take turns in the set, image `j` being of wavelength
/// `j mod count`: shuffled in groups of one image a wavelength, so that every batch has all alike.
pub fn interleaved_order(seed: u64, epoch: usize, n: usize, count: usize) -> Vec<u32> {
    let group = |g: u32| (0..count as u32).map(move |k| g * count as u32 + k);
    epoch_order(seed, epoch, n / count).into_iter().flat_map(group).collect()
}

/// First phases of `layers` masks, radians.
pub fn initial_phases(start: Start, shape: [usize; 2], layers: usize, seed: u64) -> Vec<Array2<f32>> {
    let one = |layer: usize| match start {
        Start::Flat | Start::Calibrated => Array2::zeros((shape[0], shape[1])),
        Start::Random => {
            let mut rng = generator(seed, PHASES + layer as u64);
            Array2::from_shape_simple_fn((shape[0], shape[1]), || TAU * rng.random::<f32>())
        }
    };
    (0..layers).map(one).collect()
}

/// First phases of all masks of a program, and first amplitudes of those that have them. Masks are open (amplitude 1), and
/// phase 0 where they set amplitudes only; these amplitudes are uniform in 0..1 with [`Start::Random`].
pub fn initial_commands(start: Start, program: &Program, seed: u64) -> (Vec<Array2<f32>>, Vec<Array2<f32>>) {
    let shape = (program.shape[0], program.shape[1]);
    let mut phases = first_phases(program, start, seed);
    let amplitude = |m: usize| {
        let random = start == Start::Random && program.masks[m].kind == MaskKind::Amplitude;
        if !random {
            return Array2::ones(shape);
        }
        phases[m].fill(0.0);
        let mut rng = generator(seed, AMPLITUDES + m as u64);
        Array2::from_shape_simple_fn(shape, || rng.random::<f32>())
    };
    let amplitudes = program.amplitude_masks().into_iter().map(amplitude).collect();
    (phases, amplitudes)
}

/// First phases of a program's masks. Where they serve several wavelengths a command that passes 0 or a turn is an edge at all but
/// one of them: flat masks stand in the middle, at pi.
fn first_phases(program: &Program, start: Start, seed: u64) -> Vec<Array2<f32>> {
    let mut phases = initial_phases(start, program.shape, program.masks.len(), seed);
    if matches!(start, Start::Flat | Start::Calibrated) && !program.channels.is_empty() {
        phases.iter_mut().for_each(|mask| mask.fill(PI));
    }
    phases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_visits_every_image_once_in_its_own_order() {
        let (a, b) = (epoch_order(1, 0, 1000), epoch_order(1, 1, 1000));
        assert_eq!(a, epoch_order(1, 0, 1000));
        assert_ne!(a, b);
        assert_ne!(a, epoch_order(2, 0, 1000));
        let mut sorted = a;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1000));
    }

    #[test]
    fn held_out_images_are_drawn_once_each() {
        let held = held_out(3, 100, 30);
        assert!(held.len() == 30 && held.windows(2).all(|w| w[0] < w[1]) && held[29] < 100);
        assert_ne!(held, held_out(4, 100, 30));
    }

    #[test]
    fn wavelengths_take_turns() {
        assert_eq!(interleaved_order(1, 0, 100, 1), epoch_order(1, 0, 100));
        let order = interleaved_order(1, 0, 99, 3);
        assert!(order.iter().enumerate().all(|(at, &j)| j as usize % 3 == at % 3));
        let mut sorted = order;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..99));
    }

    #[test]
    fn layers_start_with_masks_of_their_own() {
        let phases = initial_phases(Start::Random, [8, 9], 2, 3);
        assert_eq!(phases[0].dim(), (8, 9));
        assert_ne!(phases[0], phases[1]);
        assert!(phases.iter().flatten().all(|p| (0.0..=TAU).contains(p)));
        assert!(initial_phases(Start::Flat, [8, 9], 2, 3).iter().flatten().all(|p| *p == 0.0));
    }
}
