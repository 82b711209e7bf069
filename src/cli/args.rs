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
    /// A measured set-up in place of the assumed one.
    #[command(flatten)]
    pub(super) twin: Twin,
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
    /// A measured set-up in place of the assumed one.
    #[command(flatten)]
    pub(super) twin: Twin,
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
    /// A measured set-up in place of the assumed one.
    #[command(flatten)]
    pub(super) twin: Twin,
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
#[command(after_help = "Examples:\n  ffm eval runs/fashion\n  ffm eval runs/fashion --data mnist --json\n  \
    ffm eval runs/fashion --truth bench-truth.toml    the masks on the bench as it really is\n\n\
    JSON keys: accuracy.ideal, accuracy.in_silico_deployed, accuracy.ffm, samples, data, bench (the file, or null), device,\n\
    engine.")]
pub(super) struct Eval {
    /// Run folder
    pub(super) run: PathBuf,
    /// Another data set than the run's
    #[arg(long, value_name = "NAME|DIR")]
    pub(super) data: Option<String>,
    /// Another bench than the run's to test on.
    #[command(flatten)]
    pub(super) twin: Twin,
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

fn pair(text: &str) -> Result<[f64; 2], String> {
    let parts: Option<Vec<f64>> = text.split(',').map(|t| t.trim().parse().ok()).collect();
    parts.and_then(|p| p.try_into().ok()).ok_or_else(|| "two numbers are needed: Y,X".into())
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
    /// Folder of the study (default: `runs/bits-NAME`); what is there is not done again
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// A measured set-up in place of the assumed one.
    #[command(flatten)]
    pub(super) twin: Twin,
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

/// `ffm measure`.
#[derive(Debug, Subcommand)]
pub(super) enum Measure {
    /// Make a folder with a commented measurement.toml, patterns to show, and a place for the frames
    #[command(
        after_help = "Examples:\n  ffm measure init bench\n  ffm measure init bench --experiment experiment.toml\n\n\
        Every key of measurement.toml is explained in it. JSON keys: folder, files."
    )]
    Init {
        /// Folder to make
        dir: PathBuf,
        /// Experiment file whose optics are the nominal bench [default: the embedded default experiment]
        #[arg(long, value_name = "FILE")]
        experiment: Option<PathBuf>,
    },
    /// Read every frame and say what is wrong: size, saturation, exposure, order, copies, units
    #[command(
        after_help = "Examples:\n  ffm measure check bench\n  ffm measure check bench --html /tmp/check.html --json\n\n\
        Writes check.html beside measurement.toml: thumbnails, histograms, figures. Exit code 3 and all problems where a frame\n\
        cannot be used.\n\n\
        JSON keys: usable, html, check (frames: number, file, role, exposure, statistics; problems: frame, file, severity, kind,\n\
        message; dark; top); statistics has min, mean, max, bright, saturated, noise, signal_to_noise, histogram."
    )]
    Check {
        /// Measurement folder
        dir: PathBuf,
        /// Where to write the page [default: DIR/check.html]
        #[arg(long, value_name = "FILE", help_heading = "Output")]
        html: Option<PathBuf>,
    },
}

/// `ffm fields`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ffm fields bench --out fields\n  ffm fields bench --out fields --set lens --find-steps --flatten curvature --json\n\n\
    Frames with reference = true: three or more of one set by phase shifting (any steps; without step keys they are found), one\n\
    by off-axis holography. Writes SET.npy (complex: field times reference amplitude), SET.png, SET-phase.png, fields.json.\n\n\
    JSON keys: fields (name, frames, method, steps, steps_found, residual, side_band, ramp), files."
)]
pub(super) struct Fields {
    /// Measurement folder
    pub(super) dir: PathBuf,
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// This set only
    #[arg(long, value_name = "NAME")]
    pub(super) set: Option<String>,
    /// Find the phase steps even where they are given
    #[arg(long)]
    pub(super) find_steps: bool,
    /// Take the conjugate field: found steps and single frames leave open which of the two it is
    #[arg(long)]
    pub(super) conjugate: bool,
    /// What of the reference's phase to take out
    #[arg(long, value_enum, default_value = "none")]
    pub(super) flatten: FlattenBy,
}

/// What of the reference's phase is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum FlattenBy {
    /// Nothing
    None,
    /// Its tilt
    Tilt,
    /// Tilt and quadratic phase
    Curvature,
}

