// Sum over a workgroup of THREADS (a power of two), always in the same order on one device.
var<workgroup> partials: array<vec2<f32>, THREADS>;

//@if SUBGROUPS
// `lane`, `subgroup` and `count` are the built-in values of the thread: one barrier instead of one for every halving.
fn workgroup_sum(value: vec2<f32>, lane: u32, subgroup: u32, count: u32) -> vec2<f32> {
    let part = vec2<f32>(subgroupAdd(value.x), subgroupAdd(value.y));
    if (lane == 0u) {
        partials[subgroup] = part;
    }
    workgroupBarrier();
    var sum = partials[0];
    for (var k = 1u; k < count; k++) {
        sum += partials[k];
    }
    return sum;
}
//@else
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
//@end
