//! Figures as text and as CSV.

use std::path::Path;

use super::{Figures, LikenessReport, Sample};
use crate::io::IoError;
use crate::report::boxed;
use crate::report::format::significant;
use crate::report::study::Table;

/// Widest line of running text.
const WIDTH: usize = 100;

/// A figure: key in files, head of a column, value, how the page writes it.
type Column = (&'static str, &'static str, fn(&Figures) -> Option<f64>, fn(f64) -> String);

const COLUMNS: [Column; 10] = [
    ("ssim", "SSIM", |f| Some(f.ssim), fixed),
    ("psnr", "PSNR / dB", |f| Some(f.psnr), |v| if v.is_finite() { format!("{v:.1}") } else { "∞".into() }),
    ("nrmse", "NRMSE", |f| Some(f.nrmse), fixed),
    ("correlation", "correlation", |f| Some(f.correlation), fixed),
    ("shift_y", "shift y / px", |f| Some(f.shift[0]), pixels),
    ("shift_x", "shift x / px", |f| Some(f.shift[1]), pixels),
    ("energy_ratio", "energy", |f| Some(f.energy_ratio), |v| significant(v, 4)),
    ("overlap", "overlap", |f| f.overlap, fixed),
    ("amplitude_ssim", "SSIM amplitude", |f| f.amplitude_ssim, fixed),
    ("phase_ssim", "SSIM phase", |f| f.phase_ssim, fixed),
];

fn fixed(value: f64) -> String {
    format!("{value:.4}").replace('-', "\u{2212}")
}

fn pixels(value: f64) -> String {
    match format!("{value:.2}").as_str() {
        "-0.00" => "0.00".into(),
        text => text.replace('-', "\u{2212}"),
    }
}

/// The columns that any of these samples fills.
fn columns(samples: &[Sample]) -> impl Iterator<Item = &'static Column> {
    let filled = |c: &Column| samples.iter().flat_map(|s| &s.rivals).any(|r| c.2(&r.figures).is_some());
    COLUMNS.iter().filter(move |c| filled(c)).collect::<Vec<_>>().into_iter()
}

/// Mean, smallest and largest figures over all samples, rival by rival.
pub fn totals(samples: &[Sample]) -> Table {
    let names = samples.first().map(|s| s.rivals.iter().map(|r| r.name.clone()).collect::<Vec<_>>());
    let mut rows = Vec::new();
    for (k, name) in names.unwrap_or_default().into_iter().enumerate() {
        let figures: Vec<&Figures> = samples.iter().map(|s| &s.rivals[k].figures).collect();
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let least = |v: &[f64]| v.iter().copied().fold(f64::INFINITY, f64::min);
        let most = |v: &[f64]| v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (what, of) in
            [("mean", &mean as &dyn Fn(&[f64]) -> f64), ("smallest", &least), ("largest", &most)]
        {
            let cell = |c: &Column| {
                let values: Vec<f64> = figures.iter().filter_map(|f| c.2(f)).collect();
                if values.is_empty() { "–".into() } else { c.3(of(&values)) }
            };
            let head = if what == "mean" { format!("{name}, mean") } else { format!("  {what}") };
            rows.push(std::iter::once(head).chain(columns(samples).map(cell)).collect());
        }
    }
    Table {
        title: format!("Over {} frames", samples.len()),
        head: std::iter::once(String::new()).chain(columns(samples).map(|c| c.1.to_owned())).collect(),
        rows,
        note: None,
    }
}

/// The figures of one sample, a row per rival.
pub(super) fn of_sample(sample: &Sample) -> Table {
    let cells = |f: &Figures| {
        columns(std::slice::from_ref(sample))
            .map(|c| c.2(f).map_or_else(|| "–".into(), c.3))
            .collect::<Vec<_>>()
    };
    let head = columns(std::slice::from_ref(sample)).map(|c| c.1.to_owned());
    Table {
        title: String::new(),
        head: std::iter::once(String::new()).chain(head).collect(),
        rows: sample
            .rivals
            .iter()
            .map(|r| std::iter::once(r.name.clone()).chain(cells(&r.figures)).collect())
            .collect(),
        note: None,
    }
}

/// The figures for a terminal, without a trailing newline.
pub fn likeness_text(report: &LikenessReport) -> String {
    let mut out = boxed::wrapped("", &report.title, WIDTH);
    for table in std::iter::once(&totals(&report.samples)).chain(&report.tables) {
        out.push(table.title.clone());
        out.extend(boxed::lines(std::slice::from_ref(&table.head), &table.rows));
        out.extend(table.note.iter().flat_map(|note| boxed::wrapped("", note, WIDTH)));
    }
    out.extend(report.findings.iter().flat_map(|f| boxed::wrapped("", f, WIDTH)));
    out.extend(report.warnings.iter().flat_map(|w| boxed::wrapped("warning: ", w, WIDTH)));
    out.join("\n")
}

/// A row per sample and rival, every digit.
///
/// # Errors
/// [`IoError::Content`] when the table cannot be put together.
pub fn likeness_csv(samples: &[Sample]) -> Result<Vec<u8>, IoError> {
    let fail = |e: &dyn std::fmt::Display| IoError::content(Path::new("(table)"), e);
    let mut out = csv::Writer::from_writer(Vec::new());
    let heads = ["sample", "rows", "cols", "against"].into_iter().chain(COLUMNS.iter().map(|c| c.0));
    out.write_record(heads.chain(["data_range"])).map_err(|e| fail(&e))?;
    for sample in samples {
        for rival in &sample.rivals {
            let [rows, cols] = sample.shape.map(|n| n.to_string());
            let mut line = vec![sample.name.clone(), rows, cols, rival.name.clone()];
            let value = |c: &Column| c.2(&rival.figures).map_or_else(String::new, |v| v.to_string());
            line.extend(COLUMNS.iter().map(value));
            line.push(rival.figures.data_range.to_string());
            out.write_record(line).map_err(|e| fail(&e))?;
        }
    }
    out.into_inner().map_err(|e| fail(&e))
}
