//! `ffm calibrate`: the file, the summary, exit codes.

use std::path::Path;

use ffm_twin::calibrate::{Calibration, Predictor, Response};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::io;
use ffm_twin::measure::{Frame, Measurement, MeasurementConfig, Shown, patterns};
use ffm_twin::optics::Length;
use ffm_twin::twin::Pair;

use crate::support::ffm;

/// Two frames of a bench whose camera is 40 um off, without noise but rounded to 8 bits.
fn measured(dir: &Path) -> Measurement {
    let mut config = MeasurementConfig { name: "small bench".into(), ..MeasurementConfig::default() };
    config.optics.pixels = Pair::One(64);
    config.optics.layers = 1;
    config.camera.pixels = Pair::One(100);
    config.camera.bits = 8;
    for k in 1..=2 {
        let gray = patterns::random_blocks([64, 64], 4, k);
        std::fs::write(dir.join(format!("p{k}.png")), io::png_gray8(&gray).unwrap()).unwrap();
        config.frames.push(Frame {
            file: format!("f{k}.png"),
            show: [("1".to_owned(), Shown::File(format!("p{k}.png")))].into(),
            ..Frame::default()
        });
    }
    let truth = Calibration {
        imperfections: toml::from_str("[all]\nbits = 8\nshift = ['40 um', '0 um']").unwrap(),
        response: Some(Response { gain: 25.0, offset: 4.0, blur: 0.3, electrons_per_count: None }),
        ..Calibration::default()
    };
    let m = Measurement { dir: dir.into(), config };
    let engine = Box::new(CpuEngine::<f64>::new(1).unwrap());
    let frames = Predictor::new(&m.config, &truth, engine).unwrap().predict(&m, &[1, 2]).unwrap();
    for (k, frame) in (1..).zip(frames) {
        let counts = frame.counts.mapv(|v| v.round().clamp(0.0, 255.0) as u8);
        std::fs::write(dir.join(format!("f{k}.png")), io::png_gray8(&counts).unwrap()).unwrap();
    }
    m.save().unwrap();
    m
}

#[test]
fn a_calibration_is_written_and_described() {
    let dir = tempfile::tempdir().unwrap();
    let mut m = measured(dir.path());
    let fix = "illumination,fill_factor,range,gamma,aperture,modulator_aberration";
    let run = |out: &str| {
        ffm(dir.path(), &["calibrate", ".", "--out", out, "--fix", fix, "--device", "cpu", "--json"])
    };
    let done = run("calibration.toml");
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let text = &done.stdout;
    assert!(
        text.contains("shift.x") && text.contains("sigma") && text.contains("SSIM of 2 fitted frames"),
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    for key in
        ["file", "name", "estimates", "unclear", "fit", "ssim_fitted", "ssim_tested", "seconds", "device"]
    {
        assert!(json.get(key).is_some(), "{key}: {json}");
    }
    let read = Calibration::read(&dir.path().join("calibration.toml")).unwrap();
    let shift = read.imperfections.of(1).shift.unwrap()[0].0;
    assert!((shift - 40e-6).abs() < 1e-6, "{shift}");
    assert!(read.bench.is_some() && read.response.is_some() && read.fit.is_some());

    // Where the light is even, the radius of the beam is not known.
    let free = fix.split_once(',').unwrap().1;
    let even = ffm(dir.path(), &["calibrate", ".", "--out", "even.toml", "--fix", free, "--device", "cpu"]);
    assert_eq!(even.code, Some(0), "{}{}", even.stdout, even.stderr);
    let says = "unclear: illumination waist x of layer 1 is at the end of its range";
    assert!(even.stdout.contains(says), "{}", even.stdout);

    // A picture is no folder.
    let nowhere = run("p1.png/calibration.toml");
    assert_eq!(nowhere.code, Some(5), "{}", nowhere.stderr);

    m.config.camera.flip_x = true;
    m.save().unwrap();
    let mirrored = run("other.toml");
    assert_eq!(mirrored.code, Some(6), "{}", mirrored.stderr);
    assert!(
        mirrored.stderr.contains("mirrored") && mirrored.stderr.contains("camera.flip_x"),
        "{}",
        mirrored.stderr
    );
    assert!(!dir.path().join("other.toml").exists(), "nothing is written");

    m.config.camera.flip_x = false;
    m.config.optics.pitch = Pair::One(Length(20e-9));
    m.save().unwrap();
    for command in [&["calibrate", ".", "--out", "other.toml"][..], &["report", "--measured", "."]] {
        let wrong = ffm(dir.path(), command);
        assert_eq!(wrong.code, Some(3), "{}", wrong.stderr);
        assert!(wrong.stderr.contains("optics.pitch = 20 nm"), "{}", wrong.stderr);
    }
}

#[test]
fn a_measurement_that_is_not_there_is_bad_data() {
    let dir = tempfile::tempdir().unwrap();
    let done = ffm(dir.path(), &["calibrate", ".", "--out", "x.toml"]);
    assert_eq!(done.code, Some(3), "{}", done.stderr);
}

#[test]
fn a_plan_is_written_with_the_uncertainties_to_expect() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("e.toml"), "[optics]\npixels = 64\nlayers = 1").unwrap();
    let done = ffm(
        dir.path(),
        &[
            "calibrate",
            "--plan",
            "e.toml",
            "--out",
            "bench",
            "--frames",
            "3",
            "--zernike",
            "6",
            "--device",
            "cpu",
            "--json",
        ],
    )
    .done();
    let json = done.json();
    assert_eq!(json["frames"], 8);
    let sigma = |name: &str| {
        let all = json["expected"].as_array().unwrap();
        all.iter().find(|e| e["key"].as_str().unwrap().ends_with(name)).map(|e| e["sigma"].as_f64().unwrap())
    };
    assert!(sigma("shift.x").unwrap() < 1e-6 && sigma("tilt.x").unwrap() < 1e-4, "{json}");
    let m = Measurement::open(&dir.path().join("bench")).unwrap();
    assert_eq!(m.config.frames.len(), 8);
    assert!(m.config.frames.iter().any(|f| f.distance.is_some()), "two distances");
    assert!(m.config.frames.iter().all(|f| f.exposure > 0.0 && f.file.starts_with("frames/")));
    assert_eq!(m.shown(1, 1).unwrap().unwrap().dim(), (64, 64));
    ffm(dir.path(), &["calibrate", "--out", "x"]).fails(2, &["MEASUREMENT"]);
}

