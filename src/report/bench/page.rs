//! The HTML page of a benchmark.

use askama::Template;

use super::model::{BenchCase, BenchReport, Work};
use super::table::{cells, heads, pass_heads, pass_rows};
use crate::report::ReportError;
use crate::report::format::grouped;
use crate::report::lines::{LineChart, Series};

/// Colours there are; devices beyond begin again.
const COLOURS: usize = 6;

/// The benchmark as one HTML file that needs nothing else, neither network nor scripts.
///
/// # Errors
/// [`ReportError::Template`] when the page cannot be put together.
pub fn render_bench(report: &BenchReport) -> Result<String, ReportError> {
    let page = Page {
        report,
        title: title(report),
        findings: (0..report.devices.len()).filter_map(|d| finding(report, d)).collect(),
        legend: legend(report),
        hop_charts: charts(report, Work::Hop),
        step_charts: charts(report, Work::Step),
        devices: (0..report.devices.len()).map(|d| DeviceView::new(report, d)).collect(),
        failed: failed(report),
        noisy: report.cases.iter().any(|c| c.work == Work::NoisyStep),
    };
    Ok(page.render()?)
}

#[derive(Template)]
#[template(path = "report/bench.html")]
struct Page<'a> {
    report: &'a BenchReport,
    title: String,
    findings: Vec<String>,
    /// CSS class and name of every curve.
    legend: Vec<(String, String)>,
    hop_charts: Vec<ChartView>,
    step_charts: Vec<ChartView>,
    devices: Vec<DeviceView>,
    /// Case, device, reason.
    failed: Vec<[String; 3]>,
    noisy: bool,
}

/// A chart and what it is of.
struct ChartView {
    caption: String,
    chart: LineChart,
}

/// The tables of a device.
struct DeviceView {
    name: String,
    detail: String,
    tables: Vec<TableView>,
    profiles: Vec<TableView>,
}

struct TableView {
    title: String,
    heads: &'static [&'static str],
    rows: Vec<Vec<String>>,
    /// What stands below it.
    note: Option<String>,
}

impl DeviceView {
    fn new(report: &BenchReport, index: usize) -> Self {
        let device = &report.devices[index];
        let table = |work: Work| {
            let rows: Vec<_> = report.of(index, work).map(|c| cells(report, c)).collect();
            let table = TableView { title: work.title().into(), heads: heads(work), rows, note: None };
            (!table.rows.is_empty()).then_some(table)
        };
        let profile = |p: &super::Profile| TableView {
            title: p.case.clone(),
            heads: if p.failed.is_some() { &[] } else { pass_heads(p) },
            rows: if p.failed.is_some() { Vec::new() } else { pass_rows(p) },
            note: p.failed.clone().or_else(|| {
                let copy = grouped(p.copy_bytes_per_second? / 1e9);
                Some(format!("A copy on this device reads and writes {copy} GB/s."))
            }),
        };
        Self {
            name: device.name.clone(),
            detail: format!("{} engine, {}, {}", device.engine, device.precision, device.detail),
            tables: Work::ALL.into_iter().filter_map(table).collect(),
            profiles: report.profiles.iter().filter(|p| p.device == index).map(profile).collect(),
        }
    }
}

fn title(report: &BenchReport) -> String {
    match &report.devices[..] {
        [one] => format!("Benchmark of {}", one.name),
        several => format!("Benchmark of {} devices", several.len()),
    }
}

/// A sentence about the largest training step that was measured on a device.
fn finding(report: &BenchReport, device: usize) -> Option<String> {
    let measured = report.of(device, Work::Step).filter_map(|c| Some((c, c.timing.as_ref()?)));
    let (case, timing) = measured.max_by_key(|(c, _)| (c.pixels * c.padding, c.batch, c.layers))?;
    let grid = match case.padding {
        1 => "periodic".to_owned(),
        2 => "zero-padded twofold".to_owned(),
        more => format!("zero-padded {more}-fold"),
    };
    let layers =
        if case.layers == 1 { "one phase layer".to_owned() } else { format!("{} phase layers", case.layers) };
    let pixels = case.pixels;
    Some(format!(
        "{}: training takes {} samples a second through {layers} of {pixels}\u{a0}×\u{a0}{pixels} pixels, {grid}.",
        report.devices[device].name,
        grouped(timing.per_second),
    ))
}

/// CSS class of a curve: a colour a device, dashes where the grid is padded.
fn class(device: usize, padding: usize) -> String {
    format!("device{}{}", device % COLOURS, if padding > 1 { " train" } else { "" })
}

fn curve_name(report: &BenchReport, device: usize, padding: usize) -> String {
    let grid = if padding == 1 { "periodic".to_owned() } else { format!("padding {padding}") };
    format!("{}, {grid}", report.devices[device].name)
}

