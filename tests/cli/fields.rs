//! `ffm fields` and `ffm refocus`: from frames to fields, and to the distance at which they are sharp.

use std::path::Path;

use ffm_twin::io::{read_field, write_field, write_real};
use ffm_twin::optics::{self, Field, Method, Propagation};
use ndarray::Array2;
use num_complex::Complex64;

use crate::support::{ffm, folder, json, text};

const SIDE: usize = 64;

/// Bars under a phase bump.
fn object() -> Field {
    Field::from_shape_fn((SIDE, SIDE), |(r, c)| {
        let bars = (12..52).contains(&c) && (16..48).contains(&r) && (r / 4) % 2 == 0;
        let bump = 1.2 * (-((r as f64 - 30.0).powi(2) + (c as f64 - 36.0).powi(2)) / 200.0).exp();
        Complex64::from_polar(if bars { 1.0 } else { 0.3 }, bump)
    })
}

/// A frame with the reference `exp(i (tilt + step))`, in counts of a 12-bit camera.
fn frame(u: &Field, tilt: [f64; 2], step: f64) -> Array2<f32> {
    let mut counts = Array2::zeros((SIDE, SIDE));
    for (((r, c), v), u) in counts.indexed_iter_mut().zip(u) {
        let phase = step.to_radians() - tilt[0] * r as f64 - tilt[1] * c as f64;
        *v = (100.0 + 800.0 * (u + Complex64::cis(phase)).norm_sqr()).round() as f32;
    }
    counts
}

/// A measurement with frames of `(file, set, step)`.
fn measured(dir: &Path, tilt: [f64; 2], frames: &[(&str, Option<&str>, Option<f64>, f64)]) {
    let mut described = format!(
        "[optics]\nwavelength = '633 nm'\npixels = {SIDE}\npitch = '5 um'\nlayers = 1\n[camera]\npixels = {SIDE}\n\
         pitch = '5 um'\n[[frames]]\nfile = 'dark.npy'\nrole = 'background'\n"
    );
    std::fs::create_dir_all(dir).expect("a folder");
    write_real(&dir.join("dark.npy"), Array2::from_elem((SIDE, SIDE), 100.0).view()).expect("written");
    for (file, set, step, degrees) in frames {
        write_real(&dir.join(file), frame(&object(), tilt, *degrees).view()).expect("written");
        described.push_str(&format!("[[frames]]\nfile = '{file}'\nreference = true\n"));
        set.iter().for_each(|s| described.push_str(&format!("set = '{s}'\n")));
        step.iter().for_each(|s| described.push_str(&format!("step = '{s} deg'\n")));
    }
    std::fs::write(dir.join("measurement.toml"), described).expect("written");
}

/// Share of the amplitude that two fields have in common, up to a constant phase, without the border.
fn alike(a: &Field, b: &Field) -> f64 {
    let inner = ndarray::s![8..SIDE - 8, 8..SIDE - 8];
    let (a, b) = (a.slice(inner), b.slice(inner));
    let square = |u: &ndarray::ArrayView2<'_, Complex64>| u.iter().map(|v| v.norm_sqr()).sum::<f64>().sqrt();
    a.iter().zip(&b).map(|(a, b)| a * b.conj()).sum::<Complex64>().norm() / (square(&a) * square(&b))
}

#[test]
fn stepped_frames_give_the_field_with_or_without_their_steps() {
    let dir = folder();
    let steps = [0.0, 47.0, 101.0, 167.0];
    let names = ["a.npy", "b.npy", "c.npy", "d.npy"];
    let given: Vec<_> = (0..4).map(|k| (names[k], Some("lens"), Some(steps[k]), steps[k])).collect();
    measured(&dir.path().join("m"), [0.0, 0.0], &given);
    let told = ffm(dir.path(), &["fields", "m", "--out", "f", "--json"]).done().json();
    let one = &told["fields"][0];
    assert_eq!((&one["name"], &one["method"]), (&"lens".into(), &"phase-shifting".into()));
    assert_eq!((&one["frames"], &one["steps_found"]), (&serde_json::json!([2, 3, 4, 5]), &false.into()));
    assert!(one["residual"].as_f64().is_some_and(|r| r < 0.01), "{one}");
    let found = read_field(&dir.path().join("f/lens.npy")).expect("a field");
    assert!(alike(&found, &object()) > 0.9999, "{}", alike(&found, &object()));
    for file in ["lens.png", "lens-phase.png"] {
        assert_eq!(image::image_dimensions(dir.path().join("f").join(file)).expect("a picture"), (64, 64));
    }
    assert_eq!(json(&dir.path().join("f/fields.json"))["fields"][0]["name"], "lens");

    // Steps are found where fringes cover all phases: with a tilted reference. Which sign they have nobody can tell.
    let unknown: Vec<_> = (0..4).map(|k| (names[k], Some("lens"), None, steps[k])).collect();
    measured(&dir.path().join("u"), [0.9, 0.7], &unknown);
    let flat = ["--flatten", "tilt", "--json"];
    let told = ffm(dir.path(), &[&["fields", "u", "--out", "g"], &flat[..]].concat()).done().json();
    let one = &told["fields"][0];
    assert_eq!(one["steps_found"], true);
    for (found, step) in one["steps"].as_array().expect("a list").iter().zip(steps) {
        let degrees = found.as_f64().expect("a number").to_degrees();
        assert!((degrees - step).abs() < 5.0, "{one}");
    }
    assert!((one["ramp"]["y"][0].as_f64().expect("a number").abs() - 0.9).abs() < 0.02, "{one}");
    let found = read_field(&dir.path().join("g/lens.npy")).expect("a field");
    let either = alike(&found, &object()).max(alike(&found.mapv(|v| v.conj()), &object()));
    assert!(either > 0.99, "{either}");
}

