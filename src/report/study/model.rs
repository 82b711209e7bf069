//! The contents of a study's report.

use crate::report::{Fact, Picture};

/// A study of many runs.
#[derive(Clone, Debug)]
pub struct StudyReport {
    /// Headline.
    pub title: String,
    /// What was found, in sentences.
    pub findings: Vec<String>,
    /// Charts, in order.
    pub charts: Vec<Chart>,
    /// Tables, in order.
    pub tables: Vec<Table>,
    /// Pictures side by side, in order.
    pub plates: Vec<Plate>,
    /// Name of every run and its report, relative to the page.
    pub runs: Vec<(String, String)>,
    /// How the numbers are defined.
    pub definitions: Vec<Fact>,
    /// Device, precision.
    pub device: String,
    /// The command that repeats it.
    pub command: String,
    /// Settings that all runs share, as TOML.
    pub settings: String,
    /// Program and version.
    pub version: String,
    /// Commit of the program.
    pub commit: String,
    /// When it was made.
    pub date: String,
}

/// Curves over one axis.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows.
    pub caption: String,
    /// Label of the horizontal axis, which begins at 0 or below.
    pub x_label: &'static str,
    /// Label of the vertical axis.
    pub y_label: &'static str,
    /// Curves.
    pub curves: Vec<Curve>,
}

/// A curve.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Colour: `ideal`, `deployed`, `ffm`, or `device0` to `device5`; with ` train` behind it, dashed,
    /// with ` points`, markers alone.
    pub class: String,
    /// Name in the legend.
    pub name: String,
    /// Points in order.
    pub points: Vec<Point>,
}

/// A point with the half length of its error bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
    /// Half the length of the error bar, in units of `y`; 0 for none.
    pub spread: f64,
}

/// Pictures side by side.
#[derive(Clone, Debug)]
pub struct Plate {
    /// What they show.
    pub title: String,
    /// Caption and picture.
    pub pictures: Vec<(String, Picture)>,
}

/// A table: the first column to the left, numbers to the right.
#[derive(Clone, Debug)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Heads of the columns.
    pub head: Vec<String>,
    /// Rows, as many cells as heads.
    pub rows: Vec<Vec<String>>,
    /// What stands below it.
    pub note: Option<String>,
}
