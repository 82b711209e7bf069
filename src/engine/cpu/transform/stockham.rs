//! A Stockham transform of eight lines at once: one line per lane, so that no step of it moves data between lanes.
//!
//! Decimation in frequency, natural order in and out (Stockham 1966; Van Loan, *Computational Frameworks for the FFT*, 1992,
//! section 1.7). A stage of radix `r` takes `n = r m` places at stride `s`:
//!
//! ```text
//! to[q + s (r p + k)] = w_n^(p k) sum_j w_r^(j k) from[q + s (p + m j)],   p < m, q < s, k < r
//! ```

use std::f64::consts::TAU;

use super::avx2::{Lanes, Packet, add, add_i, add_scaled, load, scale, store, sub, sub_i, twiddle};

/// The plan for one length `2^a 3^b 5^c`.
pub(super) struct Stockham {
    pub(super) length: usize,
    stages: Vec<Stage>,
}

struct Stage {
    radix: usize,
    /// Sub-transforms after this stage.
    m: usize,
    /// Stride.
    s: usize,
    /// `w_n^(p k)` for `p < m`, `k = 1 .. r`.
    twiddles: Vec<[f32; 2]>,
}

/// Which places of a line matter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All.
    Whole,
    /// Only the first half: the rest is zero (input) or not wanted (output).
    Half,
}

/// Where a transform begins and ends.
pub(super) struct Ends<'a> {
    pub(super) from: Option<&'a [Packet]>,
    pub(super) to: Option<&'a mut [Packet]>,
    pub(super) input: Part,
    pub(super) output: Part,
}

impl Ends<'_> {
    /// In the buffers, with these parts.
    pub(super) fn inside(input: Part, output: Part) -> Self {
        Self { from: None, to: None, input, output }
    }
}

/// What a stage at the edge of a transform may skip.
#[derive(Clone, Copy)]
enum Edge {
    None,
    ZeroAbove,
    UnwantedAbove,
}

impl Stockham {
    /// A plan, unless the length has other factors than 2, 3 and 5.
    pub(super) fn new(length: usize) -> Option<Self> {
        let radices = radices(length)?;
        let (mut n, mut s) = (length, 1);
        let stage = |radix: usize| {
            let m = n / radix;
            let w = |k: usize| {
                let angle = -TAU * (k % n) as f64 / n as f64;
                [angle.cos() as f32, angle.sin() as f32]
            };
            let twiddles = (0..m).flat_map(|p| (1..radix).map(move |k| p * k)).map(w).collect();
            let stage = Stage { radix, m, s, twiddles };
            (n, s) = (m, s * radix);
            stage
        };
        Some(Self { length, stages: radices.into_iter().map(stage).collect() })
    }

    /// Transforms a line. It comes from `ends.from`, or is in `a` to begin with; stages go back and forth between `a` and
    /// `b`; the last one writes to `ends.to`, otherwise this returns true where the result is in `b`. `SWAP` makes it the
    /// inverse transform, without the `1 / n`.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn run<const SWAP: bool>(
        &self,
        a: &mut [Packet],
        b: &mut [Packet],
        mut ends: Ends<'_>,
    ) -> bool {
        let (mut here, mut there, mut in_b) = (a, b, false);
        for (k, stage) in self.stages.iter().enumerate() {
            let (first, last) = (k == 0, k + 1 == self.stages.len());
            let part = match (first && ends.input == Part::Half, last && ends.output == Part::Half) {
                (true, _) => Edge::ZeroAbove,
                (_, true) => Edge::UnwantedAbove,
                _ => Edge::None,
            };
            match (ends.from.take(), if last { ends.to.take() } else { None }) {
                (Some(from), Some(to)) => stage.apply::<SWAP>(from, to, part),
                (Some(from), None) => stage.apply::<SWAP>(from, here, part),
                (None, Some(to)) => stage.apply::<SWAP>(here, to, part),
                (None, None) => {
                    stage.apply::<SWAP>(here, there, part);
                    (here, there, in_b) = (there, here, !in_b);
                }
            }
        }
        in_b
    }

    /// Whether a half of the line can be left out on both sides: the first and the last stage have radix 4, and differ.
    pub(super) fn prunes(&self) -> bool {
        let radix4 = |s: Option<&Stage>| s.is_some_and(|s| s.radix == 4);
        self.stages.len() > 1 && radix4(self.stages.first()) && radix4(self.stages.last())
    }
}

/// Radices in the order of the stages: 4 first and last, where halves can be skipped, the others between.
fn radices(length: usize) -> Option<Vec<usize>> {
    let (mut n, mut fours, mut others) = (length, Vec::new(), Vec::new());
    for radix in [4, 2, 3, 5] {
        while n > 1 && n.is_multiple_of(radix) {
            n /= radix;
            if radix == 4 { fours.push(4) } else { others.push(radix) }
        }
    }
    if n != 1 || length == 1 {
        return None;
    }
    let last = if fours.len() > 1 { fours.pop() } else { None };
    Some(fours.into_iter().chain(others).chain(last).collect())
}

