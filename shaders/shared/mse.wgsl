// dL/dI of the mean square error at one pixel: L = mean (I / I_in - target)^2.
//@bind read targets: array<f32>
fn mse_residual(intensity: f32, label: u32, pixel: u32, input_mean: f32) -> f32 {
    // No light came in: nothing can be said of it.
    if (!(input_mean > 0.0)) {
        return 0.0;
    }
    return intensity / input_mean - targets[label * PIXELS + pixel];
}

fn mse_weight(residual: f32, input_mean: f32) -> f32 {
    if (!(input_mean > 0.0)) {
        return 0.0;
    }
    return 2.0 * residual / (f32(PIXELS) * input_mean);
}
