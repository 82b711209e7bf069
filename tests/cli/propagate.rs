//! `ffm propagate` against the library, and its refusals.

use std::path::Path;

use ffm_twin::engine::next_fast_length;
use ffm_twin::io::{read_field, write_field};
use ffm_twin::optics::{self, Field, Method, Propagation};
use ndarray::Array2;
use num_complex::Complex64;

use crate::support::{Ran, ffm, folder};

const PITCH: f64 = 20e-6;
/// Files hold single precision: half a unit in the last place of 24 bits, and the same once more for the input.
const SINGLE: f64 = 1.2e-7;
/// Energies are sums in double precision over some hundred pixels.
const DOUBLE: f64 = 1e-12;

const HALF_METRE: [&str; 6] = ["--distance", "0.5 m", "--pitch", "20um", "--wavelength", "532 nm"];

fn space() -> Propagation {
    Propagation {
        wavelength: 532e-9,
        index: 1.0,
        distance: 0.5,
        method: Method::Auto,
        allow_undersampled: false,
    }
}

/// Nothing symmetric, in single precision.
fn field() -> Field {
    Array2::from_shape_fn((24, 20), |(r, c)| {
        let phase = 0.3 * (r as f64) - 0.02 * (c * c) as f64;
        let value = Complex64::from_polar(1.0 + 0.1 * c as f64, phase);
        Complex64::new(f64::from(value.re as f32), f64::from(value.im as f32))
    })
}

fn energy(u: &Field) -> f64 {
    u.iter().map(|v| v.norm_sqr()).sum::<f64>() * PITCH * PITCH
}

fn run(dir: &Path, input: &str, out: &str, more: &[&str]) -> Ran {
    ffm(dir, &[&["propagate", input, "--out", out], HALF_METRE.as_slice(), more].concat())
}

fn close(found: &serde_json::Value, expected: f64) {
    let found = found.as_f64().expect("a number");
    assert!((found - expected).abs() <= DOUBLE * expected, "{found} instead of {expected}");
}

#[test]
fn fields_propagate_as_in_the_library() {
    let dir = folder();
    let u = field();
    write_field(&dir.path().join("u.npy"), &u).expect("written");
    let told = run(dir.path(), "u.npy", "far.npy", &["--json"]).done().json();

    let padded = [next_fast_length(48), next_fast_length(40)];
    let (h, method) = space().transfer(padded, PITCH, PITCH).expect("a transfer function");
    let expected = optics::propagate(&u, &h);
    let found = read_field(&dir.path().join("far.npy")).expect("a field");
    let scale = expected.iter().map(|v| v.norm()).fold(0.0, f64::max);
    let error = (&found - &expected).iter().map(|v| v.norm()).fold(0.0, f64::max);
    assert!(error <= SINGLE * scale, "{error} of {scale}");
    assert!(energy(&expected) < 0.99 * energy(&u), "light has to leave the window for this to mean anything");
    close(&told["energy_in"], energy(&u));
    close(&told["energy_out"], energy(&expected));
    assert_eq!(told["method"], method.name());
    assert_eq!(told["padded"], serde_json::json!(padded));
    let bounds = space().bounds(padded, PITCH, PITCH);
    close(&told["bounds"][0], bounds.0);
    close(&told["bounds"][1], bounds.1);
    assert_eq!(told["files"], serde_json::json!(["far.npy"]));
}

#[test]
fn a_chosen_method_is_used() {
    let dir = folder();
    write_field(&dir.path().join("u.npy"), &field()).expect("written");
    let told = run(dir.path(), "u.npy", "a.npy", &["--json", "--method", "band-limited"]).done().json();
    assert_eq!(told["method"], "band-limited");
    run(dir.path(), "u.npy", "b.npy", &[]).done();
    let read = |name: &str| read_field(&dir.path().join(name)).expect("a field");
    assert_ne!(read("a.npy"), read("b.npy"));

    // 40 (20 um)^2 / 532 nm and 48 (20 um)^2 / 532 nm.
    let chosen = ["--method", "angular-spectrum"];
    let bounds = ["up to 0.030075 m", "from 0.036090 m", "--allow-undersampled"];
    run(dir.path(), "u.npy", "c.npy", &chosen).fails(2, &bounds);
    assert!(!dir.path().join("c.npy").exists());
    run(dir.path(), "u.npy", "c.npy", &[chosen[0], chosen[1], "--allow-undersampled"]).done();
    assert!(dir.path().join("c.npy").exists());
}

