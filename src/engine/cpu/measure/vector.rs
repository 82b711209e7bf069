//! The measurement of eight pixels a register, in AVX2 and FMA instructions: the same model and the same random numbers as the
//! portable form, with multiply-adds.
//!
//! The polynomials are long chains of dependent instructions. Several chains run in step, so that the processor does not
//! wait for each result.

#![expect(
    clippy::needless_range_loop,
    reason = "several arrays of registers run in step, and iterators are not inlined"
)]

use std::arch::x86_64::*;
use std::f32::consts::{FRAC_PI_2, LN_2};
use std::ops::{Add, Mul, Sub};

use super::{NoiseKey, Sensor};
use crate::engine::cpu::buffer::Layout;

/// Packets measured together: so many chains hide each other's latency, in sixteen registers too.
const PACKETS: usize = 4;

/// Measures a block of rows; `scales` are [`super::scales`].
///
/// # Safety
/// The processor is the one that [`kernel`] has asked.
pub(super) type Kernel = unsafe fn(&mut [f32], Layout, usize, [f32; 2], &Sensor, NoiseKey);

/// The kernel for this processor, if it has AVX2 and FMA.
pub(super) fn kernel() -> Option<Kernel> {
    if !(std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma")) {
        return None;
    }
    let wide = std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512vl");
    Some(if wide { many_registers } else { few_registers })
}

#[target_feature(enable = "avx2,fma")]
unsafe fn few_registers(
    rows: &mut [f32],
    layout: Layout,
    block: usize,
    scales: [f32; 2],
    sensor: &Sensor,
    key: NoiseKey,
) {
    body::<PACKETS, { 2 * PACKETS }>(rows, layout, block, scales, sensor, key)
}

#[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
unsafe fn many_registers(
    rows: &mut [f32],
    layout: Layout,
    block: usize,
    scales: [f32; 2],
    sensor: &Sensor,
    key: NoiseKey,
) {
    body::<PACKETS, { 2 * PACKETS }>(rows, layout, block, scales, sensor, key)
}

/// One instruction. These types exist only inside the two functions above, which run only where [`kernel`] has found it.
macro_rules! op {
    ($($instruction:tt)*) => {
        // SAFETY: see the macro's comment.
        unsafe { $($instruction)* }
    };
}

/// Eight numbers, `N` times.
#[derive(Clone, Copy)]
struct F<const N: usize>([__m256; N]);

/// Eight words, `N` times.
#[derive(Clone, Copy)]
struct W<const N: usize>([__m256i; N]);

/// A function of registers, for each of `N`.
macro_rules! each {
    ($n:ident, $type:ident: $k:ident => $e:expr) => {{
        let mut out = [op!($type()); $n];
        for $k in 0..$n {
            out[$k] = op!($e);
        }
        out
    }};
}

impl<const N: usize> Add for F<N> {
    type Output = Self;
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        Self(each!(N, _mm256_setzero_ps: k => _mm256_add_ps(self.0[k], b.0[k])))
    }
}

impl<const N: usize> Sub for F<N> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        Self(each!(N, _mm256_setzero_ps: k => _mm256_sub_ps(self.0[k], b.0[k])))
    }
}

impl<const N: usize> Mul for F<N> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        Self(each!(N, _mm256_setzero_ps: k => _mm256_mul_ps(self.0[k], b.0[k])))
    }
}

impl<const N: usize> F<N> {
    #[inline(always)]
    fn all(v: f32) -> Self {
        Self([op!(_mm256_set1_ps(v)); N])
    }

