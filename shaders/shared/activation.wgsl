// What stands between two hops; twin of `engine::Activation`. `rms` is that of the start field.
//@if SATURABLE
//@use exp_ln
//@end
//@if ELECTRO
//@use turns
//@end

fn field_in_units(u: vec2<f32>, rms: f32) -> vec2<f32> {
    // A dark sample has fields of zero, which stay so.
    return select(vec2<f32>(0.0), u / rms, rms > 1.2e-38);
}

//@if !INTENSITY
// Transmission t in x and y, its slope dt/dq in z and w, for intensity q.
fn transmission(q: f32) -> vec4<f32> {
    //@if SATURABLE
    let bleached = 1.0 / (1.0 + q / p.active_b);
    let t = exp_negative(-p.active_a * bleached);
    return vec4<f32>(t, 0.0, t * p.active_a * bleached * bleached / p.active_b, 0.0);
    //@end
    //@if RELU
    let r = sqrt(q);
    if (r > p.active_a) {
        return vec4<f32>(1.0 - p.active_a / r, 0.0, p.active_a / (2.0 * r * q), 0.0);
    }
    return vec4<f32>(0.0);
    //@end
    //@if ELECTRO
    let turn = p.active_a * q + p.active_b;
    let w = cos_sin_turns(turn - floor(turn));
    return vec4<f32>(p.active_c * (1.0 + w.x), -p.active_c * w.y, -p.active_d * w.y, -p.active_d * w.x);
    //@end
}
//@end

fn activate(field: vec2<f32>, rms: f32) -> vec2<f32> {
    let u = field_in_units(field, rms);
    let q = dot(u, u);
    //@if INTENSITY
    return p.active_gain * rms * vec2<f32>(q, 0.0);
    //@else
    return p.active_gain * rms * cmul(transmission(q).xy, u);
    //@end
}

// The error in front of the unit, of that behind it, with the field that the unit saw.
fn turn_back(e: vec2<f32>, field: vec2<f32>, rms: f32) -> vec2<f32> {
    let u = field_in_units(field, rms);
    //@if INTENSITY
    return 2.0 * p.active_gain * e.x * vec2<f32>(u.x, -u.y);
    //@else
    let t = transmission(dot(u, u));
    let real = 2.0 * cmul(cmul(t.zw, u), e).x;
    return p.active_gain * (cmul(t.xy, e) + real * vec2<f32>(u.x, -u.y));
    //@end
}
