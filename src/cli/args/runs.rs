//! Single runs: `ffm train`, `resume`, `eval`.

use std::path::PathBuf;

use clap::Args;

use super::{Device, Twin};

/// `ffm train`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm train\n  ffm train --set train.epochs=1 --set optics.layers=2\n  \
    ffm train examples/fashion_mnist.toml --out runs/fashion --json\n  \
    ffm train --data path/to/folder --device gpu\n  \
    ffm train --calibration calibration.toml --set train.method=in-silico-calibrated\n\n\
    JSON keys: accuracy.ideal, accuracy.in_silico_deployed, accuracy.trained, accuracy.ffm (with ffm), method, bench,\n\
    ssim (ideal_vs_twin, ideal_vs_ffm, measured_vs_ideal, measured_vs_calibrated), wavelengths, distances, drift (where there\n\
    are any),\n\
    gradient_cosine (one per layer), samples_per_second, seconds, device, engine, run_dir.")]
pub(in crate::cli) struct Train {
    /// Experiment file; without one: the embedded default experiment
    pub(in crate::cli) experiment: Option<PathBuf>,
    /// Override a key, for instance `train.rate=0.01` or `optics.distance="0.3 m"`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
    /// Data set name or folder (overrides data.source)
    #[arg(long, value_name = "NAME|DIR")]
    pub(in crate::cli) data: Option<String>,
    /// Run folder (default: `runs/TIME_NAME_HASH`)
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Check everything, print the resolved configuration, needed memory and device, and stop
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// A measured set-up in place of the assumed one.
    #[command(flatten)]
    pub(in crate::cli) twin: Twin,
    /// Where to compute.
    #[command(flatten)]
    pub(in crate::cli) device: Device,
}

/// `ffm resume`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ffm resume runs/2026-11-25T06-00-00_default_1a2b3c")]
pub(in crate::cli) struct Resume {
    /// Run folder
    pub(in crate::cli) run: PathBuf,
    /// Where to compute; another engine than before gives results that differ in the last digits.
    #[command(flatten)]
    pub(in crate::cli) device: Device,
}

/// `ffm eval`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm eval runs/fashion\n  ffm eval runs/fashion --data mnist --json\n  \
    ffm eval runs/fashion --truth bench-truth.toml    the masks on the bench as it really is\n\n\
    JSON keys: accuracy.ideal, accuracy.in_silico_deployed, accuracy.trained, accuracy.ffm (with ffm),\n\
    wavelengths (where there are several: wavelength, data, phase_scale, ideal, in_silico_deployed, trained of each), method,\n\
    samples, data, bench (the file, or null), device, engine.")]
pub(in crate::cli) struct Eval {
    /// Run folder
    pub(in crate::cli) run: PathBuf,
    /// Another data set than the run's
    #[arg(long, value_name = "NAME|DIR")]
    pub(in crate::cli) data: Option<String>,
    /// Another bench than the run's to test on.
    #[command(flatten)]
    pub(in crate::cli) twin: Twin,
    /// Where to compute.
    #[command(flatten)]
    pub(in crate::cli) device: Device,
}
