//! Time and memory of one full training step of the CPU engine: forward, error pass, gradients, Adam.
//!
//! The work is that of common PyTorch scripts: `L` phase layers, `L + 1` free-space hops (one in front of the first mask),
//! ten detector windows, cross-entropy; with `--noise` every field is measured by a noisy camera.
//! `cargo bench --bench step -- --n 256 --layers 4 --pad 2 --batch 16` prints one JSON line: milliseconds (median, minimum, maximum), samples per second, peak resident memory.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use common::{Setup, batch, prepare, program};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::{Camera, Engine, Hop, Update};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: usize| {
        let at = args.iter().position(|a| a == name);
        at.and_then(|k| args.get(k + 1)?.parse().ok()).unwrap_or(default)
    };
    let (n, layers, pad) = (number("--n", 256), number("--layers", 4), number("--pad", 2));
    let (size, threads, seconds) = (number("--batch", 16), number("--threads", 2), number("--seconds", 4));

    let mut p = program(&Setup {
        shape: [n, n],
        padding: pad,
        layers,
        pitch: 8e-6,
        distance: 0.02,
        ..Setup::default()
    });
    let lead = Hop { mask: None, ..p.hops[0].clone() };
    p.hops.insert(0, lead);
    let noise = args.iter().any(|a| a == "--noise");
    if noise {
        // The camera of `assets/bench.toml`.
        p.camera = Some(Camera {
            electrons: 400.0 * 0.6399,
            reference: 2.0,
            read_noise: 2.47,
            full_well: 10_500.0,
            adc_bits: 12,
            pedestal: 60.0,
        });
    }
    let mut engine = CpuEngine::<f32>::new(threads).expect("threads");
    let set = prepare(&mut engine, &p, size, 1);
    let indices: Vec<u32> = (0..size as u32).collect();
    let mut t = 0;
    let mut step = || {
        t += 1;
        let start = Instant::now();
        let update = Update::Adam { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t };
        engine.train(batch(set, &indices), update).expect("a step");
        start.elapsed().as_secs_f64() * 1e3
    };
    step();
    step();
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.len() < 7 || begin.elapsed().as_secs_f64() < seconds as f64 {
        times.push(step());
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!(
        "{{\"impl\":\"ffm-cpu-f32\",\"n\":{n},\"layers\":{layers},\"pad\":{pad},\"batch\":{size},\"threads\":{threads},\"noise\":{noise},\
         \"median_ms\":{median:.3},\"min_ms\":{:.3},\"max_ms\":{:.3},\"reps\":{},\"samples_per_s\":{:.1},\"peak_mib\":{}}}",
        times[0],
        times[times.len() - 1],
        times.len(),
        size as f64 / median * 1e3,
        peak_mib()
    );
}

/// Peak resident memory, MiB (0 where the system does not tell).
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) / 1024
}
