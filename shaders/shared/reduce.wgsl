// Sum over a workgroup of THREADS (a power of two), always in the same order.
var<workgroup> partials: array<vec2<f32>, THREADS>;

fn workgroup_sum(value: vec2<f32>, lid: u32) -> vec2<f32> {
    partials[lid] = value;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (lid < half) {
            partials[lid] += partials[lid + half];
        }
        workgroupBarrier();
    }
    return partials[0];
}
