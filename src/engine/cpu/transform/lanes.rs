//! Complex arithmetic on eight lanes, in AVX2 and FMA instructions.
//!
//! Everything here is inlined into functions that are compiled for an instruction set (see [`super::kernels`]); whoever
//! holds [`Lanes`] has been through [`Avx2::detect`], so the operations on them are safe.

use std::arch::x86_64::*;
use std::ops::{Add, Mul, Neg, Sub};

/// Eight complex numbers, one per lane: the same element of eight lines. One cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Packet {
    pub(super) re: [f32; 8],
    pub(super) im: [f32; 8],
}

impl Packet {
    pub(super) const ZERO: Self = Self { re: [0.0; 8], im: [0.0; 8] };
}

/// Proof that the processor has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// Asks the processor.
    pub(super) fn detect() -> Option<Self> {
        let has = std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma");
        has.then_some(Self(()))
    }

    /// Reads a packet; with `SWAP` real and imaginary parts change places, which turns a forward transform into an inverse one.
    ///
    /// # Safety
    /// `p` is valid for reading.
    #[inline(always)]
    pub(super) unsafe fn load<const SWAP: bool>(self, p: *const Packet) -> Lanes {
        // SAFETY: packets are aligned to 64 bytes and sixteen floats long; the caller vouches for `p`.
        let (re, im) = unsafe { (_mm256_load_ps(p.cast()), _mm256_load_ps(p.cast::<f32>().add(8))) };
        if SWAP { Lanes { re: im, im: re } } else { Lanes { re, im } }
    }
}

/// A packet in registers.
#[derive(Clone, Copy)]
pub(super) struct Lanes {
    re: __m256,
    im: __m256,
}

/// One instruction; that lanes exist proves that the processor has it.
macro_rules! op {
    ($($instruction:tt)*) => {
        // SAFETY: see the macro's comment.
        unsafe { $($instruction)* }
    };
}

impl Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        Self { re: op!(_mm256_add_ps(self.re, b.re)), im: op!(_mm256_add_ps(self.im, b.im)) }
    }
}

impl Sub for Lanes {
    type Output = Self;
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        Self { re: op!(_mm256_sub_ps(self.re, b.re)), im: op!(_mm256_sub_ps(self.im, b.im)) }
    }
}

impl Mul for Lanes {
    type Output = Self;
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        Self {
            re: op!(_mm256_fmsub_ps(self.re, b.re, _mm256_mul_ps(self.im, b.im))),
            im: op!(_mm256_fmadd_ps(self.re, b.im, _mm256_mul_ps(self.im, b.re))),
        }
    }
}

impl Neg for Lanes {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        let sign = op!(_mm256_set1_ps(-0.0));
        Self { re: op!(_mm256_xor_ps(self.re, sign)), im: op!(_mm256_xor_ps(self.im, sign)) }
    }
}

impl Lanes {
    /// Writes what [`Avx2::load`] read, parts exchanged again.
    ///
    /// # Safety
    /// `p` is valid for writing.
    #[inline(always)]
    pub(super) unsafe fn store<const SWAP: bool>(self, p: *mut Packet) {
        let v = if SWAP { self.swap() } else { self };
        // SAFETY: as in `load`.
        unsafe {
            _mm256_store_ps(p.cast(), v.re);
            _mm256_store_ps(p.cast::<f32>().add(8), v.im);
        }
    }

    /// Real and imaginary parts exchanged.
    #[inline(always)]
    pub(super) fn swap(self) -> Self {
        Self { re: self.im, im: self.re }
    }

    /// `self * conj(b)`.
    #[inline(always)]
    pub(super) fn mul_conj(self, b: Self) -> Self {
        Self {
            re: op!(_mm256_fmadd_ps(self.re, b.re, _mm256_mul_ps(self.im, b.im))),
            im: op!(_mm256_fmsub_ps(self.im, b.re, _mm256_mul_ps(self.re, b.im))),
        }
    }

    /// `self * w` with one `w` for all lanes.
    #[inline(always)]
    pub(super) fn turn(self, w: [f32; 2]) -> Self {
        self * Self { re: op!(_mm256_set1_ps(w[0])), im: op!(_mm256_set1_ps(w[1])) }
    }

    /// `self + i b`.
    #[inline(always)]
    pub(super) fn add_i(self, b: Self) -> Self {
        Self { re: op!(_mm256_sub_ps(self.re, b.im)), im: op!(_mm256_add_ps(self.im, b.re)) }
    }

