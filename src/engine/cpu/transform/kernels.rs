//! The inner loops, compiled for AVX2 and again for the 32 registers of AVX-512.
//!
//! Bodies are generic and inlined always; [`Kernels`] picks the compiled form once. All of them work on raw places: a line's
//! element `i` is the `WIDTH` packets at `at + i * stride`.

#![expect(
    clippy::needless_range_loop,
    reason = "several arrays of registers run in step, and iterators are not inlined"
)]

use super::butterfly::dft;
use super::lanes::{Avx2, Lanes, Packet, transpose};
use super::plan::Stage;

/// Where a line lies.
#[derive(Clone, Copy)]
pub(super) struct Places {
    pub(super) at: *mut Packet,
    /// Packets from element to element.
    pub(super) stride: usize,
}

/// Packets that belong to one element of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// A packet: eight lines.
    One,
    /// Eight packets: eight by eight lines.
    Eight,
}

/// What a stage at the edge of a transform does besides.
#[derive(Clone, Copy)]
pub(super) struct Edge {
    /// The upper half is dark (forward) or not wanted (inverse).
    pub(super) half: bool,
    /// Factors of the elements, read in forward stages; null: none.
    pub(super) times: *const Packet,
}

impl Edge {
    pub(super) const NONE: Self = Self { half: false, times: std::ptr::null() };
}

/// The middle of a column transform: see [`mod@super::packed`].
#[derive(Clone, Copy)]
pub(super) struct Middle {
    pub(super) tiles: *mut Packet,
    pub(super) count: usize,
    /// A packet a tile.
    pub(super) turns: *const Packet,
    /// Eight packets a tile.
    pub(super) transfer: *const Packet,
}

type StageKernel = unsafe fn(Avx2, &Stage, Width, Places, Places, Edge);
type MiddleKernel = unsafe fn(Avx2, Middle);
type TurnKernel = unsafe fn(Avx2, Places, Places, usize);
type ProductKernel = unsafe fn(Avx2, *const Packet, *const Packet, *mut Packet, usize);

/// The kernels for this processor. All are unsafe to call: every place of the line (`length` elements of `width` packets, of
/// which a `half` leaves the upper ones out at the edge) must be valid, and nothing else may use what is written.
#[derive(Clone, Copy)]
pub(super) struct Kernels {
    proof: Avx2,
    forward: StageKernel,
    inverse: StageKernel,
    middle: MiddleKernel,
    turn: TurnKernel,
    product: ProductKernel,
}

impl Kernels {
    /// The best kernels, if the processor has AVX2 and FMA.
    pub(super) fn detect() -> Option<Self> {
        let proof = Avx2::detect()?;
        let wide = std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512vl");
        Some(if wide { many_registers::kernels(proof) } else { few_registers::kernels(proof) })
    }

    /// The AVX2 kernels, whatever the processor has besides.
    #[cfg(test)]
    pub(super) fn plain() -> Option<Self> {
        Avx2::detect().map(few_registers::kernels)
    }

    /// A stage of the forward transform.
    pub(super) unsafe fn forward(&self, stage: &Stage, width: Width, from: Places, to: Places, edge: Edge) {
        // SAFETY: the caller's; the processor was asked.
        unsafe { (self.forward)(self.proof, stage, width, from, to, edge) }
    }

    /// The mirrored stage of the inverse transform.
    pub(super) unsafe fn inverse(&self, stage: &Stage, width: Width, from: Places, to: Places, edge: Edge) {
        // SAFETY: as above.
        unsafe { (self.inverse)(self.proof, stage, width, from, to, edge) }
    }

    /// The middle of a column transform.
    pub(super) unsafe fn middle(&self, middle: Middle) {
        // SAFETY: as above.
        unsafe { (self.middle)(self.proof, middle) }
    }

