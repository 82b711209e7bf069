//! What can be typed: commands, options, help with examples.

mod export;
mod frames;
mod rates;
mod report;
mod runs;
mod studies;

pub(super) use export::{Bitmap, Export, Flip};
pub(super) use frames::{Calibrate, Fields, FlattenBy, Lab, Measure, Refocus};
pub(super) use rates::{Bench, BenchWork, Devices, Methods};
pub(super) use report::{Frames, Report};
pub(super) use runs::{Eval, Resume, Train};
pub(super) use studies::{Bits, Compare, Fig2, FigureScale, Reproduce};

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};

/// A digital twin of optical neural networks, trained by fully forward mode learning.
#[derive(Debug, Parser)]
#[command(
    name = "ffm",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(
    after_help = "Examples:\n  ffm train                              the embedded default experiment, no files needed\n  \
    ffm train examples/fashion_mnist.toml  a network for Fashion-MNIST\n  \
    ffm devices                            what this machine can compute on\n\n\
    Exit codes: 0 done, 1 internal error, 2 wrong arguments or configuration, 3 bad input data, 4 device or memory,\n\
    5 output could not be written, 6 numerical failure, 130 interrupted (resume with `ffm resume RUN`)."
)]
pub(super) struct Cli {
    /// The command.
    #[command(subcommand)]
    pub(super) command: Command,
    /// Common options.
    #[command(flatten)]
    pub(super) common: Common,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub(super) struct Common {
    /// Print one JSON object as the last line of standard output
    #[arg(long, global = true, help_heading = "Output")]
    pub(super) json: bool,
    /// Print results and errors only
    #[arg(long, short, global = true, help_heading = "Output")]
    pub(super) quiet: bool,
}

/// Where to compute.
#[derive(Args, Clone, Debug)]
pub(super) struct Device {
    /// auto (a real GPU, otherwise the CPU), cpu, gpu (any adapter), or an index or part of a name from `ffm devices`; several
    /// with commas (1,2 or gpu,gpu) share every batch
    #[arg(
        long,
        default_value = "auto",
        value_name = "auto|cpu|gpu|INDEX|NAME[,..]",
        help_heading = "Device"
    )]
    pub(super) device: String,
    /// Threads of the CPU engine (0: one per core)
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = threads(), help_heading = "Device")]
    pub(super) threads: usize,
}

/// More threads than any machine has cores only slow each other down, and starting them may take for ever.
fn threads() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(0..=1024)
}

/// A measured set-up in place of the assumed one.
#[derive(Args, Clone, Debug)]
pub(super) struct Twin {
    /// Calibration: its imperfections take the place of the experiment's
    #[arg(long, value_name = "FILE", conflicts_with = "truth")]
    pub(super) calibration: Option<PathBuf>,
    /// The bench of a virtual laboratory: a calibration, or the (hidden or revealed) truth of `ffm lab`
    #[arg(long, value_name = "FILE")]
    pub(super) truth: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Train in silico, deploy on the imperfect twin, train there by FFM, and compare
    Train(Train),
    /// Go on with an interrupted run, bit for bit
    Resume(Resume),
    /// Test the masks of a finished run again
    Eval(Eval),
    /// Train by several methods on one imperfect system, and compare
    Compare(Compare),
    /// Repeat a published experiment
    #[command(after_help = "Example:\n  ffm reproduce fig2 --scale small")]
    Reproduce {
        /// What to repeat.
        #[command(subcommand)]
        command: Reproduce,
    },
    /// Propagate a field or picture through free space
    Propagate(Propagate),
    /// Fit the twin to camera frames: what is wrong with a set-up, with uncertainties
    Calibrate(Calibrate),
    /// Print the training methods: gradient, source, needs, optical work
    Methods(Methods),
    /// List and measure the devices of this machine
    Devices(Devices),
    /// Measure propagation and training rates over sizes, on one device or several
    Bench(Bench),
    /// Compare masks rounded to few phase levels after training with masks trained with the rounding
    Bits(Bits),
    /// Fetch and inspect data sets
    #[command(after_help = "Examples:\n  ffm data info\n  ffm data fetch mnist")]
    Data {
        /// What to do.
        #[command(subcommand)]
        command: Data,
    },
    /// Begin and check a folder of measured frames
    #[command(after_help = "Examples:\n  ffm measure init bench\n  ffm measure check bench")]
    Measure {
        /// What to do.
        #[command(subcommand)]
        command: Measure,
    },
    /// Make complex fields of measured frames with a reference beam: phase shifting, off-axis holography
    Fields(Fields),
    /// Search the distance at which a field or hologram is sharp
    Refocus(Refocus),
    /// Compare frames with the twin or with other frames, or runs with one another
    Report(Report),
    /// Write the final text of all GPU kernels
    Shaders(Shaders),
    /// Record what a real bench with a hidden truth would have: frames, patterns, description
    Lab(Lab),
    /// Write the masks of a run as bitmaps for a modulator
    Export(Export),
}

fn range(low: u64, high: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(low..=high)
}

/// `ffm propagate`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ffm propagate field.npy --distance 0.388m --pitch 8um --wavelength 532nm --out far.npy\n  \
    ffm propagate mask.png --distance '20 mm' --pitch '8 um' --wavelength '633 nm' --out far.png\n\n\
    A picture is an amplitude (--intensity: an intensity). OUT.npy holds the complex field; OUT.png shows the amplitude,\n\
    and OUT-phase.png the phase. JSON keys: method, padded, energy_in, energy_out, bounds, files."
)]
pub(super) struct Propagate {
    /// Field (complex or real .npy) or picture (.png, .tif, .bmp, .jpg, .pgm)
    pub(super) input: PathBuf,
    /// Distance; negative goes back
    #[arg(long, value_name = "LENGTH", allow_hyphen_values = true)]
    pub(super) distance: String,
    /// Pixel pitch
    #[arg(long, value_name = "LENGTH")]
    pub(super) pitch: String,
    /// Vacuum wavelength
    #[arg(long, value_name = "LENGTH")]
    pub(super) wavelength: String,
    /// Result: .npy (complex) or .png (amplitude, and phase beside it)
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// auto, angular-spectrum, band-limited, rayleigh-sommerfeld, fresnel-transfer, fresnel-impulse
    #[arg(long, default_value = "auto")]
    pub(super) method: String,
    /// Padding factor; 1 is periodic
    #[arg(long, default_value_t = 2.0)]
    pub(super) padding: f64,
    /// Refractive index
    #[arg(long, default_value_t = 1.0)]
    pub(super) index: f64,
    /// Read the picture as intensity, not amplitude
    #[arg(long)]
    pub(super) intensity: bool,
    /// Go on with a method that undersamples its kernel
    #[arg(long)]
    pub(super) allow_undersampled: bool,
}

/// `ffm data`.
#[derive(Debug, Subcommand)]
pub(super) enum Data {
    /// Download a data set with checksum and resume
    #[command(after_help = "Example:\n  ffm data fetch fashion-mnist")]
    Fetch {
        /// mnist, fashion-mnist
        name: String,
        /// Where to (default: datasets/NAME)
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Show size, classes and origin of a data set
    #[command(after_help = "Examples:\n  ffm data info strokes\n  ffm data info path/to/folder --json")]
    Info {
        /// Name or folder; without one: all that are known
        source: Option<String>,
    },
}

/// `ffm shaders`.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  ffm shaders --dump kernels\n\nJSON keys: kernels (their number), folder."
)]
pub(super) struct Shaders {
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub(super) dump: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{}: {help}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
