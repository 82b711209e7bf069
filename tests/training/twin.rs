//! Compiled systems: what the knobs do to the arrays, and which settings are refused.

use std::sync::Arc;

use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::{Engine, EngineError, MaskKind, Modulator, Program, Quantity, State};
use ffm_twin::optics::{Field, propagate};
use ffm_twin::twin::{ErrorPass, System, SystemConfig};
use ndarray::Array2;
use num_complex::Complex64;

fn exact(n: usize) -> Result<usize, EngineError> {
    Ok(n)
}

fn system(text: &str) -> System {
    let base = "[optics]\npixels = 64\npitch = '25 um'\ndistance = '0.1 m'\nlayers = 2\n";
    let config: SystemConfig = toml::from_str(&format!("{base}{text}")).unwrap();
    System::new(config, [28, 28], 1).unwrap()
}

fn twin(text: &str, pass: ErrorPass) -> Program {
    system(text).compile_twin(pass, &exact).unwrap()
}

fn refusal(text: &str) -> String {
    let config: SystemConfig = match toml::from_str(text) {
        Ok(config) => config,
        Err(e) => return e.to_string(),
    };
    match System::new(config, [28, 28], 1) {
        Err(e) => e.to_string(),
        Ok(system) => system.compile_twin(ErrorPass::Forward, &exact).unwrap_err().to_string(),
    }
}

/// Intensity-weighted mean position in pixels, (x, y).
fn centre(u: &Field) -> (f64, f64) {
    let total: f64 = u.iter().map(|v| v.norm_sqr()).sum();
    let mean = |f: &dyn Fn(usize, usize) -> usize| {
        u.indexed_iter().map(|((r, c), v)| v.norm_sqr() * f(r, c) as f64).sum::<f64>() / total
    };
    (mean(&|_, c| c), mean(&|r, _| r))
}

fn spot() -> Field {
    Field::from_shape_fn((64, 64), |(r, c)| {
        let d2 = (r as f64 - 32.0).powi(2) + (c as f64 - 32.0).powi(2);
        Complex64::new((-d2 / 72.0).exp(), 0.0)
    })
}

#[test]
fn the_ideal_system_has_flat_parts_and_shares_its_transfer_function() {
    let p = system("[imperfections]\npreset = 'bench'").compile_ideal(&exact).unwrap();
    assert_eq!((p.hops.len(), p.masks.len(), p.transfers.len()), (2, 2, 1));
    assert_eq!(p.padded, [128, 128]);
    assert!(p.camera.is_none() && p.hops.iter().all(|h| h.after.is_none() && h.error.transfer == 0));
    assert!(
        p.masks.iter().all(|m| m.factor.is_none() && m.lut.is_none() && m.levels.is_none() && m.leak == 0.0)
    );
}

#[test]
fn the_bench_differs_in_every_layer() {
    let p = twin("[imperfections]\npreset = 'bench'", ErrorPass::Forward);
    let factors: Vec<&Arc<Field>> = p.masks.iter().map(|m| m.factor.as_ref().unwrap()).collect();
    assert_ne!(factors[0], factors[1]);
    assert!(p.camera.is_some() && p.masks[0].levels == Some(256) && p.masks[0].lut.is_some());
    assert!((p.masks[0].leak - (1.0 - 0.91_f64.sqrt())).abs() < 1e-12, "the gaps' share of the area");
    assert_eq!(p.transfers.len(), 1, "the same distance and shift in both layers");
}

#[test]
fn light_falls_on_the_modulator_as_a_gaussian() {
    let text =
        "[imperfections.all]\nillumination = { centre = ['100 um', '0 um'], waist = ['500 um', '250 um'] }";
    let p = twin(text, ErrorPass::Forward);
    let factor = p.masks[0].factor.as_ref().unwrap();
    // Four pixels of 25 um from the axis is the centre; ten and twenty further the amplitude is 1/e.
    for ((row, col), expected) in
        [((32, 36), 1.0), ((32, 56), (-1.0_f64).exp()), ((42, 36), (-1.0_f64).exp())]
    {
        assert!((factor[[row, col]] - expected).norm() < 1e-12, "{row} {col}: {}", factor[[row, col]]);
    }
    let edged = twin(&format!("{text}\nmodulator_edge = 0.5"), ErrorPass::Forward);
    let both = edged.masks[0].factor.as_ref().unwrap()[[32, 0]];
    assert!((both - 0.5 * factor[[32, 0]]).norm() < 1e-12, "the edge stays beside it");
    let message = refusal(&text.replace("'250 um'", "'0 um'"));
    assert!(message.contains("illumination.waist"), "{message}");
}

