// First row pass: start field (an encoded image, or a given field, ACTIVE: as the unit behind it emits it) -> times mask -> FFT
// along x.
//@use params complex layout
//@if !GIVEN
//@bind read sheet: array<u32>
//@use sheet encode
//@else
//@bind read given: array<vec2<f32>>
//@if ACTIVE
//@bind read sheet: array<u32>
//@use sheet activation
//@end
//@end
//@if MASK
//@bind read mask: array<vec2<f32>>
//@end
//@bind write work: array<vec2<f32>>
//@if SUMS
//@bind write row_sums: array<vec2<f32>>
//@end
//@fft_functions

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let line = lid / T;
    let t = lid % T;
    let row = group.x * LINES + line;
    let local = group.y;
    //@if !GIVEN
    let image = sheet[(p.first + local) * SHEET + SHEET_IMAGE];
    //@end
    //@if GIVEN
    //@if ACTIVE
    let start_rms = sheet_float(p.first + local, SHEET_START_RMS);
    //@end
    //@end
    //@if SUMS
    var energy = 0.0;
    //@end
    //@each
    var x$m = vec2<f32>(0.0);
    if (inside(row, $i)) {
        let pixel = pixel_index(row, $i);
        //@if GIVEN
        x$m = given[local * PIXELS + pixel];
        //@if ACTIVE
        x$m = activate(x$m, start_rms);
        //@end
        //@else
        x$m = start_field(image, row, $i);
        //@end
        //@if SUMS
        energy += dot(x$m, x$m);
        //@end
        //@if MASK
        x$m = cmul(x$m, mask[pixel]);
        //@end
    }
    //@end
    //@if SUMS
    // Energy of the row, summed by one thread in a fixed order.
    exchange[lid] = vec2<f32>(energy, 0.0);
    workgroupBarrier();
    if (t == 0u && exists(row)) {
        var sum = vec2<f32>(0.0);
        for (var k = 0u; k < T; k++) {
            sum += exchange[lid + k];
        }
        row_sums[local * ROWS + row] = sum;
    }
    //@end
    //@fft forward
    if (exists(row)) {
        //@each
        work[local * WORK + work_index(row, $i)] = x$m;
        //@end
    }
}
