//! Memory, and what is refused.

use std::sync::Arc;

use ffm_twin::engine::gpu::GpuOptions;
use ffm_twin::engine::{Engine, EngineError, State};

use super::{gpu, with};
use crate::common::{Setup, phases, program};

#[test]
fn memory_needed_is_what_load_takes() {
    let mut gpu = gpu();
    for (setup, n) in [
        (Setup::default(), 3),
        (Setup { mse: true, padding: 1, ..Setup::default() }, 1),
        (Setup { transposed: true, camera_aberration: 0.3, layers: 5, ..Setup::default() }, 7),
    ] {
        let p = program(&setup);
        let needed = gpu.memory_needed(&p, n);
        gpu.load(&p, n).unwrap();
        assert_eq!(gpu.memory_taken(), needed);
    }
}

#[test]
fn a_memory_limit_makes_smaller_portions_before_it_refuses() {
    let p = program(&Setup::default());
    let whole = gpu().memory_needed(&p, 32);
    let limit = whole / 2;
    let mut gpu = with(GpuOptions { memory_limit: Some(limit), ..GpuOptions::default() });
    assert!(gpu.memory_needed(&p, 32) <= limit);
    gpu.load(&p, 32).unwrap();
    let mut tiny = with(GpuOptions { memory_limit: Some(100_000), ..GpuOptions::default() });
    let error = tiny.load(&p, 32).unwrap_err();
    assert!(matches!(error, EngineError::Memory { available: 100_000, .. }), "{error}");
    assert!(error.to_string().contains("train.batch"), "{error}");
}

#[test]
fn impossible_programs_are_refused_with_the_reason() {
    let mut gpu = gpu();
    for (minimum, length) in [(1, 8), (65, 72), (800, 800), (2049, 2160), (4096, 4096)] {
        assert_eq!(gpu.transform_length(minimum).unwrap(), length);
    }
    let error = gpu.transform_length(4097).unwrap_err();
    assert!(matches!(error, EngineError::Length { length: 4097, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("4096") && text.contains(&gpu.device().name) && text.contains("CPU"), "{text}");
    let p = program(&Setup { shape: [91, 64], padding: 1, ..Setup::default() });
    let error = gpu.load(&p, 1).unwrap_err();
    assert!(matches!(error, EngineError::Length { length: 91, .. }), "{error}");
    assert!(error.to_string().contains("choose 96"), "{error}");
    assert!(matches!(gpu.state(), Err(EngineError::Device { .. })), "nothing is loaded");
    let p = program(&Setup::default());
    gpu.load(&p, 1).unwrap();
    let mut state = State::fresh(phases(p.shape, p.masks.len(), 1));
    state.phases[1][[5, 7]] = f32::NAN;
    let error = gpu.set_state(&state).unwrap_err();
    assert!(matches!(error, EngineError::NotFinite { layer: 2, row: 5, col: 7, .. }), "{error}");
    let mut p = program(&Setup::default());
    let mut map = (*p.readout.map).clone();
    map[[3, 4]] = 11;
    p.readout.map = Arc::new(map);
    let error = gpu.load(&p, 1).unwrap_err().to_string();
    assert!(error.contains("row 3, column 4") && error.contains("11"), "{error}");
}
