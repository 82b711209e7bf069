//! Derivatives against differences of predicted frames.

use super::*;
use crate::calibrate::estimate::choice;
use crate::engine::cpu::CpuEngine;
use crate::measure::{Frame, Shown, patterns};
use crate::optics::Length;
use crate::twin::Pair;

const LAW: &str = "range = 0.95\ngamma = 1.1";
const TABLE: &str = "lut = [0.0, 0.9, 2.0, 2.9, 3.4, 4.1, 5.0, 5.3, 5.9, 6.1]";
const ERRORS: &str = "fill_factor = 0.9\ncrosstalk = 0.4\naperture = 0.7\nroll = '0.2 deg'\n\
    magnification = 1.003\nmodulator_aberration = { zernike = [[4, 0.3], [7, 0.4]] }\nshift = ['40 um', '-20 um']\n\
    axial = '1 mm'\ntilt = ['0.2 mrad', '-0.1 mrad']\nillumination = { centre = ['0.1 mm', '0.05 mm'], waist = ['0.8 mm', '1 mm'] }";

/// Two layers with this response, one frame through both and one through the first at another distance; everything is free but what
/// the response has not.
fn bench(dir: &std::path::Path, (response, missing): (&str, &[&str])) -> (Model, Vec<FrameData>) {
    let mut config = MeasurementConfig::default();
    config.optics.pixels = Pair::One(48);
    config.optics.pitch = Pair::One(Length(20e-6));
    config.optics.distance = Length(0.15);
    config.optics.layers = 2;
    config.camera.pixels = Pair::One(64);
    config.camera.pitch = Pair::One(Length(10e-6));
    for k in 1..=2 {
        let gray = patterns::random_blocks([48, 48], 3, k);
        std::fs::write(dir.join(format!("{k}.png")), crate::io::png_gray8(&gray).unwrap()).unwrap();
    }
    let show =
        |layers: &[usize]| layers.iter().map(|k| (k.to_string(), Shown::File(format!("{k}.png")))).collect();
    let frame = |layers, distance| Frame {
        file: "dark.png".into(),
        show: show(layers),
        distance,
        exposure: 2.0,
        ..Frame::default()
    };
    config.frames = vec![frame(&[1, 2], None), frame(&[1], Some(Length(0.12)))];
    let dark = crate::io::png_gray8(&Array2::zeros((64, 64))).unwrap();
    std::fs::write(dir.join("dark.png"), dark).unwrap();
    let m = Measurement { dir: dir.into(), config };
    let base = Calibration {
        imperfections: toml::from_str(&format!("[all]\n{response}\n{ERRORS}")).unwrap(),
        response: Some(crate::calibrate::Response {
            gain: 100.0,
            offset: 5.0,
            blur: 0.5,
            electrons_per_count: None,
        }),
        ..Calibration::default()
    };
    let mut model = Model::new(&m.config, &base, Box::new(CpuEngine::<f64>::new(1).unwrap())).unwrap();
    let free =
        choice::names().into_iter().filter(|name| !missing.contains(name)).map(str::to_owned).collect();
    let choice = choice::Choice { free, zernike: 7, ..choice::Choice::default() };
    model.parameters = choice::list(&m.config, &base, model.grid(), &[(1, 2), (2, 1)], &choice).unwrap();
    let frames = [1, 2].map(|n| FrameData::read(&m, n).unwrap()).into();
    (model, frames)
}

#[test]
fn derivatives_are_those_of_the_predicted_frames() {
    derived(LAW, &["lut"]);
}

#[test]
fn derivatives_by_the_phases_of_a_table_are_too() {
    derived(TABLE, &["range", "gamma"]);
}

fn derived(response: &str, missing: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let (mut model, frames) = bench(dir.path(), (response, missing));
    let x = model.start();
    let mut columns: Vec<Vec<Array2<f32>>> = vec![Vec::new(); 2];
    model
        .linearise(&frames, &[0, 1], (&x, &vec![true; x.len()]), |at, linear| columns[at] = linear.columns)
        .unwrap();
    let inside = model.inside(&x);
    let mut wrong = Vec::new();
    for n in 0..x.len() {
        let p = model.parameters[n].clone();
        // Bilinear sampling bends where a pixel passes another one: there the same two points are compared.
        let bends = matches!(p.knob, Knob::Roll | Knob::Magnification);
        let step = if bends { 0.5 } else { 0.3 } * p.scale;
        let [more, less] = [step, -step].map(|d| {
            let mut moved = x.clone();
            moved[n] += d;
            model.evaluate(&frames, &[0, 1], &moved).unwrap()
        });
        for frame in 0..2 {
            let difference = (&more[frame] - &less[frame]) / (2.0 * step);
            let tangent = &columns[frame][n];
            let (mut error, mut size) = (0.0, 0.0);
            for (at, _) in inside.indexed_iter().filter(|(_, used)| **used) {
                error += (difference[at] - f64::from(tangent[at])).powi(2);
                size += difference[at].powi(2) + 1e-12;
            }
            // A frame that does not pass a layer has a derivative of zero, exactly.
            let passes = p.layer == 0 || frames[frame].way.layers.contains(&p.layer);
            let error = (error / size).sqrt();
            if passes && error > 0.03 || !passes && tangent.iter().any(|v| *v != 0.0) {
                wrong.push(format!("{} frame {frame}: {error:.3}", p.key));
            }
        }
    }
    assert!(model.parameters.len() > 40 && wrong.is_empty(), "{wrong:#?}");
}
