// Recorded fields in half precision, in units of a power of two; twin of `engine::Store`.
// The power of two nearest to x on a logarithmic scale: from sqrt 2 on, the mantissa carries into the exponent.
fn half_unit(x: f32) -> f32 {
    if (!(x > 7.888609e-31 && x < 1.2676506e30)) {
        return 1.0;
    }
    return bitcast<f32>((bitcast<u32>(x) + 0x004afb0du) & 0x7f800000u);
}

fn half_pack(u: vec2<f32>, unit: f32) -> u32 {
    // Exactly 1 / unit: a division may round.
    let inverse = bitcast<f32>(0x7f000000u - bitcast<u32>(unit));
    return pack2x16float(clamp(inverse * u, vec2<f32>(-65504.0), vec2<f32>(65504.0)));
}

fn half_unpack(word: u32, unit: f32) -> vec2<f32> {
    return unit * unpack2x16float(word);
}
