// What a dispatch is told; twin of `Params` in src/engine/gpu/params.rs.
struct Params {
    // Noise: the step's key, and the word of the hop and pass.
    key: vec2<u32>,
    stage: u32,
    // Position of the batch in a larger one that it is a share of; first sample of this chunk (position in the batch), and
    // samples in the chunk.
    offset: u32,
    first: u32,
    count: u32,
    // Groups of samples whose gradients are summed apart; 1 when their sums start afresh.
    groups: u32,
    fresh: u32,
    // Runs of the detector map.
    runs: u32,
    // Always 2: a trip count that compilers cannot unroll (two transforms in one loop need half the registers).
    passes: u32,
    // Exposure level, weight of a sample in the mean, phase of white in turns, inverse temperature.
    level: f32,
    weight: f32,
    range: f32,
    scale: f32,
    // Camera.
    electrons: f32,
    reference: f32,
    read_variance: f32,
    full_well: f32,
    pedestal: f32,
    inverse_lsb: f32,
    camera_gain: f32,
    // Update.
    rate: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    correction1: f32,
    correction2: f32,
    // Modulator.
    levels: f32,
    gain: f32,
    leak: f32,
    lut: u32,
    radius: u32,
    // Displacement of the resampled mask: rows (dr, dc, offset), columns (dr, dc, offset).
    row_by_row: f32,
    row_by_col: f32,
    row_offset: f32,
    col_by_row: f32,
    col_by_col: f32,
    col_offset: f32,
    // Exposure level of a field that is stored in half precision.
    stored_level: f32,
    // Loss: weight of the light that misses the detectors, part of the target that every class has, lead of the label.
    efficiency: f32,
    smoothing: f32,
    margin: f32,
    // Activation: gain; half the depth, threshold or turns of unit intensity; saturation or bias in turns; half the root of
    // what the tap leaves, and that times the response.
    active_gain: f32,
    active_a: f32,
    active_b: f32,
    active_c: f32,
    active_d: f32,
    // Steps between levels of an amplitude; first group of the gradient's sums.
    steps: f32,
    partial_from: u32,
    even: u32,
}

//@bind uniform p: Params
