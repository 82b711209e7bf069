//! The contents of a report on likeness.

use serde::Serialize;

use crate::report::study::{Chart, Table};
use crate::report::{Fact, Picture};

/// Frames, and what is held against them.
#[derive(Clone, Debug)]
pub struct LikenessReport {
    /// Headline.
    pub title: String,
    /// What was found, in sentences.
    pub findings: Vec<String>,
    /// What makes the figures doubtful, and what to do.
    pub warnings: Vec<String>,
    /// Charts, in order.
    pub charts: Vec<Chart>,
    /// Further tables.
    pub tables: Vec<Table>,
    /// All samples, in order.
    pub samples: Vec<Sample>,
    /// Where frames and twins come from.
    pub facts: Vec<Fact>,
    /// The command that repeats it.
    pub command: String,
    /// Program and version.
    pub version: String,
    /// Commit of the program.
    pub commit: String,
    /// When it was made.
    pub date: String,
}

/// A measured frame (or field) with its rivals.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// Name: the frame's file.
    pub name: String,
    /// What was shown, where the camera stood.
    pub detail: String,
    /// Rows and columns that were compared.
    pub shape: [usize; 2],
    /// What is held against it: every sample of a report has the same, in the same order.
    pub rivals: Vec<Rival>,
    /// Intensity of the measured frame, white being 1.
    #[serde(skip)]
    pub picture: Picture,
    /// Row and column of the cuts.
    pub cut: [usize; 2],
}

/// One thing held against a frame.
#[derive(Clone, Debug, Serialize)]
pub struct Rival {
    /// Its name: `nominal twin`, `calibrated twin`.
    pub name: String,
    /// The figures.
    pub figures: Figures,
    /// Its intensity, on the scale of the measured frame.
    #[serde(skip)]
    pub picture: Picture,
    /// Rival minus measured, half of white being 1.
    #[serde(skip)]
    pub difference: Picture,
    /// Local structural similarity.
    #[serde(skip)]
    pub map: Picture,
}

/// Figures of a pair; see `docs/physics.md`, "How frames and fields are compared".
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Structural similarity.
    pub ssim: f64,
    /// Peak signal-to-noise ratio, dB; infinite (null in files) for equal images.
    pub psnr: f64,
    /// Error relative to the measured frame's root mean square.
    pub nrmse: f64,
    /// Pearson correlation.
    pub correlation: f64,
    /// Displacement of the rival against the frame along rows and columns, pixels.
    pub shift: [f64; 2],
    /// Light of the rival over that of the frame.
    pub energy_ratio: f64,
    /// Data range of SSIM and PSNR, in units of the mean.
    pub data_range: f64,
    /// Overlap of complex fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<f64>,
    /// Structural similarity of amplitudes of complex fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amplitude_ssim: Option<f64>,
    /// Structural similarity of phases of complex fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase_ssim: Option<f64>,
}