#[test]
fn one_tilted_frame_is_enough() {
    let dir = folder();
    measured(&dir.path().join("m"), [1.5, 0.4], &[("holo.npy", None, None, 0.0)]);
    let told = ffm(dir.path(), &["fields", "m", "--out", "f", "--flatten", "tilt", "--json"]).done().json();
    let one = &told["fields"][0];
    assert_eq!((&one["name"], &one["method"]), (&"holo".into(), &"off-axis".into()));
    let centre = &one["side_band"]["centre"];
    assert!((centre[0].as_f64().expect("a number") - 1.5 / std::f64::consts::TAU).abs() < 0.02, "{one}");
    let found = read_field(&dir.path().join("f/holo.npy")).expect("a field");
    // The window cuts the bars' edges.
    assert!(alike(&found, &object()) > 0.9, "{}", alike(&found, &object()));
    ffm(dir.path(), &["fields", "m", "--out", "g", "--conjugate", "--flatten", "tilt", "--quiet"]).done();
    let other = read_field(&dir.path().join("g/holo.npy")).expect("a field").mapv(|v| v.conj());
    assert!(alike(&other, &found) > 0.9999);
}

#[test]
fn frames_without_a_field_are_refused() {
    let dir = folder();
    let run = |name: &str, frames: &[(&str, Option<&str>, Option<f64>, f64)]| {
        measured(&dir.path().join(name), [0.9, 0.7], frames);
        ffm(dir.path(), &["fields", name, "--out", "f"])
    };
    let set = Some("s");
    run("two", &[("a.npy", set, None, 0.0), ("b.npy", set, None, 90.0)])
        .fails(3, &["set \"s\"", "2 frames", "three phase steps"]);
    let same = Some(10.0);
    run("alike", &[("a.npy", set, same, 0.0), ("b.npy", set, same, 0.0), ("c.npy", set, Some(90.0), 90.0)])
        .fails(3, &["set \"s\"", "too alike", "10.0, 10.0, 90.0"]);
    let still = ["a.npy", "b.npy", "c.npy", "d.npy"].map(|f| (f, set, None, 0.0));
    run("still", &still).fails(3, &["set \"s\"", "no moving fringes"]);
    run("none", &[]).fails(2, &["no frame with the reference beam", "reference = true"]);
    ffm(dir.path(), &["fields", "two", "--out", "f", "--set", "t"]).fails(2, &["in a set \"t\"", "sets: s"]);
    std::fs::remove_file(dir.path().join("two/b.npy")).expect("removed");
    ffm(dir.path(), &["fields", "two", "--out", "f"]).fails(3, &["cannot read", "b.npy"]);
    std::fs::write(dir.path().join("file"), "").expect("written");
    ffm(dir.path(), &["fields", "two", "--out", "file/f"]).fails(5, &["cannot write"]);
    ffm(dir.path(), &["fields", "nowhere", "--out", "f"]).fails(3, &["nowhere/measurement.toml"]);
}

const BENCH: [&str; 4] = ["--wavelength", "633 nm", "--pitch", "5um"];

fn defocused(distance: f64) -> Field {
    let space = Propagation {
        wavelength: 633e-9,
        index: 1.0,
        distance,
        method: Method::Auto,
        allow_undersampled: false,
    };
    let (h, _) = space.transfer([128, 128], 5e-6, 5e-6).expect("a transfer function");
    let bright = object().mapv(|v| Complex64::from(v.norm()));
    optics::propagate(&bright, &h)
}