    /// Transposes `count` tiles of eight by eight packets; `from` and `to` step by `stride` from tile to tile.
    pub(super) unsafe fn transpose(&self, from: Places, to: Places, count: usize) {
        // SAFETY: as above.
        unsafe { (self.turn)(self.proof, from, to, count) }
    }

    /// `to = a b`, packet by packet.
    pub(super) unsafe fn product(&self, a: *const Packet, b: *const Packet, to: *mut Packet, count: usize) {
        // SAFETY: as above.
        unsafe { (self.product)(self.proof, a, b, to, count) }
    }
}

/// Compiles the bodies for a set of instructions.
macro_rules! compiled {
    ($(#[$doc:meta])* $name:ident: $features:literal) => {
        $(#[$doc])*
        mod $name {
            use super::*;

            pub(super) fn kernels(proof: Avx2) -> Kernels {
                Kernels { proof, forward, inverse, middle, turn, product }
            }

            #[target_feature(enable = $features)]
            unsafe fn forward(p: Avx2, stage: &Stage, width: Width, from: Places, to: Places, edge: Edge) {
                // SAFETY: the caller's.
                unsafe { any_radix::<true>(p, stage, width, from, to, edge) }
            }

            #[target_feature(enable = $features)]
            unsafe fn inverse(p: Avx2, stage: &Stage, width: Width, from: Places, to: Places, edge: Edge) {
                // SAFETY: the caller's.
                unsafe { any_radix::<false>(p, stage, width, from, to, edge) }
            }

            #[target_feature(enable = $features)]
            unsafe fn middle(p: Avx2, m: Middle) {
                // SAFETY: the caller's.
                unsafe { middle_body(p, m) }
            }

            #[target_feature(enable = $features)]
            unsafe fn turn(p: Avx2, from: Places, to: Places, count: usize) {
                // SAFETY: the caller's.
                unsafe { turn_body(p, from, to, count) }
            }

            #[target_feature(enable = $features)]
            unsafe fn product(p: Avx2, a: *const Packet, b: *const Packet, to: *mut Packet, count: usize) {
                for k in 0..count {
                    // SAFETY: the caller's.
                    unsafe { (p.load::<false>(a.add(k)) * p.load::<false>(b.add(k))).store::<false>(to.add(k)) }
                }
            }
        }
    };
}

compiled! {
    /// Sixteen registers.
    few_registers: "avx2,fma"
}
compiled! {
    /// Thirty-two registers: butterflies of radix 8 and 10 stay in them.
    many_registers: "avx2,fma,avx512f,avx512vl"
}

#[inline(always)]
unsafe fn any_radix<const FORWARD: bool>(
    p: Avx2,
    stage: &Stage,
    width: Width,
    from: Places,
    to: Places,
    edge: Edge,
) {
    // SAFETY: the caller's.
    unsafe {
        match stage.radix {
            2 => any_width::<2, FORWARD>(p, stage, width, from, to, edge),
            3 => any_width::<3, FORWARD>(p, stage, width, from, to, edge),
            4 => any_width::<4, FORWARD>(p, stage, width, from, to, edge),
            5 => any_width::<5, FORWARD>(p, stage, width, from, to, edge),
            6 => any_width::<6, FORWARD>(p, stage, width, from, to, edge),
            8 => any_width::<8, FORWARD>(p, stage, width, from, to, edge),
            _ => any_width::<10, FORWARD>(p, stage, width, from, to, edge),
        }
    }
}

#[inline(always)]
unsafe fn any_width<const R: usize, const FORWARD: bool>(
    p: Avx2,
    stage: &Stage,
    width: Width,
    from: Places,
    to: Places,
    edge: Edge,
) {
    // SAFETY: the caller's.
    unsafe {
        match (width, edge.half, FORWARD && !edge.times.is_null()) {
            (Width::One, false, false) => body::<R, 1, FORWARD, false, false>(p, stage, from, to, edge),
            (Width::One, false, true) => body::<R, 1, FORWARD, false, true>(p, stage, from, to, edge),
            (Width::One, true, false) => body::<R, 1, FORWARD, true, false>(p, stage, from, to, edge),
            (Width::One, true, true) => body::<R, 1, FORWARD, true, true>(p, stage, from, to, edge),
            (Width::Eight, false, _) => body::<R, 8, FORWARD, false, false>(p, stage, from, to, edge),
            (Width::Eight, true, _) => body::<R, 8, FORWARD, true, false>(p, stage, from, to, edge),
        }
    }
}

/// A stage. The inverse is the mirrored flow, with real and imaginary parts exchanged at both ends.
#[inline(always)]
unsafe fn body<
    const R: usize,
    const WIDTH: usize,
    const FORWARD: bool,
    const HALF: bool,
    const TIMES: bool,
>(
    proof: Avx2,
    stage: &Stage,
    from: Places,
    to: Places,
    edge: Edge,
) {
    let m = stage.m;
    let twiddles = stage.twiddles.as_ptr();
    for block in 0..stage.blocks {
        for p in 0..m {
            let first = block * R * m + p;
            // SAFETY: places are the caller's; the table has `r - 1` numbers for every `p`.
            unsafe {
                let w = twiddles.add(p * (R - 1));
                for c in 0..WIDTH {
                    let at = |i: usize| from.at.add((first + m * i) * from.stride + c);
                    let put = |i: usize| to.at.add((first + m * i) * to.stride + c);
                    if FORWARD {
                        let mut x = [proof.load::<false>(at(0)); R];
                        for j in 0..if HALF { R / 2 } else { R } {
                            x[j] = proof.load::<false>(at(j));
                            if TIMES {
                                x[j] = x[j] * proof.load::<false>(edge.times.add(first + m * j));
                            }
                        }
                        let y = dft::<R, HALF>(x);
                        y[0].store::<false>(put(0));
                        for k in 1..R {
                            let v = if m == 1 { y[k] } else { y[k].turn(*w.add(k - 1)) };
                            v.store::<false>(put(k));
                        }
                    } else {
                        let mut x = [proof.load::<true>(at(0)); R];
                        for k in 1..R {
                            let v = proof.load::<true>(at(k));
                            x[k] = if m == 1 { v } else { v.turn(*w.add(k - 1)) };
                        }
                        let y = dft::<R, false>(x);
                        for j in 0..if HALF { R / 2 } else { R } {
                            y[j].store::<true>(put(j));
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn middle_body(proof: Avx2, m: Middle) {
    for k in 0..m.count {
        // SAFETY: the caller's.
        unsafe {
            let (tile, h) = (m.tiles.add(8 * k), m.transfer.add(8 * k));
            let w = proof.load::<false>(m.turns.add(k));
            let mut x = [w; 8];
            for c in 0..8 {
                x[c] = proof.load::<false>(tile.add(c)) * w;
            }
            let mut y = dft::<8, false>(transpose(x));
            for q in 0..8 {
                y[q] = (y[q] * proof.load::<false>(h.add(q))).swap();
            }
            let x = unswapped(transpose(dft::<8, false>(y)));
            for c in 0..8 {
                x[c].mul_conj(w).store::<false>(tile.add(c));
            }
        }
    }
}

#[inline(always)]
fn unswapped(mut x: [Lanes; 8]) -> [Lanes; 8] {
    for v in &mut x {
        *v = v.swap();
    }
    x
}

#[inline(always)]
unsafe fn turn_body(proof: Avx2, from: Places, to: Places, count: usize) {
    for tile in 0..count {
        // SAFETY: the caller's.
        unsafe {
            let (from, to) = (from.at.add(tile * from.stride), to.at.add(tile * to.stride));
            let mut x = [proof.load::<false>(from); 8];
            for c in 0..8 {
                x[c] = proof.load::<false>(from.add(c));
            }
            let y = transpose(x);
            for c in 0..8 {
                y[c].store::<false>(to.add(c));
            }
        }
    }
}
