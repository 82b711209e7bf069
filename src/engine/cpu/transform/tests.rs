//! Our own transform against rustfft, both against the plain definition in `f64`.

use num_complex::Complex64;

use super::kernels::Kernels;
use super::packed::Packed;
use super::plain::Plain;
use super::{Transform, packed};
use crate::engine::cpu::buffer::Buffer;
use crate::engine::cpu::real::Real;
use crate::optics::{Field, propagate};

/// Rounding of two `f32` transforms there and back, with a margin of three.
const TOLERANCE: f64 = 1e-6;

fn number(seed: usize, i: usize) -> f64 {
    f64::from(crate::device::noise::pcg4d([seed as u32, i as u32, 3, 4])[0]) / f64::from(u32::MAX) - 0.5
}

fn field(shape: [usize; 2], seed: usize) -> Field {
    Field::from_shape_fn((shape[0], shape[1]), |(r, c)| {
        Complex64::new(number(seed, r * shape[1] + c), number(seed + 1, r * shape[1] + c))
    })
}

/// All passes on one field; buffers are poisoned first.
fn run<T: Real>(mut t: Box<dyn Transform<T>>, u: &Field, h: &Field) -> Field {
    let id = t.add_transfer(h);
    let layout = t.layout();
    let poisoned = |len| {
        let mut buffer = Buffer::<T>::zeros(len);
        buffer.fill(T::of(f64::NAN));
        buffer
    };
    let (mut work, mut scratch) = (poisoned(t.work_len()), poisoned(t.scratch_len()));
    let (input, mut out) = (layout.complex::<T>(u), poisoned(2 * layout.pixels()));
    // Half of the light comes from the factors of the rows.
    let mut half = Buffer::<T>::zeros(input.len());
    for column in half.chunks_exact_mut(2 * layout.lanes) {
        column[..layout.lanes].fill(T::of(0.5));
    }
    let size = 2 * layout.block_pixels();
    for block in 0..layout.blocks() {
        let part = block * size..(block + 1) * size;
        let times = (block % 2 == 0).then_some(&half[part.clone()]);
        let mut rows = input[part].to_vec();
        if times.is_some() {
            rows.iter_mut().for_each(|v| *v = *v + *v);
        }
        let mut aligned = Buffer::zeros(rows.len());
        aligned.copy_from_slice(&rows);
        t.forward(block, &aligned, times, &mut work, &mut scratch);
    }
    t.columns(id, &mut work, &mut scratch);
    for block in 0..layout.blocks() {
        t.inverse(block, &mut work, &mut out[block * size..(block + 1) * size], &mut scratch);
    }
    layout.field(&out)
}

fn distance(a: &Field, b: &Field) -> f64 {
    let norm = |f: &Field| f.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
    norm(&(a - b)) / norm(b)
}

fn smooth(limit: usize) -> Vec<usize> {
    (2..=limit).filter(|&n| crate::engine::next_fast_length(n) == n).collect()
}

#[test]
fn every_length_of_small_factors_up_to_1200_is_right() {
    let mut worst = (0.0, 0);
    for n in smooth(1200).into_iter().chain([2048, 4096]) {
        // Rows and columns of the length in turn; the other side stays small.
        for padded in [[8, n], [n, 8]] {
            for shape in [padded, padded.map(|p| p.div_ceil(2))] {
                let (u, h) = (field(shape, n), field(padded, n + 7));
                let Some(own) = packed(shape, padded) else {
                    println!("skipped: this processor has no AVX2");
                    return;
                };
                // Whatever registers the processor has, those of AVX2 are tested too.
                let few =
                    Kernels::plain().and_then(|k| Packed::new(shape, padded, k)).expect("AVX2 is there");
                for own in [own, Box::new(few)] {
                    let error = distance(&run(own, &u, &h), &propagate(&u, &h));
                    worst = if error > worst.0 { (error, n) } else { worst };
                    assert!(error < TOLERANCE, "{shape:?} on {padded:?}: {error:e}");
                }
            }
        }
    }
    println!("worst relative error {:e} at length {}", worst.0, worst.1);
}

#[test]
fn odd_shapes_and_paddings_are_right() {
    for (shape, padded) in [
        ([1, 1], [2, 2]),
        ([3, 5], [6, 10]),
        ([9, 17], [18, 36]),
        ([30, 64], [60, 128]),
        ([13, 40], [30, 100]),
        ([40, 13], [100, 30]),
        ([64, 64], [64, 192]),
    ] {
        let (u, h) = (field(shape, 1), field(padded, 2));
        let exact = propagate(&u, &h);
        if let Some(own) = packed(shape, padded) {
            assert!(distance(&run(own, &u, &h), &exact) < TOLERANCE, "{shape:?} on {padded:?}");
        }
        let plain = |f| distance(&f, &exact);
        assert!(plain(run::<f32>(Box::new(Plain::new(shape, padded)), &u, &h)) < TOLERANCE);
        assert!(plain(run::<f64>(Box::new(Plain::new(shape, padded)), &u, &h)) < 1e-14);
    }
}

#[test]
fn other_lengths_are_left_to_the_library() {
    assert!(packed([7, 8], [14, 16]).is_none() && packed([8, 11], [16, 22]).is_none());
}

#[test]
fn the_comparison_sees_a_wrong_result() {
    let (u, h) = (field([8, 8], 1), field([16, 16], 2));
    let mut wrong = propagate(&u, &h);
    wrong[[3, 4]] *= 1.001;
    assert!(distance(&wrong, &propagate(&u, &h)) > TOLERANCE);
}