impl Stage {
    #[target_feature(enable = "avx2,fma")]
    fn apply<const SWAP: bool>(&self, from: &[Packet], to: &mut [Packet], edge: Edge) {
        match (self.radix, edge) {
            (2, _) => self.radix2::<SWAP>(from, to),
            (3, _) => self.radix3::<SWAP>(from, to),
            (5, _) => self.radix5::<SWAP>(from, to),
            (_, Edge::ZeroAbove) => self.radix4::<SWAP, true, false>(from, to),
            (_, Edge::UnwantedAbove) => self.radix4::<SWAP, false, true>(from, to),
            _ => self.radix4::<SWAP, false, false>(from, to),
        }
    }

    /// The twiddles of sub-transform `p`.
    #[inline]
    fn twiddles_of<const R: usize>(&self, p: usize) -> &[[f32; 2]; R] {
        self.twiddles[p * R..].first_chunk().expect("the table has r - 1 numbers for every p")
    }

    #[target_feature(enable = "avx2,fma")]
    fn radix2<const SWAP: bool>(&self, from: &[Packet], to: &mut [Packet]) {
        let (m, s) = (self.m, self.s);
        for p in 0..m {
            let &[w] = self.twiddles_of::<1>(p);
            for q in 0..s {
                let (a, b) = (load::<SWAP>(&from[q + s * p]), load::<SWAP>(&from[q + s * (p + m)]));
                store::<SWAP>(&mut to[q + s * 2 * p], add(a, b));
                store::<SWAP>(&mut to[q + s * (2 * p + 1)], twiddle(sub(a, b), w));
            }
        }
    }

    /// `HALF_IN`: the upper half of the line is zero. `HALF_OUT`: the upper half is not wanted (last stage only).
    #[target_feature(enable = "avx2,fma")]
    fn radix4<const SWAP: bool, const HALF_IN: bool, const HALF_OUT: bool>(
        &self,
        from: &[Packet],
        to: &mut [Packet],
    ) {
        let (m, s) = (self.m, self.s);
        for p in 0..m {
            let &[w1, w2, w3] = self.twiddles_of::<3>(p);
            for q in 0..s {
                let x = |j: usize| load::<SWAP>(&from[q + s * (p + m * j)]);
                let (a, b) = (x(0), x(1));
                let (sum, difference, cross_sum, cross) = if HALF_IN {
                    (a, a, b, b)
                } else {
                    let (c, d) = (x(2), x(3));
                    (add(a, c), sub(a, c), add(b, d), sub(b, d))
                };
                let mut put = |k: usize, v: Lanes| store::<SWAP>(&mut to[q + s * (4 * p + k)], v);
                put(0, add(sum, cross_sum));
                if m == 1 {
                    // The last stage has no twiddles.
                    put(1, sub_i(difference, cross));
                    if !HALF_OUT {
                        put(2, sub(sum, cross_sum));
                        put(3, add_i(difference, cross));
                    }
                } else {
                    put(1, twiddle(sub_i(difference, cross), w1));
                    put(2, twiddle(sub(sum, cross_sum), w2));
                    put(3, twiddle(add_i(difference, cross), w3));
                }
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn radix3<const SWAP: bool>(&self, from: &[Packet], to: &mut [Packet]) {
        const SIN: f32 = 0.866_025_4;
        let (m, s) = (self.m, self.s);
        for p in 0..m {
            let &[w1, w2] = self.twiddles_of::<2>(p);
            for q in 0..s {
                let x = |j: usize| load::<SWAP>(&from[q + s * (p + m * j)]);
                let (a, b, c) = (x(0), x(1), x(2));
                let (sum, difference) = (add(b, c), scale(sub(b, c), SIN));
                let middle = add_scaled(a, sum, -0.5);
                store::<SWAP>(&mut to[q + s * 3 * p], add(a, sum));
                store::<SWAP>(&mut to[q + s * (3 * p + 1)], twiddle(sub_i(middle, difference), w1));
                store::<SWAP>(&mut to[q + s * (3 * p + 2)], twiddle(add_i(middle, difference), w2));
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn radix5<const SWAP: bool>(&self, from: &[Packet], to: &mut [Packet]) {
        // cos and sin of 2 pi / 5 and 4 pi / 5.
        const C1: f32 = 0.309_017;
        const C2: f32 = -0.809_017;
        const S1: f32 = 0.951_056_5;
        const S2: f32 = 0.587_785_25;
        let (m, s) = (self.m, self.s);
        for p in 0..m {
            let &[w1, w2, w3, w4] = self.twiddles_of::<4>(p);
            for q in 0..s {
                let x = |j: usize| load::<SWAP>(&from[q + s * (p + m * j)]);
                let (a, b, c, d, e) = (x(0), x(1), x(2), x(3), x(4));
                let (near, far) = (add(b, e), add(c, d));
                let (near_i, far_i) = (sub(b, e), sub(c, d));
                let first = add_scaled(add_scaled(a, near, C1), far, C2);
                let second = add_scaled(add_scaled(a, near, C2), far, C1);
                let first_i = add_scaled(scale(near_i, S1), far_i, S2);
                let second_i = add_scaled(scale(near_i, S2), far_i, -S1);
                let mut put = |k: usize, v: Lanes| store::<SWAP>(&mut to[q + s * (5 * p + k)], v);
                put(0, add(a, add(near, far)));
                put(1, twiddle(sub_i(first, first_i), w1));
                put(2, twiddle(sub_i(second, second_i), w2));
                put(3, twiddle(add_i(second, second_i), w3));
                put(4, twiddle(add_i(first, first_i), w4));
            }
        }
    }
}