#[test]
fn pixels_that_are_no_points_weaken_high_frequencies_alike_in_both_directions() {
    let plain = twin("", ErrorPass::Transposed);
    let p = twin("[imperfections.all]\naperture = 0.9", ErrorPass::Transposed);
    assert_eq!(p.transfers.len(), 1, "an even factor is its own transpose");
    let sinc =
        |t: f64| if t == 0.0 { 1.0 } else { (std::f64::consts::PI * t).sin() / (std::f64::consts::PI * t) };
    for (row, col, fy, fx) in [(0, 0, 0.0, 0.0), (0, 64, 0.0, 0.5), (32, 96, 0.25, 0.25)] {
        let ratio = p.transfers[0][[row, col]] / plain.transfers[0][[row, col]];
        assert!((ratio - sinc(0.9 * fy) * sinc(0.9 * fx)).norm() < 1e-12, "{row} {col}: {ratio}");
    }
    let points = twin("[imperfections.all]\naperture = 0.0", ErrorPass::Forward);
    assert_eq!(points.transfers[0], plain.transfers[0], "bit for bit");
    assert!(refusal("[imperfections.all]\naperture = 1.5").contains("aperture"));
}

#[test]
fn a_shift_moves_the_light_and_its_transpose_moves_it_back() {
    let p = twin("[imperfections.all]\nshift = ['60 um', '-25 um']", ErrorPass::Transposed);
    assert_eq!(p.transfers.len(), 2);
    let (x0, y0) = centre(&propagate(&spot(), &system("").compile_ideal(&exact).unwrap().transfers[0]));
    let (x, y) = centre(&propagate(&spot(), &p.transfers[p.hops[0].transfer]));
    assert!((x - x0 - 2.4).abs() < 0.02 && (y - y0 + 1.0).abs() < 0.02, "{x} {y}");
    let (x, y) = centre(&propagate(&spot(), &p.transfers[p.hops[0].error.transfer]));
    assert!((x - x0 + 2.4).abs() < 0.02 && (y - y0 - 1.0).abs() < 0.02, "{x} {y}");
}

