// Row pass of the error at the end of a hop: inverse FFT along x -> after -> measurement: E_l. With a mask: gradient
// += -2 Im(E_l M_l U_{l-1}), e = M_l E_l. GRADED: the amplitude's gradient 2 Re(E_l C_l U_{l-1}), with the carrier behind the
// mask; UNPHASED: no gradient of the phase. ACTIVE: U_{l-1} activated, and e through the derivative. ONWARD: -> before of the next
// hop -> FFT along x, in place. PARK: e takes the place of U_{l-1} instead, until light has passed the work array.
// A workgroup owns its rows and takes the samples of its group one after the other, so that the sum over samples stays in
// registers and has a fixed order.
//@use params complex layout
//@if ENCODED
//@use encode
//@end
//@if PARK
//@bind write record: array<vec2<f32>>
//@else
//@if RECORDED
//@if HALF
//@bind read record: array<u32>
//@else
//@bind read record: array<vec2<f32>>
//@end
//@end
//@end
//@if HALF
//@use half
//@end
//@if MEASURE
//@use measure
//@end
//@if SHEET
//@bind read sheet: array<u32>
//@use sheet
//@end
//@if ACTIVE
//@use activation
//@end
//@if ONWARD
//@bind write work: array<vec2<f32>>
//@if BEFORE
//@bind read before: array<vec2<f32>>
//@end
//@else
//@bind read work: array<vec2<f32>>
//@end
//@if AFTER
//@bind read after: array<vec2<f32>>
//@end
//@if MASK
//@bind read mask: array<vec2<f32>>
//@if !FROZEN
//@bind write partial: array<f32>
//@end
//@end
//@fft_functions

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let line = lid / T;
    let t = lid % T;
    let row = group.x * LINES + line;
    //@if MASK
    //@if !UNPHASED
    //@each
    var g$m = 0.0;
    //@end
    //@end
    //@if GRADED
    //@each
    var h$m = 0.0;
    //@end
    //@end
    //@end
    for (var local = group.y; local < p.count; local += p.groups) {
        //@if MEASURE
        let sample = p.first + local;
        let scale = p.level * sheet_float(sample, SHEET_ERROR_RMS);
        //@end
        //@if ENCODED
        let image = sheet[(p.first + local) * SHEET + SHEET_IMAGE];
        //@end
        //@if SHEET
        let start_rms = sheet_float(p.first + local, SHEET_START_RMS);
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
        //@if ONWARD
        //@twice inverse forward
        //@body
        //@end
        if (exists(row)) {
            //@each
            work[local * WORK + work_index(row, $i)] = x$m;
            //@end
        }
        //@else
        //@fft inverse
        //@body
        //@end
    }
    //@if MASK
    //@if !UNPHASED
    //@each
    if (inside(row, $i)) {
        let at = group.y * PIXELS + pixel_index(row, $i);
        var sum = -2.0 * g$m;
        if (p.fresh == 0u) {
            sum += partial[at];
        }
        partial[at] = sum;
    }
    //@end
    //@end
    //@if GRADED
    //@each
    if (inside(row, $i)) {
        //@if UNPHASED
        let at = group.y * PIXELS + pixel_index(row, $i);
        //@else
        // Behind the sums of the phases.
        let at = (p.groups + group.y) * PIXELS + pixel_index(row, $i);
        //@end
        var sum = 2.0 * h$m;
        if (p.fresh == 0u) {
            sum += partial[at];
        }
        partial[at] = sum;
    }
    //@end
    //@end
    //@end
}
//@define body
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
    //@if !OPTICAL
    x$m = seen;
    //@end
    //@if RECORDED
    //@if HALF
    let u = half_unpack(record[local * PIXELS + pixel], unit);
    //@else
    let u = record[local * PIXELS + pixel];
    //@end
    //@end
    //@if MASK
    let m = mask[pixel];
    //@if !FROZEN
    //@if ENCODED
    let f = start_field(image, row, $i);
    //@else
    //@if ACTIVE
    let f = activate(u, start_rms);
    //@else
    let f = u;
    //@end
    //@end
    //@if GRADED
    let w = cmul(mask[PIXELS + pixel], f);
    h$m += seen.x * w.x - seen.y * w.y;
    //@end
    //@if !UNPHASED
    let v = cmul(m, f);
    g$m += seen.x * v.y + seen.y * v.x;
    //@end
    //@end
    x$m = cmul(x$m, m);
    //@end
    //@if BACK
    //@if ACTIVE
    x$m = turn_back(x$m, u, start_rms);
    //@end
    //@end
    //@if PARK
    record[local * PIXELS + pixel] = x$m;
    //@end
    //@if ONWARD
    //@if BEFORE
    x$m = cmul(x$m, before[pixel]);
    //@end
    //@end
} else {
    x$m = vec2<f32>(0.0);
}
//@end
//@end
