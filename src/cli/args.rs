//! What can be typed: commands, options, help with examples.

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
    /// Write the final text of all GPU kernels
    Shaders(Shaders),
}

/// `ffm train`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm train\n  ffm train --set train.epochs=1 --set optics.layers=2\n  \
    ffm train examples/fashion_mnist.toml --out runs/fashion --json\n  \
    ffm train --data path/to/folder --device gpu\n\n\
    JSON keys: accuracy.ideal, accuracy.in_silico_deployed, accuracy.trained, accuracy.ffm (with ffm), method, bench,\n\
    ssim (ideal_vs_twin, ideal_vs_ffm, measured_vs_ideal, measured_vs_calibrated), wavelengths, distances, drift (where there\n\
    are any),\n\
    gradient_cosine (one per layer), samples_per_second, seconds, device, engine, run_dir.")]
pub(super) struct Train {
    /// Experiment file; without one: the embedded default experiment
    pub(super) experiment: Option<PathBuf>,
    /// Override a key, for instance `train.rate=0.01` or `optics.distance="0.3 m"`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Data set name or folder (overrides data.source)
    #[arg(long, value_name = "NAME|DIR")]
    pub(super) data: Option<String>,
    /// Run folder (default: `runs/TIME_NAME_HASH`)
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Check everything, print the resolved configuration, needed memory and device, and stop
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Where to compute.
    #[command(flatten)]
    pub(super) device: Device,
}

/// `ffm compare`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ffm compare\n  ffm compare --methods ffm,physics-aware --seeds 1,2,3\n  \
    ffm compare examples/fashion_mnist.toml --set hardware.bidirectional=true --out runs/methods\n\n\
    Runs that are done are not done again: the same command goes on where it was stopped.\n\n\
    JSON keys: name, seeds, test_samples, ideal, deployed, methods (array of method, accuracy, gap, gradient_cosine, bench,\n\
    samples_per_second), refused, device; accuracies have mean, two_sigma, values."
)]
pub(super) struct Compare {
    /// Experiment file; without one: the embedded default experiment
    pub(super) experiment: Option<PathBuf>,
    /// Methods (`ffm methods` lists them) [default: all]
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub(super) methods: Option<Vec<String>>,
    /// Seeds; each draws masks, imperfections and noise [default: that of the experiment]
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    pub(super) seeds: Option<Vec<u64>>,
    /// Override a key in all runs, as for `ffm train`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Folder of the study (default: `runs/compare-NAME`)
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Where to compute.
    #[command(flatten)]
    pub(super) device: Device,
}

/// `ffm reproduce`.
#[derive(Debug, Subcommand)]
pub(super) enum Reproduce {
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
pub(super) struct Fig2 {
    /// Size of the networks
    #[arg(long, value_enum, default_value = "small")]
    pub(super) scale: FigureScale,
    /// Seeds; each draws masks, imperfections and noise
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1,2,3,4,5")]
    pub(super) seeds: Vec<u64>,
    /// Depths of the networks
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "2,4,6,8", value_parser = range(1, 1000))]
    pub(super) layers: Vec<usize>,
    /// Override a key in all runs, as for `ffm train`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Folder of the study (default: `runs/fig2-SCALE`)
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Where to compute.
    #[command(flatten)]
    pub(super) device: Device,
}

/// Size of a reproduced figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum FigureScale {
    /// Two processor cores, half an hour
    Small,
    /// 400 x 400 pixels, 60 000 images: a GPU
    Paper,
}

/// `ffm resume`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ffm resume runs/2026-11-25T06-00-00_default_1a2b3c")]
pub(super) struct Resume {
    /// Run folder
    pub(super) run: PathBuf,
    /// Where to compute; another engine than before gives results that differ in the last digits.
    #[command(flatten)]
    pub(super) device: Device,
}

/// `ffm eval`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm eval runs/fashion\n  ffm eval runs/fashion --data mnist --json\n\n\
    JSON keys: accuracy.ideal, accuracy.in_silico_deployed, accuracy.ffm, samples, data, device, engine.")]
pub(super) struct Eval {
    /// Run folder
    pub(super) run: PathBuf,
    /// Another data set than the run's
    #[arg(long, value_name = "NAME|DIR")]
    pub(super) data: Option<String>,
    /// Where to compute.
    #[command(flatten)]
    pub(super) device: Device,
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

/// `ffm calibrate`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm calibrate bench --out calibration.toml\n  \
    ffm calibrate bench --out calibration.toml --free crosstalk,distortion --fix gamma --device gpu --json\n  \
    ffm calibrate --plan experiment.toml --out bench       what to record, and how well it will tell\n\n\
    Names for --free and --fix: shift, axial, roll, magnification, tilt, illumination, fill_factor, range, gamma, crosstalk,\n\
    aperture, modulator_aberration (of every layer that frames show); gain, offset, blur, distortion, shear, aspect (of the\n\
    camera). Free without being named: all but crosstalk, distortion, shear and aspect, and but tilt and defocus (Noll 4)\n\
    where all frames of a layer have one distance, which cannot tell them from shift, axial and magnification.\n\n\
    Exit code 6: the twin does not meet the frames, or they are mirrored or out of order; nothing is written then.\n\n\
    JSON keys: file, name, estimates (array of key, value, sigma, unit, from; SI units), unclear (array of keys, advice), fit\n\
    (frames, rms, chi_square, iterations, ssim_before, ssim_after), ssim_fitted, ssim_tested (frames, before,\n\
    after), seconds, device; with --plan: dir, frames, expected (as estimates), unclear, seconds, device.")]
pub(super) struct Calibrate {
    /// Measurement folder
    #[arg(required_unless_present = "plan")]
    pub(super) measurement: Option<PathBuf>,
    /// Propose frames to record for this experiment: patterns and a measurement.toml, with the uncertainties to expect
    #[arg(long, value_name = "EXPERIMENT", conflicts_with_all = ["measurement", "start"])]
    pub(super) plan: Option<PathBuf>,
    /// File to write; with --plan a folder
    #[arg(long, value_name = "FILE|DIR")]
    pub(super) out: PathBuf,
    /// Frames of random blocks of a plan, for each layer; some of gratings and of other blocks to test on are added
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = range(1, 1000), requires = "plan")]
    pub(super) frames: usize,
    /// Calibration to start from; what is not free stays as it says
    #[arg(long, value_name = "FILE")]
    pub(super) start: Option<PathBuf>,
    /// Parameters to estimate as well
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub(super) free: Vec<String>,
    /// Parameters to leave as they are
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub(super) fix: Vec<String>,
    /// Highest Noll index of the modulator's wavefront
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = range(4, 66))]
    pub(super) zernike: usize,
    /// Where to compute.
    #[command(flatten)]
    pub(super) device: Device,
}

