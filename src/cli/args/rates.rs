//! Methods and devices: `ffm methods`, `devices`, `bench`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::{range, threads};

/// `ffm methods`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm methods\n  ffm methods --layers 8 --json\n\n\
    JSON keys: layers, phase_steps, methods (array of name, title, equation, source, needs, reload, cascade; the last two:\n\
    loads, fields, exposures a sample and update).")]
pub(in crate::cli) struct Methods {
    /// Layers of the network whose optical work is counted
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = range(1, 1000))]
    pub(in crate::cli) layers: usize,
    /// Frames of a measured field
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(1..=100))]
    pub(in crate::cli) phase_steps: u64,
}

/// `ffm devices`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm devices\n  ffm devices --no-measure --json\n\n\
    JSON keys: devices (array of index, engine, name, kind, detail, limits, propagations_per_second).")]
pub(in crate::cli) struct Devices {
    /// Do not measure the propagation rate
    #[arg(long)]
    pub(in crate::cli) no_measure: bool,
}

/// `ffm bench`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm bench\n  ffm bench --quick --device all --html bench.html\n  \
    ffm bench --sizes 400 --layers 8 --batch 32,128 --noise --device gpu --profile\n\n\
    JSON keys: version, commit, date, system, command, chain, devices, cases (array of device, work, pixels, padding,\n\
    batch, layers, padded, memory_bytes, timing, failed; timing: median_ms, min_ms, max_ms, repeats, per_second,\n\
    megapixels_per_second), profiles, interrupted.")]
pub(in crate::cli) struct Bench {
    /// Pixels along a side [default: 128,256,400,512; quick: 64,128]
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = range(8, 16_384))]
    pub(in crate::cli) sizes: Option<Vec<usize>>,
    /// Samples of a batch [default: 16; quick: 8]
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = range(1, 65_536))]
    pub(in crate::cli) batch: Option<Vec<usize>>,
    /// Phase layers of a training step [default: 4; quick: 2]
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = range(1, 1000))]
    pub(in crate::cli) layers: Option<Vec<usize>>,
    /// Padding factors; 1 is periodic [default: 1,2]
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = range(1, 8))]
    pub(in crate::cli) padding: Option<Vec<usize>>,
    /// What is timed [default: hop,step]
    #[arg(long, value_enum, value_name = "KIND,..", value_delimiter = ',')]
    pub(in crate::cli) work: Option<Vec<BenchWork>>,
    /// Time the step by fully forward mode with camera noise as well, and its ratio to the noise-free step
    #[arg(long)]
    pub(in crate::cli) noise: bool,
    /// Seconds of timed work a case [default: 1; quick: 0.2]
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(in crate::cli) seconds: Option<f64>,
    /// Small sizes, few seconds
    #[arg(long)]
    pub(in crate::cli) quick: bool,
    /// Print what every pass of a training step reads and writes (GPUs only)
    #[arg(long)]
    pub(in crate::cli) profile: bool,
    /// Write a self-contained HTML page with charts
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(in crate::cli) html: Option<PathBuf>,
    /// Where to compute, may be repeated: as elsewhere, or all (the CPU and every adapter)
    #[arg(
        long = "device",
        default_value = "auto",
        value_name = "auto|cpu|gpu|INDEX|NAME|all",
        help_heading = "Device"
    )]
    pub(in crate::cli) devices: Vec<String>,
    /// Threads of the CPU engine (0: one per core)
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = threads(), help_heading = "Device")]
    pub(in crate::cli) threads: usize,
}

/// What `ffm bench` times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum BenchWork {
    /// Free-space propagation, forward only
    Hop,
    /// A training step
    Step,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 3600 is needed".into()),
    }
}
