// From an 8-bit image to the start field U_0; twin of `engine::Input`.
//@bind read images: array<u32>
// The illuminating field, then one (first pixel, fraction) pair a row and a column; first pixel < 0: outside the window.
//@bind read source: array<vec2<f32>>
//@use complex turns

fn texel(image: u32, row: u32, col: u32) -> f32 {
    let byte = image * IMAGE_BYTES + row * IMAGE_COLS + col;
    return f32((images[byte / 4u] >> (8u * (byte % 4u))) & 255u);
}

fn gray(image: u32, row: u32, col: u32) -> f32 {
    let y = source[PIXELS + row];
    let x = source[PIXELS + ROWS + col];
    if (y.x < 0.0 || x.x < 0.0) {
        return 0.0;
    }
    let y0 = u32(y.x);
    let x0 = u32(x.x);
    let y1 = min(y0 + 1u, IMAGE_ROWS - 1u);
    let x1 = min(x0 + 1u, IMAGE_COLS - 1u);
    let upper = mix(texel(image, y0, x0), texel(image, y0, x1), x.y);
    let lower = mix(texel(image, y1, x0), texel(image, y1, x1), x.y);
    return mix(upper, lower, y.y) / 255.0;
}

fn start_field(image: u32, row: u32, col: u32) -> vec2<f32> {
    let a = gray(image, row, col);
    let light = source[pixel_index(row, col)];
    //@if PHASE
    let turns = a * p.range;
    return cmul(light, cos_sin_turns(turns - floor(turns)));
    //@else
    return a * light;
    //@end
}