    /// `self * a + b`.
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        Self(each!(N, _mm256_setzero_ps: k => _mm256_fmadd_ps(self.0[k], a.0[k], b.0[k])))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(each!(N, _mm256_setzero_ps: k => _mm256_sqrt_ps(self.0[k])))
    }

    #[inline(always)]
    fn between(self, low: Self, high: Self) -> Self {
        Self(each!(N, _mm256_setzero_ps: k => _mm256_min_ps(_mm256_max_ps(self.0[k], low.0[k]), high.0[k])))
    }

    #[inline(always)]
    fn bits(self) -> W<N> {
        W(each!(N, _mm256_setzero_si256: k => _mm256_castps_si256(self.0[k])))
    }

    /// `other` in lanes whose top bit is set in `which`.
    #[inline(always)]
    fn or(self, other: Self, which: W<N>) -> Self {
        let which = which.float();
        Self(each!(N, _mm256_setzero_ps: k => _mm256_blendv_ps(self.0[k], other.0[k], which.0[k])))
    }

    /// The sign changed in lanes whose top bit is set in `which`.
    #[inline(always)]
    fn flipped(self, which: W<N>) -> Self {
        let sign = op!(_mm256_set1_epi32(i32::MIN));
        let bits = self.bits();
        let sign = each!(N, _mm256_setzero_si256: k => _mm256_xor_si256(bits.0[k], _mm256_and_si256(which.0[k], sign)));
        W(sign).float()
    }
}

impl<const N: usize> W<N> {
    #[inline(always)]
    fn all(v: u32) -> Self {
        Self([op!(_mm256_set1_epi32(v as i32)); N])
    }

    #[inline(always)]
    fn plus(self, b: Self) -> Self {
        Self(each!(N, _mm256_setzero_si256: k => _mm256_add_epi32(self.0[k], b.0[k])))
    }

    #[inline(always)]
    fn minus(self, b: Self) -> Self {
        Self(each!(N, _mm256_setzero_si256: k => _mm256_sub_epi32(self.0[k], b.0[k])))
    }

    #[inline(always)]
    fn times(self, b: Self) -> Self {
        Self(each!(N, _mm256_setzero_si256: k => _mm256_mullo_epi32(self.0[k], b.0[k])))
    }

    #[inline(always)]
    fn right<const B: i32>(self) -> Self {
        Self(each!(N, _mm256_setzero_si256: k => _mm256_srli_epi32::<B>(self.0[k])))
    }

    #[inline(always)]
    fn left<const B: i32>(self) -> Self {
        Self(each!(N, _mm256_setzero_si256: k => _mm256_slli_epi32::<B>(self.0[k])))
    }

    #[inline(always)]
    fn and(self, mask: i32) -> Self {
        let mask = op!(_mm256_set1_epi32(mask));
        Self(each!(N, _mm256_setzero_si256: k => _mm256_and_si256(self.0[k], mask)))
    }

    /// The bits of both.
    #[inline(always)]
    fn with(self, b: Self) -> Self {
        Self(each!(N, _mm256_setzero_si256: k => _mm256_or_si256(self.0[k], b.0[k])))
    }

    /// `self ^ (self >> 16)`.
    #[inline(always)]
    fn folded(self) -> Self {
        let half = self.right::<16>();
        Self(each!(N, _mm256_setzero_si256: k => _mm256_xor_si256(self.0[k], half.0[k])))
    }

    #[inline(always)]
    fn float(self) -> F<N> {
        F(each!(N, _mm256_setzero_ps: k => _mm256_castsi256_ps(self.0[k])))
    }

    /// The value of a signed word.
    #[inline(always)]
    fn value(self) -> F<N> {
        F(each!(N, _mm256_setzero_ps: k => _mm256_cvtepi32_ps(self.0[k])))
    }
}

/// The multiplier of the linear congruence in [`crate::device::noise::pcg4d`].
const CONGRUENCE: u32 = 1_664_525;

/// Its first step.
#[inline(always)]
fn congruent<const N: usize>(word: W<N>) -> W<N> {
    word.times(W::all(CONGRUENCE)).plus(W::all(1_013_904_223))
}

/// [`crate::device::noise::pcg4d`] after the linear congruence.
#[inline(always)]
fn mixed<const N: usize>(mut v: [W<N>; 4]) -> [W<N>; 4] {
    for round in 0..2 {
        v[0] = v[0].plus(v[1].times(v[3]));
        v[1] = v[1].plus(v[2].times(v[0]));
        v[2] = v[2].plus(v[0].times(v[1]));
        v[3] = v[3].plus(v[1].times(v[2]));
        if round == 0 {
            for k in 0..4 {
                v[k] = v[k].folded();
            }
        }
    }
    v
}

