//! What can be typed behind `ffm report`.

use std::path::PathBuf;

use clap::Args;

use super::Device;

/// `ffm report`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm report runs/a runs/b --out runs/a-and-b.html\n  \
    ffm report --measured bench --twin experiment.toml --calibration calibration.toml --frames test --out twin.html\n  \
    ffm report --measured recorded --against predicted --out pairs.html\n  \
    ffm report --measured beam --caustic --out caustic.html\n\n\
    OUT.html is one page that needs nothing else; OUT.csv and OUT.json beside it hold the numbers.\n\n\
    Frames with a reference beam become fields (as with ffm fields), which are compared with those of the twin: amplitude,\n\
    phase and overlap. Each twin's field is first given the piston, tilt and defocus that bring it nearest to the measured\n\
    one, for they may be the reference's; only the piston with camera.flat_reference = true in measurement.toml.\n\n\
    JSON keys of runs: report, runs (array of name, path, settings, summary, histories), differing (key, values), shared.\n\
    JSON keys of frames: report, samples (array of name, detail, shape, rivals (name, figures (ssim, psnr, nrmse,\n\
    correlation, shift, energy_ratio, data_range, and of fields overlap, amplitude_ssim, phase_ssim))), warnings; with --caustic also\n\
    caustic and caustic_second_moments (beam (waist, position, m_squared, wavelength), sigma, divergence, rms; metres).")]
pub(in crate::cli) struct Report {
    /// Run folders to compare with one another, two or more
    #[arg(value_name = "RUN", conflicts_with = "measured")]
    pub(in crate::cli) runs: Vec<PathBuf>,
    /// Measured frames: a folder with measurement.toml; with --against any folder of frames, or one file
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) measured: Option<PathBuf>,
    /// Experiment file with the twin's optics, and its imperfections where it has any [default: optics of measurement.toml]
    #[arg(long, value_name = "FILE", requires = "measured")]
    pub(in crate::cli) twin: Option<PathBuf>,
    /// Calibration: the twin with it stands beside the nominal one; its keys come before those of --twin
    #[arg(long, value_name = "FILE", requires = "measured")]
    pub(in crate::cli) calibration: Option<PathBuf>,
    /// Which frames and reference sets of the measurement; of sets, "all" and "test" are those of role test, or all where none is
    #[arg(long, value_enum, default_value = "all", requires = "measured")]
    pub(in crate::cli) frames: Frames,
    /// Frames (or complex fields) to compare with in place of a twin, of the same names: a folder or one file
    #[arg(long, value_name = "DIR|FILE", requires = "measured", conflicts_with_all = ["twin", "calibration"])]
    pub(in crate::cli) against: Option<PathBuf>,
    /// Frames along a focused beam: fit its caustic, and compare with the fitted beam
    #[arg(long, requires = "measured", conflicts_with_all = ["twin", "calibration", "against"])]
    pub(in crate::cli) caustic: bool,
    /// The page to write, .html
    #[arg(long, value_name = "FILE", default_value = "report.html", help_heading = "Output")]
    pub(in crate::cli) out: PathBuf,
    /// Where to compute.
    #[command(flatten)]
    pub(in crate::cli) device: Device,
}

/// Frames of a measurement, by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Frames {
    /// Those that the twin is fitted to
    Fit,
    /// Those kept back
    Test,
    /// Both
    All,
}
