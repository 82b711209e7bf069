//! Products of complex arrays, pixel by pixel.

use num_complex::Complex;

use super::real::{Real, wide};

wide! {
    /// `a *= b`.
    pub(super) fn multiply<T: Real>(a: &mut [Complex<T>], b: &[Complex<T>]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a = Complex::new(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re);
        }
    }
}

wide! {
    /// `out = a * b`.
    pub(super) fn product<T: Real>(out: &mut [Complex<T>], a: &[Complex<T>], b: &[Complex<T>]) {
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = Complex::new(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re);
        }
    }
}

wide! {
    /// `gradient += -2 Im(e u)`.
    pub(super) fn accumulate<T: Real>(gradient: &mut [T], e: &[Complex<T>], u: &[Complex<T>]) {
        let minus_two = T::of(-2.0);
        for ((g, e), u) in gradient.iter_mut().zip(e).zip(u) {
            *g += minus_two * (e.re * u.im + e.im * u.re);
        }
    }
}
