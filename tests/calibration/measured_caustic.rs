//! The caustic of a real HeNe beam: ten planes recorded by a camera (`beam-hene-caustic`, S. Prahl, MIT licence).
//!
//! Needs the data set in `FFM_DATA` (default `../shared/datasets`); says so and passes where it is not there.

use std::path::{Path, PathBuf};
use std::process::Command;

use ffm_twin::measure::{Frame, Measurement, MeasurementConfig};
use ffm_twin::optics::Length;
use ffm_twin::twin::Pair;

/// Positions of the planes, millimetres.
const PLANES: [u32; 10] = [300, 400, 470, 500, 540, 570, 600, 650, 700, 800];
/// What another program fits to the same frames (SOURCE.md of the data set): waist and position in metres, beam quality.
const STATED: [f64; 3] = [216.5e-6, 0.524, 1.21];
/// Share by which the figures may differ.
const SHARE: f64 = 0.05;

fn data() -> Option<PathBuf> {
    let root =
        std::env::var_os("FFM_DATA").map_or_else(|| PathBuf::from("../shared/datasets"), PathBuf::from);
    let folder = root.join("beam-hene-caustic");
    match folder.join("k-300mm.png").exists() {
        true => std::fs::canonicalize(folder).ok(),
        false => {
            eprintln!("not tested: {} is not there", folder.display());
            None
        }
    }
}

/// A measurement folder whose frames lie where the data are.
fn describe(data: &Path, dir: &Path) {
    let mut config = MeasurementConfig { name: "HeNe beam".into(), ..MeasurementConfig::default() };
    config.optics.wavelength = Length(632.8e-9);
    config.camera.pixels = Pair::Two([960, 1280]);
    config.camera.pitch = Pair::One(Length(3.75e-6));
    config.camera.bits = 8;
    config.frames = PLANES
        .iter()
        .map(|z| Frame {
            file: data.join(format!("k-{z}mm.png")).display().to_string(),
            distance: Some(Length(f64::from(*z) * 1e-3)),
            ..Frame::default()
        })
        .collect();
    Measurement { dir: dir.into(), config }.save().expect("written");
}

#[test]
fn waist_position_and_quality_of_a_real_beam_and_its_report() {
    let Some(data) = data() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    describe(&data, dir.path());
    let out = Command::new(env!("CARGO_BIN_EXE_ffm"))
        .current_dir(dir.path())
        .args(["report", "--measured", ".", "--caustic", "--out", "caustic.html", "--json"])
        .output()
        .expect("the binary starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout);
    let found: serde_json::Value =
        serde_json::from_str(text.lines().last().expect("a line")).expect("JSON in the last line");
    let caustic = &found["caustic"];
    for (key, want) in ["waist", "position", "m_squared"].iter().zip(STATED) {
        let got = caustic["beam"][key].as_f64().expect("a number");
        assert!((got / want - 1.0).abs() < SHARE, "{key}: {got} instead of {want}");
    }
    // Uncertainties that are neither zero nor the size of the figure.
    for (sigma, value) in caustic["sigma"].as_array().expect("three").iter().zip(STATED) {
        let share = sigma.as_f64().expect("a number") / value;
        assert!(share > 1e-4 && share < 0.1, "{share}");
    }
    let samples = found["samples"].as_array().expect("samples");
    assert_eq!(samples.len(), PLANES.len());
    for sample in samples {
        let figures = &sample["rivals"][0]["figures"];
        let figure = |key: &str| figures[key].as_f64().expect("a number");
        assert!(figure("ssim") > 0.65 && figure("correlation") > 0.98, "{sample}");
        // Centres are registered by the fit.
        let shift = figures["shift"].as_array().expect("two");
        assert!(shift.iter().all(|s| s.as_f64().expect("a number").abs() < 1.0), "{sample}");
    }
    let page = std::fs::read_to_string(dir.path().join("caustic.html")).expect("a page");
    assert_eq!(page.matches("<article").count(), PLANES.len());
    let table = std::fs::read_to_string(dir.path().join("caustic.csv")).expect("a table");
    assert_eq!(table.lines().count(), 1 + PLANES.len());
}
