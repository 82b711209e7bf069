//! Measured frames: `ffm measure`, `fields`, `refocus`, `calibrate`, `lab`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Device, range};

/// `ffm measure`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Measure {
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
pub(in crate::cli) struct Fields {
    /// Measurement folder
    pub(in crate::cli) dir: PathBuf,
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: PathBuf,
    /// This set only
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) set: Option<String>,
    /// Find the phase steps even where they are given
    #[arg(long)]
    pub(in crate::cli) find_steps: bool,
    /// Take the conjugate field: found steps and single frames leave open which of the two it is
    #[arg(long)]
    pub(in crate::cli) conjugate: bool,
    /// What of the reference's phase to take out
    #[arg(long, value_enum, default_value = "none")]
    pub(in crate::cli) flatten: FlattenBy,
}

/// What of the reference's phase is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum FlattenBy {
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
pub(in crate::cli) struct Refocus {
    /// Complex field (.npy) or hologram (picture, .npy, .npz)
    pub(in crate::cli) input: PathBuf,
    /// Vacuum wavelength
    #[arg(long, value_name = "LENGTH")]
    pub(in crate::cli) wavelength: String,
    /// Pixel pitch
    #[arg(long, value_name = "LENGTH")]
    pub(in crate::cli) pitch: String,
    /// First distance; negative goes back
    #[arg(long, value_name = "LENGTH", allow_hyphen_values = true)]
    pub(in crate::cli) from: String,
    /// Last distance
    #[arg(long, value_name = "LENGTH", allow_hyphen_values = true)]
    pub(in crate::cli) to: String,
    /// Distances of the first, coarse search
    #[arg(long, default_value_t = 31, value_name = "N", value_parser = range(3, 10_000))]
    pub(in crate::cli) steps: usize,
    /// What is measured of the amplitude
    #[arg(long, value_enum, default_value = "gradient")]
    pub(in crate::cli) metric: FocusMetric,
    /// Search the lowest value: transparent objects have least contrast in focus
    #[arg(long)]
    pub(in crate::cli) lowest: bool,
    /// Average intensities over N x N pixels first: objects that scatter are speckle [default: 1; with --single-transform 8]
    #[arg(long, value_name = "N", value_parser = range(1, 1024))]
    pub(in crate::cli) speckle: Option<usize>,
    /// Result: .npy (complex) or .png (amplitude, and phase beside it)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: PathBuf,
    /// Take the field from a side-band of the hologram, found by itself
    #[arg(long, conflicts_with = "hologram", help_heading = "Hologram")]
    pub(in crate::cli) off_axis: bool,
    /// Refocus the hologram as it is, less its mean
    #[arg(long, help_heading = "Hologram")]
    pub(in crate::cli) hologram: bool,
    /// Take the other side-band: the conjugate field, with distances of the other sign
    #[arg(long, requires = "off_axis", help_heading = "Hologram")]
    pub(in crate::cli) other: bool,
    /// Centre of the side-band, cycles a pixel
    #[arg(long, value_name = "Y,X", allow_hyphen_values = true, value_parser = pair, requires = "off_axis", help_heading = "Hologram")]
    pub(in crate::cli) side_band: Option<[f64; 2]>,
    /// Its radius, cycles a pixel [default: half the distance of its centre from 0]
    #[arg(long, value_name = "R", requires = "side_band", help_heading = "Hologram")]
    pub(in crate::cli) window: Option<f64>,
    /// One Fresnel transform instead of convolution: for lensless holograms at distances that no padding reaches
    #[arg(long, help_heading = "Propagation")]
    pub(in crate::cli) single_transform: bool,
    /// auto, angular-spectrum, band-limited, rayleigh-sommerfeld, fresnel-transfer, fresnel-impulse
    #[arg(long, default_value = "auto", help_heading = "Propagation")]
    pub(in crate::cli) method: String,
    /// Refractive index
    #[arg(long, default_value_t = 1.0, help_heading = "Propagation")]
    pub(in crate::cli) index: f64,
}

/// What of a picture is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum FocusMetric {
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

