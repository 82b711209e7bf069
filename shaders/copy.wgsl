// A plain copy, for the bandwidth that the passes are compared with.
//@bind read original: array<vec4<f32>>
//@bind write duplicate: array<vec4<f32>>

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let count = arrayLength(&duplicate);
    for (var i = id.x; i < count; i += groups.x * THREADS) {
        duplicate[i] = original[i];
    }
}