#[test]
fn the_sharp_distance_is_found() {
    let dir = folder();
    write_field(&dir.path().join("u.npy"), &defocused(2e-3)).expect("written");
    let range = ["--from", "-4 mm", "--to", "-0.2 mm", "--out", "sharp.png", "--json"];
    let told = ffm(dir.path(), &[&["refocus", "u.npy"], &BENCH[..], &range].concat()).done().json();
    let number = |key: &str| told[key].as_f64().expect("a number");
    assert!((number("distance") + 2e-3).abs() < 1e-4, "{told}");
    assert!(number("uncertainty") > 0.0 && number("uncertainty") < 3e-4, "{told}");
    assert_eq!(told["metric"], "gradient");
    assert_eq!(told["files"], serde_json::json!(["sharp.png", "sharp-phase.png", "sharp-curve.csv"]));
    let curve = text(&dir.path().join("sharp-curve.csv"));
    assert_eq!(curve.lines().next(), Some("distance_m,sharpness"));
    assert_eq!(curve.lines().count(), 1 + 31 + 16);
    let again = [&["refocus", "u.npy", "--metric", "tamura", "--steps", "15"], &BENCH[..], &range].concat();
    let told = ffm(dir.path(), &again).done().json();
    assert!((told["distance"].as_f64().expect("a number") + 2e-3).abs() < 1e-4, "{told}");
}

#[test]
fn holograms_are_refocused_from_their_side_band() {
    let dir = folder();
    let holo = frame(&defocused(2e-3), [1.5, 0.4], 0.0);
    write_real(&dir.path().join("h.npy"), holo.view()).expect("written");
    let args =
        ["refocus", "h.npy", "--off-axis", "--from", "-4mm", "--to", "-0.2mm", "--out", "s.npy", "--json"];
    let told = ffm(dir.path(), &[&args[..], &BENCH].concat()).done().json();
    assert!((told["distance"].as_f64().expect("a number") + 2e-3).abs() < 3e-4, "{told}");
    assert!(told["side_band"]["radius"].as_f64().is_some_and(|r| r > 0.1), "{told}");
    assert_eq!(read_field(&dir.path().join("s.npy")).expect("a field").dim(), (SIDE, SIDE));
    // The other side-band is the conjugate field: in focus on the other side.
    let args = [
        "refocus",
        "h.npy",
        "--off-axis",
        "--other",
        "--from",
        "0.2mm",
        "--to",
        "4mm",
        "--out",
        "s.npy",
        "--json",
    ];
    let told = ffm(dir.path(), &[&args[..], &BENCH].concat()).done().json();
    assert!((told["distance"].as_f64().expect("a number") - 2e-3).abs() < 3e-4, "{told}");
    let args = ["refocus", "h.npy", "--off-axis", "--side-band", "0.24,0.064", "--window", "0.12"];
    let more = ["--from", "-4mm", "--to", "-0.2mm", "--out", "s.npy", "--json"];
    let told = ffm(dir.path(), &[&args[..], &more, &BENCH].concat()).done().json();
    assert_eq!(told["side_band"]["centre"], serde_json::json!([0.24, 0.064]));
}

#[test]
fn searches_that_cannot_succeed_are_refused() {
    let dir = folder();
    write_field(&dir.path().join("u.npy"), &defocused(2e-3)).expect("written");
    image::GrayImage::from_pixel(64, 64, image::Luma([9])).save(dir.path().join("p.png")).expect("a picture");
    let run = |input: &str, from: &str, to: &str, more: &[&str]| {
        let args = ["refocus", input, "--from", from, "--to", to, "--out", "s.png"];
        ffm(dir.path(), &[&args[..], &BENCH, more].concat())
    };
    run("u.npy", "-1.99mm", "-1.9mm", &[]).fails(6, &["end of the range"]);
    run("u.npy", "-1mm", "-4mm", &[]).fails(2, &["from = -0.001", "less than to"]);
    run("u.npy", "-4", "-1mm", &[]).fails(2, &["--from: \"-4\" is not a length"]);
    run("u.npy", "-4mm", "-1mm", &["--method", "magic"]).fails(2, &["--method", "\"magic\""]);
    run("u.npy", "-4mm", "-1mm", &["--speckle", "20"]).fails(2, &["speckle = 20", "4 x 4"]);
    run("u.npy", "-4mm", "-1mm", &["--single-transform"]).fails(2, &["nearer than one transform"]);
    run("u.npy", "-40cm", "-1mm", &["--method", "angular-spectrum"]).fails(2, &["undersamples"]);
    run("p.png", "-4mm", "-1mm", &[]).fails(2, &["p.png", "--off-axis", "--hologram"]);
    run("p.png", "-4mm", "-1mm", &["--off-axis"]).fails(3, &["the frame is dark or constant"]);
    run("p.png", "-4mm", "-1mm", &["--hologram"]).fails(3, &["the field is dark or constant"]);
    run("none.npy", "-4mm", "-1mm", &[]).fails(3, &["cannot read none.npy"]);
    let args = ["refocus", "u.npy", "--from", "-4mm", "--to", "-1mm", "--out", "s.txt"];
    ffm(dir.path(), &[&args[..], &BENCH].concat()).fails(2, &["--out = s.txt", ".npy"]);
}
