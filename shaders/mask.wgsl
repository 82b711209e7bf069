// Modulator, steps 4 to 6: turns -> gain exp(i phase) + leak (gain = 1 - leak) -> resampled (bilinear, zero outside) -> times factor.
// GRADED: the modulated part has an amplitude. CARRIER: what it would be at amplitude 1 is kept behind the mask.
//@use params flat complex turns
//@bind read turns: array<f32>
//@if GRADED
//@bind read amplitudes: array<f32>
//@end
//@if FACTOR
//@bind read factor: array<vec2<f32>>
//@end
//@bind write mask: array<vec2<f32>>

//@if GRADED
// The nearest of p.steps + 1 levels; 0 steps: continuous.
fn graded(amplitude: f32) -> f32 {
    if (p.steps > 0.0) {
        return floor(amplitude * p.steps + 0.5) / p.steps;
    }
    return amplitude;
}

// Mask in x and y, carrier in z and w.
fn modulated(row: i32, col: i32) -> vec4<f32> {
    if (row < 0 || col < 0 || row >= i32(ROWS) || col >= i32(COLS)) {
        return vec4<f32>(0.0);
    }
    let pixel = row * i32(COLS) + col;
    let turn = turns[pixel];
    let carrier = p.gain * cos_sin_turns(turn - floor(turn));
    return vec4<f32>(graded(amplitudes[pixel]) * carrier + vec2<f32>(p.leak, 0.0), carrier);
}
//@else
fn modulated(row: i32, col: i32) -> vec2<f32> {
    if (row < 0 || col < 0 || row >= i32(ROWS) || col >= i32(COLS)) {
        return vec2<f32>(0.0);
    }
    let turn = turns[row * i32(COLS) + col];
    return p.gain * cos_sin_turns(turn - floor(turn)) + vec2<f32>(p.leak, 0.0);
}
//@end

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixel = flat_pixel(id);
    if (pixel >= PIXELS) {
        return;
    }
    let row = i32(pixel / COLS);
    let col = i32(pixel % COLS);
    //@if RESAMPLE
    // Displacements, not positions: near 1000 pixels an f32 has no digits left for the fraction.
    let dy = p.row_by_row * f32(row) + p.row_by_col * f32(col) + p.row_offset;
    let dx = p.col_by_row * f32(row) + p.col_by_col * f32(col) + p.col_offset;
    let y = row + i32(floor(dy));
    let x = col + i32(floor(dx));
    let upper = mix(modulated(y, x), modulated(y, x + 1), fract(dx));
    let lower = mix(modulated(y + 1, x), modulated(y + 1, x + 1), fract(dx));
    var m = mix(upper, lower, fract(dy));
    //@else
    var m = modulated(row, col);
    //@end
    //@if GRADED
    var light = m.xy;
    var carrier = m.zw;
    //@if FACTOR
    light = cmul(light, factor[pixel]);
    carrier = cmul(carrier, factor[pixel]);
    //@end
    mask[pixel] = light;
    //@if CARRIER
    mask[PIXELS + pixel] = carrier;
    //@end
    //@else
    //@if FACTOR
    m = cmul(m, factor[pixel]);
    //@end
    mask[pixel] = m;
    //@end
}
