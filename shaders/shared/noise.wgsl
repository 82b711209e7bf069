// Counter-based normal numbers: the operations of src/device/noise.rs in the same order.
//@use exp_ln turns
fn pcg4d(key: vec4<u32>) -> vec4<u32> {
    var v = key * 1664525u + 1013904223u;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    v = v ^ (v >> vec4<u32>(16u));
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    return v;
}

fn normal_pair(a: u32, b: u32) -> vec2<f32> {
    let u = (f32(a >> 9u) + 0.5) * 1.1920929e-7;
    let radius = sqrt(-2.0 * ln(u));
    return radius * cos_sin_turns(f32(b >> 8u) * 5.9604645e-8);
}

// Four independent standard normal numbers for one pixel of one measurement.
fn normals(key: vec2<u32>, pixel: u32, sample: u32, stage: u32) -> vec4<f32> {
    let w = pcg4d(vec4<u32>(pixel + key.x, sample, stage, key.y));
    return vec4<f32>(normal_pair(w.x, w.y), normal_pair(w.z, w.w));
}
