//! `ffm reproduce` and `ffm compare`.

use std::path::Path;

use crate::support::{CPU, Ran, ffm, folder, json, text};

/// Settings of runs that take a fraction of a second each.
const SMALL: [&str; 10] = [
    "--set",
    "data.source=strokes",
    "--set",
    "data.train=96",
    "--set",
    "data.test=40",
    "--set",
    "optics.pixels=32",
    "--set",
    "train.epochs=1",
];

fn fig2(dir: &Path, more: &[&str]) -> Ran {
    let base = ["reproduce", "fig2", "--out", "fig", "--layers", "1,2", "--seeds", "3,4"];
    ffm(dir, &[&base, SMALL.as_slice(), CPU.as_slice(), more].concat())
}

#[test]
fn the_figure_has_tables_charts_and_every_run() {
    let dir = folder();
    let ran = fig2(dir.path(), &["--json"]).done();
    let found = ran.json();
    assert_eq!(found["depths"].as_array().map(Vec::len), Some(2));
    let row = &found["depths"][1];
    for part in ["ideal", "deployed", "ffm", "gap"] {
        assert_eq!(row[part]["values"].as_array().map(Vec::len), Some(2), "{row}");
        assert!(row[part]["two_sigma"].is_number(), "{row}");
    }
    assert_eq!(row["paper"]["ffm"], 0.865);
    assert!(found["depths"][0]["paper"].is_null(), "the paper has no single layer here");
    // What the twin measures is the twin and noise, and not the ideal system.
    let (near, far) = (&found["fields"]["calibrated"], &found["fields"]["uncalibrated"]);
    assert!(near.as_f64() > far.as_f64(), "{near} {far}");
    assert!(ran.stdout.contains("paper") && ran.stdout.contains("86.5"), "{}", ran.stdout);
    let fig = dir.path().join("fig");
    assert_eq!(json(&fig.join("results.json")), found);
    assert!(text(&fig.join("report.html")).contains("layers-2-seed-4/report.html"));
    assert!(text(&fig.join("table.md")).contains("ffm reproduce fig2"));
    assert!(text(&fig.join("chart-1.svg")).starts_with("<svg"));
    for run in ["layers-1-seed-3", "layers-2-seed-4", "single-layer"] {
        assert!(fig.join(run).join("report.html").exists(), "{run}");
    }
}

#[test]
fn a_study_goes_on_where_it_was_and_guards_its_folder() {
    let dir = folder();
    let first = fig2(dir.path(), &["--json"]).done().json();
    std::fs::remove_dir_all(dir.path().join("fig/layers-2-seed-3")).expect("a run");
    let again = fig2(dir.path(), &["--json"]).done();
    assert_eq!(again.stderr.matches("done before").count(), 4, "{}", again.stderr);
    assert_eq!(again.json()["depths"], first["depths"]);
    fig2(dir.path(), &["--set", "train.rate=0.2"]).fails(5, &["layers-1-seed-3", "other settings", "--out"]);
}

#[test]
fn methods_are_compared_on_the_same_networks() {
    let dir = folder();
    let base = [
        "compare",
        "--out",
        "all",
        "--methods",
        "in-silico,ffm,in-situ-backprop",
        "--seeds",
        "1,2",
        "--json",
    ];
    let args = [&base, SMALL.as_slice(), &["--set", "optics.layers=2"], CPU.as_slice()].concat();
    let ran = ffm(dir.path(), &args).done();
    let found = ran.json();
    let methods: Vec<_> =
        found["methods"].as_array().expect("rows").iter().map(|m| m["method"].clone()).collect();
    assert_eq!(methods, ["in-silico", "ffm"]);
    assert_eq!(found["methods"][0]["accuracy"], found["deployed"]);
    assert_eq!(found["refused"][0][0], "in-situ-backprop");
    assert!(ran.stdout.contains("hardware.bidirectional"), "{}", ran.stdout);
    // The network in silico is that of the first run, to the bit, and trained once.
    let mask = |run: &str| std::fs::read(dir.path().join(format!("all/{run}/masks/in-silico-layer-1.npy")));
    assert_eq!(mask("ffm-seed-2").expect("a mask"), mask("in-silico-seed-2").expect("a mask"));
    assert_ne!(mask("ffm-seed-2").expect("a mask"), mask("ffm-seed-1").expect("a mask"));
    assert_eq!(ran.stderr.matches("(a) training in silico").count(), 2, "{}", ran.stderr);
}

#[test]
fn a_method_that_diverges_is_a_result_of_a_comparison_and_an_error_of_a_run() {
    // Modulators bent by a tenth of a wave, of which the model knows nothing, turn its gradient away from the true one.
    let bent = "imperfections.all.modulator_aberration={ rms = 0.65 }";
    let settings =
        ["--set", bent, "--set", "data.train=2400", "--set", "data.test=40", "--set", "train.epochs=1"];
    let dir = folder();
    let base = ["compare", "--out", "all", "--methods", "physics-aware", "--json"];
    let args = [&base, settings.as_slice(), CPU.as_slice()].concat();
    let ran = ffm(dir.path(), &args).done();
    let row = ran.json()["methods"][0].clone();
    assert_eq!(row["accuracy"]["values"].as_array().map(Vec::len), Some(0), "{row}");
    assert!(
        ran.stdout.contains("training diverged: loss") && ran.stdout.contains("train.rate"),
        "{}",
        ran.stdout
    );
    // It is not tried again.
    assert!(ffm(dir.path(), &args).done().stderr.contains("done before"));
    let alone = ["train", "--out", "one", "--set", "train.method=physics-aware"];
    let args = [&alone, settings.as_slice(), CPU.as_slice()].concat();
    ffm(dir.path(), &args).fails(6, &["diverged", "step", "times that of the first steps", "calibrate"]);
    assert!(dir.path().join("one/checkpoints/in-silico.safetensors").exists());
}

#[test]
fn wrong_requests_are_named() {
    let dir = folder();
    ffm(dir.path(), &["compare", "--methods", "fmm"]).fails(2, &["fmm", "physics-aware"]);
    ffm(dir.path(), &["compare", "--methods", "in-situ-backprop"]).fails(2, &["hardware.bidirectional"]);
    fig2(dir.path(), &["--set", "train.epoch=2"]).fails(2, &["train.epochs"]);
    ffm(dir.path(), &["reproduce", "fig2", "--out", "x"]).fails(3, &["fashion-mnist", "ffm data fetch"]);
}
