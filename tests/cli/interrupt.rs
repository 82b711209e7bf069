//! Runs that are interrupted or killed go on to the same bits.
#![cfg(unix)]

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{CPU, Ran, command, ffm, folder, json, text, tiny_args};

/// Some hundred steps a stage, with a checkpoint every few milliseconds.
const LONG: [&str; 8] = [
    "--set",
    "data.train=960",
    "--set",
    "train.epochs=2",
    "--set",
    "train.batch=8",
    "--set",
    "train.checkpoint_minutes=1e-4",
];
/// How long a checkpoint may take to appear.
const PATIENCE: Duration = Duration::from_secs(60);
/// A slow machine may miss the moment to interrupt; then a fresh run is tried.
const ATTEMPTS: usize = 5;

/// What must not depend on interruptions.
#[derive(Debug, PartialEq)]
struct Outcome {
    masks: BTreeMap<String, Vec<u8>>,
    figures: Vec<Value>,
    metrics: String,
}

impl Outcome {
    fn of(run: &Path) -> Self {
        let entries = std::fs::read_dir(run.join("masks")).expect("masks");
        let masks = entries.map(|e| {
            let path = e.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("a mask"))
        });
        let summary = json(&run.join("summary.json"));
        let figures = ["accuracy", "ssim", "gradient_cosine", "test_samples"].map(|k| summary[k].clone());
        Self { masks: masks.collect(), figures: figures.to_vec(), metrics: text(&run.join("metrics.csv")) }
    }
}

/// The uninterrupted run.
fn uninterrupted(device: &[&str]) -> Outcome {
    let dir = folder();
    ffm(dir.path(), &tiny_args(device, &LONG)).done();
    let outcome = Outcome::of(&dir.path().join("run"));
    assert_eq!(outcome.masks.len(), 8, "two layers, two stages, two formats");
    let rows: Vec<&str> = outcome.metrics.lines().collect();
    let distinct: HashSet<&str> = rows.iter().map(|r| r.rsplit_once(',').expect("a value").0).collect();
    assert_eq!((rows.len(), distinct.len()), (1 + 2 * 2 * 6, 1 + 2 * 2 * 6));
    outcome
}

/// The same on the CPU, on two threads: their number must not matter either.
fn reference() -> &'static Outcome {
    static RUN: OnceLock<Outcome> = OnceLock::new();
    RUN.get_or_init(|| uninterrupted(&["--device", "cpu", "--threads", "2"]))
}

fn checkpoint(dir: &Path, stage: &str) -> std::path::PathBuf {
    dir.join(format!("run/checkpoints/{stage}.safetensors"))
}

/// Starts a command and waits for the first checkpoint of a stage.
fn start(dir: &Path, args: &[&str], stage: &str) -> Child {
    let mut child =
        command(dir, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let (path, begun) = (checkpoint(dir, stage), Instant::now());
    while !path.exists() && child.try_wait().expect("a process").is_none() {
        assert!(begun.elapsed() < PATIENCE, "no checkpoint of stage {stage}");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

/// Ctrl-C.
fn interrupt(child: Child) -> Ran {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    Ran::of(&child.wait_with_output().expect("a process"))
}

fn is_interrupted(ran: &Ran) {
    assert_eq!(ran.code, Some(130), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("interrupted; go on with: ffm resume run"), "{}", ran.stderr);
    assert!(ran.stderr.contains("stopping after this step"), "{}", ran.stderr);
}

fn resume<'a>(device: &[&'a str]) -> Vec<&'a str> {
    [&["resume", "run"], device].concat()
}

/// Interrupts a run in one stage, its resumption in the other.
fn interrupted_twice_equals(device: &[&str], reference: &Outcome) {
    interrupted_with(device, &LONG, |_| (), reference);
}