/// Distinct values of a property of the cases, in order of appearance.
fn distinct<K: PartialEq>(cases: impl Iterator<Item = K>) -> Vec<K> {
    let mut found = Vec::new();
    for key in cases {
        if !found.contains(&key) {
            found.push(key);
        }
    }
    found
}

fn legend(report: &BenchReport) -> Vec<(String, String)> {
    let measured = report.cases.iter().filter(|c| c.timing.is_some());
    let curves = distinct(measured.map(|c| (c.device, c.padding)));
    curves.into_iter().map(|(d, p)| (class(d, p), curve_name(report, d, p))).collect()
}

/// One chart for every batch and number of layers that was measured at two sizes at least: pixels a second over size.
fn charts(report: &BenchReport, work: Work) -> Vec<ChartView> {
    let measured = || report.cases.iter().filter(|c| c.work == work && c.timing.is_some());
    let chart = |(batch, layers): (usize, usize)| {
        let cases: Vec<_> = measured().filter(|c| (c.batch, c.layers) == (batch, layers)).collect();
        if distinct(cases.iter().map(|c| c.pixels)).len() < 2 {
            return None;
        }
        // Numbers of five digits would run into the axis' label.
        let fastest =
            cases.iter().filter_map(|c| Some(c.timing.as_ref()?.megapixels_per_second)).fold(0.0, f64::max);
        let (scale, units) =
            if fastest < 1e4 { (1.0, ["Mpx/s", "Mpx·L/s"]) } else { (1e-3, ["Gpx/s", "Gpx·L/s"]) };
        let curves = distinct(cases.iter().map(|c| (c.device, c.padding)));
        let curve = |(device, padding)| Series {
            class: class(device, padding),
            name: curve_name(report, device, padding),
            points: points(&cases, device, padding).into_iter().map(|(x, y)| (x, scale * y)).collect(),
            spreads: Vec::new(),
        };
        let series: Vec<_> = curves.into_iter().map(curve).collect();
        let (caption, y_label) = match work {
            Work::Hop => (format!("Propagation, batch of {batch}"), units[0]),
            _ => (format!("Training step, {layers} layers, batch of {batch}"), units[1]),
        };
        let chart = LineChart::new(caption.clone(), "pixels along a side", y_label, &series, Vec::new());
        Some(ChartView { caption, chart })
    };
    distinct(measured().map(|c| (c.batch, c.layers))).into_iter().filter_map(chart).collect()
}

fn points(cases: &[&BenchCase], device: usize, padding: usize) -> Vec<(f64, f64)> {
    let own = cases.iter().filter(|c| (c.device, c.padding) == (device, padding));
    let point = |c: &&BenchCase| Some((c.pixels as f64, c.timing.as_ref()?.megapixels_per_second));
    let mut points: Vec<_> = own.filter_map(point).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

fn failed(report: &BenchReport) -> Vec<[String; 3]> {
    let line = |c: &BenchCase| {
        Some([
            format!("{}: {}", c.work.title(), c.name()),
            report.devices[c.device].name.clone(),
            c.failed.clone()?,
        ])
    };
    report.cases.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::bench::sample::sample;

    #[test]
    fn page_is_whole_offline_and_escaped() {
        let html = render_bench(&sample()).expect("renders");
        if let Some(path) = std::env::var_os("FFM_BENCH_PREVIEW") {
            std::fs::write(path, &html).expect("writable preview file");
        }
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        let outside = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains("http:") && !outside.contains("https:") && !outside.contains("<script"));
        assert!(!html.contains("<card>") && !html.contains("a <b> & c") && html.contains("&#60;card&#62;"));
        assert!(html.contains("Gpx/s") && html.contains("Mpx·L/s"), "units follow size");
        assert_eq!(html.matches("class=\"curve device").count(), 4 + 2 * 4, "legend and two charts");
        for tag in ["svg", "table", "section", "figure", "div"] {
            let opened =
                html.matches(&format!("<{tag} ")).count() + html.matches(&format!("<{tag}>")).count();
            assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "<{tag}> is not closed");
        }
    }

    #[test]
    fn a_single_size_has_no_chart_and_nothing_measured_no_finding() {
        let mut report = sample();
        report.cases.retain(|c| c.pixels == 256);
        assert!(charts(&report, Work::Step).is_empty());
        report.cases.iter_mut().for_each(|c| c.timing = None);
        let html = render_bench(&report).expect("renders");
        assert!(finding(&report, 0).is_none() && !html.contains("training takes"));
    }

    #[test]
    fn curves_rise_along_their_axis() {
        let mut report = sample();
        report.cases.reverse();
        let cases: Vec<_> = report.of(0, Work::Step).collect();
        let sizes: Vec<_> = points(&cases, 0, 2).iter().map(|p| p.0).collect();
        assert_eq!(sizes, [128.0, 256.0, 400.0]);
    }
}