/// `ffm methods`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm methods\n  ffm methods --layers 8 --json\n\n\
    JSON keys: layers, phase_steps, methods (array of name, title, equation, source, needs, reload, cascade; the last two:\n\
    loads, fields, exposures a sample and update).")]
pub(super) struct Methods {
    /// Layers of the network whose optical work is counted
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = range(1, 1000))]
    pub(super) layers: usize,
    /// Frames of a measured field
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(1..=100))]
    pub(super) phase_steps: u64,
}

/// `ffm devices`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm devices\n  ffm devices --no-measure --json\n\n\
    JSON keys: devices (array of index, engine, name, kind, detail, limits, propagations_per_second).")]
pub(super) struct Devices {
    /// Do not measure the propagation rate
    #[arg(long)]
    pub(super) no_measure: bool,
}

/// `ffm bench`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm bench\n  ffm bench --quick --device all --html bench.html\n  \
    ffm bench --sizes 400 --layers 8 --batch 32,128 --noise --device gpu --profile\n\n\
    JSON keys: version, commit, date, system, command, chain, devices, cases (array of device, work, pixels, padding,\n\
    batch, layers, padded, memory_bytes, timing, failed; timing: median_ms, min_ms, max_ms, repeats, per_second,\n\
    megapixels_per_second), profiles, interrupted.")]
pub(super) struct Bench {
    /// Pixels along a side [default: 128,256,400,512; quick: 64,128]
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = range(8, 16_384))]
    pub(super) sizes: Option<Vec<usize>>,
    /// Samples of a batch [default: 16; quick: 8]
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = range(1, 65_536))]
    pub(super) batch: Option<Vec<usize>>,
    /// Phase layers of a training step [default: 4; quick: 2]
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = range(1, 1000))]
    pub(super) layers: Option<Vec<usize>>,
    /// Padding factors; 1 is periodic [default: 1,2]
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = range(1, 8))]
    pub(super) padding: Option<Vec<usize>>,
    /// What is timed [default: hop,step]
    #[arg(long, value_enum, value_name = "KIND,..", value_delimiter = ',')]
    pub(super) work: Option<Vec<BenchWork>>,
    /// Time the step by fully forward mode with camera noise as well, and its ratio to the noise-free step
    #[arg(long)]
    pub(super) noise: bool,
    /// Seconds of timed work a case [default: 1; quick: 0.2]
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(super) seconds: Option<f64>,
    /// Small sizes, few seconds
    #[arg(long)]
    pub(super) quick: bool,
    /// Print what every pass of a training step reads and writes (GPUs only)
    #[arg(long)]
    pub(super) profile: bool,
    /// Write a self-contained HTML page with charts
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) html: Option<PathBuf>,
    /// Where to compute, may be repeated: as elsewhere, or all (the CPU and every adapter)
    #[arg(
        long = "device",
        default_value = "auto",
        value_name = "auto|cpu|gpu|INDEX|NAME|all",
        help_heading = "Device"
    )]
    pub(super) devices: Vec<String>,
    /// Threads of the CPU engine (0: one per core)
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = threads(), help_heading = "Device")]
    pub(super) threads: usize,
}

/// What `ffm bench` times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum BenchWork {
    /// Free-space propagation, forward only
    Hop,
    /// A training step
    Step,
}

fn range(low: u64, high: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(low..=high)
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 3600 is needed".into()),
    }
}

/// `ffm bits`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm bits --bits 1,2,3,4,6,8 --seeds 1,2,3\n  \
    ffm bits examples/fashion_mnist.toml --bits 2,4 --json\n\n\
    JSON keys: continuous, table (bits, rounded, trained, gain), seeds (every run); figures have mean, two_sigma, values.")]
pub(super) struct Bits {
    /// Experiment file; without one: the embedded default experiment
    pub(super) experiment: Option<PathBuf>,
    /// Bits of the phase levels
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1,2,3,4,6,8", value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(super) bits: Vec<u32>,
    /// Seeds to average over [default: that of the experiment]
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    pub(super) seeds: Vec<u64>,
    /// Override a key, for instance `train.epochs=5`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Data set name or folder (overrides data.source)
    #[arg(long, value_name = "NAME|DIR")]
    pub(super) data: Option<String>,
    /// Where to compute.
    #[command(flatten)]
    pub(super) device: Device,
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
