//! Fields that are computed again in the error pass: the same bits as recorded ones, in less memory.

use crate::common::{Setup, batch, prepare, program};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::gpu::{GpuEngine, GpuOptions, KernelCache};
use ffm_twin::engine::{
    Activation, ActivationKind, Camera, Engine, Exposure, Program, Relay, State, Store, Trace, Update,
};

/// Layers of the deep programs, with seven fields between first and last.
const DEEP: usize = 8;

fn gpu() -> GpuEngine {
    // Portions of two samples and one: places are shared by samples that run one after the other.
    let options =
        GpuOptions { portion_bytes: 70_000, kernel_cache: KernelCache::Off, ..GpuOptions::default() };
    GpuEngine::with_options(options).unwrap_or_else(|e| panic!("{e}"))
}

fn engines() -> [(&'static str, Box<dyn Engine>); 3] {
    [
        ("cpu", Box::new(CpuEngine::<f32>::new(2).unwrap())),
        ("f64", Box::new(CpuEngine::<f64>::new(2).unwrap())),
        ("gpu", Box::new(gpu())),
    ]
}

fn deep() -> Program {
    program(&Setup { layers: DEEP, padding: 1, distance: 0.02, camera_aberration: 0.3, ..Setup::default() })
}

/// With a camera whose noise is worth a tenth of the field.
fn noisy(p: Program) -> Program {
    let camera = Camera {
        electrons: 400.0,
        reference: 2.0,
        read_noise: 5.0,
        full_well: 1e5,
        adc_bits: 12,
        pedestal: 100.0,
    };
    Program { camera: Some(camera), ..p }
}

/// With an activation after every hop but the last, and a hop without a mask.
fn active(kind: ActivationKind) -> Program {
    let activation = Some(Activation { kind, gain: 1.1 });
    let mut p = program(&Setup {
        layers: DEEP,
        padding: 1,
        distance: 0.02,
        transposed: true,
        camera_aberration: 0.3,
        activation,
        ..Setup::default()
    });
    p.hops[3].mask = None;
    p
}

fn exposure(hops: usize) -> Exposure {
    let level = |k: usize| 1.0 / (1.0 + 0.1 * k as f64);
    Exposure { data: (0..hops).map(level).collect(), error: (0..hops).map(level).collect() }
}

fn trace(engine: &mut dyn Engine, p: &Program, recompute: usize) -> Trace {
    let set = prepare(engine, &Program { recompute, ..p.clone() }, 3, 3);
    engine.set_exposure(&exposure(p.hops.len())).unwrap();
    engine.trace(batch(set, &[2, 0, 1])).unwrap()
}

/// Loss, fields and gradients of all segment lengths are those of recording, to the last bit.
fn compare(p: &Program, what: &str) {
    for (name, mut engine) in engines() {
        let recorded = trace(&mut *engine, p, 0);
        let learning = recorded.gradients.iter().filter(|g| g.iter().any(|v| *v != 0.0)).count();
        assert!(learning + 1 >= p.masks.len(), "{name}, {what}: gradients of zero are equal for nothing");
        assert!(recorded.loss.is_finite(), "{name}, {what}");
        for length in 1..=DEEP + 1 {
            let again = trace(&mut *engine, p, length);
            assert_eq!(again.loss, recorded.loss, "{name}, {what}, segments of {length}");
            assert!(again.fields == recorded.fields, "{name}, {what}, segments of {length}: fields");
            assert!(again.gradients == recorded.gradients, "{name}, {what}, segments of {length}: gradients");
        }
    }
}

#[test]
fn the_same_bits_without_noise() {
    compare(&deep(), "plain");
}

#[test]
fn the_same_bits_with_the_noise_of_a_camera() {
    compare(&noisy(deep()), "camera");
}

#[test]
fn the_same_bits_with_activations() {
    let mut intensity = active(ActivationKind::Intensity);
    // A chain of squares overflows: two of them, one where an error waits for its place.
    for (_, hop) in intensity.hops.iter_mut().enumerate().filter(|(l, _)| ![2, 3].contains(l)) {
        hop.activation = None;
    }
    compare(&intensity, "intensity");
    let saturable = ActivationKind::Saturable { depth: 2.0, saturation: 0.5 };
    compare(&noisy(active(saturable)), "saturable, camera");
}

/// Hops in front of the first mask, where nothing is learned, and a mask that two hops have.
#[test]
fn the_same_bits_where_masks_are_missing_or_shared() {
    let mut p = deep();
    p.masks.truncate(2);
    for (l, hop) in p.hops.iter_mut().enumerate() {
        hop.mask = [None, None, None, Some(0), None, Some(1), None, Some(0)][l];
    }
    compare(&p, "few masks");
}

/// Noise is keyed by the place in the whole batch, so that shares agree, too; and training ends in the same state.
#[test]
fn training_ends_in_the_same_state() {
    let p = noisy(deep());
    for (name, mut engine) in engines() {
        let mut run = |recompute| -> State {
            let set = prepare(&mut *engine, &Program { recompute, ..p.clone() }, 3, 3);
            engine.set_exposure(&exposure(DEEP)).unwrap();
            for t in 1..=2 {
                let update = Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t };
                engine.train(batch(set, &[1, 2, 0]).share(1..3), update).unwrap();
            }
            engine.state().unwrap()
        };
        let recorded = run(0);
        assert!(run(3) == recorded, "{name}");
    }
}

#[test]
fn gpu_memory_shrinks_and_is_what_load_takes() {
    let mut gpu = gpu();
    let p = noisy(deep());
    let field = 64 * 64 * 8;
    let whole = gpu.memory_needed(&p, 2);
    gpu.load(&p, 2).unwrap();
    assert_eq!(gpu.memory_taken(), whole);
    for length in 2..=5 {
        let again = Program { recompute: length, ..p.clone() };
        let needed = gpu.memory_needed(&again, 2);
        gpu.load(&again, 2).unwrap();
        assert_eq!(gpu.memory_taken(), needed, "segments of {length}");
        // Of seven fields between the first and the last four places stay (five with segments of 5), for two samples; a
        // field that is computed again takes two more dispatches, a segment two more besides, of 256 bytes each.
        let (places, fields, segments) = [(4, 3, 3), (4, 4, 2), (4, 3, 1), (5, 4, 1)][length - 2];
        let slots = 256 * (2 * fields + 2 * segments);
        assert_eq!(whole - needed, (7 - places) * field * 2 - slots, "segments of {length}");
    }
}

#[test]
fn cpu_memory_shrinks() {
    let cpu = CpuEngine::<f32>::new(2).unwrap();
    let p = deep();
    let again = Program { recompute: 3, ..p.clone() };
    // Three of the nine fields of each of two threads.
    assert_eq!(cpu.memory_needed(&p, 2) - cpu.memory_needed(&again, 2), 2 * 3 * 64 * 64 * 8);
}

#[test]
fn records_that_are_not_what_went_on_are_refused() {
    for (name, mut engine) in engines() {
        let half = Program { recompute: 2, store: Store::F16, ..deep() };
        let message = engine.load(&half, 2).unwrap_err().to_string();
        assert!(message.contains("train.recompute") && message.contains("f32"), "{name}: {message}");
        let observed = Program { recompute: 2, relay: Relay::Optical, ..noisy(deep()) };
        let message = engine.load(&observed, 2).unwrap_err().to_string();
        assert!(message.contains("reload"), "{name}: {message}");
        engine.load(&Program { recompute: 2, relay: Relay::Optical, ..deep() }, 2).unwrap();
    }
}
