//! `ffm calibrate` and `ffm report --measured` with a twin: on intensities, on reference sets, and with given imperfections.

use std::path::Path;

use ffm_twin::measure::{Measurement, Role};
use serde_json::Value;

use crate::support::{CPU, ffm, folder, text};

const BENCH: &str =
    "name = 'bench'\n[optics]\npixels = 64\npitch = '30 um'\nlayers = 1\ndistance = '0.25 m'\n";
const ERRORS: &str = "shift = ['60 um', '-45 um']\naxial = '4 mm'\n";
const HIDDEN: &str = "camera_aberration = { zernike = [[5, 2.5], [7, -2.0], [8, 2.5]] }\n";
const FIXED: &str = "illumination,modulator_aberration,tilt,roll,magnification,gamma,range,fill_factor";

fn write(dir: &Path, name: &str, content: &str) {
    std::fs::write(dir.join(name), content).expect("a file");
}

/// A bench in `m`: frames to fit to and to test on, and reference sets.
fn lab(dir: &Path, frames: [&str; 3]) {
    write(dir, "bench.toml", BENCH);
    // Dim enough that what the laboratory knows of pixels, and a twin with most numbers fixed does not, is little against noise.
    let reference =
        "[camera]\nphotons = 1000.0\n[reference]\ntilt = ['1 mrad', '-0.6 mrad']\nradius = '2 m'\n";
    write(dir, "hidden.toml", &format!("[imperfections.all]\n{ERRORS}{HIDDEN}{reference}"));
    let args =
        ["lab", "bench.toml", "--truth", "hidden.toml", "--out", "m", "--sweep", "0", "--transfer", "0"];
    let [fit, test, sets] = frames;
    ffm(dir, &[&args[..], &["--frames", fit, "--test", test, "--reference", sets]].concat()).done();
}

fn report(dir: &Path, more: &[&str]) -> Value {
    ffm(dir, &[&["report", "--measured", "m", "--json"], &CPU[..], more].concat()).done().json()
}

/// A figure of rival `k`, of the samples that have it.
fn figures(report: &Value, k: usize, name: &str) -> Vec<f64> {
    let samples = report["samples"].as_array().expect("samples");
    samples.iter().filter_map(|s| s["rivals"][k]["figures"][name].as_f64()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn fields_are_calibrated_and_compared_before_and_after() {
    let dir = folder();
    let at = dir.path();
    lab(at, ["4", "1", "2"]);
    let args = ["calibrate", "m", "--fix", FIXED, "--json", "--out"];
    let ran = ffm(at, &[&args[..], &["c.toml"], &CPU[..]].concat()).done();
    assert!(ran.stdout.contains("overlap of 2 fitted fields"), "{}", ran.stdout);
    assert!(ran.stdout.contains("camera.flat_reference = true"), "{}", ran.stdout);
    let overlap = &ran.json()["overlap_fitted"];
    let [before, after] = ["before", "after"].map(|key| overlap[key].as_f64().expect("a number"));
    assert!(overlap["sets"] == 2 && after > before + 0.1 && after > 0.8, "{overlap}");
    let calibration = text(&at.join("c.toml"));
    assert!(calibration.contains("[fields]") && calibration.contains("camera_aberration"), "{calibration}");

    let found = report(at, &["--calibration", "c.toml", "--out", "twin.html"]);
    let count = |key: &str| figures(&found, 0, key).len();
    assert_eq!((count("ssim"), count("overlap")), (4 + 1 + 2, 2), "{found}");
    for key in ["overlap", "amplitude_ssim", "phase_ssim"] {
        let [nominal, calibrated] = [0, 1].map(|k| mean(&figures(&found, k, key)));
        assert!(calibrated > nominal + 0.2, "{key}: {nominal} {calibrated}");
    }
    // The report and the calibration take the same out of the same fields.
    let overlap = mean(&figures(&found, 1, "overlap"));
    assert!((overlap - after).abs() < 0.01, "{overlap} {after}");
    let page = text(&at.join("twin.html"));
    assert!(page.contains("Mean overlap of 2 fields") && page.contains("steps-1"));

    // Without the camera's wavefront the same calibration meets fields worse, and intensities as well.
    let without = ["calibrate", "m", "--json", "--quiet", "--fix", &format!("{FIXED},camera_aberration")];
    let ran = ffm(at, &[&without[..], &["--out", "w.toml"], &CPU[..]].concat()).done();
    assert!(ran.json()["overlap_fitted"].is_null());
    let worse = report(at, &["--calibration", "w.toml"]);
    assert!(mean(&figures(&worse, 1, "overlap")) < overlap - 0.1, "{worse}");
    let ssim = |report: &Value| mean(&figures(report, 1, "ssim")[..5]);
    assert!((ssim(&worse) - ssim(&found)).abs() < 1e-3, "{} {}", ssim(&worse), ssim(&found));

    // Sets that are kept back are the ones to look at; frames alone and sets alone make a report, too.
    let mut m = Measurement::open(&at.join("m")).expect("a measurement");
    for frame in m.config.frames.iter_mut().filter(|f| f.set.as_deref() == Some("steps-2")) {
        frame.role = Role::Test;
    }
    m.save().expect("written");
    assert_eq!(figures(&report(at, &["--calibration", "c.toml"]), 1, "overlap").len(), 1);
    m.config.frames.retain(|f| !matches!(f.role, Role::Fit | Role::Test) || f.reference);
    m.save().expect("written");
    let fields = report(at, &["--frames", "fit"]);
    assert_eq!((figures(&fields, 0, "ssim").len(), figures(&fields, 0, "overlap").len()), (1, 1));
    m.config.frames.retain(|f| !f.reference);
    m.save().expect("written");
    ffm(at, &["report", "--measured", "m"]).fails(2, &["neither frame nor reference set"]);
}

#[test]
fn given_imperfections_are_the_twins_and_a_calibration_comes_first() {
    let dir = folder();
    let at = dir.path();
    lab(at, ["0", "2", "0"]);
    write(at, "given.toml", &format!("{BENCH}[imperfections.all]\n{ERRORS}"));
    write(at, "part.toml", "[imperfections.all]\naxial = '4 mm'\n");
    write(at, "wrong.toml", "[imperfections.all]\nshift = ['-60 um', '45 um']\n");
    let ssim = |more: &[&str], k: usize| mean(&figures(&report(at, more), k, "ssim"));
    // A file that says nothing is perfect, whatever training would assume.
    let perfect = ssim(&["--twin", "bench.toml"], 0);
    let bare = ssim(&[], 0);
    assert!((perfect - bare).abs() < 1e-9 && perfect < 0.6, "{perfect} {bare}");
    let given = ssim(&["--twin", "given.toml"], 0);
    assert!(given > 0.8, "{given}");
    // The shift is the experiment's, the distance both's.
    let over = ssim(&["--twin", "given.toml", "--calibration", "part.toml"], 1);
    assert!((over - given).abs() < 1e-9, "{over} {given}");
    let alone = ssim(&["--calibration", "part.toml"], 1);
    assert!(alone < given - 0.2, "{alone}");
    let wrong = ssim(&["--twin", "given.toml", "--calibration", "wrong.toml"], 1);
    assert!(wrong < given - 0.2, "{wrong}");
}
