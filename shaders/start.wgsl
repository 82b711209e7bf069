// The start field U_0 alone, for traces.
//@use params flat layout sheet encode
//@bind read sheet: array<u32>
//@bind write record: array<vec2<f32>>

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixel = flat_pixel(id);
    if (pixel >= PIXELS) {
        return;
    }
    let image = sheet[(p.first + id.y) * SHEET + SHEET_IMAGE];
    record[id.y * PIXELS + pixel] = start_field(image, pixel / COLS, pixel % COLS);
}
