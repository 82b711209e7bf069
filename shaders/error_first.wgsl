// First row pass of the error: g = (dL/dI) conj(U_L) -> times before -> FFT along x.
//@use params complex layout sheet
//@bind read sheet: array<u32>
//@bind read record: array<vec2<f32>>
//@if MSE
//@use mse
//@else
// Region + 1 of every pixel, 0: none.
//@bind read map: array<u32>
//@end
//@if BEFORE
//@bind read before: array<vec2<f32>>
//@end
//@bind write work: array<vec2<f32>>
//@fft_functions

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let line = lid / T;
    let t = lid % T;
    let row = group.x * LINES + line;
    let local = group.y;
    let sample = p.first + local;
    //@if MSE
    let start_rms = sheet_float(sample, SHEET_START_RMS);
    let label = sheet[sample * SHEET + SHEET_LABEL];
    //@end
    //@each
    var x$m = vec2<f32>(0.0);
    if (inside(row, $i)) {
        let pixel = pixel_index(row, $i);
        //@if MSE
        let y = record[local * PIXELS + pixel];
        let residual = mse_residual(dot(y, y), label, pixel, start_rms * start_rms);
        x$m = mse_weight(residual, start_rms * start_rms) * vec2<f32>(y.x, -y.y);
        //@else
        let region = map[pixel];
        if (region > 0u) {
            let y = record[local * PIXELS + pixel];
            x$m = sheet_float(sample, SHEET_WEIGHTS + region - 1u) * vec2<f32>(y.x, -y.y);
        }
        //@end
        //@if BEFORE
        x$m = cmul(x$m, before[pixel]);
        //@end
    }
    //@end
    //@fft forward
    if (exists(row)) {
        //@each
        work[local * WORK + work_index(row, $i)] = x$m;
        //@end
    }
}
