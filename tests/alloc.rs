//! A training step of the CPU engine allocates nothing of its own.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Setup, batch, prepare, program};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::{Camera, Engine, Update};

/// Counts what the system's allocator gives.
struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_training_step_allocates_nothing_of_its_own() {
    let mut p = program(&Setup::default());
    let camera = Camera {
        electrons: 300.0,
        reference: 2.0,
        read_noise: 2.0,
        full_well: 1e4,
        adc_bits: 12,
        pedestal: 50.0,
    };
    p.camera = Some(camera);
    let mut engine = CpuEngine::<f32>::new(2).unwrap();
    let set = prepare(&mut engine, &p, 16, 10);
    let indices: Vec<u32> = (0..16).collect();
    let mut step = |t| {
        let update = Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t };
        engine.train(batch(set, &indices), update).unwrap();
    };
    (1..=8).for_each(&mut step);
    let before = (CALLS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    const STEPS: u64 = 100;
    (9..9 + STEPS).for_each(&mut step);
    let calls = CALLS.load(Ordering::Relaxed) - before.0;
    let bytes = BYTES.load(Ordering::Relaxed) - before.1;
    println!("{calls} allocations, {bytes} bytes in {STEPS} steps");
    // A row of this field alone has 512 bytes and a step handles 16 * 3 * 2 fields. What is left is the thread pool's: now and
    // then a block of its queue of jobs.
    assert!(
        calls <= STEPS / 4 && bytes <= STEPS * 1024,
        "{calls} allocations, {bytes} bytes in {STEPS} steps"
    );
}
