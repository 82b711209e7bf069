// Modulator, steps 1 and 2: commanded phase (radians) -> wrapped, quantised, through the look-up table, times the pixel's
// factor -> turns.
//@use params flat
//@bind read phases: array<f32>
//@if LUT
// Phase in turns at equally spaced commands in 0..=1 turn.
//@bind read lut: array<f32>
//@end
//@if STRETCH
//@bind read stretch: array<f32>
//@end
//@bind write turns: array<f32>

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixel = flat_pixel(id);
    if (pixel >= PIXELS) {
        return;
    }
    let command = phases[pixel] * 0.15915494;
    var turn = command - floor(command);
    //@if LEVELS
    turn = floor(turn * p.levels + 0.5) / p.levels;
    turn -= floor(turn);
    //@end
    //@if LUT
    let place = turn * f32(p.lut - 1u);
    let k = min(u32(place), p.lut - 2u);
    turn = mix(lut[k], lut[k + 1u], place - f32(k));
    //@end
    //@if STRETCH
    turn *= stretch[pixel];
    //@end
    turns[pixel] = turn;
}