/// The same with other settings, in a folder with files.
fn interrupted_with(device: &[&str], more: &[&str], files: fn(&Path), reference: &Outcome) {
    let train = tiny_args(device, more);
    for _ in 0..ATTEMPTS {
        let dir = folder();
        files(dir.path());
        let ran = interrupt(start(dir.path(), &train, "in-silico"));
        if checkpoint(dir.path(), "ffm").exists() {
            continue;
        }
        is_interrupted(&ran);
        // What a run started from is in its folder.
        let _gone = std::fs::remove_file(dir.path().join("plate.npy"));
        let ran = interrupt(start(dir.path(), &resume(device), "ffm"));
        if dir.path().join("run/DONE").exists() {
            continue;
        }
        is_interrupted(&ran);
        ffm(dir.path(), &resume(device)).done();
        assert!(dir.path().join("run/DONE").exists());
        assert!(Outcome::of(&dir.path().join("run")) == *reference, "the resumed run differs");
        let summary = json(&dir.path().join("run/summary.json"));
        for key in ["samples_per_second", "samples_per_second_in_silico", "seconds"] {
            assert!(summary[key].as_f64().expect("a number") > 0.0, "{key}: {summary}");
        }
        // Once more changes nothing.
        ffm(dir.path(), &resume(device)).done();
        assert!(Outcome::of(&dir.path().join("run")) == *reference, "resuming a finished run changed it");
        return;
    }
    panic!("the run was always faster than the interruption");
}

#[test]
fn a_run_interrupted_in_both_stages_ends_as_if_it_had_not_been() {
    interrupted_twice_equals(&CPU, reference());
}

#[test]
fn the_same_with_complex_and_frozen_masks() {
    let masks = [
        "--set",
        "masks.kind=complex",
        "--set",
        "masks.layer.2={trainable=false,file='plate.npy'}",
        "--set",
        "train.start=random",
    ];
    let more = [&LONG[..], &masks].concat();
    let plate = |dir: &Path| {
        let phases = ndarray::Array2::from_shape_fn((32, 32), |(r, c)| 0.01 * (r * r + 3 * c) as f32);
        ffm_twin::io::write_real(&dir.join("plate.npy"), phases.view()).expect("a file");
    };
    let dir = folder();
    plate(dir.path());
    ffm(dir.path(), &tiny_args(&CPU, &more)).done();
    let whole = Outcome::of(&dir.path().join("run"));
    assert_eq!(whole.masks.len(), 17, "two layers, phase and amplitude, two stages, two formats; a start");
    interrupted_with(&CPU, &more, plate, &whole);
}

#[test]
fn the_same_on_a_gpu() {
    if ffm_twin::engine::gpu::adapters().is_empty() {
        println!("skipped: no adapter");
        return;
    }
    let gpu = ["--device", "gpu"];
    interrupted_twice_equals(&gpu, &uninterrupted(&gpu));
}

/// The same adapter twice.
#[test]
fn the_same_on_a_fleet() {
    if ffm_twin::engine::gpu::adapters().is_empty() {
        println!("skipped: no adapter");
        return;
    }
    let fleet = ["--device", "1,1"];
    interrupted_twice_equals(&fleet, &uninterrupted(&fleet));
}

#[test]
fn a_killed_run_ends_as_if_it_had_not_been() {
    for stage in ["in-silico", "ffm"] {
        let killed = (0..ATTEMPTS).map(|_| folder()).find(|dir| {
            let mut child = start(dir.path(), &tiny_args(&CPU, &LONG), stage);
            child.kill().expect("killed");
            child.wait().expect("a process");
            let next =
                if stage == "ffm" { dir.path().join("run/DONE") } else { checkpoint(dir.path(), "ffm") };
            !next.exists()
        });
        let dir = killed.expect("the run was always faster than the kill");
        let ran = ffm(dir.path(), &[resume(&CPU).as_slice(), &["--json"]].concat()).done();
        assert_eq!(ran.json()["accuracy"], reference().figures[0], "stage {stage}");
        assert!(
            Outcome::of(&dir.path().join("run")) == *reference(),
            "stage {stage}: the resumed run differs"
        );
    }
}
