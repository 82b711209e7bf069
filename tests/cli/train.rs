//! `ffm train` and `ffm eval`: what they print and leave.

use crate::images::write_set;
use crate::support::{CPU, ffm, folder, json, text, tiny, tiny_args};

#[test]
fn a_run_prints_its_result_and_explains_itself() {
    let dir = folder();
    let ran = tiny(dir.path(), &["--json"]).done();
    let found = ran.json();
    for (table, key) in [
        ("accuracy", "ideal"),
        ("accuracy", "in_silico_deployed"),
        ("accuracy", "ffm"),
        ("light_on_detectors", "ideal"),
        ("light_on_detectors", "in_silico_deployed"),
        ("light_on_detectors", "ffm"),
        ("ssim", "ideal_vs_twin"),
        ("ssim", "ideal_vs_ffm"),
    ] {
        let value = found[table][key].as_f64().unwrap_or_else(|| panic!("{table}.{key}: {found}"));
        assert!((0.0..=1.0).contains(&value), "{table}.{key} = {value}");
    }
    let cosines = found["gradient_cosine"].as_array().expect("an array");
    assert_eq!(cosines.len(), 2, "one per layer");
    assert!(cosines.iter().all(|c| (-1.0..=1.0).contains(&c.as_f64().expect("a number"))));
    assert!(found["samples_per_second"].as_f64().expect("a number") > 0.0);
    assert!(found["seconds"].as_f64().expect("a number") > 0.0);
    assert!(!found["device"].as_str().expect("a text").is_empty());
    assert_eq!((&found["engine"], &found["run_dir"]), (&"cpu".into(), &"run".into()));
    let objects = ran.stdout.lines().filter(|l| l.starts_with('{')).count();
    assert_eq!(objects, 1, "{}", ran.stdout);

    let run = dir.path().join("run");
    let mut files: Vec<String> = [
        "config.toml",
        "env.json",
        "metrics.csv",
        "metrics.jsonl",
        "checkpoints/in-silico.safetensors",
        "checkpoints/ffm.safetensors",
        "checkpoints/in-silico-best.safetensors",
        "checkpoints/ffm-best.safetensors",
        "report.html",
        "summary.json",
        "DONE",
    ]
    .map(String::from)
    .to_vec();
    for stage in ["in-silico", "ffm"] {
        for layer in 1..=2 {
            files.extend(["npy", "png"].map(|kind| format!("masks/{stage}-layer-{layer}.{kind}")));
        }
    }
    for file in files {
        let length = run.join(&file).metadata().unwrap_or_else(|e| panic!("{file}: {e}")).len();
        assert!(length > 0, "{file} is empty");
    }
    assert!(!run.join("FAILED").exists());
    assert_eq!(json(&run.join("summary.json")), found, "the file holds what was printed");
    assert!(text(&run.join("report.html")).contains("</html>"));
    let mask = ffm_twin::io::read_field(&run.join("masks/ffm-layer-2.npy")).expect("a mask");
    assert_eq!(mask.dim(), (32, 32));
    assert_eq!(text(&run.join("metrics.csv")).lines().count(), 1 + 2 * 6, "a header, six figures a stage");
}

#[test]
fn the_written_settings_repeat_the_run() {
    let dir = folder();
    let first = tiny(dir.path(), &["--json"]).done().json();
    let again = ffm(
        dir.path(),
        &[&["train", "run/config.toml", "--out", "again", "--json"], CPU.as_slice()].concat(),
    );
    let again = again.done().json();
    for key in ["accuracy", "ssim", "gradient_cosine"] {
        assert_eq!(again[key], first[key], "{key}");
    }
}

#[test]
fn quiet_says_nothing_but_the_result() {
    let dir = folder();
    // With `auto`, graphics drivers are asked as well; they are not to be heard either.
    let ran = ffm(dir.path(), &tiny_args(&["--device", "auto"], &["--quiet"])).done();
    assert_eq!(ran.stderr, "");
    assert!(ran.stdout.contains("test accuracy"), "{}", ran.stdout);
    let loud = ffm(dir.path(), &["eval", "run", "--device", "auto"]).done();
    assert!(loud.stderr.starts_with("device: ") && loud.stderr.lines().count() == 1, "{}", loud.stderr);
}