    /// `self - i b`.
    #[inline(always)]
    pub(super) fn sub_i(self, b: Self) -> Self {
        Self { re: op!(_mm256_add_ps(self.re, b.im)), im: op!(_mm256_sub_ps(self.im, b.re)) }
    }

    /// `s self` with a real `s`.
    #[inline(always)]
    pub(super) fn scale(self, s: f32) -> Self {
        let s = op!(_mm256_set1_ps(s));
        Self { re: op!(_mm256_mul_ps(self.re, s)), im: op!(_mm256_mul_ps(self.im, s)) }
    }

    /// `self + s b` with a real `s`.
    #[inline(always)]
    pub(super) fn add_scaled(self, b: Self, s: f32) -> Self {
        let s = op!(_mm256_set1_ps(s));
        Self { re: op!(_mm256_fmadd_ps(b.re, s, self.re)), im: op!(_mm256_fmadd_ps(b.im, s, self.im)) }
    }

    /// `self + i s b` with a real `s`.
    #[inline(always)]
    pub(super) fn add_i_scaled(self, b: Self, s: f32) -> Self {
        let s = op!(_mm256_set1_ps(s));
        Self { re: op!(_mm256_fnmadd_ps(b.im, s, self.re)), im: op!(_mm256_fmadd_ps(b.re, s, self.im)) }
    }

    /// `self - i s b` with a real `s`.
    #[inline(always)]
    pub(super) fn sub_i_scaled(self, b: Self, s: f32) -> Self {
        let s = op!(_mm256_set1_ps(s));
        Self { re: op!(_mm256_fmadd_ps(b.im, s, self.re)), im: op!(_mm256_fnmadd_ps(b.re, s, self.im)) }
    }

    /// `sqrt(2)` times a turn by -45 degrees: `(1 - i) self`.
    #[inline(always)]
    pub(super) fn eighth(self) -> Self {
        Self { re: op!(_mm256_add_ps(self.re, self.im)), im: op!(_mm256_sub_ps(self.im, self.re)) }
    }
}

/// Eight packets whose lanes and places change roles.
#[inline(always)]
pub(super) fn transpose(x: [Lanes; 8]) -> [Lanes; 8] {
    let (mut re, mut im, mut y) = ([x[0].re; 8], [x[0].im; 8], x);
    for k in 0..8 {
        (re[k], im[k]) = (x[k].re, x[k].im);
    }
    (re, im) = (tile(re), tile(im));
    for k in 0..8 {
        y[k] = Lanes { re: re[k], im: im[k] };
    }
    y
}

/// Transposes an 8 x 8 tile of floats.
#[inline(always)]
fn tile(r: [__m256; 8]) -> [__m256; 8] {
    let t = [
        op!(_mm256_unpacklo_ps(r[0], r[1])),
        op!(_mm256_unpackhi_ps(r[0], r[1])),
        op!(_mm256_unpacklo_ps(r[2], r[3])),
        op!(_mm256_unpackhi_ps(r[2], r[3])),
        op!(_mm256_unpacklo_ps(r[4], r[5])),
        op!(_mm256_unpackhi_ps(r[4], r[5])),
        op!(_mm256_unpacklo_ps(r[6], r[7])),
        op!(_mm256_unpackhi_ps(r[6], r[7])),
    ];
    let u = [
        op!(_mm256_shuffle_ps::<0x44>(t[0], t[2])),
        op!(_mm256_shuffle_ps::<0xee>(t[0], t[2])),
        op!(_mm256_shuffle_ps::<0x44>(t[1], t[3])),
        op!(_mm256_shuffle_ps::<0xee>(t[1], t[3])),
        op!(_mm256_shuffle_ps::<0x44>(t[4], t[6])),
        op!(_mm256_shuffle_ps::<0xee>(t[4], t[6])),
        op!(_mm256_shuffle_ps::<0x44>(t[5], t[7])),
        op!(_mm256_shuffle_ps::<0xee>(t[5], t[7])),
    ];
    [
        op!(_mm256_permute2f128_ps::<0x20>(u[0], u[4])),
        op!(_mm256_permute2f128_ps::<0x20>(u[1], u[5])),
        op!(_mm256_permute2f128_ps::<0x20>(u[2], u[6])),
        op!(_mm256_permute2f128_ps::<0x20>(u[3], u[7])),
        op!(_mm256_permute2f128_ps::<0x31>(u[0], u[4])),
        op!(_mm256_permute2f128_ps::<0x31>(u[1], u[5])),
        op!(_mm256_permute2f128_ps::<0x31>(u[2], u[6])),
        op!(_mm256_permute2f128_ps::<0x31>(u[3], u[7])),
    ]
}
