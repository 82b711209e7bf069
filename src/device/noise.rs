//! Counter-based random numbers: a normal number is a function of (seed, step, sample, hop, pass, pixel) alone.
//!
//! So results do not depend on threads or on the order of work, a run resumes bit for bit, and both engines draw the
//! same noise. The hash is pcg4d (Jarzynski & Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020); normal
//! numbers follow from Box & Muller (1958) with polynomials of our own range, because a GPU's `sin` is only good to 2^-11.
//! `shaders/shared/noise.wgsl` does the same operations in the same order.

/// Which pass a measurement belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Light that carries data.
    Data = 0,
    /// Light that carries the error.
    Error = 1,
}

/// The part of the key that is common to a step: two words of SplitMix64 of seed and step.
pub fn step_key(seed: u64, step: u64) -> [u32; 2] {
    let mut z =
        seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(step.wrapping_mul(0xD1B5_4A32_D192_ED03));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    [z as u32, (z >> 32) as u32]
}

/// The word for hop `l` (from 0) and pass.
pub fn stage_word(hop: usize, pass: Pass) -> u32 {
    2 * hop as u32 + pass as u32
}

/// pcg4d: four well-mixed words from four words.
#[inline(always)]
pub fn pcg4d(mut v: [u32; 4]) -> [u32; 4] {
    for w in &mut v {
        *w = w.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    }
    let mix = |v: &mut [u32; 4]| {
        v[0] = v[0].wrapping_add(v[1].wrapping_mul(v[3]));
        v[1] = v[1].wrapping_add(v[2].wrapping_mul(v[0]));
        v[2] = v[2].wrapping_add(v[0].wrapping_mul(v[1]));
        v[3] = v[3].wrapping_add(v[1].wrapping_mul(v[2]));
    };
    mix(&mut v);
    for w in &mut v {
        *w ^= *w >> 16;
    }
    mix(&mut v);
    v
}

/// `ln x` for positive normal `x`, relative error below 2e-7 (Cephes' coefficients for `logf`).
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    let bits = x.to_bits();
    // Mantissa in sqrt(1/2)..sqrt(2): subtracting the bits of sqrt(1/2) moves the boundary between exponents there.
    let shifted = bits.wrapping_sub(0x3f35_04f3);
    let exponent = (shifted as i32) >> 23;
    let m = f32::from_bits(bits.wrapping_sub((exponent as u32) << 23)) - 1.0;
    let z = m * m;
    let mut p = 7.037_683_6e-2_f32;
    p = p * m - 1.151_461e-1;
    p = p * m + 1.167_699_8e-1;
    p = p * m - 1.242_014_1e-1;
    p = p * m + 1.424_932_3e-1;
    p = p * m - 1.666_805_7e-1;
    p = p * m + 2.000_071_5e-1;
    p = p * m - 2.499_999_4e-1;
    p = p * m + 3.333_333_4e-1;
    let e = exponent as f32;
    m + (p * m * z - 0.5 * z) + e * std::f32::consts::LN_2
}

/// `exp x` for `x` in `-86..=0`, relative error below 1e-6 (Cephes' coefficients for `expf`).
#[inline(always)]
pub fn exp_negative(x: f32) -> f32 {
    let k = (x * std::f32::consts::LOG2_E + 0.5).floor();
    // ln 2 in two parts, so that k ln 2 is subtracted exactly.
    let f = (x - k * 0.693_359_4) + k * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4_f32;
    p = p * f + 1.398_199_9e-3;
    p = p * f + 8.333_452e-3;
    p = p * f + 4.166_579_6e-2;
    p = p * f + 1.666_666_6e-1;
    p = p * f + 0.5;
    // Adding 2^23 leaves the exponent field of 2^k in the lowest bits.
    let power = f32::from_bits((k + (8_388_608.0 + 127.0)).to_bits() << 23);
    (p * f * f + f + 1.0) * power
}

/// `(cos, sin)` of `2 pi t` for `t` in `0..1`, absolute error below 3e-7.
#[inline(always)]
pub fn cos_sin_turns(t: f32) -> (f32, f32) {
    let quarters = 4.0 * t;
    let q = (quarters + 0.5).floor();
    let f = (quarters - q) * std::f32::consts::FRAC_PI_2;
    let z = f * f;
    let s = f + f * z * (-1.666_666_6e-1 + z * (8.333_333e-3 + z * -1.984_09e-4));
    let c = 1.0 - 0.5 * z + z * z * (4.166_666_6e-2 + z * (-1.388_888_8e-3 + z * 2.480_1e-5));
    // Quadrant and signs by bits alone, so that the loops around this vectorise: adding 2^23 leaves the integer `q` in the
    // lowest bits; odd quadrants exchange the two, bit 1 of `q + 1` and of `q` are the signs.
    let bits = (q + 8_388_608.0).to_bits();
    let (x, y) = if bits & 1 == 0 { (c, s) } else { (s, c) };
    let flip = |v: f32, sign: u32| f32::from_bits(v.to_bits() ^ ((sign & 2) << 30));
    (flip(x, bits.wrapping_add(1)), flip(y, bits))
}