#[test]
fn eval_finds_the_accuracies_of_the_run() {
    let dir = folder();
    let trained = tiny(dir.path(), &["--json"]).done().json();
    let eval = |more: &[&str]| {
        ffm(dir.path(), &[&["eval", "run", "--json"], CPU.as_slice(), more].concat()).done().json()
    };
    let again = eval(&[]);
    assert_eq!(again["accuracy"], trained["accuracy"]);
    assert_eq!((&again["samples"], &again["data"]), (&20.into(), &"strokes".into()));

    write_set(&dir.path().join("others"), 10);
    let others = eval(&["--data", "others"]);
    assert_eq!((&others["samples"], &others["data"]), (&12.into(), &"others".into()));

    write_set(&dir.path().join("few"), 3);
    assert_eq!(eval(&["--data", "few"])["samples"], 12, "a detector may stay without images");
    write_set(&dir.path().join("many"), 11);
    ffm(dir.path(), &[&["eval", "run", "--data", "many"], CPU.as_slice()].concat())
        .fails(2, &["detectors.classes = 10", "\"many\" has 11 classes"]);
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let dir = folder();
    let ran = tiny(dir.path(), &["--dry-run", "--json"]).done();
    assert!(ran.stdout.contains("[optics]") && ran.stdout.contains("pixels = 32"), "{}", ran.stdout);
    let told = ran.json();
    assert_eq!(told["padded"], serde_json::json!([64, 64]));
    assert_eq!((&told["train_samples"], &told["test_samples"]), (&32.into(), &20.into()));
    assert_eq!((&told["engine"], &told["method"]), (&"cpu".into(), &"rayleigh-sommerfeld".into()));
    assert!(told["memory_bytes"].as_u64().expect("a number") > 64 * 64 * 8);
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 0, "something was written");
}

#[test]
fn more_than_there_is_costs_nothing() {
    let dir = folder();
    let needed = |batch: &str| {
        let ran = tiny(dir.path(), &["--dry-run", "--json", "--set", batch]).done().json();
        ran["memory_bytes"].as_u64().expect("a number")
    };
    assert_eq!(needed("train.batch=1000000000000"), needed("train.batch=32"));
    assert!(needed("train.batch=32") > needed("train.batch=1"));
}

/// A path need not be text.
#[cfg(target_os = "linux")]
#[test]
fn any_path_will_do() {
    use std::os::unix::ffi::OsStrExt;

    use crate::support::{Ran, command};

    let dir = folder();
    let name = std::ffi::OsStr::from_bytes(b"odd \xff name");
    let args = [&["train", "--set", "optics.pixels=32", "--set", "data.train=32"], CPU.as_slice()].concat();
    let mut odd = command(dir.path(), &args);
    odd.args(["--set", "data.test=20", "--set", "train.epochs=1", "--json", "--out"]).arg(name);
    Ran::of(&odd.output().expect("the binary starts")).done();
    assert!(dir.path().join(name).join("DONE").exists());
}

#[test]
fn a_folder_in_use_or_in_the_way_is_refused() {
    let dir = folder();
    tiny(dir.path(), &[]).done();
    let before = text(&dir.path().join("run/summary.json"));
    tiny(dir.path(), &[]).fails(5, &["cannot write run", "ffm resume run"]);
    assert_eq!(text(&dir.path().join("run/summary.json")), before);

    let dir = folder();
    std::fs::create_dir(dir.path().join("run")).expect("a folder");
    std::fs::write(dir.path().join("run/notes.txt"), "mine").expect("a file");
    tiny(dir.path(), &[]).fails(5, &["cannot write run", "not empty"]);

    let dir = folder();
    std::fs::write(dir.path().join("run"), "a file").expect("a file");
    tiny(dir.path(), &[]).fails(5, &["cannot write run"]);
    assert_eq!(text(&dir.path().join("run")), "a file");
}

#[test]
fn divergence_is_named_with_its_remedy() {
    let dir = folder();
    tiny(dir.path(), &["--set", "train.rate=1e38"])
        .fails(6, &["training diverged", "layer 1", "row ", "column ", "lower train.rate"]);
    let run = dir.path().join("run");
    assert!(text(&run.join("FAILED")).contains("training diverged"));
    assert!(!run.join("checkpoints/in-silico.safetensors").exists(), "NaN is no state to go on from");
}
