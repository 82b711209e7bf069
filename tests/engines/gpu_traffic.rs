//! What a training step moves: the structure that makes the engine fast, as numbers that can only change knowingly.

use crate::common::{Setup, program};
use crate::masks::stretch;
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::gpu::{GpuEngine, GpuOptions, KernelCache, PassTraffic};
use ffm_twin::engine::{Activation, ActivationKind, Camera, Engine, Program, Store};

/// Bytes a pixel and layer that samples need, unpadded: work array 2 x (row pass 16 + column pass 16), recorded field
/// written and read 16.
const PER_LAYER: f64 = 80.0;
/// The same with twice the columns: the work array doubles, recorded fields do not. Rows without light cost nothing.
const PER_LAYER_PADDED: f64 = 144.0;
/// Images, sheets and sums of rows: less than a byte a pixel at 128 x 128.
const SMALL: f64 = 1.0;

fn engine() -> GpuEngine {
    let options = GpuOptions { kernel_cache: KernelCache::Off, ..GpuOptions::default() };
    GpuEngine::with_options(options).unwrap_or_else(|e| panic!("{e}"))
}

fn count(list: &[PassTraffic], stage: &str) -> usize {
    list.iter().filter(|t| t.name.starts_with(&format!("{stage}_1"))).count()
}

/// Bytes a pixel that one more sample moves.
fn per_sample(engine: &GpuEngine, p: &Program) -> f64 {
    let total = |batch| engine.traffic(p, batch).unwrap().iter().map(|t| t.reads + t.writes).sum::<u64>();
    (total(20) - total(10)) as f64 / 10.0 / (p.shape[0] * p.shape[1]) as f64
}

#[test]
fn a_step_has_two_passes_a_hop_and_direction() {
    let engine = engine();
    for layers in 1..=5 {
        let p = program(&Setup { shape: [128, 128], padding: 1, layers, ..Setup::default() });
        let list = engine.traffic(&p, 8).unwrap();
        let expected = [
            ("row_first", 1),
            ("column", 2 * layers),
            ("row_middle", layers - 1),
            ("row_last", 1),
            ("loss", 1),
            ("error_first", 1),
            ("error_row", layers),
            ("tally", 1),
            ("update", layers),
            ("command", layers),
            ("mask", layers),
        ];
        for (stage, number) in expected {
            assert_eq!(count(&list, stage), number, "{stage} of {layers} layers");
        }
        assert_eq!(list.len(), expected.iter().map(|e| e.1).sum::<usize>());
        assert!(list.iter().all(|t| t.dispatches == 1));
    }
}

#[test]
fn a_sample_moves_eighty_bytes_a_pixel_and_layer() {
    let engine = engine();
    for (padding, bytes) in [(1, PER_LAYER), (2, PER_LAYER_PADDED)] {
        for layers in 1..=5 {
            let p = program(&Setup { shape: [128, 128], padding, layers, ..Setup::default() });
            let excess = per_sample(&engine, &p) - bytes * layers as f64;
            assert!((0.0..SMALL).contains(&excess), "{layers} layers, padding {padding}: {excess} too many");
        }
    }
}

#[test]
fn half_precision_moves_eight_bytes_a_pixel_and_recorded_field_less() {
    let engine = engine();
    for (padding, bytes) in [(1, PER_LAYER), (2, PER_LAYER_PADDED)] {
        for layers in 1..=5 {
            let mut p = program(&Setup { shape: [128, 128], padding, layers, ..Setup::default() });
            p.store = Store::F16;
            // The last field stays as it is. Written and read: four bytes less each.
            let expected = bytes * layers as f64 - 8.0 * (layers - 1) as f64;
            let excess = per_sample(&engine, &p) - expected;
            assert!((0.0..SMALL).contains(&excess), "{layers} layers, padding {padding}: {excess} too many");
        }
    }
}

#[test]
fn a_camera_moves_nothing_more() {
    let engine = engine();
    let mut p = program(&Setup { shape: [128, 128], padding: 1, ..Setup::default() });
    let exact = per_sample(&engine, &p);
    p.camera = Some(Camera {
        electrons: 5000.0,
        reference: 2.0,
        read_noise: 5.0,
        full_well: 1e5,
        adc_bits: 8,
        pedestal: 100.0,
    });
    assert!(per_sample(&engine, &p) - exact < SMALL);
}

#[test]
fn an_activation_moves_nothing_more() {
    let engine = engine();
    let mut p = program(&Setup { shape: [128, 128], padding: 1, ..Setup::default() });
    let linear = per_sample(&engine, &p);
    for hop in &mut p.hops[..2] {
        hop.activation = Some(Activation { kind: ActivationKind::Intensity, gain: 1.0 });
    }
    // What it needs of the field is read already; the rms of the start field is small.
    assert!(per_sample(&engine, &p) - linear < SMALL);
    // Without a mask the recorded field is read for the derivative alone: 8 bytes, as with one.
    p.hops[1].mask = None;
    assert!((per_sample(&engine, &p) - linear).abs() < SMALL);
    p.hops[0].activation = None;
    assert!((linear - 8.0 - per_sample(&engine, &p)).abs() < SMALL);
}

#[test]
fn a_factor_on_phases_is_read_once_a_mask_and_takes_its_memory() {
    let gpu = engine();
    let even = program(&Setup { shape: [64, 64], padding: 1, layers: 2, ..Setup::default() });
    let mut stretched = even.clone();
    stretched.masks[0].stretch = Some(stretch());
    let array = 4 * 64 * 64;
    let moved = |p| gpu.traffic(p, 8).unwrap().iter().map(|t| t.reads + t.writes).sum::<u64>();
    assert_eq!(moved(&stretched), moved(&even) + array);
    let cpu = CpuEngine::<f32>::new(1).unwrap();
    for engine in [&gpu as &dyn Engine, &cpu] {
        assert_eq!(engine.memory_needed(&stretched, 8), engine.memory_needed(&even, 8) + array);
    }
}
