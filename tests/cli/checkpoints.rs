//! Run folders that were damaged or mixed up.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ffm_twin::io::tensors::{self, Tensor};
use ffm_twin::train::Checkpoint;

use crate::support::{CPU, Ran, ffm, folder, tiny};

const FFM: &str = "run/checkpoints/ffm.safetensors";

/// A finished run in its own copy.
fn finished() -> tempfile::TempDir {
    static RUN: OnceLock<tempfile::TempDir> = OnceLock::new();
    let original = RUN.get_or_init(|| {
        let dir = folder();
        tiny(dir.path(), &[]).done();
        dir
    });
    let dir = folder();
    copy(&original.path().join("run"), &dir.path().join("run"));
    dir
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let from: PathBuf = entry.expect("an entry").path();
        let to = to.join(from.file_name().expect("a name"));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).expect("a copy");
        }
    }
}

fn on_cpu(dir: &Path, command: &str) -> Ran {
    ffm(dir, &[&[command, "run"], CPU.as_slice()].concat())
}

#[test]
fn what_is_no_run_folder_is_refused() {
    let dir = folder();
    for command in ["resume", "eval"] {
        on_cpu(dir.path(), command).fails(3, &["run: not a run folder", "config.toml"]);
    }
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let dir = finished();
    let path = dir.path().join(FFM);
    let bytes = std::fs::read(&path).expect("a checkpoint");
    for bad in [&bytes[..bytes.len() - 100], &bytes[..5], b"no checkpoint at all"] {
        std::fs::write(&path, bad).expect("a file");
        for command in ["resume", "eval"] {
            on_cpu(dir.path(), command).fails(3, &[FFM, "not a whole safetensors file", "restore it"]);
        }
    }
    std::fs::remove_file(&path).expect("a file");
    on_cpu(dir.path(), "eval").fails(3, &[FFM, "not come that far", "ffm resume run"]);
}

#[test]
fn settings_spoilt_since_are_named() {
    let dir = finished();
    let path = dir.path().join("run/config.toml");
    let config = std::fs::read_to_string(&path).expect("settings");
    assert!(config.contains("batch = 16"), "{config}");
    for (bad, says) in
        [("batch = 0", "train.batch = 0"), ("bach = 16", "run/config.toml: unknown key `train.bach`")]
    {
        std::fs::write(&path, config.replace("batch = 16", bad)).expect("a file");
        for command in ["resume", "eval"] {
            on_cpu(dir.path(), command).fails(2, &[says]);
        }
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let dir = finished();
    let other = folder();
    tiny(other.path(), &["--set", "optics.pixels=40"]).done();
    std::fs::copy(other.path().join(FFM), dir.path().join(FFM)).expect("a copy");
    for command in ["resume", "eval"] {
        on_cpu(dir.path(), command).fails(3, &[FFM, "40 x 40", "32 x 32", "another run"]);
    }

    let dir = finished();
    let path = dir.path().join(FFM);
    let mut checkpoint = Checkpoint::load(&path).expect("a checkpoint");
    let state = &mut checkpoint.state;
    for arrays in [&mut state.phases, &mut state.first, &mut state.second] {
        arrays.pop();
    }
    checkpoint.save(&path).expect("saved");
    on_cpu(dir.path(), "resume").fails(3, &[FFM, "1 masks", "has 2"]);
}

#[test]
fn nan_in_a_mask_is_named_with_layer_and_pixel() {
    let dir = finished();
    let path = dir.path().join(FFM);
    let (mut arrays, metadata) = tensors::load(&path).expect("a checkpoint");
    let Some(Tensor::F32 { shape, data }) = arrays.get_mut("phase.2") else { panic!("no mask 2") };
    data[3 * shape[1] + 5] = f32::NAN;
    let arrays: Vec<_> = arrays.into_iter().collect();
    tensors::save(&path, &arrays, &metadata).expect("saved");
    for command in ["resume", "eval"] {
        on_cpu(dir.path(), command).fails(6, &["phase of layer 2 is NaN at row 3, column 5"]);
    }
}
