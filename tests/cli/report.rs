//! `ffm report`: runs beside one another, frames and fields against others, a beam's caustic.

use std::path::Path;

use ffm_twin::calibrate::caustic::Beam;
use ffm_twin::io::{png_gray8, write_field};
use ffm_twin::measure::{Frame, Measurement, MeasurementConfig};
use ffm_twin::optics::Length;
use ffm_twin::twin::Pair;
use ndarray::Array2;
use num_complex::Complex64;

use crate::support::{CPU, ffm, folder, json, text, tiny_args};

#[test]
fn runs_are_put_beside_one_another() {
    let dir = folder();
    for (out, rate) in [("a", "0.03"), ("b", "0.01")] {
        let mut args = tiny_args(&CPU, &["--set"]);
        let rate = format!("train.rate={rate}");
        args.push(&rate);
        args[2] = out;
        ffm(dir.path(), &args).done();
    }
    let ran = ffm(dir.path(), &["report", "a", "b", "--out", "pages/ab.html", "--json"]).done();
    let found = ran.json();
    assert_eq!(found["differing"][0]["key"], "train.rate");
    assert_eq!(found["differing"].as_array().map(Vec::len), Some(1), "{}", found["differing"]);
    assert_eq!(found["differing"][0]["values"][1], "0.01");
    assert_eq!(json(&dir.path().join("pages/ab.json")), found);
    let table = text(&dir.path().join("pages/ab.csv"));
    let summary = json(&dir.path().join("b/summary.json"));
    let row = table.lines().find(|l| l.starts_with("accuracy.trained,")).expect("a row");
    assert_eq!(row.split(',').nth(2), Some(summary["accuracy"]["trained"].to_string().as_str()), "{row}");
    let page = text(&dir.path().join("pages/ab.html"));
    assert_eq!(page.matches("alt=\"Layer 2, phase, ").count(), 2, "the masks of both runs");
    assert!(page.contains("a/report.html") && !page.contains("<script"));
    assert!(ran.stdout.contains("Settings that differ"), "{}", ran.stdout);
}

#[test]
fn a_run_that_is_not_finished_is_shown_as_such() {
    let dir = folder();
    ffm(dir.path(), &tiny_args(&CPU, &[])).done();
    std::fs::create_dir(dir.path().join("begun")).expect("a folder");
    std::fs::copy(dir.path().join("run/config.toml"), dir.path().join("begun/config.toml")).expect("copied");
    let ran = ffm(dir.path(), &["report", "run", "begun"]).done();
    assert!(
        ran.stdout.contains("Not finished: begun") && ran.stdout.contains("ffm resume"),
        "{}",
        ran.stdout
    );
    assert!(dir.path().join("report.html").exists());
}

#[test]
fn wrong_requests_are_named() {
    let dir = folder();
    std::fs::create_dir(dir.path().join("empty")).expect("a folder");
    std::fs::write(dir.path().join("file"), "").expect("a file");
    ffm(dir.path(), &["report", "empty"]).fails(2, &["two or more"]);
    ffm(dir.path(), &["report", "empty", "empty"]).fails(3, &["empty", "not a run folder"]);
    ffm(dir.path(), &["report", "empty", "empty", "--out", "page.pdf"]).fails(2, &["page.pdf", ".html"]);
    ffm(dir.path(), &["report", "empty", "empty", "--out", "file/x.html"]).fails(5, &["file/x.html"]);
}

/// A frame with a spot at column `x`, as PNG.
fn spot(path: &Path, size: [usize; 2], x: f64, peak: f64) {
    let frame = Array2::from_shape_fn((size[0], size[1]), |(r, c)| {
        let rho = (r as f64 - 20.0).powi(2) + (c as f64 - x).powi(2);
        (peak * (-rho / 40.0).exp() + 0.04 * peak) as u8
    });
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, png_gray8(&frame).expect("a PNG")).expect("written");
}

#[test]
fn frames_are_compared_with_frames_of_the_same_name() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    for (name, x) in [("one", 25.0), ("two", 31.0)] {
        spot(&at(&format!("a/{name}.png")), [40, 60], 25.0, 200.0);
        spot(&at(&format!("b/{name}.png")), [40, 60], x, 100.0);
    }
    spot(&at("b/alone.png"), [40, 60], 25.0, 200.0);
    let args = ["report", "--measured", "a", "--against", "b", "--out", "ab.html", "--json"];
    let ran = ffm(dir.path(), &args).done();
    let found = ran.json();
    let figures = |k: usize| found["samples"][k]["rivals"][0]["figures"].clone();
    assert!(figures(0)["ssim"].as_f64() > Some(0.98), "{}", figures(0));
    let shift = figures(1)["shift"][1].as_f64().expect("a number");
    assert!((shift - 6.0).abs() < 0.5 && figures(1)["ssim"].as_f64() < Some(0.9), "{}", figures(1));
    assert!((figures(0)["energy_ratio"].as_f64().expect("a number") - 0.5).abs() < 0.02);
    for said in ["Not registered", "ffm calibrate", "no counterpart"] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    assert_eq!(text(&at("ab.csv")).lines().count(), 3);
    assert!(text(&at("ab.html")).contains("Not registered"));
}

