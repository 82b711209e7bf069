//! `ffm export`.

use std::path::PathBuf;

use clap::Args;

/// `ffm export`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm export runs/fashion --modulator meadowlark-1920x1200\n  \
    ffm export runs/fashion --modulator meadowlark-1920x1152 --calibration calibration.toml --flatness WFC.bmp --flip x\n  \
    ffm export runs/fashion --modulator 800x600 --lut phases.csv --format bmp --out slm\n\n\
    Modulators: meadowlark-1920x1152 (9.2 um), meadowlark-1920x1200 (8 um), hamamatsu-x15213 (1272 x 1024, 12.5 um),\n\
    holoeye-pluto (1920 x 1080, 8 um), holoeye-leto (1920 x 1080, 6.4 um), or WIDTHxHEIGHT.\n\
    From the calibration: phase response (lut, or range and gamma; range_map) and modulator_aberration of each layer.\n\
    JSON keys: modulator, pixels, stage, dir, layers (array of layer, files, corner, error_rms, error_max, unreached,\n\
    corrected_zernike, corrected_range_map).")]
pub(in crate::cli) struct Export {
    /// Run folder
    pub(in crate::cli) run: PathBuf,
    /// The device, or its pixels as WIDTHxHEIGHT
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) modulator: String,
    /// Masks of which stage: in-silico or the run's method [default: the last there is]
    #[arg(long, value_name = "STAGE")]
    pub(in crate::cli) stage: Option<String>,
    /// Calibration: phase response and aberration of the modulator
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) calibration: Option<PathBuf>,
    /// Measured phase of gray values, radians: lines `gray,phase` or an .npy of 256; in place of the calibration's response
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) lut: Option<PathBuf>,
    /// The maker's correction, a bitmap of the device's size to be shown besides: 255 is 2 pi
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) flatness: Option<PathBuf>,
    /// Mirror, after turning
    #[arg(long, value_enum, value_name = "x|y|xy")]
    pub(in crate::cli) flip: Option<Flip>,
    /// Turn from +x towards +y, degrees
    #[arg(long, default_value = "0", value_name = "DEGREES", value_parser = ["0", "90", "180", "270"])]
    pub(in crate::cli) rotate: String,
    /// Panel pixel on which the middle of the network lies [default: the panel's middle]
    #[arg(long, value_name = "COLUMN,ROW", value_delimiter = ',', num_args = 1)]
    pub(in crate::cli) centre: Option<Vec<usize>>,
    /// Show masks of another pitch than the device's: every panel pixel takes the mask's value at its place
    #[arg(long)]
    pub(in crate::cli) resample: bool,
    /// Kind of bitmap
    #[arg(long, value_enum, default_value = "png")]
    pub(in crate::cli) format: Bitmap,
    /// Folder of the bitmaps (default: `RUN/export-MODULATOR`)
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
}

/// Mirrored in which directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Flip {
    /// Columns run backwards
    X,
    /// Rows run backwards
    Y,
    /// Both
    Xy,
}

/// Kind of bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Bitmap {
    /// 8-bit gray PNG
    Png,
    /// 8-bit gray BMP
    Bmp,
}
