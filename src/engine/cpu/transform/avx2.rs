//! Complex arithmetic on eight lanes, and the transposition of tiles, in AVX2 and FMA instructions.
//!
//! Every function here needs both instruction sets; the only way in is [`mod@super::packed`], which asks the processor first.

use std::arch::x86_64::*;

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

/// A packet in registers.
#[derive(Clone, Copy)]
pub(super) struct Lanes {
    re: __m256,
    im: __m256,
}

/// The array of an expression for `0..8`. Closures would do, but `array::map` is compiled without the instruction sets and
/// then cannot be inlined here.
macro_rules! eight {
    ($k:ident => $e:expr) => {
        [
            { const $k: usize = 0; $e },
            { const $k: usize = 1; $e },
            { const $k: usize = 2; $e },
            { const $k: usize = 3; $e },
            { const $k: usize = 4; $e },
            { const $k: usize = 5; $e },
            { const $k: usize = 6; $e },
            { const $k: usize = 7; $e },
        ]
    };
}
pub(super) use eight;

/// Whether the processor can.
pub(super) fn available() -> bool {
    std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma")
}

/// Reads a packet; with `SWAP` real and imaginary parts change places, which turns a forward transform into an inverse one.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn load<const SWAP: bool>(p: &Packet) -> Lanes {
    // SAFETY: the arrays are eight floats long, and packets are aligned to 64 bytes.
    let (re, im) = unsafe { (_mm256_load_ps(p.re.as_ptr()), _mm256_load_ps(p.im.as_ptr())) };
    if SWAP { Lanes { re: im, im: re } } else { Lanes { re, im } }
}

/// Writes what [`load`] read, parts exchanged again.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn store<const SWAP: bool>(p: &mut Packet, v: Lanes) {
    let (re, im) = if SWAP { (v.im, v.re) } else { (v.re, v.im) };
    // SAFETY: as in `load`.
    unsafe {
        _mm256_store_ps(p.re.as_mut_ptr(), re);
        _mm256_store_ps(p.im.as_mut_ptr(), im);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn add(a: Lanes, b: Lanes) -> Lanes {
    Lanes { re: _mm256_add_ps(a.re, b.re), im: _mm256_add_ps(a.im, b.im) }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn sub(a: Lanes, b: Lanes) -> Lanes {
    Lanes { re: _mm256_sub_ps(a.re, b.re), im: _mm256_sub_ps(a.im, b.im) }
}

/// `a + i b`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn add_i(a: Lanes, b: Lanes) -> Lanes {
    Lanes { re: _mm256_sub_ps(a.re, b.im), im: _mm256_add_ps(a.im, b.re) }
}

/// `a - i b`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn sub_i(a: Lanes, b: Lanes) -> Lanes {
    Lanes { re: _mm256_add_ps(a.re, b.im), im: _mm256_sub_ps(a.im, b.re) }
}

/// `a + s b` with a real `s`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn add_scaled(a: Lanes, b: Lanes, s: f32) -> Lanes {
    let s = _mm256_set1_ps(s);
    Lanes { re: _mm256_fmadd_ps(b.re, s, a.re), im: _mm256_fmadd_ps(b.im, s, a.im) }
}

/// `s a` with a real `s`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn scale(a: Lanes, s: f32) -> Lanes {
    let s = _mm256_set1_ps(s);
    Lanes { re: _mm256_mul_ps(a.re, s), im: _mm256_mul_ps(a.im, s) }
}

/// `w a` with one `w` for all lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn twiddle(a: Lanes, w: [f32; 2]) -> Lanes {
    let (wr, wi) = (_mm256_set1_ps(w[0]), _mm256_set1_ps(w[1]));
    product(a, Lanes { re: wr, im: wi })
}

/// `a b`, lane by lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn product(a: Lanes, b: Lanes) -> Lanes {
    Lanes {
        re: _mm256_fmsub_ps(a.re, b.re, _mm256_mul_ps(a.im, b.im)),
        im: _mm256_fmadd_ps(a.re, b.im, _mm256_mul_ps(a.im, b.re)),
    }
}

