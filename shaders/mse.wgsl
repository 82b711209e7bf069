// Sums of a row for the mean square error: squared residuals, and |g|^2.
//@use params layout sheet mse reduce
//@bind read sheet: array<u32>
//@bind read record: array<vec2<f32>>
//@bind write row_sums: array<vec2<f32>>

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
    let row = group.x;
    let sample = p.first + group.y;
    let start_rms = sheet_float(sample, SHEET_START_RMS);
    let input_mean = start_rms * start_rms;
    let label = sheet[sample * SHEET + SHEET_LABEL];
    var sum = vec2<f32>(0.0);
    for (var col = lid; col < COLS; col += THREADS) {
        let pixel = pixel_index(row, col);
        let y = record[group.y * PIXELS + pixel];
        let intensity = dot(y, y);
        let residual = mse_residual(intensity, label, pixel, input_mean);
        let weight = mse_weight(residual, input_mean);
        sum += vec2<f32>(residual * residual, weight * weight * intensity);
    }
    //@if SUBGROUPS
    let total = workgroup_sum(sum, lane, subgroup, subgroups);
    //@else
    let total = workgroup_sum(sum, lid);
    //@end
    if (lid == 0u) {
        row_sums[group.y * ROWS + row] = total;
    }
}
