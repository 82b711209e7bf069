//! `ffm bits`, and the settings of few levels, validation, distances and drift from the command line.

use crate::support::{CPU, ffm, folder, json, text, tiny};

#[test]
fn a_study_prints_its_table_and_its_numbers() {
    let dir = folder();
    let sets = ["optics.pixels=32", "optics.layers=1", "data.train=32", "data.test=20", "train.epochs=1"];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let args = [&["bits", "--bits", "2,16", "--seeds", "1,2", "--json"], sets.as_slice(), &CPU].concat();
    let ran = ffm(dir.path(), &args).done();
    assert!(
        ran.stdout.contains("| bits | rounded after training | trained with rounding | gain |"),
        "{}",
        ran.stdout
    );
    let found = ran.json();
    assert_eq!(found["seeds"].as_array().map(Vec::len), Some(2));
    assert_eq!((&found["table"][0]["bits"], &found["table"][1]["bits"]), (&2.into(), &16.into()));
    let mean = |k: usize| {
        let of = |seed: usize| found["seeds"][seed]["bits"][k]["rounded"].as_f64().expect("a number");
        0.5 * (of(0) + of(1))
    };
    assert!((found["table"][0]["rounded"]["mean"].as_f64().expect("a mean") - mean(0)).abs() < 1e-12);
    // 65536 levels round nothing that a class notices.
    assert_eq!(found["table"][1]["rounded"], found["continuous"]);
    // The same command finds all done in its default folder; other settings do not fit there.
    assert_eq!(ffm(dir.path(), &args).done().json(), found);
    let other = [args.as_slice(), &["--set", "train.rate=0.1"]].concat();
    ffm(dir.path(), &other).fails(5, &["other settings", "--out"]);
    ffm(dir.path(), &["bits", "--bits", "17"]).fails(2, &["17"]);
}

#[test]
fn learned_distances_validation_and_drift_are_reported() {
    let dir = folder();
    let sets = [
        "data.validation=0.25",
        "train.distances={ rate = '5 mm', every = 1 }",
        "imperfections.drift={ every = 1, shift = { walk = '5 um', steps = 1 } }",
        "optics.bits=4",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let summary = tiny(dir.path(), &[&["--json"], sets.as_slice()].concat()).done().json();
    assert_eq!(summary["distances"].as_array().map(Vec::len), Some(2));
    assert_ne!(summary["distances"][0], 0.388);
    assert_eq!(summary["validation_samples"], 8);
    assert_eq!(summary["drift"].as_array().map(Vec::len), Some(2));
    let run = dir.path().join("run");
    assert_eq!(json(&run.join("summary.json"))["drift"], summary["drift"]);
    let page = text(&run.join("report.html"));
    assert!(
        page.contains("As the bench drifts")
            && page.contains("24 training, 8 validation")
            && page.contains("4 bit phases")
    );
    let refused = |set: &str, says: &[&str]| {
        let other = folder();
        tiny(other.path(), &["--set", set]).fails(2, says);
        assert!(!other.path().join("run").exists());
    };
    refused("data.validation=32", &["data.validation = 32", "32 training images"]);
    refused("train.distances={ least = '1 m' }", &["train.distances", "0.388"]);
    refused("imperfections.drift={ every = 0 }", &["imperfections.drift.every = 0"]);
    refused("optics.bits=17", &["optics.bits = 17"]);
}
