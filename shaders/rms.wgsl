// Rms of the start field of every sample, from the sums of its rows.
//@use params sheet reduce
//@bind read row_sums: array<vec2<f32>>
//@bind write sheet: array<u32>

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
    //@if SUBGROUPS
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    //@end
) {
    var sum = vec2<f32>(0.0);
    for (var row = lid; row < ROWS; row += THREADS) {
        sum += row_sums[group.y * ROWS + row];
    }
    //@if SUBGROUPS
    let total = workgroup_sum(sum, lane, subgroup, subgroups).x;
    //@else
    let total = workgroup_sum(sum, lid).x;
    //@end
    if (lid == 0u) {
        sheet[(p.first + group.y) * SHEET + SHEET_START_RMS] = bitcast<u32>(sqrt(total / f32(PIXELS)));
    }
}
