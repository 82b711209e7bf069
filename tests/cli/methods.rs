//! Rival training methods from the command line.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{CPU, command, ffm, folder, json, text, tiny, tiny_args};

/// Every method of the third stage but the default one, with what its hardware needs.
const METHODS: [(&str, &[&str]); 7] = [
    ("in-silico", &[]),
    ("physics-aware", &[]),
    ("in-situ-backprop", &["--set", "hardware.bidirectional=true"]),
    ("ffm-registered", &[]),
    ("in-silico-robust", &["--set", "train.redraw=3"]),
    ("spsa", &[]),
    ("in-silico-calibrated", &[]),
];

fn arguments<'a>(set: &'a str, needs: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&["--set", set], needs, more].concat()
}

#[test]
fn every_method_trains_and_is_reported() {
    for (method, needs) in METHODS {
        let dir = folder();
        let set = format!("train.method={method}");
        let ran = tiny(dir.path(), &arguments(&set, needs, &["--json"])).done();
        let summary = ran.json();
        assert_eq!(summary["method"], method);
        assert!(summary["accuracy"]["trained"].is_number() && summary["accuracy"]["ffm"].is_null());
        assert!(summary["gradient_cosine"].as_array().is_some_and(|c| c.len() == 2), "{summary}");
        // 32 training and 20 test images, two layers, four frames a field; tests take two fields each.
        let fields = match method {
            "in-silico" | "in-silico-robust" | "in-silico-calibrated" => 0,
            "physics-aware" => 2,
            _ => 4,
        };
        assert_eq!(summary["bench"]["frames"], 4 * (32 * fields + 20 * 2), "{method}");
        let run = dir.path().join("run");
        assert!(run.join(format!("checkpoints/{method}.safetensors")).exists());
        assert!(run.join(format!("masks/{method}-layer-2.png")).exists());
        let page = text(&run.join("report.html"));
        assert!(page.contains("on a real bench") && page.contains("Wright et al."), "{method}");
        let tested = ffm(dir.path(), &[&["eval", "run", "--json"], CPU.as_slice()].concat()).done().json();
        assert_eq!(tested["accuracy"]["trained"], summary["accuracy"]["trained"], "{method}");
    }
}

#[test]
fn the_default_method_is_reported_as_before() {
    let dir = folder();
    let summary = tiny(dir.path(), &["--json"]).done().json();
    assert_eq!(summary["method"], "ffm");
    assert_eq!(summary["accuracy"]["ffm"], summary["accuracy"]["trained"]);
    assert!(dir.path().join("run/checkpoints/ffm.safetensors").exists());
}

/// Masks and metrics of a run.
fn outcome(dir: &std::path::Path, method: &str) -> (Vec<Vec<u8>>, String, serde_json::Value) {
    let run = dir.join("run");
    let mask = |l| std::fs::read(run.join(format!("masks/{method}-layer-{l}.npy"))).expect("a mask");
    let summary = json(&run.join("summary.json"));
    (vec![mask(1), mask(2)], text(&run.join("metrics.csv")), summary["accuracy"].clone())
}

#[cfg(unix)]
#[test]
fn every_method_goes_on_to_the_same_bits_after_an_interruption() {
    const LONG: [&str; 8] = [
        "--set",
        "data.train=480",
        "--set",
        "train.batch=8",
        "--set",
        "train.checkpoint_minutes=1e-4",
        "--set",
        "train.epochs=2",
    ];
    for (method, needs) in METHODS {
        let set = format!("train.method={method}");
        let args = tiny_args(&CPU, &arguments(&set, needs, &LONG));
        let whole = folder();
        ffm(whole.path(), &args).done();
        let reference = outcome(whole.path(), method);
        let interrupted = (0..5).any(|_| {
            let dir = folder();
            let mut child = command(dir.path(), &args)
                .stderr(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .expect("starts");
            let (path, begun) =
                (dir.path().join(format!("run/checkpoints/{method}.safetensors")), Instant::now());
            while !path.exists() && child.try_wait().expect("a process").is_none() {
                assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint of {method}");
                std::thread::sleep(Duration::from_millis(1));
            }
            let id = child.id().to_string();
            Command::new("kill").args(["-INT", &id]).status().expect("kill");
            let code = child.wait().expect("a process").code();
            if code != Some(130) {
                return false;
            }
            ffm(dir.path(), &[&["resume", "run"], CPU.as_slice()].concat()).done();
            assert!(outcome(dir.path(), method) == reference, "{method}: the resumed run differs");
            true
        });
        assert!(interrupted, "{method}: the run was always faster than the interruption");
    }
}

#[test]
fn what_the_hardware_cannot_do_is_refused_before_a_folder_is_made() {
    let dir = folder();
    let refused = |sets: &[&str], says: &[&str]| {
        let more: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        tiny(dir.path(), &more).fails(2, says);
        assert!(!dir.path().join("run").exists());
    };
    refused(&["train.method=in-situ-backprop"], &["train.method", "hardware.bidirectional = true"]);
    refused(&["hardware.kind=cascade"], &["train.method = ffm", "mirror image", "reload"]);
    refused(
        &["train.method=ffm-registered", "hardware.error_path=through"],
        &["train.method = ffm-registered", "bypass"],
    );
    refused(&["train.method=magic"], &["train.method", "physics-aware"]);
    refused(&["laboratory.camera_rate=0"], &["laboratory.camera_rate = 0"]);
}

#[test]
fn the_table_of_methods_is_printed() {
    let dir = folder();
    let ran = ffm(dir.path(), &["methods", "--layers", "8", "--json"]).done();
    assert!(
        ran.stdout.contains("reload: 16 optical passes, 64 frames; cascade: not possible"),
        "{}",
        ran.stdout
    );
    let table = ran.json();
    assert_eq!(table["methods"].as_array().map(Vec::len), Some(8));
    assert_eq!(table["methods"][2]["name"], "physics-aware");
    assert_eq!(table["methods"][2]["reload"]["loads"], 8);
}
