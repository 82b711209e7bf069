//! Patterns for a phase modulator: 8-bit gray values, 256 of them being the range of the device.

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

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
