// ln x for positive normal x; twin of device::noise::ln.
fn ln(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let shifted = bits - 0x3f3504f3u;
    let exponent = bitcast<i32>(shifted) >> 23u;
    let m = bitcast<f32>(bits - (bitcast<u32>(exponent) << 23u)) - 1.0;
    let z = m * m;
    var p = 7.0376836e-2;
    p = p * m - 1.151461e-1;
    p = p * m + 1.1676998e-1;
    p = p * m - 1.2420141e-1;
    p = p * m + 1.4249323e-1;
    p = p * m - 1.6668057e-1;
    p = p * m + 2.0000715e-1;
    p = p * m - 2.4999994e-1;
    p = p * m + 3.3333334e-1;
    return m + (p * m * z - 0.5 * z) + f32(exponent) * 0.6931472;
}

// exp x for x <= 0, relative error below 1e-6 down to exp(-86), 0 below; a driver's exp is only promised to (3 + 2 |x|) ulp.
fn exp_negative(x: f32) -> f32 {
    if (x < -86.0) {
        return 0.0;
    }
    let k = floor(x * 1.442695 + 0.5);
    // ln 2 in two parts, so that k ln 2 is subtracted exactly.
    let f = (x - k * 0.693359375) + k * 2.12194440e-4;
    var q = 1.9875691e-4;
    q = q * f + 1.3981999e-3;
    q = q * f + 8.3334519e-3;
    q = q * f + 4.1665796e-2;
    q = q * f + 1.6666666e-1;
    q = q * f + 0.5;
    let e = q * f * f + f + 1.0;
    return e * bitcast<f32>(u32(i32(k) + 127) << 23u);
}
