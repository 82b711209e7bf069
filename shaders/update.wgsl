// Mean gradient of some commands from the sums of its groups of samples, then an Adam or gradient-descent step (or only the
// gradient). BOUNDED: amplitudes, projected on 0..=1.
//@use params flat
//@bind read partial: array<f32>
//@if TRACE
//@bind write gradient: array<f32>
//@else
//@bind write commands: array<f32>
//@bind write first_moment: array<f32>
//@bind write second_moment: array<f32>
//@end

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixel = flat_pixel(id);
    if (pixel >= PIXELS) {
        return;
    }
    var g = 0.0;
    for (var group = 0u; group < p.groups; group++) {
        g += partial[(p.partial_from + group) * PIXELS + pixel];
    }
    g *= p.weight;
    //@if TRACE
    gradient[pixel] = g;
    //@else
    //@if ADAM
    // Kingma & Ba 2015; the corrections are 1 / (1 - beta^t).
    let m = p.beta1 * first_moment[pixel] + (1.0 - p.beta1) * g;
    let v = p.beta2 * second_moment[pixel] + (1.0 - p.beta2) * g * g;
    first_moment[pixel] = m;
    second_moment[pixel] = v;
    commands[pixel] -= p.rate * (m * p.correction1) / (sqrt(v * p.correction2) + p.epsilon);
    //@else
    let v = p.beta1 * first_moment[pixel] + g;
    first_moment[pixel] = v;
    commands[pixel] -= p.rate * v;
    //@end
    //@if BOUNDED
    commands[pixel] = clamp(commands[pixel], 0.0, 1.0);
    //@end
    //@end
}
