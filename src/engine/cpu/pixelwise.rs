//! Products and sums of complex arrays, pixel by pixel, in the order of [`Layout`](super::buffer::Layout).

use super::buffer::by_lanes;
use super::real::{Real, wide};

/// `a *= b`.
pub(super) fn multiply<T: Real>(lanes: usize, a: &mut [T], b: &[T]) {
    by_lanes!(lanes, multiply_lanes::<T>(a, b))
}

/// `out = a b`.
pub(super) fn product<T: Real>(lanes: usize, out: &mut [T], a: &[T], b: &[T]) {
    by_lanes!(lanes, product_lanes::<T>(out, a, b))
}

/// `e *= mask`, and `gradient += -2 Im(e u)` with the new `e`; `fresh`: the gradient is written, not added to.
pub(super) fn gather<T: Real>(
    lanes: usize,
    e: &mut [T],
    mask: &[T],
    u: &[T],
    gradient: &mut [T],
    fresh: bool,
) {
    by_lanes!(lanes, gather_lanes::<T>(e, mask, u, gradient, fresh))
}

/// `gradient += 2 Re(e carrier u)`; `fresh`: the gradient is written, not added to.
pub(super) fn grade<T: Real>(lanes: usize, e: &[T], carrier: &[T], u: &[T], gradient: &mut [T], fresh: bool) {
    by_lanes!(lanes, grade_lanes::<T>(e, carrier, u, gradient, fresh))
}

/// Largest `|u|^2` of a field.
pub(super) fn peak_intensity<T: Real>(lanes: usize, field: &[T]) -> f64 {
    let brightest = field.chunks_exact(2 * lanes).flat_map(|packet| {
        let (re, im) = packet.split_at(lanes);
        re.iter().zip(im).map(|(a, b)| (*a * *a + *b * *b).wide())
    });
    brightest.fold(0.0, f64::max)
}

/// Mean of `|u|^2` over `pixels`, summed in `f64`.
pub(super) fn mean_intensity<T: Real>(field: &[T], pixels: usize) -> f64 {
    field.chunks(512).map(squares).sum::<f64>() / pixels as f64
}

wide! {
    /// Sum of squares of a few numbers.
    fn squares<T: Real>(numbers: &[T]) -> f64 {
        let mut sums = [T::of(0.0); 8];
        let mut chunks = numbers.chunks_exact(8);
        for chunk in &mut chunks {
            for (sum, v) in sums.iter_mut().zip(chunk) {
                *sum += *v * *v;
            }
        }
        let rest: T = chunks.remainder().iter().map(|v| *v * *v).sum();
        (sums.iter().copied().sum::<T>() + rest).wide()
    }
}

wide! {
    fn multiply_lanes<T: Real, const L: usize>(a: &mut [T], b: &[T]) {
        for (a, b) in a.chunks_exact_mut(2 * L).zip(b.chunks_exact(2 * L)) {
            for l in 0..L {
                let (re, im) = (a[l], a[L + l]);
                a[l] = re * b[l] - im * b[L + l];
                a[L + l] = re * b[L + l] + im * b[l];
            }
        }
    }
}

wide! {
    fn product_lanes<T: Real, const L: usize>(out: &mut [T], a: &[T], b: &[T]) {
        for ((out, a), b) in out.chunks_exact_mut(2 * L).zip(a.chunks_exact(2 * L)).zip(b.chunks_exact(2 * L)) {
            for l in 0..L {
                out[l] = a[l] * b[l] - a[L + l] * b[L + l];
                out[L + l] = a[l] * b[L + l] + a[L + l] * b[l];
            }
        }
    }
}

wide! {
    fn gather_lanes<T: Real, const L: usize>(e: &mut [T], mask: &[T], u: &[T], gradient: &mut [T], fresh: bool) {
        let minus_two = T::of(-2.0);
        let fields = e.chunks_exact_mut(2 * L).zip(mask.chunks_exact(2 * L)).zip(u.chunks_exact(2 * L));
        for (((e, m), u), g) in fields.zip(gradient.chunks_exact_mut(L)) {
            for l in 0..L {
                let re = e[l] * m[l] - e[L + l] * m[L + l];
                let im = e[l] * m[L + l] + e[L + l] * m[l];
                (e[l], e[L + l]) = (re, im);
                let old = if fresh { T::of(0.0) } else { g[l] };
                g[l] = old + minus_two * (re * u[L + l] + im * u[l]);
            }
        }
    }
}

wide! {
    fn grade_lanes<T: Real, const L: usize>(e: &[T], carrier: &[T], u: &[T], gradient: &mut [T], fresh: bool) {
        let two = T::of(2.0);
        let fields = e.chunks_exact(2 * L).zip(carrier.chunks_exact(2 * L)).zip(u.chunks_exact(2 * L));
        for (((e, c), u), g) in fields.zip(gradient.chunks_exact_mut(L)) {
            for l in 0..L {
                let re = e[l] * c[l] - e[L + l] * c[L + l];
                let im = e[l] * c[L + l] + e[L + l] * c[l];
                let old = if fresh { T::of(0.0) } else { g[l] };
                g[l] = old + two * (re * u[l] - im * u[L + l]);
            }
        }
    }
}
