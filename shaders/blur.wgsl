// Modulator, step 3: cross-talk along one axis with the kernel [k_R .. k_1 k_0 k_1 .. k_R], border repeated.
//@use params flat
//@bind read kernel: array<f32>
//@bind read turns: array<f32>
//@bind write blurred: array<f32>

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixel = flat_pixel(id);
    if (pixel >= PIXELS) {
        return;
    }
    let row = i32(pixel / COLS);
    let col = i32(pixel % COLS);
    var sum = kernel[0] * turns[pixel];
    for (var r = 1u; r <= p.radius; r++) {
        let d = i32(r);
        //@if ROWWISE
        let before = row * i32(COLS) + max(col - d, 0);
        let behind = row * i32(COLS) + min(col + d, i32(COLS) - 1);
        //@else
        let before = max(row - d, 0) * i32(COLS) + col;
        let behind = min(row + d, i32(ROWS) - 1) * i32(COLS) + col;
        //@end
        sum += kernel[r] * (turns[before] + turns[behind]);
    }
    blurred[pixel] = sum;
}
