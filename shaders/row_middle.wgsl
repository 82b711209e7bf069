// Row pass between two hops: inverse FFT along x -> after -> measurement -> record U_l -> activation -> times mask -> FFT along x,
// in place.
//@use params complex layout
//@bind write work: array<vec2<f32>>
//@if AFTER
//@bind read after: array<vec2<f32>>
//@end
//@if SHEET
//@bind read sheet: array<u32>
//@use sheet
//@end
//@if MEASURE
//@use measure
//@end
//@if HALF
//@use half
//@end
//@if ACTIVE
//@use activation
//@end
//@if RECORD
//@if HALF
//@bind write record: array<u32>
//@else
//@bind write record: array<vec2<f32>>
//@end
//@end
//@if MASK
//@bind read mask: array<vec2<f32>>
//@end
//@fft_functions

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let line = lid / T;
    let t = lid % T;
    let row = group.x * LINES + line;
    let local = group.y;
    //@if SHEET
    let sample = p.first + local;
    let start_rms = sheet_float(sample, SHEET_START_RMS);
    //@end
    //@if MEASURE
    let scale = p.level * start_rms;
    //@end
    //@if HALF
    let unit = half_unit(p.stored_level * start_rms);
    //@end
    //@each
    var x$m = vec2<f32>(0.0);
    if (exists(row)) {
        x$m = work[local * WORK + work_index(row, $i)];
    }
    //@end
    //@twice inverse forward
    //@each
    if (inside(row, $i)) {
        let pixel = pixel_index(row, $i);
        //@if AFTER
        x$m = cmul(x$m, after[pixel]);
        //@end
        var seen = x$m;
        //@if MEASURE
        seen = measure(x$m, pixel, sample, scale);
        //@end
        //@if RECORD
        //@if HALF
        record[local * PIXELS + pixel] = half_pack(seen, unit);
        //@else
        record[local * PIXELS + pixel] = seen;
        //@end
        //@end
        //@if !OPTICAL
        x$m = seen;
        //@end
        //@if ACTIVE
        x$m = activate(x$m, start_rms);
        //@end
        //@if MASK
        x$m = cmul(x$m, mask[pixel]);
        //@end
    } else {
        x$m = vec2<f32>(0.0);
    }
    //@end
    //@end
    if (exists(row)) {
        //@each
        work[local * WORK + work_index(row, $i)] = x$m;
        //@end
    }
}
