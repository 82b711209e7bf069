//! Kernels one by one against plain `f64` twins. A machine without any device fails these tests: Mesa's software Vulkan
//! (`apt-get install mesa-vulkan-drivers libvulkan1`) is enough.

mod bench;
mod stages;
mod transforms;

use num_complex::{Complex32, Complex64};

/// Relative L2 distance of a result from its reference. A NaN anywhere gives infinity.
pub(super) fn distance(result: &[Complex32], reference: &[Complex64]) -> f64 {
    assert_eq!(result.len(), reference.len(), "lengths differ");
    let widen = |z: &Complex32| Complex64::new(z.re.into(), z.im.into());
    let error: f64 = result.iter().zip(reference).map(|(a, b)| (widen(a) - b).norm_sqr()).sum();
    let norm: f64 = reference.iter().map(Complex64::norm_sqr).sum();
    let ratio = (error / norm).sqrt();
    if ratio.is_nan() { f64::INFINITY } else { ratio }
}

#[test]
fn the_distance_sees_wrong_results() {
    let reference: Vec<_> = (0..64).map(|k| Complex64::cis(f64::from(k))).collect();
    let good: Vec<_> = reference.iter().map(|z| Complex32::new(z.re as f32, z.im as f32)).collect();
    assert!(distance(&good, &reference) < 1e-7);
    let mut wrong = good.clone();
    wrong[17] *= 1.01;
    assert!(distance(&wrong, &reference) > 1e-3);
    wrong[17] = Complex32::new(f32::NAN, 0.0);
    assert!(distance(&wrong, &reference) > 1e-3);
    let conjugated: Vec<_> = good.iter().map(Complex32::conj).collect();
    assert!(distance(&conjugated, &reference) > 0.5);
}
