//! How a line is cut into stages.
//!
//! Decimation in frequency, in place (Van Loan, *Computational Frameworks for the FFT*, 1992, section 1.9): a stage of radix `r`
//! takes each of its sub-transforms of `n = r m` places apart,
//!
//! ```text
//! a[p + m k] <- w_n^(p k) sum_j w_r^(j k) a[p + m j],   p < m, k < r
//! ```
//!
//! Frequencies end at permuted places ([`Plan::order`]). Nothing ever sorts them: transfer functions are stored in the
//! same order, and the inverse transform runs the mirrored stages.

use std::f64::consts::TAU;

use super::butterfly::RADICES;

/// The stages of lines of one length `2^a 3^b 5^c`.
pub(super) struct Plan {
    pub(super) length: usize,
    pub(super) stages: Vec<Stage>,
    /// Frequency at every place after the forward stages.
    pub(super) order: Vec<usize>,
}

pub(super) struct Stage {
    pub(super) radix: usize,
    /// Sub-transforms before this stage.
    pub(super) blocks: usize,
    /// Length of the sub-transforms after it.
    pub(super) m: usize,
    /// `w_n^(p k)` for `p < m`, `k = 1 .. r`.
    pub(super) twiddles: Vec<[f32; 2]>,
}

impl Plan {
    /// A plan, unless the length has other factors than 2, 3 and 5.
    pub(super) fn new(length: usize) -> Option<Self> {
        let radices = radices(length)?;
        let (mut n, mut blocks, mut order) = (length, 1, vec![0; length]);
        let mut stages = Vec::new();
        for radix in radices {
            let m = n / radix;
            for (place, frequency) in order.iter_mut().enumerate() {
                *frequency += blocks * (place / m % radix);
            }
            let twiddles = (0..m).flat_map(|p| (1..radix).map(move |k| root(p * k, n))).collect();
            stages.push(Stage { radix, blocks, m, twiddles });
            (n, blocks) = (m, blocks * radix);
        }
        Some(Self { length, stages, order })
    }

    /// Whether a half of the line can be left out on both sides.
    pub(super) fn halves(&self) -> bool {
        self.stages.first().is_some_and(|s| s.radix.is_multiple_of(2))
    }
}

/// `exp(-2 pi i k / n)`.
pub(super) fn root(k: usize, n: usize) -> [f32; 2] {
    let angle = -TAU * (k % n) as f64 / n as f64;
    [angle.cos() as f32, angle.sin() as f32]
}

/// Relative time of a stage per place, measured on a Zen 4: memory traffic is the same for all, arithmetic grows slowly.
fn cost(radix: usize) -> u32 {
    match radix {
        2 => 19,
        3 => 24,
        4 => 25,
        5 => 32,
        6 => 30,
        8 => 33,
        _ => 42,
    }
}

/// The cheapest radices; an even one first, where halves can be skipped.
fn radices(length: usize) -> Option<Vec<usize>> {
    let mut best: Vec<Option<(u32, usize)>> = vec![None; length + 1];
    best[1] = Some((0, 1));
    for n in (2..=length).filter(|n| length.is_multiple_of(*n)) {
        let divisors = RADICES.iter().filter(|r| n.is_multiple_of(**r));
        best[n] = divisors.filter_map(|&r| best[n / r].map(|(c, _)| (c + cost(r), r))).min();
    }
    let (mut n, mut radices) = (length, Vec::new());
    while n > 1 {
        let radix = best[n]?.1;
        radices.push(radix);
        n /= radix;
    }
    radices.sort_by_key(|r| (r % 2, std::cmp::Reverse(*r)));
    Some(radices)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stage is a trip of the whole line through the cache: what a transform costs. More stages for a common length are a
    /// step back, whatever a clock says.
    #[test]
    fn common_lengths_take_few_stages() {
        let expected: [(usize, &[usize]); 12] = [
            (16, &[4, 4]),
            (32, &[8, 4]),
            (50, &[10, 5]),
            (64, &[8, 8]),
            (100, &[10, 10]),
            (128, &[8, 4, 4]),
            (200, &[10, 5, 4]),
            (256, &[8, 8, 4]),
            (400, &[10, 8, 5]),
            (512, &[8, 8, 8]),
            (800, &[10, 10, 8]),
            (1024, &[8, 8, 4, 4]),
        ];
        for (length, most) in expected {
            let found = radices(length).expect("a product of 2, 3 and 5");
            assert_eq!(found.iter().product::<usize>(), length);
            assert!(found.len() <= most.len(), "{length}: {found:?}, but {most:?} does it");
        }
    }

    #[test]
    fn even_lengths_can_leave_halves_out() {
        for length in (2..=1200).step_by(2) {
            if let Some(plan) = Plan::new(length) {
                assert!(plan.halves(), "{length}");
                let mut order = plan.order.clone();
                order.sort_unstable();
                assert!(order.into_iter().eq(0..length), "{length}: every frequency has one place");
            }
        }
    }
}
