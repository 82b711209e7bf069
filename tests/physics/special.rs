//! Special functions of diffraction by quadrature: Fresnel integrals, `J_1`, `sinc`.

use std::f64::consts::{FRAC_PI_2, PI};

use num_complex::Complex64;

/// Points of the quadratures: Simpson's error at the largest argument used here (20) is below 1e-8.
const POINTS: usize = 20_000;

/// `C(x) + i S(x) = integral of exp(i pi t^2 / 2)` from 0 to `x`, by Simpson's rule.
pub(crate) fn fresnel(x: f64) -> Complex64 {
    let h = x / POINTS as f64;
    let sum: Complex64 = (0..=POINTS)
        .map(|i| {
            let weight = match i {
                0 | POINTS => 1.0,
                _ => 2.0 + 2.0 * (i % 2) as f64,
            };
            let t = i as f64 * h;
            weight * Complex64::cis(FRAC_PI_2 * t * t)
        })
        .sum();
    sum * (h / 3.0)
}

/// `J_1(x) = 1/(2 pi)` integral of `cos(t - x sin t)` over a period: the sum over equal steps is exact to rounding.
pub(crate) fn bessel_j1(x: f64) -> f64 {
    let n = 256;
    (0..n).map(|i| 2.0 * PI * i as f64 / n as f64).map(|t| (t - x * t.sin()).cos()).sum::<f64>() / n as f64
}

/// `(2 J_1(v) / v)^2`.
pub(crate) fn airy(v: f64) -> f64 {
    if v == 0.0 { 1.0 } else { (2.0 * bessel_j1(v) / v).powi(2) }
}

/// `sin(pi x) / (pi x)`.
pub(crate) fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

#[test]
fn special_functions_equal_their_tables() {
    // Abramowitz & Stegun, tables 7.7, 7.8 and 9.1.
    let f = fresnel(1.0);
    assert!((f.re - 0.779_893_400).abs() < 1e-9 && (f.im - 0.438_259_147).abs() < 1e-9, "{f}");
    let limit = fresnel(20.0);
    // C and S approach 1/2 as 1 / (pi x).
    assert!((limit - Complex64::new(0.5, 0.5)).norm() < 1.1 / (20.0 * PI));
    assert_eq!(fresnel(-1.0), -f);
    assert!((bessel_j1(1.0) - 0.440_050_585_744_933_5).abs() < 1e-14);
    assert!(bessel_j1(3.831_705_970_207_512).abs() < 1e-14 && bessel_j1(40.0).abs() < 0.127);
}
