//! Cutting a batch into shares, and adding what the shares gave.

use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;

/// Contiguous shares of `n` samples for `members`, the first ones larger by one where it does not divide; no empty ones.
pub(super) fn shares(n: usize, members: usize) -> impl Iterator<Item = Range<usize>> {
    let (each, more) = (n / members, n % members);
    let first = move |k: usize| k * each + k.min(more);
    (0..members.min(n)).map(move |k| first(k)..first(k + 1))
}

/// The largest share of `n` samples.
pub(super) fn largest(n: usize, members: usize) -> usize {
    n.div_ceil(members)
}

/// Adds the arrays of all parts, in `f64` and in the order of the parts.
pub(super) fn add<T: Copy + Into<f64> + Sync, V: Send>(
    parts: &[Vec<Array2<T>>],
    narrow: impl Fn(f64) -> V + Sync,
) -> Vec<Array2<V>> {
    let arrays = parts.iter().map(Vec::len).min().unwrap_or(0);
    let one = |m: usize| {
        let mut sum = Array2::<f64>::zeros(parts[0][m].raw_dim());
        for part in parts {
            sum.zip_mut_with(&part[m], |sum, &value| *sum += value.into());
        }
        sum.map(|&v| narrow(v))
    };
    (0..arrays).into_par_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_a_batch_in_order_and_differ_by_one_at_most() {
        for n in 0..40 {
            for members in 1..9 {
                let cut: Vec<_> = shares(n, members).collect();
                assert!(cut.iter().flat_map(Clone::clone).eq(0..n), "{n} on {members}: {cut:?}");
                let sizes: Vec<_> = cut.iter().map(|range| range.len()).collect();
                let most = sizes.iter().max().copied().unwrap_or(0);
                assert!(sizes.iter().all(|&s| s > 0 && s + 1 >= most), "{n} on {members}: {cut:?}");
                assert_eq!(most, largest(n, members), "{n} on {members}: {cut:?}");
            }
        }
    }

    #[test]
    fn sums_are_those_of_f64() {
        let part = |v: f32| vec![Array2::from_elem((2, 3), v), Array2::from_elem((2, 3), -v)];
        let parts = [part(1.0), part(1e-8), part(2e-8)];
        let sums = add(&parts, |sum| sum);
        let expected = 1.0 + f64::from(1e-8_f32) + f64::from(2e-8_f32);
        assert_eq!(sums, [Array2::from_elem((2, 3), expected), Array2::from_elem((2, 3), -expected)]);
    }
}
