//! `ffm shaders`.

use std::process::ExitCode;

use super::args::{Common, Shaders};
use super::{print, print_json};
use crate::engine::gpu;
use crate::io;

/// Writes the final text of every kernel as written for a device with the least limits, so that anyone can read what runs.
pub(super) fn shaders(args: &Shaders, common: &Common) -> anyhow::Result<ExitCode> {
    let kernels = gpu::dump(gpu::WorkgroupLimits::PORTABLE);
    for (name, text) in &kernels {
        io::write_atomic(&args.dump.join(format!("{name}.wgsl")), text.as_bytes())?;
    }
    print(&format!("{} kernels in {}", kernels.len(), args.dump.display()));
    if common.json {
        print_json(&serde_json::json!({ "kernels": kernels.len(), "folder": args.dump }))?;
    }
    Ok(ExitCode::SUCCESS)
}
