//! Compiled kernels on disk: a second engine finds what the first left, and a spoilt file does no harm.

use std::path::{Path, PathBuf};

use crate::common::{Setup, batch, prepare, program};
use ffm_twin::engine::gpu::{GpuEngine, GpuOptions, KernelCache};
use ffm_twin::engine::{Engine, State, Update};

fn engine(folder: &Path) -> GpuEngine {
    let kernel_cache = KernelCache::Folder(folder.to_owned());
    GpuEngine::with_options(GpuOptions { kernel_cache, ..GpuOptions::default() })
        .unwrap_or_else(|e| panic!("{e}"))
}

/// A training step; returns what was found on disk and the state after it.
fn step(folder: &Path) -> (usize, State) {
    let mut gpu = engine(folder);
    let p = program(&Setup { layers: 2, ..Setup::default() });
    let set = prepare(&mut gpu, &p, 2, 3);
    let update = Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t: 1 };
    gpu.train(batch(set, &[0, 1]), update).unwrap();
    (gpu.cached_kernel_bytes(), gpu.state().unwrap())
}

fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn a_second_engine_finds_what_the_first_left() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("made/for/it");
    let (found, state) = step(&folder);
    assert_eq!(found, 0);
    let file = only_file(&folder);
    let written = std::fs::read(&file).unwrap();
    let time = std::fs::metadata(&file).unwrap().modified().unwrap();
    let (found, again) = step(&folder);
    // The file has a digest of 32 bytes before the data.
    assert_eq!(found, written.len() - 32);
    assert!(found > 0);
    assert_eq!(again, state);
    assert_eq!(std::fs::read(only_file(&folder)).unwrap(), written);
    assert_eq!(
        std::fs::metadata(&file).unwrap().modified().unwrap(),
        time,
        "an unchanged cache is not written"
    );
}

#[test]
fn a_spoilt_file_is_ignored_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (_, state) = step(dir.path());
    let file = only_file(dir.path());
    let good = std::fs::read(&file).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 0xff;
    for spoilt in [Vec::new(), b"not a cache".to_vec(), good[..good.len() / 2].to_vec(), flipped] {
        std::fs::write(&file, &spoilt).unwrap();
        assert_eq!(step(dir.path()), (0, state.clone()));
        assert_ne!(std::fs::read(&file).unwrap(), spoilt);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    assert_eq!(step(&blocked).0, 0);
    assert_eq!(std::fs::read(&blocked).unwrap(), b"");
}