#[test]
fn errors_of_one_layer_stay_there() {
    let p = twin("[imperfections.layer.2]\naxial = '3 mm'\nbits = 4\ncrosstalk = 0.5", ErrorPass::Forward);
    assert_eq!((p.masks[0].levels, p.masks[1].levels), (None, Some(16)));
    assert_ne!(p.hops[0].transfer, p.hops[1].transfer);
    let kernel = &p.masks[1].crosstalk;
    assert!((kernel[0] + 2.0 * kernel[1..].iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn camera_side_errors_are_one_sided() {
    let text = "[imperfections.all]\ncamera_aberration = { rms = 0.4, terms = 15 }\ncamera_edge = 0.9";
    let forward = twin(text, ErrorPass::Forward);
    let hop = &forward.hops[1];
    assert!(hop.after.is_some() && hop.error.before.is_none() && hop.error.after == hop.after);
    let exact = twin(text, ErrorPass::Transposed);
    assert!(exact.hops[1].error.after.is_none() && exact.hops[1].error.before == exact.hops[1].after);
    let edge = hop.after.as_ref().unwrap()[[32, 0]].norm();
    assert!((edge - 0.9).abs() < 1e-3, "{edge}");
}

#[test]
fn an_even_pupil_aberration_is_symmetric_an_odd_one_is_not() {
    for (noll, symmetric) in [(4, true), (11, true), (7, false), (8, false)] {
        let text = format!("[imperfections.all]\npupil_aberration = {{ zernike = [[{noll}, 0.5]] }}");
        let p = twin(&text, ErrorPass::Transposed);
        let hop = &p.hops[0];
        let (h, t) = (&p.transfers[hop.transfer], &p.transfers[hop.error.transfer]);
        let difference: f64 = h.iter().zip(t.iter()).map(|(a, b)| (a - b).norm_sqr()).sum();
        assert_eq!(difference < 1e-12, symmetric, "Noll {noll}: {difference}");
    }
}

#[test]
fn error_light_through_the_modulator_sees_its_static_errors() {
    let text =
        "[hardware]\nerror_path = 'through'\n[imperfections.all]\nmodulator_aberration = { rms = 0.5 }";
    let p = twin(text, ErrorPass::Forward);
    assert_eq!(p.hops[0].error.before, p.masks[0].factor);
    assert!(twin(text, ErrorPass::Transposed).hops[0].error.before.is_none());
}

#[test]
fn error_light_through_a_turned_modulator_misses_where_the_mask_misses() {
    let text = "[hardware]\nerror_path = 'through'\n[imperfections.all]\nroll = '30 deg'\nefficiency = 0.91";
    let p = twin(text, ErrorPass::Forward);
    let flat = p.hops[0].error.before.as_ref().unwrap();
    // The modulated part in phase with the leak: all of the light.
    assert!((flat[[32, 32]].re - 1.0).abs() < 1e-12 && flat[[32, 32]].im == 0.0);
    assert_eq!(flat[[0, 0]].norm(), 0.0, "the corner lies outside the turned mask");

    let a = p.masks[0].resample.unwrap();
    let ones = |r: f64, c: f64| r >= 0.0 && c >= 0.0 && r < 64.0 && c < 64.0;
    for ((r, c), v) in flat.indexed_iter() {
        let at = [0, 1].map(|k| a.matrix[k][0] * r as f64 + a.matrix[k][1] * c as f64 + a.offset[k]);
        let (whole, part) = (at.map(f64::floor), at.map(|x| x - x.floor()));
        let mut covered = 0.0;
        for (i, wy) in [(0.0, 1.0 - part[0]), (1.0, part[0])] {
            for (j, wx) in [(0.0, 1.0 - part[1]), (1.0, part[1])] {
                covered += if ones(whole[0] + i, whole[1] + j) { wy * wx } else { 0.0 };
            }
        }
        assert!((v.re - covered).abs() < 1e-12, "row {r}, column {c}: {v} {covered}");
    }
}

#[test]
fn gaps_between_pixels_leak_in_proportion_to_their_area() {
    let m = &twin("[imperfections.all]\nfill_factor = 0.9", ErrorPass::Forward).masks[0];
    // A pixel that shows pi: its field is (0.1 - 0.9) of what it is at phase 0.
    assert!((m.leak - m.gain() + 0.8).abs() < 1e-12, "{}", m.leak);
}

/// A data sheet's fill factor of 95.6 % and zero-order efficiency of 91.4 % say the same.
#[test]
fn the_zero_order_efficiency_is_the_square_of_the_fill_factor() {
    let leak = |knob: &str| twin(&format!("[imperfections.all]\n{knob}"), ErrorPass::Forward).masks[0].leak;
    let (fill, efficiency) = (leak("fill_factor = 0.956"), leak("efficiency = 0.913936"));
    assert!((fill - 0.044).abs() < 1e-12 && (efficiency - fill).abs() < 1e-12, "{fill} {efficiency}");
}

/// Whatever is wrong with it, a modulator gives no light: not at phase 0, where all parts add up, nor anywhere else.
#[test]
fn no_mask_amplifies() {
    let wrong = [
        "efficiency = 0.91",
        "efficiency = 0.2",
        "fill_factor = 0.6\nefficiency = 0.7\ngamma = 1.3\ncrosstalk = 0.6",
        "efficiency = 0.5\nroll = '3 deg'\nmagnification = 0.9\nmodulator_edge = 0.9\nmodulator_aberration = { rms = 1.0 }",
    ];
    let phases: Vec<Array2<f32>> = (0..2)
        .map(|k| Array2::from_shape_fn((64, 64), |(r, c)| k as f32 * 0.01 * ((r * 64 + c) % 700) as f32))
        .collect();
    for text in wrong {
        let p = twin(&format!("[imperfections.all]\n{text}"), ErrorPass::Forward);
        let mut engine = CpuEngine::<f64>::new(1).unwrap();
        engine.load(&p, 1).unwrap();
        engine.set_state(&State::fresh(phases.clone())).unwrap();
        let brightest = |m: &Field| m.iter().map(|v| v.norm()).fold(0.0, f64::max);
        let [flat, varied] = &engine.masks().unwrap()[..] else { panic!("two masks") };
        assert!(brightest(flat) <= 1.0 + 1e-12 && brightest(varied) <= 1.0 + 1e-12, "{text}");
        assert!(brightest(flat) > 0.89, "{text}: where gaps and pixels are in phase nothing is lost");
    }
}

#[test]
fn masks_have_kinds_and_can_be_frozen() {
    let text = "[masks]\nkind = 'complex'\n[masks.layer.2]\nkind = 'phase'\ntrainable = false";
    let ideal = system(text).compile_ideal(&exact).unwrap();
    for p in [ideal, twin(text, ErrorPass::Forward), twin(text, ErrorPass::Model)] {
        let of = |m: &Modulator| (m.kind, m.frozen);
        let found: Vec<_> = p.masks.iter().map(of).collect();
        assert_eq!(found, [(MaskKind::Complex, false), (MaskKind::Phase, true)]);
        if let Some(own) = &p.error_masks {
            assert_eq!(own[0].kind, MaskKind::Complex);
        }
        let trained: Vec<_> = p.parameters().iter().map(|p| (p.mask, p.quantity, p.trained)).collect();
        let expected =
            [(0, Quantity::Phase, true), (1, Quantity::Phase, false), (0, Quantity::Amplitude, true)];
        assert_eq!(trained, expected);
    }
    assert!(twin("", ErrorPass::Forward).masks.iter().all(|m| m.kind == MaskKind::Phase && !m.frozen));
}

#[test]
fn impossible_masks_are_named() {
    let base = "[optics]\npixels = 64\npitch = '25 um'\ndistance = '0.1 m'\nlayers = 2\n";
    for (text, says) in [
        ("[masks.layer.3]\ntrainable = false", "masks.layer = 3: there are layers 1 to 2"),
        ("[masks.layer.02]\ntrainable = false", "masks.layer = 02"),
        ("[masks.layer.1]\ntrainable = false\n[masks.layer.2]\ntrainable = false", "no layer is left"),
        (
            "[masks.layer.1]\namplitude_file = 'a.npy'",
            "masks.layer.1.amplitude_file = a.npy: the mask sets phases only",
        ),
        (
            "[masks]\nkind = 'amplitude'\n[masks.layer.1]\nfile = 'a.npy'",
            "masks.layer.1.file = a.npy: the mask sets amplitudes only",
        ),
    ] {
        let message = refusal(&format!("{base}{text}"));
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn a_tilt_is_an_angle_in_the_medium() {
    let optics = "[optics]\npixels = 64\npitch = '25 um'\ndistance = '0.1 m'\nindex = 1.5\nlayers = 1";
    let text = format!("{optics}\n[imperfections.all]\ntilt = ['2 mrad', '0 rad']");
    let config: SystemConfig = toml::from_str(&text).unwrap();
    let p = System::new(config, [28, 28], 1).unwrap().compile_twin(ErrorPass::Forward, &exact).unwrap();
    let tilt = p.masks[0].factor.as_ref().unwrap();
    let step = (tilt[[32, 33]] / tilt[[32, 32]]).arg();
    let k = std::f64::consts::TAU * 1.5 / 532e-9;
    assert!((step - k * 25e-6 * 2e-3_f64.sin()).abs() < 1e-12, "{step}");
    // And light goes there: over 0.1 m, 2 mrad are 200 um, 8 pixels.
    let (x0, _) = centre(&propagate(&spot(), &p.transfers[0]));
    let (x, y) = centre(&propagate(&(&spot() * &**tilt), &p.transfers[0]));
    assert!((x - x0 - 8.0).abs() < 0.05 && (y - 32.0).abs() < 0.05, "{x} {y}");
}

#[test]
fn roll_and_magnification_turn_and_scale_the_mask() {
    let p = twin("[imperfections.all]\nroll = '90 deg'", ErrorPass::Forward);
    let a = p.masks[0].resample.unwrap();
    // A quarter turn takes +x to +y: the pixel at +y shows what was commanded at +x.
    let at = |r: f64, c: f64| [0, 1].map(|k| a.matrix[k][0] * r + a.matrix[k][1] * c + a.offset[k]);
    let [r, c] = at(42.0, 32.0);
    assert!((r - 32.0).abs() < 1e-9 && (c - 42.0).abs() < 1e-9, "{r} {c}");
    let p = twin("[imperfections.all]\nmagnification = 1.25", ErrorPass::Forward);
    let a = p.masks[0].resample.unwrap();
    assert!((a.matrix[0][0] * 42.0 + a.offset[0] - 40.0).abs() < 1e-9);
}

#[test]
fn an_input_distance_is_a_hop_without_a_mask() {
    let config: SystemConfig = toml::from_str(
        "[optics]\npixels = 64\npitch = '25 um'\ndistance = '0.1 m'\nlayers = 2\ninput_distance = '0.05 m'",
    )
    .unwrap();
    let p = System::new(config, [28, 28], 1).unwrap().compile_ideal(&exact).unwrap();
    assert_eq!(p.hops.iter().map(|h| h.mask).collect::<Vec<_>>(), [None, Some(0), Some(1)]);
}

#[test]
fn activations_stand_behind_every_layer_but_the_last() {
    use ffm_twin::engine::{Activation, ActivationKind};
    let optics =
        "[optics]\npixels = 64\npitch = '25 um'\ndistance = '0.1 m'\nlayers = 3\ninput_distance = '0.05 m'";
    let compiled = |text: &str, pass| {
        let config: SystemConfig = toml::from_str(&format!("{optics}\n{text}")).unwrap();
        let p = System::new(config, [28, 28], 1).unwrap().compile_twin(pass, &exact).unwrap();
        p.hops.iter().map(|h| h.activation).collect::<Vec<_>>()
    };
    let unit = |kind, gain| Some(Activation { kind, gain });
    let electro = "[activation]\nkind = 'electro-optic'\nresponse = '90 deg'\ngain = 2.0";
    let half = std::f64::consts::FRAC_PI_2;
    let kind = ActivationKind::ElectroOptic { tap: 0.1, response: half, bias: 2.0 * half };
    for pass in [ErrorPass::Forward, ErrorPass::Transposed] {
        assert_eq!(compiled(electro, pass), [None, unit(kind, 2.0), unit(kind, 2.0), None]);
        let relu = unit(ActivationKind::Relu { threshold: 0.5 }, 1.0);
        assert_eq!(compiled("[activation]\nkind = 'relu'", pass), [None, relu, relu, None]);
        assert_eq!(compiled("", pass), [None; 4]);
        assert_eq!(compiled("[activation]\nkind = 'none'", pass), [None; 4]);
    }
}

#[test]
fn impossible_settings_are_named() {
    let cases = [
        ("[optics]\npitch = '-8 um'", "optics.pitch (m) = -"),
        ("[optics]\nlayers = 0", "optics.layers = 0"),
        ("[optics]\nwavelength = '0 nm'", "optics.wavelength (m) = 0"),
        ("[optics]\npixels = 20", "images of 28 x 28 pixels are larger"),
        ("[optics]\npixels = [64, 0]", "optics.pixels = [64, 0]"),
        ("[optics]\npadding = 0.5", "optics.padding = 0.5"),
        ("[optics]\ndistance = '0 m'", "optics.distance (m) = 0"),
        ("[input]\nsize = 500", "input.size = [500, 500]"),
        ("[detectors]\nclasses = 0", "detectors.classes = 0"),
        ("[loss]\nkind = 'cross-entropy'\nscale = -1.0", "loss.scale = -1"),
        ("[source]\nkind = 'gaussian'\nwaist = '0 mm'", "source.waist (m) = 0"),
        ("[imperfections.all]\nbits = 0", "(layer 1).bits = 0"),
        ("[imperfections.all]\nbits = 17", "(layer 1).bits = 17"),
        ("[imperfections.all]\nefficiency = 1.5", "efficiency = 1.5"),
        ("[imperfections.all]\ngamma = 0.0", "gamma = 0"),
        ("[imperfections.all]\nlut = [0.0]", "lut = 1 entries"),
        ("[imperfections.all]\nrange_map = [[1.0, 0.9], [1.0]]", "range_map = 2 x 2 parts"),
        ("[imperfections.layer.2]\nrange_map = [[1.0, -0.9]]", "(layer 2).range_map = 1 x 2 parts"),
        ("[imperfections.all]\nmodulator_edge = 0.0", "modulator_edge = 0"),
        ("[imperfections.layer.9]\nbits = 8", "imperfections.layer = 9"),
        ("[imperfections.layer.02]\nbits = 8", "imperfections.layer = 02"),
        (
            "[imperfections.all]\nshift = ['0 m', '2 mm']",
            "shift (m) = 0.002: must be at most half a layer, 0.0016 m",
        ),
        ("[imperfections.all]\nshift = [nan, 0.0]", "NaN has no unit"),
        ("[imperfections.all]\naxial = '-0.4 m'", "axial (m) = -0.4: must leave a positive distance"),
        ("[imperfections.all]\naxial = inf", "inf has no unit"),
        ("[imperfections.layer.2]\ntilt = ['0 deg', '90 deg']", "(layer 2).tilt (rad) = 1.57"),
        ("[imperfections.all]\nroll = nan", "NaN has no unit"),
        ("[imperfections.all]\nmodulator_aberration = { rms = -0.1 }", "modulator_aberration.rms = -0.1"),
        ("[imperfections.all]\ncamera_aberration = { rms = 0.1, terms = 3 }", "camera_aberration.terms = 3"),
        (
            "[imperfections.all]\npupil_aberration = { zernike = [[0, 0.1]] }",
            "pupil_aberration.zernike = [0, 0.1]",
        ),
        (
            "[imperfections.all]\npupil_aberration = { zernike = [[4, nan]] }",
            "pupil_aberration.zernike = [4, NaN]",
        ),
        ("[imperfections.all]\npupil_aberration = { rms = 0.3 }", "pupil_aberration.rms = 0.3"),
        ("[imperfections.all]\ncrosstalk = 5.0", "crosstalk = 5"),
        ("[imperfections.all]\nmagnification = 0.0", "magnification = 0"),
        ("[imperfections.all]\nfill_factor = 0.0", "fill_factor = 0"),
        ("[input]\nencoding = 'phase'\nphase_range = '0 rad'", "input.phase_range (rad) = 0"),
        ("[imperfections.camera]\nfull_well = 0.0", "camera.full_well = 0"),
        ("[imperfections]\npreset = 'nowhere.toml'", "nowhere.toml"),
        ("[activation]\nkind = 'relu'\nthreshold = -1.0", "activation.threshold = -1: must be 0, or"),
        ("[activation]\nkind = 'electro-optic'\ntap = 1.0", "activation.tap = 1: must be 0 to below 1"),
        ("[activation]\nkind = 'intensity'\ngain = nan", "activation.gain = NaN"),
    ];
    for (text, expected) in cases {
        let message = refusal(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn a_chosen_method_that_undersamples_prints_both_numbers() {
    let text = "[optics]\npixels = 400\npitch = '8 um'\npropagation = 'angular-spectrum'";
    let message = refusal(text);
    assert!(message.contains("0.388") && message.contains("0.096241"), "{message}");
    let allowed: SystemConfig = toml::from_str(&format!("{text}\nallow_undersampled = true")).unwrap();
    assert!(System::new(allowed, [28, 28], 1).unwrap().compile_ideal(&exact).is_ok());
}
