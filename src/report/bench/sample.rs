//! A made-up benchmark for the tests of this room.

use super::{BenchCase, BenchDevice, BenchReport, PassLine, Profile, Timing, Work};

/// Two devices, three sizes, noise, one case that failed, one profile, and text that needs escaping.
pub(super) fn sample() -> BenchReport {
    let device = |name: &str, engine, detail: &str| BenchDevice {
        name: name.into(),
        engine,
        precision: "f32",
        detail: detail.into(),
    };
    let mut cases = Vec::new();
    for (device, speed) in [(0, 1.0), (1, 40.0)] {
        for work in Work::ALL {
            for (pixels, padding) in [(128, 1), (256, 1), (400, 1), (128, 2), (256, 2), (400, 2)] {
                cases.push(case(device, work, pixels, padding, speed));
            }
        }
    }
    let lost = cases.last_mut().expect("cases");
    lost.timing = None;
    lost.pixels = 2048;
    lost.failed = Some("transform length 4096 is not possible on <card>: 2048 is the longest".into());
    let pass = |name: &str, dispatches, reads, ms| PassLine {
        name: name.into(),
        dispatches,
        reads,
        writes: reads,
        ms: Some(ms),
    };
    BenchReport {
        version: "ffm-twin 0.1.0".into(),
        commit: "0123456789ab".into(),
        date: "25 November 2026, 14:03 UTC".into(),
        system: "linux x86_64, 16 processors".into(),
        command: "ffm bench --device all --html 'a <b> & c.html'".into(),
        chain: 8,
        devices: vec![
            device("AMD EPYC 9R14", "cpu", "2 threads"),
            device("NVIDIA H100 80GB HBM3", "gpu", "Vulkan, NVIDIA 580.65.06"),
        ],
        cases,
        profiles: vec![Profile {
            device: 1,
            case: "400 x 400, padding 2, batch 16, 4 layers".into(),
            copy_bytes_per_second: Some(3e12),
            passes: vec![
                pass("column_800", 10, 120_000_000, 0.1),
                pass("error_row_800", 5, 60_000_000, 0.06),
            ],
            failed: None,
        }],
        interrupted: false,
    }
}

fn case(device: usize, work: Work, pixels: usize, padding: usize, speed: f64) -> BenchCase {
    let (layers, factor) = match work {
        Work::Hop => (0, 0.1),
        Work::Step => (4, 1.0),
        Work::NoisyStep => (4, 1.5),
    };
    let median_ms = 25.6 * (pixels * pixels) as f64 / 65_536.0 * (padding * padding) as f64 * factor / speed;
    let samples = 16.0 / median_ms * 1e3;
    BenchCase {
        device,
        work,
        pixels,
        padding,
        batch: 16,
        layers,
        padded: Some(pixels * padding),
        memory_bytes: Some(1 << 26),
        timing: Some(Timing {
            median_ms,
            min_ms: median_ms * 24.1 / 25.6,
            max_ms: median_ms * 31.04 / 25.6,
            repeats: 9,
            per_second: samples,
            megapixels_per_second: samples * (pixels * pixels) as f64 * layers.max(1) as f64 / 1e6,
        }),
        failed: None,
    }
}