/// `ffm calibrate`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm calibrate bench --out calibration.toml\n  \
    ffm calibrate bench --out calibration.toml --free crosstalk,distortion --fix gamma --device gpu --json\n  \
    ffm calibrate --plan experiment.toml --out bench       what to record, and how well it will tell\n\n\
    Names for --free and --fix: shift, axial, roll, magnification, tilt, illumination, fill_factor, range, gamma, lut,\n\
    range_map, crosstalk, aperture, modulator_aberration (of every layer that frames show), camera_aberration; gain, offset, blur,\n\
    distortion, shear, aspect (of the camera). Free without being named: all but lut, range_map, crosstalk, distortion, shear and\n\
    aspect, and but tilt and defocus (Noll 4) where all frames of a layer have one distance, which cannot tell them from shift, axial and magnification.\n\
    range_map: the phase range at 3 x 3 places of the modulator (or those of a range_map in --start), in place of one range.\n\
    lut: phases at sixteen gray values of a look-up table, in place of range and gamma; free where it is from a gray sweep.\n\
    camera_aberration is estimated where the measurement has sets with a reference beam of role fit (as for ffm fields); its\n\
    Noll 2 to 4 only with camera.flat_reference = true in measurement.toml, for a reference may be tilted and curved.\n\n\
    Where the folder has background frames their mean is subtracted first, and where it has flat frames, too, counts are divided\n\
    by these.\n\n\
    Exit code 6: the twin does not meet the frames or fields, or frames are mirrored or out of order; nothing is written then.\n\n\
    JSON keys: file, name, estimates (array of key, value, sigma, unit, from; SI units), unclear (array of keys, advice), fit\n\
    (frames, rms, chi_square, iterations, ssim_before, ssim_after), corrected (backgrounds, flats, defects, unused_flats),\n\
    ssim_fitted, ssim_tested (frames, before, after), overlap_fitted, overlap_tested (of fields: sets, before, after; null\n\
    without), seconds, device; with --plan: dir, frames, expected (as estimates), unclear, seconds, device.")]
pub(in crate::cli) struct Calibrate {
    /// Measurement folder
    #[arg(required_unless_present = "plan")]
    pub(in crate::cli) measurement: Option<PathBuf>,
    /// Propose frames to record for this experiment: patterns and a measurement.toml, with the uncertainties to expect
    #[arg(long, value_name = "EXPERIMENT", conflicts_with_all = ["measurement", "start"])]
    pub(in crate::cli) plan: Option<PathBuf>,
    /// File to write; with --plan a folder
    #[arg(long, value_name = "FILE|DIR")]
    pub(in crate::cli) out: PathBuf,
    /// Frames of random blocks of a plan, for each layer; some of gratings and of other blocks to test on are added
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = range(1, 1000), requires = "plan")]
    pub(in crate::cli) frames: usize,
    /// Calibration to start from; what is not free stays as it says
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) start: Option<PathBuf>,
    /// Parameters to estimate as well
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub(in crate::cli) free: Vec<String>,
    /// Parameters to leave as they are
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub(in crate::cli) fix: Vec<String>,
    /// Highest Noll index of the modulator's wavefront, and of the camera's
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = range(4, 66))]
    pub(in crate::cli) zernike: usize,
    /// Where to compute.
    #[command(flatten)]
    pub(in crate::cli) device: Device,
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
    Ctrl-C ends with the frames so far in a folder that can be used, and exit code 130.\n\n\
    JSON keys: dir, truth, frames, grid, saturated, response, seconds.")]
pub(in crate::cli) struct Lab {
    /// Experiment file: the bench as it should be; without one: the embedded default experiment
    pub(in crate::cli) experiment: Option<PathBuf>,
    /// What is really wrong with it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) truth: PathBuf,
    /// Measurement folder
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: PathBuf,
    /// Where the truth with every drawn number goes [default: `DIR-truth.toml`]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) reveal: Option<PathBuf>,
    /// Record the frames that this measurement folder describes, in place of those below
    #[arg(long, value_name = "DIR", conflicts_with_all = ["frames", "test", "sweep", "transfer", "reference"])]
    pub(in crate::cli) plan: Option<PathBuf>,
    /// Frames of random blocks to fit to, every third at another distance
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(in crate::cli) frames: usize,
    /// Frames of other patterns to test on [default: a quarter of --frames]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) test: Option<usize>,
    /// Gray values of a binary grating, for the look-up table (0: none)
    #[arg(long, value_name = "N", default_value_t = 33)]
    pub(in crate::cli) sweep: usize,
    /// Pairs of evenly lit frames, for the photon-transfer curve (0: none)
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub(in crate::cli) transfer: usize,
    /// Sets of four frames with a reference beam in unknown steps near 90 degrees
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(in crate::cli) reference: usize,
    /// Points along a modulator pixel on which light is computed, 1 to 9; odd numbers fit pixels best
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(in crate::cli) fine: usize,
    /// Seed of patterns, noise, and drawn wavefronts [default: that of the experiment]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) seed: Option<u64>,
    /// Override a key of the experiment; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
}

fn pair(text: &str) -> Result<[f64; 2], String> {
    let parts: Option<Vec<f64>> = text.split(',').map(|t| t.trim().parse().ok()).collect();
    parts.and_then(|p| p.try_into().ok()).ok_or_else(|| "two numbers are needed: Y,X".into())
}
