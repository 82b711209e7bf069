// Readout of one sample a workgroup: region energies -> scores -> loss, prediction, weights dL/dS, rms of the error field.
//@use params sheet reduce exp_ln
// First entry of every region (REGIONS + 1 numbers), then the runs of the regions, in order.
//@bind read regions: array<u32>
//@bind read run_sums: array<f32>
//@bind write sheet: array<u32>
//@if MSE
//@bind read row_sums: array<vec2<f32>>
//@end

var<workgroup> energies: array<f32, REGIONS>;

// s_c of `engine::Scoring`; darkness scores 0.
fn score(class_: u32, total: f32) -> f32 {
    //@if DIFFERENTIAL
    let plus = energies[2u * class_];
    let minus = energies[2u * class_ + 1u];
    let both = plus + minus;
    if (both > 0.0) {
        return (plus - minus) / both;
    }
    return 0.0;
    //@else
    if (total > 0.0) {
        return energies[class_] / total;
    }
    return 0.0;
    //@end
}

// Score in the softmax: the label's less the margin.
fn behind(class_: u32, label: u32, total: f32) -> f32 {
    //@if MARGIN
    return score(class_, total) - select(0.0, p.margin, class_ == label);
    //@else
    return score(class_, total);
    //@end
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lid: u32,
    //@if SUBGROUPS
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    //@end
) {
    let base = (p.first + group.y) * SHEET;
    for (var region = lid; region < REGIONS; region += THREADS) {
        var sum = 0.0;
        for (var k = regions[region]; k < regions[region + 1u]; k++) {
            sum += run_sums[group.y * p.runs + regions[REGIONS + 1u + k]];
        }
        energies[region] = sum;
        sheet[base + SHEET_ENERGIES + region] = bitcast<u32>(sum);
    }
    //@if MSE
    var row_sum = vec2<f32>(0.0);
    for (var row = lid; row < ROWS; row += THREADS) {
        row_sum += row_sums[group.y * ROWS + row];
    }
    //@if SUBGROUPS
    let mse = workgroup_sum(row_sum, lane, subgroup, subgroups) / f32(PIXELS);
    //@else
    let mse = workgroup_sum(row_sum, lid) / f32(PIXELS);
    //@end
    //@end
    workgroupBarrier();
    if (lid != 0u) {
        return;
    }
    // From here one thread: a few dozen numbers.
    let label = sheet[base + SHEET_LABEL];
    var total = 0.0;
    for (var region = 0u; region < REGIONS; region++) {
        total += energies[region];
    }
    var best = score(0u, total);
    var prediction = 0u;
    for (var c = 0u; c < CLASSES; c++) {
        let s = score(c, total);
        sheet[base + SHEET_SCORES + c] = bitcast<u32>(s);
        if (s > best) {
            best = s;
            prediction = c;
        }
    }
    sheet[base + SHEET_PREDICTION] = prediction;
    //@if MSE
    sheet[base + SHEET_LOSS] = bitcast<u32>(mse.x);
    sheet[base + SHEET_ERROR_RMS] = bitcast<u32>(sqrt(mse.y));
    //@else
    // Softmax of scale s_c relative to the largest.
    //@if MARGIN
    var top = behind(0u, label, total);
    for (var c = 1u; c < CLASSES; c++) {
        top = max(top, behind(c, label, total));
    }
    //@else
    let top = best;
    //@end
    var sum = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
        sum += exp_negative(p.scale * (behind(c, label, total) - top));
    }
    var loss = ln(sum) - p.scale * (behind(label, label, total) - top);
    //@if SMOOTHING
    for (var c = 0u; c < CLASSES; c++) {
        loss += p.smoothing * p.scale * (behind(label, label, total) - behind(c, label, total));
    }
    //@end
    //@if EFFICIENCY
    // efficiency (1 - sum S / E_in); in the dark nothing arrives, and nothing can be done.
    let start_rms = bitcast<f32>(sheet[base + SHEET_START_RMS]);
    let input = start_rms * start_rms * f32(PIXELS);
    var detected = 0.0;
    var price = 0.0;
    if (input > 0.0) {
        detected = total / input;
        price = p.efficiency / input;
    }
    loss += p.efficiency * (1.0 - detected);
    //@end
    sheet[base + SHEET_LOSS] = bitcast<u32>(loss);
    // d_c = dL/d(scale s_c) = softmax_c - [c = label] (or less the smoothed target). The label's is minus the sum of the
    // others: no cancellation.
    var others = 0.0;
    var mean = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
        if (c != label) {
            //@if SMOOTHING
            let d = exp_negative(p.scale * (behind(c, label, total) - top)) / sum - p.smoothing;
            //@else
            let d = exp_negative(p.scale * (behind(c, label, total) - top)) / sum;
            //@end
            others += d;
            mean += d * score(c, total);
        }
    }
    mean -= others * score(label, total);
    var square = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
        var d = -others;
        if (c != label) {
            d = exp_negative(p.scale * (behind(c, label, total) - top)) / sum;
            //@if SMOOTHING
            d -= p.smoothing;
            //@end
        }
        //@if DIFFERENTIAL
        // ds/dS_plus = 2 S_minus / (S_plus + S_minus)^2, ds/dS_minus = -2 S_plus / (S_plus + S_minus)^2.
        let plus = energies[2u * c];
        let minus = energies[2u * c + 1u];
        let both = plus + minus;
        var factor = 0.0;
        if (both > 0.0) {
            factor = 2.0 * p.scale * d / both;
        }
        //@if EFFICIENCY
        let w_plus = select(0.0, factor * (minus / both), both > 0.0) - price;
        let w_minus = select(0.0, -factor * (plus / both), both > 0.0) - price;
        //@else
        let w_plus = select(0.0, factor * (minus / both), both > 0.0);
        let w_minus = select(0.0, -factor * (plus / both), both > 0.0);
        //@end
        sheet[base + SHEET_WEIGHTS + 2u * c] = bitcast<u32>(w_plus);
        sheet[base + SHEET_WEIGHTS + 2u * c + 1u] = bitcast<u32>(w_minus);
        square += w_plus * w_plus * plus + w_minus * w_minus * minus;
        //@else
        // dL/dS_c = scale / sum S (d_c - sum_k d_k s_k): every S is in the denominator of every score.
        //@if EFFICIENCY
        let w = select(0.0, p.scale * (d - mean) / total, total > 0.0) - price;
        //@else
        let w = select(0.0, p.scale * (d - mean) / total, total > 0.0);
        //@end
        sheet[base + SHEET_WEIGHTS + c] = bitcast<u32>(w);
        square += w * w * energies[c];
        //@end
    }
    // |g|^2 = w_r^2 |Y|^2 in region r.
    sheet[base + SHEET_ERROR_RMS] = bitcast<u32>(sqrt(square / f32(PIXELS)));
    //@end
}