/// Transposes an 8 x 8 tile of floats.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn transpose(r: [__m256; 8]) -> [__m256; 8] {
    let t = [
        _mm256_unpacklo_ps(r[0], r[1]),
        _mm256_unpackhi_ps(r[0], r[1]),
        _mm256_unpacklo_ps(r[2], r[3]),
        _mm256_unpackhi_ps(r[2], r[3]),
        _mm256_unpacklo_ps(r[4], r[5]),
        _mm256_unpackhi_ps(r[4], r[5]),
        _mm256_unpacklo_ps(r[6], r[7]),
        _mm256_unpackhi_ps(r[6], r[7]),
    ];
    let u = [
        _mm256_shuffle_ps::<0x44>(t[0], t[2]),
        _mm256_shuffle_ps::<0xee>(t[0], t[2]),
        _mm256_shuffle_ps::<0x44>(t[1], t[3]),
        _mm256_shuffle_ps::<0xee>(t[1], t[3]),
        _mm256_shuffle_ps::<0x44>(t[4], t[6]),
        _mm256_shuffle_ps::<0xee>(t[4], t[6]),
        _mm256_shuffle_ps::<0x44>(t[5], t[7]),
        _mm256_shuffle_ps::<0xee>(t[5], t[7]),
    ];
    [
        _mm256_permute2f128_ps::<0x20>(u[0], u[4]),
        _mm256_permute2f128_ps::<0x20>(u[1], u[5]),
        _mm256_permute2f128_ps::<0x20>(u[2], u[6]),
        _mm256_permute2f128_ps::<0x20>(u[3], u[7]),
        _mm256_permute2f128_ps::<0x31>(u[0], u[4]),
        _mm256_permute2f128_ps::<0x31>(u[1], u[5]),
        _mm256_permute2f128_ps::<0x31>(u[2], u[6]),
        _mm256_permute2f128_ps::<0x31>(u[3], u[7]),
    ]
}

/// Eight packets whose lanes and places change roles.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn transpose_packets(from: &[Packet; 8], to: &mut [Packet; 8]) {
    let lanes = eight!(K => load::<false>(&from[K]));
    let re = transpose(eight!(K => lanes[K].re));
    let im = transpose(eight!(K => lanes[K].im));
    for k in 0..8 {
        store::<false>(&mut to[k], Lanes { re: re[k], im: im[k] });
    }
}

/// In a register of deinterleaved numbers, lane `k` holds number `ORDER[k]`: AVX2 shuffles within halves.
const ORDER: [usize; 8] = [0, 1, 4, 5, 2, 3, 6, 7];

/// Eight interleaved complex numbers of each of eight rows, to eight packets with a row per lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn pack(rows: [&[f32; 16]; 8], to: &mut [Packet; 8]) {
    // SAFETY: sixteen floats are there.
    let low = eight!(K => unsafe { _mm256_loadu_ps(rows[K].as_ptr()) });
    // SAFETY: as above.
    let high = eight!(K => unsafe { _mm256_loadu_ps(rows[K].as_ptr().add(8)) });
    let re = transpose(eight!(K => _mm256_shuffle_ps::<0x88>(low[K], high[K])));
    let im = transpose(eight!(K => _mm256_shuffle_ps::<0xdd>(low[K], high[K])));
    for (k, &at) in ORDER.iter().enumerate() {
        store::<false>(&mut to[at], Lanes { re: re[k], im: im[k] });
    }
}

/// The opposite of [`pack`].
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn unpack(from: &[Packet; 8], rows: &mut [[f32; 16]; 8]) {
    let lanes = eight!(K => load::<false>(&from[ORDER[K]]));
    let re = transpose(eight!(K => lanes[K].re));
    let im = transpose(eight!(K => lanes[K].im));
    for (k, row) in rows.iter_mut().enumerate() {
        // SAFETY: sixteen floats are there.
        unsafe {
            _mm256_storeu_ps(row.as_mut_ptr(), _mm256_unpacklo_ps(re[k], im[k]));
            _mm256_storeu_ps(row.as_mut_ptr().add(8), _mm256_unpackhi_ps(re[k], im[k]));
        }
    }
}
