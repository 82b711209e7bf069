//! The HTML page of a report on likeness.

use askama::Template;

use super::table::{of_sample, totals};
use super::{LikenessReport, Sample};
use crate::metrics::{K1, K2, SIGMA, WINDOW};
use crate::report::colour::{DIVERGING, SEQUENTIAL};
use crate::report::lines::{LineChart, Series};
use crate::report::page::gradient_stops;
use crate::report::study::{ChartView, Table, chart_view};
use crate::report::{Picture, ReportError};

/// Largest side of an embedded picture, pixels.
const SIDE: usize = 240;
/// Most points of a cut.
const POINTS: usize = 240;
/// Most samples with pictures; figures are of all.
const SHOWN: usize = 12;

/// The report as one HTML file that needs nothing else, neither network nor scripts.
///
/// # Errors
/// [`ReportError`] when a picture cannot be made or the page cannot be put together.
pub fn render_likeness(report: &LikenessReport) -> Result<String, ReportError> {
    let totals = totals(&report.samples);
    let shown = chosen(&report.samples);
    let page = Page {
        report,
        tables: std::iter::once(&totals).chain(&report.tables).collect(),
        charts: report.charts.iter().map(chart_view).collect(),
        all: shown.len() == report.samples.len(),
        samples: shown.into_iter().map(SampleView::new).collect::<Result<_, _>>()?,
        ramp: gradient_stops(&SEQUENTIAL),
        signed: gradient_stops(&DIVERGING),
        constants: Constants { sigma: SIGMA, window: WINDOW, k1: K1, k2: K2 },
    };
    Ok(page.render()?)
}

/// All samples, or [`SHOWN`] of them: evenly spaced in the order of the last rival's SSIM, worst and best among them.
fn chosen(samples: &[Sample]) -> Vec<&Sample> {
    if samples.len() <= SHOWN {
        return samples.iter().collect();
    }
    let score = |s: &Sample| s.rivals.last().map_or(f64::NAN, |r| r.figures.ssim);
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_by(|&a, &b| score(&samples[a]).total_cmp(&score(&samples[b])));
    (0..SHOWN).map(|k| &samples[order[k * (samples.len() - 1) / (SHOWN - 1)]]).collect()
}

#[derive(Template)]
#[template(path = "report/likeness.html")]
struct Page<'a> {
    report: &'a LikenessReport,
    tables: Vec<&'a Table>,
    charts: Vec<ChartView<'a>>,
    all: bool,
    samples: Vec<SampleView<'a>>,
    ramp: String,
    signed: String,
    constants: Constants,
}

struct Constants {
    sigma: f64,
    window: usize,
    k1: f64,
    k2: f64,
}

struct SampleView<'a> {
    sample: &'a Sample,
    figures: Table,
    measured: String,
    rivals: Vec<RivalView<'a>>,
    cuts: [(String, LineChart); 2],
}

struct RivalView<'a> {
    name: &'a str,
    class: String,
    picture: String,
    difference: String,
    map: String,
}

impl<'a> SampleView<'a> {
    fn new(sample: &'a Sample) -> Result<Self, ReportError> {
        let rivals = sample.rivals.iter().enumerate().map(|(k, r)| {
            Ok(RivalView {
                name: &r.name,
                class: class(k),
                picture: r.picture.to_data_uri(SIDE)?,
                difference: r.difference.to_data_uri(SIDE)?,
                map: r.map.to_data_uri(SIDE)?,
            })
        });
        let [row, col] = sample.cut;
        Ok(Self {
            sample,
            figures: of_sample(sample),
            measured: sample.picture.to_data_uri(SIDE)?,
            rivals: rivals.collect::<Result<_, ReportError>>()?,
            cuts: [
                (
                    format!("Cut along row {row}"),
                    cut(sample, "column / px", |p, i| at(p, row, i), sample.shape[1]),
                ),
                (
                    format!("Cut along column {col}"),
                    cut(sample, "row / px", |p, i| at(p, i, col), sample.shape[0]),
                ),
            ],
        })
    }
}

/// Colour of a rival; the measured frame has the first.
fn class(rival: usize) -> String {
    // A nominal twin is orange and a calibrated one green where there are both.
    ["deployed", "ffm"].get(rival).map_or_else(|| format!("device{}", rival % 6), |c| (*c).to_owned())
}

fn at(picture: &Picture, row: usize, col: usize) -> f64 {
    f64::from(picture.values[row * picture.cols + col])
}

fn cut(
    sample: &Sample,
    x_label: &'static str,
    value: impl Fn(&Picture, usize) -> f64,
    length: usize,
) -> LineChart {
    let step = length.div_ceil(POINTS);
    let points = |p: &Picture| {
        let mean = |i: usize| {
            let block = i..(i + step).min(length);
            let count = block.len() as f64;
            block.map(|j| value(p, j)).sum::<f64>() / count
        };
        (0..length).step_by(step).map(|i| (i as f64, mean(i))).collect()
    };
    let series = |class: String, name: &str, p: &Picture| Series {
        class,
        name: name.into(),
        points: points(p),
        spreads: Vec::new(),
    };
    let mut all = vec![series("ideal".into(), "measured", &sample.picture)];
    all.extend(sample.rivals.iter().enumerate().map(|(k, r)| series(class(k), &r.name, &r.picture)));
    LineChart::new(sample.name.clone(), x_label, "intensity / white", &all, Vec::new())
}
