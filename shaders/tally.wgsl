// Adds a batch to the tally: sum of losses (with the rounding error kept beside it), correct predictions, samples.
//@use params sheet reduce
//@bind read sheet: array<u32>
//@bind write tally: array<u32>

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    //@if SUBGROUPS
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    //@end
) {
    // Losses, and correct predictions as a float: exact up to 2^24 samples a batch.
    var sum = vec2<f32>(0.0);
    for (var sample = lid; sample < p.count; sample += THREADS) {
        let base = sample * SHEET;
        let correct = sheet[base + SHEET_LABEL] == sheet[base + SHEET_PREDICTION];
        sum += vec2<f32>(bitcast<f32>(sheet[base + SHEET_LOSS]), select(0.0, 1.0, correct));
    }
    //@if SUBGROUPS
    let total = workgroup_sum(sum, lane, subgroup, subgroups);
    //@else
    let total = workgroup_sum(sum, lid);
    //@end
    if (lid == 0u) {
        // Two-sum (Knuth): a long epoch in f32 would lose the small losses.
        let old = bitcast<f32>(tally[0]);
        let new_sum = old + total.x;
        let part = new_sum - old;
        let error = (old - (new_sum - part)) + (total.x - part);
        tally[0] = bitcast<u32>(new_sum);
        tally[1] = bitcast<u32>(bitcast<f32>(tally[1]) + error);
        tally[2] += u32(total.y);
        tally[3] += p.count;
    }
}