#[test]
fn sweeps_and_photon_transfer_come_first() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "bench.toml",
        "[optics]\npixels = 64\npitch = '40 um'\nlayers = 1\ndistance = '0.3 m'\n[imperfections]\npreset = 'none'",
    );
    write(
        "hidden.toml",
        "[imperfections.all]\nrange = 0.9\ngamma = 1.1\n[camera]\nfull_well = 10000.0\nelectrons_per_count = 2.5",
    );
    let lab = ["lab", "bench.toml", "--truth", "hidden.toml", "--out", "m", "--frames", "4", "--test", "1"];
    ffm(dir.path(), &[&lab[..], &["--sweep", "18", "--transfer", "8"]].concat()).done();
    let fix = "modulator_aberration,roll,magnification,tilt";
    ffm(dir.path(), &["calibrate", "m", "--out", "c.toml", "--fix", fix, "--device", "cpu"]).done();
    let c = Calibration::read(&dir.path().join("c.toml")).unwrap();
    // A power law explains the sweep: the fit begins with it, as well known as it is, and goes on from there.
    let e = c.imperfections.of(1);
    assert!(e.lut.is_none() && e.range.is_some_and(|r| (r - 0.9).abs() < 1e-3), "{:?}", e.range);
    let sigma = |key: &str| c.estimates.iter().find(|e| e.key == key).map(|e| e.sigma);
    for name in ["range", "gamma"] {
        let [sweep, fit] = ["sweep", "imperfections"].map(|from| sigma(&format!("{from}.layer.1.{name}")));
        assert!(fit > Some(0.0) && fit <= sweep, "{name}: {fit:?} {sweep:?}");
    }
    let electrons = c.response.and_then(|r| r.electrons_per_count).expect("a gain");
    assert!((electrons / 2.5 - 1.0).abs() < 0.05, "{electrons}");
    for (key, truth) in [
        ("sweep.layer.1.range", 0.9),
        ("sweep.layer.1.gamma", 1.1),
        ("imperfections.layer.1.range", 0.9),
        ("imperfections.layer.1.gamma", 1.1),
        ("imperfections.layer.1.fill_factor", 1.0),
        ("camera.electrons_per_count", 2.5),
    ] {
        let e = c.estimates.iter().find(|e| e.key == key).unwrap_or_else(|| panic!("no {key}"));
        assert!((e.value - truth).abs() < 5.0 * e.sigma, "{e:?}");
    }

    // One that no power law explains is a table, which the fit leaves alone.
    let bent = "lut = [0.0, 1.089, 1.98, 2.589, 3.0, 3.411, 4.02, 4.911, 6.0]";
    write("hidden.toml", &format!("[imperfections.all]\n{bent}"));
    std::fs::remove_dir_all(dir.path().join("m")).unwrap();
    ffm(dir.path(), &[&lab[..], &["--sweep", "33", "--transfer", "0"]].concat()).done();
    ffm(dir.path(), &["calibrate", "m", "--out", "c.toml", "--fix", fix, "--device", "cpu"]).done();
    let c = Calibration::read(&dir.path().join("c.toml")).unwrap();
    let lut = c.imperfections.of(1).lut.expect("a table");
    for (gray, phase) in [(32, 1.089), (64, 1.98), (128, 3.0), (192, 4.02), (256, 6.0)] {
        assert!((lut[gray] - phase).abs() < 0.05, "{gray}: {} {phase}", lut[gray]);
    }
    assert!(!c.estimates.iter().any(|e| e.key == "imperfections.layer.1.gamma"));
}