#[test]
fn a_periodic_grid_there_and_back_is_the_field() {
    let dir = folder();
    write_field(&dir.path().join("u.npy"), &field()).expect("written");
    let go = |input: &str, out: &str, distance: &str| {
        let args = ["propagate", input, "--out", out, "--distance", distance, "--pitch", "20 um"];
        ffm(dir.path(), &[&args[..], &["--wavelength", "532 nm", "--padding", "1", "--quiet"]].concat())
    };
    let ran = go("u.npy", "there.npy", "10 mm").done();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    go("there.npy", "back.npy", "-10 mm").done();
    let back = read_field(&dir.path().join("back.npy")).expect("a field");
    let error = (&back - &field()).iter().map(|v| v.norm()).fold(0.0, f64::max);
    // Two files in single precision, amplitudes up to 3.
    assert!(error <= 2.0 * 3.0 * SINGLE * 2.0, "{error}");
}

#[test]
fn pictures_are_amplitudes_or_intensities() {
    let dir = folder();
    let picture = image::GrayImage::from_fn(20, 24, |x, y| image::Luma([(10 * x + y) as u8]));
    picture.save(dir.path().join("in.png")).expect("a picture");
    let sum = |power: i32| picture.pixels().map(|p| (f64::from(p.0[0]) / 255.0).powi(power)).sum::<f64>();
    for (more, power) in [(vec!["--json"], 2), (vec!["--json", "--intensity"], 1)] {
        let told = run(dir.path(), "in.png", "out.png", &more).done().json();
        close(&told["energy_in"], sum(power) * PITCH * PITCH);
        assert_eq!(told["files"], serde_json::json!(["out.png", "out-phase.png"]));
        for file in ["out.png", "out-phase.png"] {
            let size = image::image_dimensions(dir.path().join(file)).expect("a picture");
            assert_eq!(size, (20, 24), "{file}");
        }
    }
}

#[test]
fn wrong_fields_are_named() {
    let dir = folder();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).expect("a file");
    let mut poisoned = field();
    poisoned[[3, 5]].im = f64::NAN;
    write_field(&dir.path().join("nan.npy"), &poisoned).expect("written");
    write_field(&dir.path().join("u.npy"), &field()).expect("written");
    let whole = std::fs::read(dir.path().join("u.npy")).expect("a file");
    write("cut.npy", &whole[..whole.len() - 7]);
    write("text.npy", b"no array");
    write("text.png", b"no picture");
    write("field.mat", b"");
    let cases: [(&str, &[&str]); 6] = [
        ("none.npy", &["cannot read none.npy"]),
        ("nan.npy", &["nan.npy", "NaN", "row 3, column 5"]),
        ("cut.npy", &["cut.npy", "a whole .npy file"]),
        ("text.npy", &["text.npy", "a whole .npy file"]),
        ("text.png", &["text.png"]),
        ("field.mat", &["field.mat", "\"mat\" are not supported", ".npy, .png"]),
    ];
    for (input, says) in cases {
        run(dir.path(), input, "out.npy", &[]).fails(3, says);
    }
    assert!(!dir.path().join("out.npy").exists());
}

#[test]
fn wrong_arguments_are_named() {
    let dir = folder();
    write_field(&dir.path().join("u.npy"), &field()).expect("written");
    std::fs::write(dir.path().join("file"), "").expect("a file");
    run(dir.path(), "u.npy", "out.npy", &["--padding", "0.5"])
        .fails(2, &["--padding = 0.5", "1 (periodic) to 8"]);
    run(dir.path(), "u.npy", "out.npy", &["--index", "0"]).fails(2, &["refractive index is 0"]);
    run(dir.path(), "u.npy", "out.npy", &["--method", "magic"])
        .fails(2, &["--method", "\"magic\"", "fresnel"]);
    run(dir.path(), "u.npy", "out.txt", &[])
        .fails(2, &["--out = out.txt", "\"txt\" files are not written", ".npy"]);
    run(dir.path(), "u.npy", "file/out.npy", &[]).fails(5, &["cannot write file/out.npy"]);
    let unit = |option: &str, value: &str| {
        let mut args = HALF_METRE.to_vec();
        let at = args.iter().position(|a| *a == option).expect("an option") + 1;
        args[at] = value;
        ffm(dir.path(), &[&["propagate", "u.npy", "--out", "out.npy"], args.as_slice()].concat())
    };
    unit("--pitch", "8parsec").fails(2, &["--pitch: \"8parsec\" is not a length", "um, "]);
    unit("--distance", "8").fails(2, &["--distance: \"8\" is not a length"]);
    unit("--wavelength", "nm").fails(2, &["--wavelength: \"nm\" is not a length"]);
    unit("--wavelength", "0 nm").fails(2, &["the wavelength is 0", "positive"]);
    unit("--pitch", "0 um").fails(2, &["--pitch (m) = 0", "positive"]);
    assert!(!dir.path().join("out.npy").exists());
}
