//! Patterns for a phase modulator: 8-bit gray values, 256 of them being the range of the device.

use std::f64::consts::TAU;

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Second place of the camera, in parts of the distance. At two places a tilt of the modulator and a shift of the camera, and
/// defocus, axial error and scale, can be told apart: the better, the farther apart they are.
pub const NEARER: f64 = 0.5;

/// Blocks of `block x block` pixels with gray values drawn at random: light in all directions that the blocks reach, which
/// every parameter of a bench leaves its trace in.
pub fn random_blocks(shape: [usize; 2], block: usize, seed: u64) -> Array2<u8> {
    let block = block.max(1);
    let cells = shape.map(|n| n.div_ceil(block));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values = Array2::from_shape_simple_fn((cells[0], cells[1]), || (rng.random::<u32>() >> 24) as u8);
    Array2::from_shape_fn((shape[0], shape[1]), |(r, c)| values[[r / block, c / block]])
}

/// Stripes of `period / 2` pixels across x (or y), of two gray values.
pub fn binary_grating(shape: [usize; 2], period: usize, along_y: bool, grays: [u8; 2]) -> Array2<u8> {
    let half = (period / 2).max(1);
    Array2::from_shape_fn((shape[0], shape[1]), |(r, c)| grays[(if along_y { r } else { c } / half) % 2])
}

/// A region of one gray value to the left, another to the right: their interference tells the phase between them.
pub fn two_regions(shape: [usize; 2], grays: [u8; 2]) -> Array2<u8> {
    Array2::from_shape_fn((shape[0], shape[1]), |(_, c)| grays[usize::from(2 * c >= shape[1])])
}

/// A blazed grating: a phase that rises by `turns` ranges of the device over the height and over the width, `[y, x]`; it sends
/// all light to one side.
pub fn phase_ramp(shape: [usize; 2], turns: [f64; 2]) -> Array2<u8> {
    Array2::from_shape_fn((shape[0], shape[1]), |(r, c)| {
        let phase = turns[0] * r as f64 / shape[0] as f64 + turns[1] * c as f64 / shape[1] as f64;
        (phase.rem_euclid(1.0) * 256.0) as u8
    })
}

/// A smooth pattern drawn at random: waves of up to `waves` periods across, over the whole range of the device without a jump.
pub fn smooth_random(shape: [usize; 2], waves: usize, seed: u64) -> Array2<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let highest = waves.max(1) as i32;
    // One of two opposite directions is enough for a real sum.
    let all = (0..=highest).flat_map(|y| (-highest..=highest).map(move |x| [y, x]));
    let terms: Vec<([i32; 2], [f64; 2])> = all
        .filter(|&[y, x]| y * y + x * x <= highest * highest && (y, x) > (0, 0))
        .map(|wave| (wave, [rng.random::<f64>(), TAU * rng.random::<f64>()]))
        .collect();
    let sum = Array2::from_shape_fn((shape[0], shape[1]), |(r, c)| -> f64 {
        let (y, x) = (TAU * r as f64 / shape[0] as f64, TAU * c as f64 / shape[1] as f64);
        terms.iter().map(|([ky, kx], [a, p])| a * (f64::from(*ky) * y + f64::from(*kx) * x + p).cos()).sum()
    });
    let (low, high) = sum.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    let span = if high > low { high - low } else { 1.0 };
    sum.mapv(|v| (255.0 * (v - low) / span).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_rises_and_wraps() {
        let ramp = phase_ramp([4, 8], [0.0, 2.0]);
        assert_eq!(ramp.row(3).to_vec(), [0, 64, 128, 192, 0, 64, 128, 192]);
        assert_eq!(phase_ramp([4, 4], [-1.0, 0.0]).column(2).to_vec(), [0, 192, 128, 64]);
    }

    #[test]
    fn a_smooth_pattern_has_the_whole_range_and_no_jump() {
        let smooth = smooth_random([48, 64], 3, 5);
        assert_eq!((smooth.iter().min(), smooth.iter().max()), (Some(&0), Some(&255)));
        let steps = smooth.rows().into_iter().flat_map(|row| {
            let row = row.to_vec();
            row.windows(2).map(|w| w[0].abs_diff(w[1])).collect::<Vec<_>>()
        });
        assert!(steps.max() < Some(60));
        assert_eq!(smooth, smooth_random([48, 64], 3, 5));
        assert_ne!(smooth, smooth_random([48, 64], 3, 6));
    }

    #[test]
    fn blocks_and_stripes_are_where_they_should_be() {
        let blocks = random_blocks([7, 9], 4, 3);
        assert!(blocks.iter().any(|v| *v != blocks[[0, 0]]));
        assert!((0..4).all(|r| (0..4).all(|c| blocks[[r, c]] == blocks[[0, 0]])));
        assert_eq!(binary_grating([2, 6], 4, false, [0, 9]).row(1).to_vec(), [0, 0, 9, 9, 0, 0]);
        assert_eq!(binary_grating([6, 2], 4, true, [0, 9]).column(1).to_vec(), [0, 0, 9, 9, 0, 0]);
        assert_eq!(two_regions([1, 4], [1, 2]).row(0).to_vec(), [1, 1, 2, 2]);
    }
}
