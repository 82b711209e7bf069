// Last row pass: inverse FFT along x -> after -> measurement -> U_L -> energy of every run of the detector map.
//@use params complex layout
//@bind read work: array<vec2<f32>>
//@if AFTER
//@bind read after: array<vec2<f32>>
//@end
//@if MEASURE
//@bind read sheet: array<u32>
//@use sheet measure
//@end
//@if RECORD
//@bind write record: array<vec2<f32>>
//@end
//@if READOUT
// First run of every row (ROWS + 1 numbers), then two words a run: row, first column | length << 16.
//@bind read runs: array<u32>
//@bind write run_sums: array<f32>
//@end
//@fft_functions

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let line = lid / T;
    let t = lid % T;
    let row = group.x * LINES + line;
    let local = group.y;
    //@if MEASURE
    let sample = p.first + local;
    let scale = p.level * sheet_float(sample, SHEET_START_RMS);
    //@end
    //@each
    var x$m = vec2<f32>(0.0);
    if (exists(row)) {
        x$m = work[local * WORK + work_index(row, $i)];
    }
    //@end
    //@fft inverse
    //@if READOUT
    workgroupBarrier();
    //@end
    //@each
    if (inside(row, $i)) {
        let pixel = pixel_index(row, $i);
        //@if AFTER
        x$m = cmul(x$m, after[pixel]);
        //@end
        //@if MEASURE
        x$m = measure(x$m, pixel, sample, scale);
        //@end
        //@if RECORD
        record[local * PIXELS + pixel] = x$m;
        //@end
        //@if READOUT
        exchange[slot(line, $i)] = vec2<f32>(dot(x$m, x$m), 0.0);
        //@end
    }
    //@end
    //@if READOUT
    workgroupBarrier();
    let top = group.x * LINES;
    let end = runs[min(top + LINES, ROWS)];
    for (var run = runs[top] + lid; run < end; run += THREADS) {
        let run_row = runs[ROWS + 1u + 2u * run];
        let span = runs[ROWS + 2u + 2u * run];
        let from_col = span & 0xffffu;
        let to_col = from_col + (span >> 16u);
        var sum = 0.0;
        for (var col = from_col; col < to_col; col++) {
            sum += exchange[slot(run_row - top, col)].x;
        }
        run_sums[local * p.runs + run] = sum;
    }
    //@end
}
