//! `ffm measure`: a folder to begin with, and its check.

use std::path::Path;

use image::{ImageBuffer, Luma};

use crate::support::{ffm, folder, text};

/// A 12-bit frame in 16-bit PNG, with some structure and some noise.
fn frame(dir: &Path, name: &str, offset: u32, peak: u32, seed: u32) {
    let picture = ImageBuffer::from_fn(64, 64, |x, y| {
        let wave = (0.22 * f64::from(x)).sin() * (0.14 * f64::from(y)).cos();
        let noise = (x * 7919 + y * 104_729 + seed * 31).wrapping_mul(2_654_435_761) >> 30;
        Luma([(f64::from(offset) + f64::from(peak) * (0.5 + 0.5 * wave)) as u16 + noise as u16])
    });
    picture.save(dir.join("bench/frames").join(name)).expect("a picture");
}

/// `ffm measure init bench`, and all frames that its template lists.
fn recorded() -> tempfile::TempDir {
    let dir = folder();
    ffm(dir.path(), &["measure", "init", "bench"]).done();
    frame(dir.path(), "background-1.png", 100, 0, 1);
    for (k, name) in ["random-1-near", "random-1-far", "random-2-near", "random-2-far"].iter().enumerate() {
        frame(dir.path(), &format!("{name}.png"), 100, 2000 + 100 * k as u32, 2 + k as u32);
    }
    dir
}

#[test]
fn a_folder_to_begin_with_lacks_only_its_frames() {
    let dir = folder();
    let told = ffm(dir.path(), &["measure", "init", "bench", "--json"]).done().json();
    assert_eq!(told["files"].as_array().map(Vec::len), Some(3));
    let ran = ffm(dir.path(), &["measure", "check", "bench", "--json"]);
    let found = ran.json();
    assert_eq!(found["usable"], false);
    let problems = found["check"]["problems"].as_array().expect("a list").clone();
    assert!(problems.len() == 5 && problems.iter().all(|p| p["kind"] == "missing"), "{problems:?}");
    ran.fails(3, &["5 problems", "frames/background-1.png (frame 1)", "frames/random-2-far.png (frame 5)"]);
    assert!(text(&dir.path().join("bench/check.html")).contains("random-2-far.png"));
    ffm(dir.path(), &["measure", "init", "bench"]).fails(2, &["measurement.toml", "there is one already"]);
}

#[test]
fn an_experiment_gives_the_nominal_bench() {
    let dir = folder();
    std::fs::write(dir.path().join("e.toml"), "[optics]\npixels = [32, 48]\nwavelength = '633 nm'")
        .expect("written");
    ffm(dir.path(), &["measure", "init", "bench", "--experiment", "e.toml", "--quiet"]).done();
    let written = text(&dir.path().join("bench/measurement.toml"));
    assert!(written.contains("\"633 nm\"") && written.contains("pixels = [32, 48]"), "{written}");
    let size = image::image_dimensions(dir.path().join("bench/patterns/random-2.png")).expect("a picture");
    assert_eq!(size, (48, 32));
    std::fs::write(dir.path().join("bad.toml"), "[optics]\npixel = 3").expect("written");
    ffm(dir.path(), &["measure", "init", "b", "--experiment", "bad.toml"]).fails(2, &["optics.pixel"]);
    ffm(dir.path(), &["measure", "init", "b", "--experiment", "none.toml"]).fails(2, &["none.toml"]);
    std::fs::write(dir.path().join("file"), "").expect("written");
    ffm(dir.path(), &["measure", "init", "file/below"]).fails(5, &["cannot write"]);
}

#[test]
fn good_frames_are_shown_and_measured() {
    let dir = recorded();
    let ran = ffm(dir.path(), &["measure", "check", "bench", "--html", "c.html", "--json"]).done();
    assert!(
        ran.stdout.contains("5 frames, nothing wrong.") && ran.stdout.contains("random-1-far.png"),
        "{}",
        ran.stdout
    );
    let found = ran.json();
    assert_eq!((&found["usable"], &found["html"]), (&true.into(), &"c.html".into()));
    let s = &found["check"]["frames"][1]["statistics"];
    assert!(
        s["signal_to_noise"].as_f64().is_some_and(|v| v > 100.0) && s["max"].as_f64() > Some(2000.0),
        "{s}"
    );
    let html = text(&dir.path().join("c.html"));
    assert_eq!(html.matches("data:image/png").count(), 5);
    assert!(!dir.path().join("bench/check.html").exists());
    let quiet = ffm(dir.path(), &["measure", "check", "bench", "--quiet"]).done();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    ffm(dir.path(), &["measure", "check", "bench", "--html", "c.html/x"]).fails(5, &["cannot write"]);
}

#[test]
fn every_fault_is_named_at_once() {
    let dir = recorded();
    frame(dir.path(), "random-1-near.png", 4095, 0, 0);
    frame(dir.path(), "random-1-far.png", 102, 3, 9);
    let frames = dir.path().join("bench/frames");
    ImageBuffer::from_fn(50, 64, |_, _| Luma([700_u16]))
        .save(frames.join("random-2-near.png"))
        .expect("a picture");
    std::fs::copy(frames.join("background-1.png"), frames.join("random-2-far.png")).expect("copied");
    let ran = ffm(dir.path(), &["measure", "check", "bench"]);
    ran.fails(
        3,
        &[
            "random-1-near.png (frame 2): counts from 4095",
            "random-1-far.png (frame 3): under-exposed",
            "random-2-near.png (frame 4): 64 x 50 pixels, but camera.pixels says 64 x 64",
            "random-2-far.png (frame 5): its counts are exactly those of frames/background-1.png (frame 1)",
        ],
    );
}

#[test]
fn wrong_descriptions_are_named() {
    let dir = recorded();
    let path = dir.path().join("bench/measurement.toml");
    let good = text(&path);
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        std::fs::write(&path, good.replace(from, to)).expect("written");
        ffm(dir.path(), &["measure", "check", "bench"])
    };
    with("wavelength = \"532 nm\"", "wavelength = \"532 um\"")
        .fails(3, &["optics.wavelength = 532 um", "532 nm?"]);
    with("pitch = \"50 um\"", "pitch = \"50 mm\"").fails(3, &["optics.pitch = 50 mm", "did you mean 50 um?"]);
    with("bits = 12 ", "bits = 8 ").fails(3, &["camera.bits", "0 to 255"]);
    with("bits = 12 ", "bit = 12 ").fails(2, &["measurement.toml", "camera.bit", "camera.bits"]);
    with("role = \"test\"", "role = \"tset\"").fails(2, &["measurement.toml", "tset"]);
    with("patterns/random-2.png", "patterns/none.png").fails(3, &["pattern patterns/none.png"]);
    ffm(dir.path(), &["measure", "check", "nowhere"]).fails(3, &["nowhere/measurement.toml"]);
}
