//! Many runs and one table: `ffm compare`, `reproduce`, `bits`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Device, Twin, range};

/// `ffm compare`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ffm compare\n  ffm compare --methods ffm,physics-aware --seeds 1,2,3\n  \
    ffm compare examples/fashion_mnist.toml --set hardware.bidirectional=true --out runs/methods\n\n\
    Runs that are done are not done again: the same command goes on where it was stopped.\n\n\
    JSON keys: name, seeds, test_samples, ideal, deployed, methods (array of method, accuracy, gap, gradient_cosine, bench,\n\
    samples_per_second), refused, device; accuracies have mean, two_sigma, values."
)]
pub(in crate::cli) struct Compare {
    /// Experiment file; without one: the embedded default experiment
    pub(in crate::cli) experiment: Option<PathBuf>,
    /// Methods (`ffm methods` lists them) [default: all]
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub(in crate::cli) methods: Option<Vec<String>>,
    /// Seeds; each draws masks, imperfections and noise [default: that of the experiment]
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    pub(in crate::cli) seeds: Option<Vec<u64>>,
    /// Override a key in all runs, as for `ffm train`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
    /// Folder of the study (default: `runs/compare-NAME`)
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// A measured set-up in place of the assumed one.
    #[command(flatten)]
    pub(in crate::cli) twin: Twin,
    /// Where to compute.
    #[command(flatten)]
    pub(in crate::cli) device: Device,
}

/// `ffm reproduce`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Reproduce {
    /// Deep free-space networks on Fashion-MNIST and the output fields of one layer (Xue et al., Nature 632, 280, 2024, Fig. 2)
    Fig2(Fig2),
}

/// `ffm reproduce fig2`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ffm reproduce fig2 --scale small\n  ffm reproduce fig2 --scale paper --device gpu --json\n  \
    ffm reproduce fig2 --seeds 1 --layers 2,4 --set data.source=strokes    a quick look, without files\n\n\
    Needs fashion-mnist and mnist (`ffm data fetch NAME`, or FFM_DATA). Runs that are done are not done again: the same\n\
    command goes on where it was stopped.\n\n\
    JSON keys: scale, data, seeds, test_samples, depths (array of layers, ideal, deployed, ffm, gap, paper), fields (data,\n\
    calibrated, uncalibrated, accuracy), seconds, device; ideal, deployed, ffm and gap have mean, two_sigma, values."
)]
pub(in crate::cli) struct Fig2 {
    /// Size of the networks
    #[arg(long, value_enum, default_value = "small")]
    pub(in crate::cli) scale: FigureScale,
    /// Seeds; each draws masks, imperfections and noise
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1,2,3,4,5")]
    pub(in crate::cli) seeds: Vec<u64>,
    /// Depths of the networks
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "2,4,6,8", value_parser = range(1, 1000))]
    pub(in crate::cli) layers: Vec<usize>,
    /// Override a key in all runs, as for `ffm train`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
    /// Folder of the study (default: `runs/fig2-SCALE`)
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// A measured set-up in place of the assumed one.
    #[command(flatten)]
    pub(in crate::cli) twin: Twin,
    /// Where to compute.
    #[command(flatten)]
    pub(in crate::cli) device: Device,
}

/// Size of a reproduced figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum FigureScale {
    /// Two processor cores, half an hour
    Small,
    /// 400 x 400 pixels, 60 000 images: a GPU
    Paper,
}

/// `ffm bits`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm bits --bits 1,2,3,4,6,8 --seeds 1,2,3\n  \
    ffm bits examples/fashion_mnist.toml --bits 2,4 --json\n\n\
    JSON keys: continuous, table (bits, rounded, trained, gain), seeds (every run); figures have mean, two_sigma, values.")]
pub(in crate::cli) struct Bits {
    /// Experiment file; without one: the embedded default experiment
    pub(in crate::cli) experiment: Option<PathBuf>,
    /// Bits of the phase levels
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1,2,3,4,6,8", value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(in crate::cli) bits: Vec<u32>,
    /// Seeds to average over [default: that of the experiment]
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    pub(in crate::cli) seeds: Vec<u64>,
    /// Override a key, for instance `train.epochs=5`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
    /// Data set name or folder (overrides data.source)
    #[arg(long, value_name = "NAME|DIR")]
    pub(in crate::cli) data: Option<String>,
    /// Folder of the study (default: `runs/bits-NAME`); what is there is not done again
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// A measured set-up in place of the assumed one.
    #[command(flatten)]
    pub(in crate::cli) twin: Twin,
    /// Where to compute.
    #[command(flatten)]
    pub(in crate::cli) device: Device,
}
