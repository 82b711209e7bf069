//! `train.recompute`: the same masks in less memory.

use crate::support::{CPU, ffm, folder, tiny, tiny_args};

const DEEP: [&str; 2] = ["--set", "optics.layers=5"];

#[test]
fn masks_do_not_know_of_it() {
    let masks = |recompute: &str| {
        let dir = folder();
        tiny(dir.path(), &[&DEEP[..], &["--set", recompute]].concat()).done();
        let read = |stage: &str, layer| {
            let file = dir.path().join(format!("run/masks/{stage}-layer-{layer}.npy"));
            std::fs::read(file).expect("a mask")
        };
        (1..=5).flat_map(|layer| [read("in-silico", layer), read("ffm", layer)]).collect::<Vec<_>>()
    };
    let recorded = masks("train.recompute=0");
    assert!(masks("train.recompute=2") == recorded);
    assert!(masks("train.recompute=auto") == recorded);
}

#[test]
fn a_dry_run_tells_the_memory() {
    let dir = folder();
    let memory = |recompute: &str| {
        let more = [&DEEP[..], &["--set", recompute, "--dry-run", "--json"]].concat();
        let ran = ffm(dir.path(), &tiny_args(&CPU, &more)).done();
        ran.json()["memory_bytes"].as_u64().expect("a number")
    };
    // Three places serve the four fields between first and last, on one thread.
    assert_eq!(memory("train.recompute=0") - memory("train.recompute=2"), 32 * 32 * 8);
}

#[test]
fn what_cannot_be_computed_again_is_refused() {
    let dir = folder();
    let two = ["--set", "train.recompute=2"];
    let half = [&two[..], &["--set", "engine.store=f16"]].concat();
    tiny(dir.path(), &half).fails(2, &["train.recompute = 2", "engine.store", "rounded"]);
    let cascade =
        [&two[..], &["--set", "hardware.kind=cascade", "--set", "train.method=physics-aware"]].concat();
    tiny(dir.path(), &cascade).fails(2, &["train.recompute = 2", "cascade", "only observe"]);
    tiny(dir.path(), &["--set", "train.recompute=some"]).fails(2, &["train.recompute", "\"auto\""]);
    assert!(!dir.path().join("run").exists());
}
