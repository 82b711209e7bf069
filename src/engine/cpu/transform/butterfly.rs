//! Short transforms in registers: the butterflies that lines are made of.

use super::lanes::Lanes;

/// The radices there are.
pub(super) const RADICES: [usize; 7] = [2, 3, 4, 5, 6, 8, 10];

/// `y_k = sum_j w_R^(j k) x_j`. With `HALF` the upper half of `x` counts as zero (even radices only).
#[inline(always)]
pub(super) fn dft<const R: usize, const HALF: bool>(x: [Lanes; R]) -> [Lanes; R] {
    let mut y = x;
    match R {
        2 => (y[0], y[1]) = if HALF { (x[0], x[0]) } else { (x[0] + x[1], x[0] - x[1]) },
        3 => put(&mut y, dft3([x[0], x[1], x[2]])),
        4 => put(&mut y, dft4::<HALF>([x[0], x[1], x[2], x[3]])),
        5 => put(&mut y, dft5([x[0], x[1], x[2], x[3], x[4]])),
        6 => put(&mut y, dft6::<HALF>([x[0], x[1], x[2], x[3], x[4], x[5]])),
        8 => put(&mut y, dft8::<HALF>([x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]])),
        10 => put(&mut y, dft10::<HALF>([x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9]])),
        _ => unreachable!("radix {R}"),
    }
    y
}

/// Copies a butterfly of the radix at hand into an array whose length the compiler knows only after the fact.
#[inline(always)]
fn put<const R: usize, const K: usize>(y: &mut [Lanes; R], values: [Lanes; K]) {
    y[..K].copy_from_slice(&values);
}

#[inline(always)]
fn dft3([a, b, c]: [Lanes; 3]) -> [Lanes; 3] {
    const SIN: f32 = 0.866_025_4;
    let (sum, difference) = (b + c, b - c);
    let middle = a.add_scaled(sum, -0.5);
    [a + sum, middle.sub_i_scaled(difference, SIN), middle.add_i_scaled(difference, SIN)]
}

#[inline(always)]
fn dft4<const HALF: bool>([a, b, c, d]: [Lanes; 4]) -> [Lanes; 4] {
    let (sum, difference, cross_sum, cross) = if HALF { (a, a, b, b) } else { (a + c, a - c, b + d, b - d) };
    [sum + cross_sum, difference.sub_i(cross), sum - cross_sum, difference.add_i(cross)]
}

#[inline(always)]
fn dft5([a, b, c, d, e]: [Lanes; 5]) -> [Lanes; 5] {
    // cos and sin of 2 pi / 5 and 4 pi / 5.
    const C1: f32 = 0.309_017;
    const C2: f32 = -0.809_017;
    const S1: f32 = 0.951_056_5;
    const S2: f32 = 0.587_785_25;
    let (near, far) = (b + e, c + d);
    let (near_i, far_i) = (b - e, c - d);
    let first = a.add_scaled(near, C1).add_scaled(far, C2);
    let second = a.add_scaled(near, C2).add_scaled(far, C1);
    let first_i = near_i.scale(S1).add_scaled(far_i, S2);
    let second_i = near_i.scale(S2).add_scaled(far_i, -S1);
    [
        a + (near + far),
        first.sub_i(first_i),
        second.sub_i(second_i),
        second.add_i(second_i),
        first.add_i(first_i),
    ]
}

/// Good-Thomas: `n = 3 n1 + 2 n2`, `k = 3 k1 + 4 k2` (mod 6), no turns between the parts.
#[inline(always)]
fn dft6<const HALF: bool>(x: [Lanes; 6]) -> [Lanes; 6] {
    // Pairs (n1 = 0, 1) for n2 = 0, 1, 2. With `HALF` places 3, 4, 5 are dark.
    let (s, d) = if HALF {
        ([x[0], x[2], x[1]], [x[0], x[2], -x[1]])
    } else {
        ([x[0] + x[3], x[2] + x[5], x[4] + x[1]], [x[0] - x[3], x[2] - x[5], x[4] - x[1]])
    };
    let (even, odd) = (dft3(s), dft3(d));
    [even[0], odd[1], even[2], odd[0], even[1], odd[2]]
}

#[inline(always)]
fn dft8<const HALF: bool>(x: [Lanes; 8]) -> [Lanes; 8] {
    const R: f32 = std::f32::consts::FRAC_1_SQRT_2;
    let (s, d) = if HALF {
        ([x[0], x[1], x[2], x[3]], [x[0], x[1], x[2], x[3]])
    } else {
        (
            [x[0] + x[4], x[1] + x[5], x[2] + x[6], x[3] + x[7]],
            [x[0] - x[4], x[1] - x[5], x[2] - x[6], x[3] - x[7]],
        )
    };
    let even = dft4::<false>(s);
    // Odd outputs: d_k w_8^k, with the factor sqrt(1/2) of d_1 and d_3 left to the multiply-adds. d_3 w_8^3 = -i (1 - i) d_3 / sqrt(2).
    let (one, three) = (d[1].eighth(), d[3].eighth());
    let (sum, cross) = (one.sub_i(three), one.add_i(three));
    let (near, far) = (d[0].sub_i(d[2]), d[0].add_i(d[2]));
    [
        even[0],
        near.add_scaled(sum, R),
        even[1],
        far.sub_i_scaled(cross, R),
        even[2],
        near.add_scaled(sum, -R),
        even[3],
        far.add_i_scaled(cross, R),
    ]
}

/// Good-Thomas: `n = 5 n1 + 2 n2`, `k = 5 k1 + 6 k2` (mod 10), no turns between the parts.
#[inline(always)]
fn dft10<const HALF: bool>(x: [Lanes; 10]) -> [Lanes; 10] {
    // Pairs (n1 = 0, 1) for n2 = 0 .. 4: places (0, 5), (2, 7), (4, 9), (6, 1), (8, 3). With `HALF` 5 .. 9 are dark.
    let (s, d) = if HALF {
        ([x[0], x[2], x[4], x[1], x[3]], [x[0], x[2], x[4], -x[1], -x[3]])
    } else {
        (
            [x[0] + x[5], x[2] + x[7], x[4] + x[9], x[6] + x[1], x[8] + x[3]],
            [x[0] - x[5], x[2] - x[7], x[4] - x[9], x[6] - x[1], x[8] - x[3]],
        )
    };
    let (even, odd) = (dft5(s), dft5(d));
    // k1 = 0: k = 6 k2 mod 10 = 0, 6, 2, 8, 4; k1 = 1: k = 5, 1, 7, 3, 9.
    [even[0], odd[1], even[2], odd[3], even[4], odd[0], even[1], odd[2], even[3], odd[4]]
}
