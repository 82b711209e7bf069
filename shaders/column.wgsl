// Column pass: FFT along y -> times H (1 / (Mr Mc) folded in) -> inverse FFT along y, in place. Rows without light are
// neither read nor written: zero padding is never stored.
//@use params complex layout
//@bind read transfer: array<vec2<f32>>
//@bind write work: array<vec2<f32>>
//@fft_functions

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
    let line = lid % LINES;
    let t = lid / LINES;
    let col = group.x * LINES + line;
    let base = group.y * WORK;
    //@each
    var x$m = vec2<f32>(0.0);
    if (FULL_HEIGHT || $i < ROWS) {
        x$m = work[base + work_index($i, col)];
    }
    //@end
    //@twice forward inverse
    //@each
    x$m = cmul(x$m, transfer[work_index($i, col)]);
    //@end
    //@end
    //@each
    if (FULL_HEIGHT || $i < ROWS) {
        work[base + work_index($i, col)] = x$m;
    }
    //@end
}
