//! `ffm export`: masks of a run as a modulator shows them.

use std::f32::consts::TAU;

use ffm_twin::calibrate::{LayerErrors, gray_phases};
use ffm_twin::io::{read_counts, read_real};
use ffm_twin::optics::{Grid, zernike};

use crate::support::{ffm, folder, json, tiny};

/// The size of the modulator and nothing else.
const PLAIN: [&str; 4] = ["export", "run", "--modulator", "80x60"];

#[test]
fn bitmaps_are_what_the_modulator_needs() {
    let dir = folder();
    tiny(dir.path(), &[]).done();
    let ran = ffm(dir.path(), &[&PLAIN[..], &["--json"]].concat()).done();
    let told = ran.json();
    assert_eq!((&told["stage"], &told["pixels"]), (&"ffm".into(), &serde_json::json!([80, 60])));
    assert_eq!(told["layers"].as_array().map(Vec::len), Some(2));
    let out = dir.path().join("run/export-80x60");
    assert_eq!(json(&out.join("layers.json")), told);
    let bitmap = read_counts(&out.join("layer-1-phase.png")).expect("a picture");
    assert_eq!(bitmap.dim(), (60, 80));
    // Without a calibration the bitmap of the run folder stands in the middle.
    let own = read_counts(&dir.path().join("run/masks/ffm-layer-1.png")).expect("a picture");
    assert!(own.indexed_iter().all(|((r, c), v)| bitmap[[r + 14, c + 24]] == *v));

    // With one, the device makes of the bitmap the mask that was meant.
    let text = "[imperfections.all]\nrange = 1.1\ngamma = 1.2\n[imperfections.layer.1]\n\
                modulator_aberration = { zernike = [[4, 1.3], [7, -0.6]] }\nrange_map = [[0.95, 1.05]]\n";
    std::fs::write(dir.path().join("c.toml"), text).expect("a file");
    let more = [
        "--calibration",
        "c.toml",
        "--flip",
        "xy",
        "--centre",
        "30,20",
        "--format",
        "bmp",
        "--out",
        "slm",
        "--json",
    ];
    let told = ffm(dir.path(), &[&PLAIN[..], &more].concat()).done().json();
    let bitmap = read_counts(&dir.path().join("slm/layer-1-phase.bmp")).expect("a picture");
    let mask = read_real(&dir.path().join("run/masks/ffm-layer-1.npy")).expect("a mask");
    // 32 columns: the middles of the map's parts are at 7.5 and 23.5.
    let thick = |c: usize| 0.95 + 0.1 * ((c as f64 - 7.5) / 16.0).clamp(0.0, 1.0);
    let response = gray_phases(&LayerErrors { range: Some(1.1), gamma: Some(1.2), ..LayerErrors::default() });
    let grid = Grid::square(32, 50e-6).expect("a grid");
    let bent =
        zernike::wavefront(&grid, zernike::enclosing_radius(&grid), &[(4, 1.3), (7, -0.6)]).expect("terms");
    let corner: Vec<usize> = serde_json::from_value(told["layers"][0]["corner"].clone()).expect("numbers");
    assert_eq!(corner, [14, 4]);
    let mut worst = 0.0_f32;
    for ((r, c), meant) in mask.indexed_iter() {
        let gray = bitmap[[corner[1] + 31 - r, corner[0] + 31 - c]] as usize;
        let shown = thick(c) * response[gray] + bent[[r, c]];
        let off = (shown as f32 - meant).rem_euclid(TAU);
        worst = worst.max(off.min(TAU - off));
    }
    let step = response.windows(2).map(|w| w[1] - w[0]).fold(0.0, f64::max);
    assert!(f64::from(worst) < 0.5 * 1.05 * step + 1e-3, "{worst} {step}");
    assert!((told["layers"][0]["error_max"].as_f64().expect("a number") - f64::from(worst)).abs() < 1e-3);
}

#[test]
fn masks_and_devices_that_do_not_fit_are_refused() {
    let dir = folder();
    tiny(dir.path(), &[]).done();
    let export = |more: &[&str]| ffm(dir.path(), &[&["export", "run", "--modulator"], more].concat());
    export(&["slm"]).fails(2, &["--modulator slm", "hamamatsu-x15213", "WIDTHxHEIGHT"]);
    export(&["meadowlark-1920x1200"]).fails(2, &["50 um", "8 um", "--resample"]);
    export(&["20x60"]).fails(2, &["32 x 32", "does not fit", "--centre"]);
    export(&["80x60", "--centre", "3"]).fails(2, &["COLUMN,ROW"]);
    export(&["80x60", "--resample"]).fails(2, &["pitch of 80x60 is not known"]);
    export(&["80x60", "--stage", "spsa"]).fails(2, &["--stage spsa", "ffm and in-silico"]);
    export(&["80x60", "--lut", "none.csv"]).fails(3, &["none.csv"]);
    std::fs::write(
        dir.path().join("drive.lut"),
        (0..256).map(|g| format!("{g} {}\n", 8 * g)).collect::<String>(),
    )
    .expect("a file");
    export(&["80x60", "--lut", "drive.lut"]).fails(3, &["drive levels"]);
    let own = "run/masks/ffm-layer-1.png";
    export(&["80x60", "--flatness", own]).fails(2, &["32 x 32", "80 x 60"]);
    std::fs::write(dir.path().join("c.toml"), "[imperfections.all]\nmodulator_aberration = { rms = 0.3 }")
        .expect("a file");
    export(&["80x60", "--calibration", "c.toml"]).fails(2, &["random wavefront", "zernike"]);
    // Shown with several pixels of the device for each of the mask.
    let told = export(&["meadowlark-1920x1200", "--resample", "--json"]).done().json();
    assert_eq!(told["layers"][0]["corner"], serde_json::json!([960 - 100, 600 - 100]));
    std::fs::remove_file(dir.path().join("run/masks/ffm-layer-2.npy")).expect("a mask");
    export(&["80x60"]).fails(3, &["ffm-layer-2.npy"]);
}
