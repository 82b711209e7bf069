// Cosine and sine by polynomials: a driver's own are only promised to 2^-11.
// (cos, sin) of 2 pi t for t in 0..1, absolute error below 3e-7; twin of device::noise::cos_sin_turns.
fn cos_sin_turns(t: f32) -> vec2<f32> {
    let quarters = 4.0 * t;
    let q = floor(quarters + 0.5);
    let f = (quarters - q) * 1.5707964;
    let z = f * f;
    let s = f + f * z * (-1.6666666e-1 + z * (8.333333e-3 + z * -1.98409e-4));
    let c = 1.0 - 0.5 * z + z * z * (4.1666666e-2 + z * (-1.3888888e-3 + z * 2.4801e-5));
    // Quarter turns swap cosine and sine and change signs; selects instead of branches keep neighbouring threads together.
    let quarter = u32(q) & 3u;
    let turned = select(vec2<f32>(c, s), vec2<f32>(s, c), (quarter & 1u) == 1u);
    return select(turned, -turned, vec2<bool>(((quarter + 1u) & 2u) != 0u, quarter >= 2u));
}