/// Coefficients of [`crate::device::noise::ln`], of rising order.
const LN: [f32; 9] = [
    3.333_333_4e-1,
    -2.499_999_4e-1,
    2.000_071_5e-1,
    -1.666_805_7e-1,
    1.424_932_3e-1,
    -1.242_014_1e-1,
    1.167_699_8e-1,
    -1.151_461e-1,
    7.037_683_6e-2,
];

/// `-2 ln x` with the polynomial of [`crate::device::noise::ln`].
#[inline(always)]
fn minus_two_ln<const N: usize>(x: F<N>) -> F<N> {
    let bits = x.bits();
    let shifted = bits.minus(W::all(0x3f35_04f3));
    let exponent = W(each!(N, _mm256_setzero_si256: k => _mm256_srai_epi32::<23>(shifted.0[k])));
    let m = bits.minus(exponent.left::<23>()).float() - F::all(1.0);
    let z = m * m;
    // Pairs of coefficients, then a polynomial in the square (Estrin 1960): half as long a chain as Horner's.
    let p = z.fma(F::all(-2.0 * LN[8]), m.fma(F::all(-2.0 * LN[7]), F::all(-2.0 * LN[6])));
    let p = z.fma(p, m.fma(F::all(-2.0 * LN[5]), F::all(-2.0 * LN[4])));
    let p = z.fma(p, m.fma(F::all(-2.0 * LN[3]), F::all(-2.0 * LN[2])));
    let p = z.fma(p, m.fma(F::all(-2.0 * LN[1]), F::all(-2.0 * LN[0])));
    let p = m.fma(m.fma(p, F::all(1.0)), F::all(-2.0));
    exponent.value().fma(F::all(-2.0 * LN_2), m * p)
}

/// [`crate::device::noise::pair`].
#[inline(always)]
fn pair<const N: usize>(a: W<N>, b: W<N>) -> (F<N>, F<N>) {
    const H: f32 = FRAC_PI_2;
    // A mantissa of random bits is a number in 1..2: no conversion, and the result is exact.
    let one = W::all(0x3f80_0000);
    let u = a.right::<9>().with(one).float() - F::all(1.0 - f32::EPSILON / 2.0);
    let radius = minus_two_ln(u).sqrt();
    // The quadrant is in the top two bits, an eighth of a turn on; the rest is the angle from its middle, in quarters.
    let b = b.plus(W::all(1 << 29));
    let f = b.left::<2>().right::<9>().and(!1).with(one).float() - F::all(1.5);
    let z = f * f;
    let s = z.fma(F::all(-1.984_09e-4 * H * H * H * H * H * H * H), F::all(8.333_333e-3 * H * H * H * H * H));
    let s = f * z.fma(z.fma(s, F::all(-1.666_666_6e-1 * H * H * H)), F::all(H));
    let c = z.fma(
        F::all(2.480_1e-5 * H * H * H * H * H * H * H * H),
        F::all(-1.388_888_8e-3 * H * H * H * H * H * H),
    );
    let c = z.fma(z.fma(z.fma(c, F::all(4.166_666_6e-2 * H * H * H * H)), F::all(-0.5 * H * H)), F::all(1.0));
    // Odd quadrants exchange the two; cosine is negative in quadrants 1 and 2, sine in 2 and 3.
    let odd = b.left::<1>();
    let (x, y) = (c.or(s, odd), s.or(c, odd));
    (x.flipped(b.plus(W::all(1 << 30))) * radius, y.flipped(b) * radius)
}

/// The sensor's numbers in all lanes, in units of codes (electrons where it does not quantise).
#[derive(Clone, Copy)]
struct Frames<const N: usize> {
    /// Codes an electron, `c`: the variance of `e` codes of light is `c e`.
    per_electron: F<N>,
    variance: F<N>,
    pedestal: F<N>,
    full: F<N>,
    /// Adding it rounds: `2^23`, or zero.
    rounds: F<N>,
}

impl<const N: usize> Frames<N> {
    #[inline(always)]
    fn new(sensor: &Sensor) -> Self {
        let quantises = sensor.code > 0.0;
        let (c, rounds) = if quantises { (sensor.per_code, 8_388_608.0) } else { (1.0, 0.0) };
        Self {
            per_electron: F::all(c),
            variance: F::all(sensor.read_variance * c * c),
            pedestal: F::all(sensor.pedestal * c),
            full: F::all(sensor.full_well * c),
            rounds: F::all(rounds),
        }
    }