#[test]
fn fields_are_compared_by_overlap_amplitude_and_phase() {
    let dir = folder();
    let field = |tilt: f64| {
        Array2::from_shape_fn((24, 30), |(r, c)| {
            let size = (-((r as f64 - 12.0).powi(2) + (c as f64 - 15.0).powi(2)) / 60.0).exp();
            Complex64::from_polar(size, tilt * c as f64 + 0.1)
        })
    };
    write_field(&dir.path().join("u.npy"), &field(0.0)).expect("written");
    write_field(&dir.path().join("v.npy"), &field(0.3)).expect("written");
    let args = ["report", "--measured", "u.npy", "--against", "v.npy", "--json"];
    let figures = ffm(dir.path(), &args).done().json()["samples"][0]["rivals"][0]["figures"].clone();
    let figure = |key: &str| figures[key].as_f64().expect("a number");
    assert!(figure("amplitude_ssim") > 0.999 && figure("phase_ssim") < 0.7, "{figures}");
    assert!(figure("overlap") < 0.6 && figure("overlap") > 0.0, "{figures}");
}

#[test]
fn frames_that_cannot_be_compared_say_what_to_do() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    spot(&at("a/one.png"), [40, 60], 25.0, 200.0);
    spot(&at("b/one.png"), [40, 50], 25.0, 200.0);
    spot(&at("c/other.png"), [40, 60], 25.0, 200.0);
    spot(&at("d/one.png"), [40, 60], 25.0, 0.0);
    std::fs::create_dir(at("empty")).expect("a folder");
    let against = |other: &str| ffm(dir.path(), &["report", "--measured", "a", "--against", other]);
    against("b").fails(3, &["40 x 60", "40 x 50", "ffm calibrate"]);
    against("c").fails(3, &["same file names"]);
    against("d").fails(3, &["one.png", "zero everywhere or constant"]);
    against("empty").fails(3, &["empty", "no frame"]);
    against("none").fails(3, &["cannot read none"]);
    ffm(dir.path(), &["report", "--measured", "a"]).fails(3, &["measurement.toml"]);
}

#[test]
fn a_caustic_is_fitted_and_mistakes_are_named() {
    let dir = folder();
    let beam = Beam { waist: 60e-6, position: 0.02, m_squared: 1.3, wavelength: 633e-9 };
    let mut config = MeasurementConfig { name: "beam".into(), ..MeasurementConfig::default() };
    config.optics.wavelength = Length(beam.wavelength);
    config.camera.pixels = Pair::Two([90, 110]);
    config.camera.pitch = Pair::One(Length(8e-6));
    config.camera.bits = 8;
    for k in 0..7 {
        let z = -0.02 + 0.012 * f64::from(k);
        let peak = 2.0 * (8e-6_f64 / beam.radius(z)).powi(2) / std::f64::consts::PI;
        let frame = beam.frame(z, [90, 110], [8e-6; 2], [44.0 + 0.3 * z, 57.2], 200.0 / peak);
        let file = format!("f{k}.png");
        let counts = frame.mapv(|v| (v + 10.5) as u8);
        std::fs::write(dir.path().join(&file), png_gray8(&counts).expect("a PNG")).expect("written");
        config.frames.push(Frame { file, distance: Some(Length(z)), ..Frame::default() });
    }
    let mut m = Measurement { dir: dir.path().into(), config };
    m.save().expect("written");
    let run = || ffm(dir.path(), &["report", "--measured", ".", "--caustic", "--json"]);
    let found = run().done().json();
    for (key, want, within) in [("waist", 60e-6, 0.01), ("position", 0.02, 0.02), ("m_squared", 1.3, 0.02)] {
        let got = found["caustic"]["beam"][key].as_f64().expect("a number");
        assert!((got / want - 1.0).abs() < within, "{key} {got}");
    }
    assert!(found["samples"][3]["rivals"][0]["figures"]["ssim"].as_f64() > Some(0.95), "{found}");
    m.config.optics.wavelength = Length(633e-6);
    m.save().expect("written");
    run().fails(3, &["units of wavelength", "camera pitch"]);
    m.config.optics.wavelength = Length(633e-9);
    m.config.frames[2].distance = None;
    m.save().expect("written");
    run().fails(2, &["frames[2].distance", "position"]);
    m.config.frames.truncate(2);
    m.save().expect("written");
    run().fails(3, &["2 planes", "at least 5"]);
}
