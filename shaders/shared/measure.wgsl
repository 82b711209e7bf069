// The complex-field camera of `engine::Camera`: four frames with reference phase 0, 90, 180, 270 degrees.
//@use noise
fn measure(u: vec2<f32>, pixel: u32, sample: u32, scale: f32) -> vec2<f32> {
    // A dark sample has no scale: it is measured as darkness, not as NaN.
    if (!(scale > 1.2e-38)) {
        return vec2<f32>(0.0);
    }
    let v = u / scale;
    let n = normals(p.key, pixel, p.offset + sample, p.stage);
    let real = vec2<f32>(p.reference, 0.0);
    let imaginary = real.yx;
    let expected = p.electrons * vec4<f32>(
        dot(v + real, v + real),
        dot(v + imaginary, v + imaginary),
        dot(v - real, v - real),
        dot(v - imaginary, v - imaginary),
    );
    let noisy = expected + sqrt(expected + p.read_variance) * n;
    var counts = clamp(noisy + p.pedestal, vec4<f32>(0.0), vec4<f32>(p.full_well));
    if (p.inverse_lsb > 0.0) {
        counts = floor(counts * p.inverse_lsb + 0.5);
    }
    return scale * p.camera_gain * (counts.xy - counts.zw);
}