/// `ffm refocus`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ffm refocus field.npy --wavelength 647nm --pitch 0.139um --index 1.3333 --from -5um --to 5um --lowest --out f.png\n  \
    ffm refocus hologram.bmp --off-axis --single-transform --wavelength 633nm --pitch 5um --from 0.3m --to 0.9m --out f.png\n\n\
    Writes the field at the best distance (.npy complex; .png amplitude, and phase beside it) and OUT-curve.csv. A best distance\n\
    at the end of the range is an error (exit code 6).\n\n\
    JSON keys: distance, uncertainty (within it the sharpness changes by less than a hundredth of its range), metric, pitch,\n\
    side_band, files."
)]
pub(super) struct Refocus {
    /// Complex field (.npy) or hologram (picture, .npy, .npz)
    pub(super) input: PathBuf,
    /// Vacuum wavelength
    #[arg(long, value_name = "LENGTH")]
    pub(super) wavelength: String,
    /// Pixel pitch
    #[arg(long, value_name = "LENGTH")]
    pub(super) pitch: String,
    /// First distance; negative goes back
    #[arg(long, value_name = "LENGTH", allow_hyphen_values = true)]
    pub(super) from: String,
    /// Last distance
    #[arg(long, value_name = "LENGTH", allow_hyphen_values = true)]
    pub(super) to: String,
    /// Distances of the first, coarse search
    #[arg(long, default_value_t = 31, value_name = "N", value_parser = range(3, 10_000))]
    pub(super) steps: usize,
    /// What is measured of the amplitude
    #[arg(long, value_enum, default_value = "gradient")]
    pub(super) metric: FocusMetric,
    /// Search the lowest value: transparent objects have least contrast in focus
    #[arg(long)]
    pub(super) lowest: bool,
    /// Average intensities over N x N pixels first: objects that scatter are speckle [default: 1; with --single-transform 8]
    #[arg(long, value_name = "N", value_parser = range(1, 1024))]
    pub(super) speckle: Option<usize>,
    /// Result: .npy (complex) or .png (amplitude, and phase beside it)
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// Take the field from a side-band of the hologram, found by itself
    #[arg(long, conflicts_with = "hologram", help_heading = "Hologram")]
    pub(super) off_axis: bool,
    /// Refocus the hologram as it is, less its mean
    #[arg(long, help_heading = "Hologram")]
    pub(super) hologram: bool,
    /// Take the other side-band: the conjugate field, with distances of the other sign
    #[arg(long, requires = "off_axis", help_heading = "Hologram")]
    pub(super) other: bool,
    /// Centre of the side-band, cycles a pixel
    #[arg(long, value_name = "Y,X", allow_hyphen_values = true, value_parser = pair, requires = "off_axis", help_heading = "Hologram")]
    pub(super) side_band: Option<[f64; 2]>,
    /// Its radius, cycles a pixel [default: half the distance of its centre from 0]
    #[arg(long, value_name = "R", requires = "side_band", help_heading = "Hologram")]
    pub(super) window: Option<f64>,
    /// One Fresnel transform instead of convolution: for lensless holograms at distances that no padding reaches
    #[arg(long, help_heading = "Propagation")]
    pub(super) single_transform: bool,
    /// auto, angular-spectrum, band-limited, rayleigh-sommerfeld, fresnel-transfer, fresnel-impulse
    #[arg(long, default_value = "auto", help_heading = "Propagation")]
    pub(super) method: String,
    /// Refractive index
    #[arg(long, default_value_t = 1.0, help_heading = "Propagation")]
    pub(super) index: f64,
}

/// What of a picture is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum FocusMetric {
    /// Mean square of the gradient over the mean square
    Gradient,
    /// Mean square of the Laplacian over the mean square
    Laplacian,
    /// Variance over the square of the mean
    Variance,
    /// Square root of standard deviation over mean
    Tamura,
}

