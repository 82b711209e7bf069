//! Recorded fields in half precision; see [`crate::engine::Store`].

use half::f16;
use half::slice::HalfFloatSliceExt as _;

use super::real::Real;

/// Numbers converted together.
const CHUNK: usize = 64;

/// Writes numbers in units of `unit`, in half precision.
pub(super) fn shorten<T: Real>(from: &[T], unit: f32, to: &mut [f16]) {
    let (inverse, most) = (f64::from(unit).recip(), f64::from(f16::MAX));
    let mut scaled = [0.0_f32; CHUNK];
    for (from, to) in from.chunks(CHUNK).zip(to.chunks_mut(CHUNK)) {
        for (scaled, v) in scaled.iter_mut().zip(from) {
            // NaN passes the clamp.
            *scaled = (*v * T::of(inverse)).wide().clamp(-most, most) as f32;
        }
        to.convert_from_f32_slice(&scaled[..from.len()]);
    }
}

/// The opposite of [`shorten`].
pub(super) fn widen<T: Real>(from: &[f16], unit: f32, to: &mut [T]) {
    let mut scaled = [0.0_f32; CHUNK];
    for (from, to) in from.chunks(CHUNK).zip(to.chunks_mut(CHUNK)) {
        from.convert_to_f32_slice(&mut scaled[..from.len()]);
        for (scaled, v) in scaled.iter().zip(to) {
            *v = T::of(f64::from(*scaled)) * T::of(f64::from(unit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_within_half_a_unit_in_the_last_place() {
        let numbers: Vec<f32> = (1..1000).map(|k| 3e-9 * (k as f32).sin()).collect();
        let (mut halves, mut back) = (vec![f16::ZERO; numbers.len()], vec![0.0_f32; numbers.len()]);
        let unit = 2.0_f32.powi(-28);
        shorten(&numbers, unit, &mut halves);
        widen(&halves, unit, &mut back);
        assert!(numbers.iter().zip(&back).all(|(a, b)| (a - b).abs() <= a.abs() / 2048.0 + unit * 6e-8));
        assert!(numbers.iter().zip(&back).any(|(a, b)| a != b));
    }

    #[test]
    fn bright_numbers_are_cut_and_nan_stays() {
        let mut halves = [f16::ZERO; 3];
        shorten(&[1e6_f64, -1e6, f64::NAN], 1.0, &mut halves);
        assert_eq!(halves[0], f16::MAX);
        assert_eq!(halves[1], f16::MIN);
        assert!(halves[2].is_nan());
    }
}