/// Four independent standard normal numbers for one pixel of one measurement.
#[inline(always)]
pub fn normals(key: [u32; 2], pixel: u32, sample: u32, stage: u32) -> [f32; 4] {
    let w = words(key, pixel, sample, stage);
    let (a, b) = pair(w[0], w[1]);
    let (c, d) = pair(w[2], w[3]);
    [a, b, c, d]
}

/// The random words behind [`normals`].
#[inline(always)]
pub fn words(key: [u32; 2], pixel: u32, sample: u32, stage: u32) -> [u32; 4] {
    pcg4d([pixel.wrapping_add(key[0]), sample, stage, key[1]])
}

/// Two independent standard normal numbers from two words.
#[inline(always)]
pub fn pair(a: u32, b: u32) -> (f32, f32) {
    const SCALE: f32 = 1.0 / 16_777_216.0;
    // (2 k + 1) / 2^24 of the top 23 bits and a half: never 0, never 1. Signed conversions are the cheap ones.
    let u = ((a >> 9) as i32 as f32 + 0.5) * (2.0 * SCALE);
    let radius = (-2.0 * ln(u)).sqrt();
    let (c, s) = cos_sin_turns((b >> 8) as i32 as f32 * SCALE);
    (radius * c, radius * s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_and_cos_sin_are_accurate() {
        for k in 1..20_000 {
            let x = k as f32 / 20_000.0;
            let exact = f64::from(x).ln();
            assert!((f64::from(ln(x)) - exact).abs() < 3e-7 * (1.0 + exact.abs()), "ln {x}");
            let (c, s) = cos_sin_turns(x);
            let angle = std::f64::consts::TAU * f64::from(x);
            assert!(
                (f64::from(c) - angle.cos()).abs() < 5e-7 && (f64::from(s) - angle.sin()).abs() < 5e-7,
                "turn {x}"
            );
        }
    }

    #[test]
    fn exp_negative_is_accurate() {
        for k in 0..=86_000 {
            let x = -(k as f32) / 1000.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp_negative(x)) / exact - 1.0).abs() < 1e-6, "exp {x}");
        }
    }

    #[test]
    fn normals_have_the_moments_of_a_normal_distribution() {
        let n = 400_000_u32;
        let key = step_key(7, 11);
        let mut moments = [0.0_f64; 4];
        let mut cross = 0.0_f64;
        for pixel in 0..n / 4 {
            let v = normals(key, pixel, 3, 5);
            cross += f64::from(v[0] * v[1] + v[2] * v[3] + v[0] * v[2]);
            for x in v.map(f64::from) {
                moments[0] += x;
                moments[1] += x * x;
                moments[2] += x * x * x;
                moments[3] += x * x * x * x;
            }
        }
        let m = moments.map(|s| s / f64::from(n));
        // Five standard errors of each moment at this n.
        assert!(m[0].abs() < 0.008, "mean {}", m[0]);
        assert!((m[1] - 1.0).abs() < 0.012, "variance {}", m[1]);
        assert!(m[2].abs() < 0.031, "skewness {}", m[2]);
        assert!((m[3] - 3.0).abs() < 0.08, "kurtosis {}", m[3]);
        assert!((cross / f64::from(n)).abs() < 0.02, "cross {cross}");
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let base = normals(step_key(1, 2), 3, 4, stage_word(5, Pass::Data));
        assert_ne!(base, normals(step_key(2, 2), 3, 4, stage_word(5, Pass::Data)));
        assert_ne!(base, normals(step_key(1, 3), 3, 4, stage_word(5, Pass::Data)));
        assert_ne!(base, normals(step_key(1, 2), 4, 4, stage_word(5, Pass::Data)));
        assert_ne!(base, normals(step_key(1, 2), 3, 5, stage_word(5, Pass::Data)));
        assert_ne!(base, normals(step_key(1, 2), 3, 4, stage_word(6, Pass::Data)));
        assert_ne!(base, normals(step_key(1, 2), 3, 4, stage_word(5, Pass::Error)));
    }
}