impl From<FocusMetric> for crate::holography::Metric {
    fn from(metric: FocusMetric) -> Self {
        match metric {
            FocusMetric::Gradient => Self::Gradient,
            FocusMetric::Laplacian => Self::Laplacian,
            FocusMetric::Variance => Self::Variance,
            FocusMetric::Tamura => Self::Tamura,
        }
    }
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

/// `ffm export`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm export runs/fashion --modulator meadowlark-1920x1200\n  \
    ffm export runs/fashion --modulator meadowlark-1920x1152 --calibration calibration.toml --flatness WFC.bmp --flip x\n  \
    ffm export runs/fashion --modulator 800x600 --lut phases.csv --format bmp --out slm\n\n\
    Modulators: meadowlark-1920x1152 (9.2 um), meadowlark-1920x1200 (8 um), hamamatsu-x15213 (1272 x 1024, 12.5 um),\n\
    holoeye-pluto (1920 x 1080, 8 um), holoeye-leto (1920 x 1080, 6.4 um), or WIDTHxHEIGHT.\n\
    From the calibration: phase response (lut, or range and gamma) and modulator_aberration of each layer.\n\
    JSON keys: modulator, pixels, stage, dir, layers (array of layer, files, corner, error_rms, error_max, unreached).")]
pub(super) struct Export {
    /// Run folder
    pub(super) run: PathBuf,
    /// The device, or its pixels as WIDTHxHEIGHT
    #[arg(long, value_name = "NAME")]
    pub(super) modulator: String,
    /// Masks of which stage: in-silico or the run's method [default: the last there is]
    #[arg(long, value_name = "STAGE")]
    pub(super) stage: Option<String>,
    /// Calibration: phase response and aberration of the modulator
    #[arg(long, value_name = "FILE")]
    pub(super) calibration: Option<PathBuf>,
    /// Measured phase of gray values, radians: lines `gray,phase` or an .npy of 256; in place of the calibration's response
    #[arg(long, value_name = "FILE")]
    pub(super) lut: Option<PathBuf>,
    /// The maker's correction, a bitmap of the device's size to be shown besides: 255 is 2 pi
    #[arg(long, value_name = "FILE")]
    pub(super) flatness: Option<PathBuf>,
    /// Mirror, after turning
    #[arg(long, value_enum, value_name = "x|y|xy")]
    pub(super) flip: Option<Flip>,
    /// Turn from +x towards +y, degrees
    #[arg(long, default_value = "0", value_name = "DEGREES", value_parser = ["0", "90", "180", "270"])]
    pub(super) rotate: String,
    /// Panel pixel on which the middle of the network lies [default: the panel's middle]
    #[arg(long, value_name = "COLUMN,ROW", value_delimiter = ',', num_args = 1)]
    pub(super) centre: Option<Vec<usize>>,
    /// Show masks of another pitch than the device's: every panel pixel takes the mask's value at its place
    #[arg(long)]
    pub(super) resample: bool,
    /// Kind of bitmap
    #[arg(long, value_enum, default_value = "png")]
    pub(super) format: Bitmap,
    /// Folder of the bitmaps (default: `RUN/export-MODULATOR`)
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

/// Mirrored in which directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Flip {
    /// Columns run backwards
    X,
    /// Rows run backwards
    Y,
    /// Both
    Xy,
}

/// Kind of bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Bitmap {
    /// 8-bit gray PNG
    Png,
    /// 8-bit gray BMP
    Bmp,
}

/// `ffm lab`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm lab --truth hidden.toml --out bench\n  \
    ffm lab experiment.toml --truth hidden.toml --out bench --frames 24 --reference 2 --seed 7 --json\n  \
    ffm lab experiment.toml --truth hidden.toml --out bench --plan proposed    frames of a plan\n\n\
    hidden.toml has, all optional: [imperfections] as an experiment has it (the experiment's own are not read: it is what\n\
    everybody believes); [illumination] centre, waist; [camera] pixels, pitch, bits, full_well, read_noise, photons,\n\
    electrons, offset, electrons_per_count, blur, nonlinearity, uneven, and [camera.registration] matrix, offset, distortion;\n\
    [reference] amplitude, tilt, radius, step_error. The revealed truth is such a file, too, with every drawn number.\n\n\
    JSON keys: dir, truth, frames, grid, saturated, response, seconds.")]
pub(super) struct Lab {
    /// Experiment file: the bench as it should be; without one: the embedded default experiment
    pub(super) experiment: Option<PathBuf>,
    /// What is really wrong with it
    #[arg(long, value_name = "FILE")]
    pub(super) truth: PathBuf,
    /// Measurement folder
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Where the truth with every drawn number goes [default: `DIR-truth.toml`]
    #[arg(long, value_name = "FILE")]
    pub(super) reveal: Option<PathBuf>,
    /// Record the frames that this measurement folder describes, in place of those below
    #[arg(long, value_name = "DIR", conflicts_with_all = ["frames", "test", "sweep", "transfer", "reference"])]
    pub(super) plan: Option<PathBuf>,
    /// Frames of random blocks to fit to, every third at another distance
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(super) frames: usize,
    /// Frames of other patterns to test on [default: a quarter of --frames]
    #[arg(long, value_name = "N")]
    pub(super) test: Option<usize>,
    /// Gray values of a binary grating, for the look-up table (0: none)
    #[arg(long, value_name = "N", default_value_t = 33)]
    pub(super) sweep: usize,
    /// Pairs of evenly lit frames, for the photon-transfer curve (0: none)
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub(super) transfer: usize,
    /// Sets of four frames with a reference beam in unknown steps near 90 degrees
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) reference: usize,
    /// Points along a modulator pixel on which light is computed, 1 to 9; odd numbers fit pixels best
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) fine: usize,
    /// Seed of patterns, noise, and drawn wavefronts [default: that of the experiment]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Override a key of the experiment; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
}
mod report;
pub(super) use report::{Frames, Report};

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
