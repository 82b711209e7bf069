//! Digits of the phase of a transfer function: `k z` is 1e6 rad and more, the phase must be good to 1e-8 rad.

use std::f64::consts::{PI, TAU};

use ffm_twin::optics::{Grid, Method};
use num_complex::Complex64;

use crate::double_double::Dd;
use crate::support::{LAMBDA, space, transfer};

/// A hundred times less than `f32` masks resolve; `f64` itself leaves `k z 2^-53` = 4e-10 rad.
const PHASE: f64 = 1e-8;

/// `z/lambda sqrt(1 - lambda^2 (fx^2 + fy^2))` modulo 1, `f = index / (n pitch)`, in double-double arithmetic.
fn turns(z: f64, lambda: f64, pitch: f64, n: usize, row: isize, col: isize) -> f64 {
    let width = Dd::new(n as f64).times(Dd::new(pitch));
    let sine = |index: isize| Dd::new(lambda).times(Dd::new(index as f64)).over(width);
    let (y, x) = (sine(row), sine(col));
    let cosine = Dd::new(1.0).minus(y.times(y).plus(x.times(x))).sqrt();
    Dd::new(z).over(Dd::new(lambda)).times(cosine).fraction()
}

#[test]
fn the_reference_has_the_digits_of_a_sixty_digit_computation() {
    // Evaluated once with 60 decimal digits, for the f64 values of 0.3, 532e-9 and 8e-6.
    let known = [
        ((0, 0), 0.774_436_090_149_407_5),
        ((1, 0), 0.769_679_639_476_271_6),
        ((255, 3), 0.358_536_448_256_866_77),
        ((100, -200), 0.901_732_801_307_429_7),
    ];
    for ((row, col), expected) in known {
        let computed = turns(0.3, LAMBDA, 8e-6, 512, row, col);
        assert!((computed - expected).abs() < 1e-15, "({row}, {col}): {computed} {expected}");
    }
}

#[test]
fn the_phase_of_a_long_propagation_keeps_its_digits() {
    let (z, pitch, n) = (0.3, 8e-6, 512);
    let mut long = space(z, Method::AngularSpectrum);
    // The distance is beyond the sampling limit of this grid; the values at the frequencies are what is tested.
    long.allow_undersampled = true;
    let h = transfer(&Grid::square(n, pitch).unwrap(), 1, &long);
    let signed = |k: usize| if 2 * k < n { k as isize } else { k as isize - n as isize };
    let mut worst = 0.0_f64;
    for ((r, c), value) in h.indexed_iter() {
        let expected = Complex64::cis(TAU * turns(z, LAMBDA, pitch, n, signed(r), signed(c)));
        worst = worst.max((value * expected.conj()).arg().abs());
        assert!((value.norm() - 1.0).abs() < 1e-14);
    }
    assert!(worst < PHASE, "{worst} rad");
    // An unreduced phase in f32 is off by radians: the comparison would see it.
    let coarse = (TAU * z / LAMBDA) as f32;
    let off = Complex64::cis(f64::from(coarse) - TAU * turns(z, LAMBDA, pitch, n, 0, 0)).arg().abs();
    assert!(off > PHASE && off <= PI, "{off}");
}