    /// What is read of the light that `amplitude` and a square of the other part make. (A closure would not be inlined.)
    #[inline(always)]
    fn read(self, amplitude: F<N>, square: F<N>, normal: F<N>) -> F<N> {
        let light = amplitude.fma(amplitude, square);
        let noise = light.fma(self.per_electron, self.variance).sqrt();
        let read = noise.fma(normal, light + self.pedestal);
        read.between(F::all(0.0), self.full) + self.rounds
    }
}

/// Measures `P` packets at a time, with `Q = 2 P` pairs of normal numbers.
#[inline(always)]
fn body<const P: usize, const Q: usize>(
    rows: &mut [f32],
    layout: Layout,
    block: usize,
    [inverse, back]: [f32; 2],
    sensor: &Sensor,
    key: NoiseKey,
) {
    let lanes = W([op!(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); P]);
    let first = (block as u32).wrapping_mul((8 * layout.cols) as u32).wrapping_add(key.step[0]);
    let mut pixel = lanes.times(W::all(layout.cols as u32)).plus(W::all(first));
    for k in 0..P {
        pixel.0[k] = op!(_mm256_add_epi32(pixel.0[k], _mm256_set1_epi32(k as i32)));
    }
    // Neighbouring pixels differ by the multiplier after the first step of the generator.
    pixel = congruent(pixel);
    let constant =
        [congruent(W::all(key.sample)), congruent(W::all(key.stage)), congruent(W::all(key.step[1]))];
    let frames = Frames::<P>::new(sensor);
    // Amplitudes are in roots of codes.
    let code = if sensor.code > 0.0 { sensor.code } else { 1.0 };
    let root = (sensor.electrons / code).sqrt();
    let (inverse, back) = (F::all(inverse * root), F::all(back * code));
    let reference = F::all(sensor.reference * root);
    // The last packets may be fewer; they are measured in a copy.
    let mut rest = [0.0; 16 * PACKETS];
    for packets in rows.chunks_mut(16 * P) {
        let whole = packets.len() == 16 * P;
        if !whole {
            rest[..packets.len()].copy_from_slice(packets);
        }
        let at = if whole { packets.as_mut_ptr() } else { rest.as_mut_ptr() };
        let words = mixed([pixel, constant[0], constant[1], constant[2]]);
        pixel = pixel.plus(W::all(CONGRUENCE.wrapping_mul(P as u32)));
        let (mut a, mut b) = (W::<Q>::all(0), W::<Q>::all(0));
        for k in 0..P {
            (a.0[k], a.0[P + k]) = (words[0].0[k], words[2].0[k]);
            (b.0[k], b.0[P + k]) = (words[1].0[k], words[3].0[k]);
        }
        let (x, y) = pair(a, b);
        let mut normal = [F::<P>::all(0.0); 4];
        let (mut u, mut v) = (F::<P>::all(0.0), F::<P>::all(0.0));
        for k in 0..P {
            (normal[0].0[k], normal[2].0[k]) = (x.0[k], x.0[P + k]);
            (normal[1].0[k], normal[3].0[k]) = (y.0[k], y.0[P + k]);
            u.0[k] = op!(_mm256_loadu_ps(at.add(16 * k)));
            v.0[k] = op!(_mm256_loadu_ps(at.add(16 * k + 8)));
        }
        (u, v) = (u * inverse, v * inverse);
        let (uu, vv) = (u * u, v * v);
        let real =
            (frames.read(u + reference, vv, normal[0]) - frames.read(u - reference, vv, normal[2])) * back;
        let imaginary =
            (frames.read(v + reference, uu, normal[1]) - frames.read(v - reference, uu, normal[3])) * back;
        for k in 0..P {
            op!(_mm256_storeu_ps(at.add(16 * k), real.0[k]));
            op!(_mm256_storeu_ps(at.add(16 * k + 8), imaginary.0[k]));
        }
        if !whole {
            packets.copy_from_slice(&rest[..packets.len()]);
        }
    }
}
