//! `ffm devices`.

use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;

use super::args::{Common, Devices};
use super::{print, print_json};
use crate::engine::{self, gpu};
use crate::optics::Field;
use crate::twin::{System, SystemConfig};

/// A device in the list.
#[derive(Serialize)]
struct Listed {
    index: usize,
    engine: &'static str,
    name: String,
    kind: String,
    detail: String,
    limits: String,
    propagations_per_second: Option<f64>,
}

/// Side of the measured fields; padded to twice that.
const SIDE: usize = 256;
/// Fields propagated at once.
const FIELDS: usize = 8;
/// Seconds a measurement lasts at least.
const SECONDS: f64 = 0.5;

/// Lists the CPU and all adapters, with a quick measurement.
pub(super) fn devices(args: &Devices, common: &Common) -> anyhow::Result<ExitCode> {
    let mut list = vec![cpu()?];
    list.extend(gpu::adapters().into_iter().map(adapter));
    for device in &mut list {
        if !args.no_measure {
            device.propagations_per_second = measure(&device.index.to_string()).ok();
        }
        print(&line(device));
    }
    if list.len() == 1 {
        print("no GPU adapter: install the card's Vulkan driver, or mesa-vulkan-drivers for a software one");
    }
    if common.json {
        print_json(&serde_json::json!({ "devices": list }))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn cpu() -> anyhow::Result<Listed> {
    let engine = engine::open("cpu", 0)?;
    let info = engine.device();
    Ok(Listed {
        index: 0,
        engine: "cpu",
        name: info.name.clone(),
        kind: "CPU".into(),
        detail: info.detail.clone(),
        limits: "any transform length".into(),
        propagations_per_second: None,
    })
}

fn adapter(a: gpu::AdapterSummary) -> Listed {
    let mib = |bytes: u64| bytes >> 20;
    Listed {
        index: a.index + 1,
        engine: "gpu",
        name: a.name,
        kind: if a.real_gpu {
            a.device_type
        } else {
            format!("{} (software: only when asked for)", a.device_type)
        },
        detail: format!("{}, {}", a.backend, a.driver),
        limits: format!(
            "workgroup {} KiB, {} threads; binding {} MiB, buffer {} MiB",
            a.workgroup_bytes >> 10,
            a.workgroup_threads,
            mib(a.binding_bytes),
            mib(a.buffer_bytes)
        ),
        propagations_per_second: None,
    }
}

fn line(d: &Listed) -> String {
    let rate = d.propagations_per_second.map_or_else(String::new, |r| {
        format!("\n      {r:.0} propagations/s of {SIDE} x {SIDE} fields, padded twofold, upload and download included")
    });
    format!(
        "{:>3}  {}  [{}, {} engine]\n      {}\n      {}{rate}",
        d.index, d.name, d.kind, d.engine, d.detail, d.limits
    )
}

/// Propagations per second of one hop.
fn measure(device: &str) -> anyhow::Result<f64> {
    let mut engine = engine::open(device, 0)?;
    let config: SystemConfig = toml::from_str(&format!(
        "[optics]\npixels = {SIDE}\npitch = '12.5 um'\ndistance = '0.1 m'\nlayers = 1"
    ))?;
    let system = System::new(config, [28, 28], 1)?;
    let program = system.compile_ideal(&|n| engine.transform_length(n))?;
    engine.load(&program, FIELDS)?;
    let fields = vec![Field::from_elem((SIDE, SIDE), num_complex::Complex64::ONE); FIELDS];
    engine.propagate(&fields)?;
    let (start, mut rounds) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < SECONDS {
        engine.propagate(&fields)?;
        rounds += 1;
    }
    Ok((rounds * FIELDS) as f64 / start.elapsed().as_secs_f64())
}
