//! The HTML page of a study.

use askama::Template;

use super::{Chart, Plate, StudyReport, Table};
use crate::report::PictureKind;
use crate::report::ReportError;
use crate::report::colour::CYCLIC;
use crate::report::lines::{LineChart, Series};
use crate::report::page::gradient_stops;

/// Largest side of an embedded picture, pixels.
const PICTURE_SIDE: usize = 400;

/// The study as one HTML file that needs nothing else, neither network nor scripts.
///
/// # Errors
/// [`ReportError::Template`] when the page cannot be put together; a picture whose values do not fit its shape.
pub fn render_study(report: &StudyReport) -> Result<String, ReportError> {
    let charts = report.charts.iter().map(chart_view).collect();
    let plates = report.plates.iter().map(plate).collect::<Result<_, _>>()?;
    Ok(Page { report, charts, plates, wheel: gradient_stops(&CYCLIC) }.render()?)
}

fn plate(plate: &Plate) -> Result<PlateView<'_>, ReportError> {
    let phases = plate.pictures.iter().any(|(_, p)| p.kind == PictureKind::Phase);
    let pictures = plate.pictures.iter().map(|(name, p)| Ok((name.as_str(), p.to_data_uri(PICTURE_SIDE)?)));
    Ok(PlateView { title: &plate.title, pictures: pictures.collect::<Result<_, ReportError>>()?, phases })
}

/// Lays out a chart.
pub(in crate::report) fn chart_view(chart: &Chart) -> ChartView<'_> {
    ChartView { caption: &chart.caption, legend: legend(chart), chart: lines(chart) }
}

/// A chart as a file of its own, with its colours and its legend in the tooltips of the curves.
///
/// # Errors
/// As [`render_study`].
pub fn chart_svg(chart: &Chart) -> Result<String, ReportError> {
    let style = [
        include_str!("../../../assets/templates/report/report.css"),
        include_str!("../../../assets/templates/report/bench.css"),
    ];
    let drawn = lines(chart).render()?;
    // Behind the head of the picture, so that it is a picture still.
    Ok(drawn.replacen("<title>", &format!("<style>{}</style>\n<title>", style.concat()), 1))
}

#[derive(Template)]
#[template(path = "report/study.html")]
struct Page<'a> {
    report: &'a StudyReport,
    charts: Vec<ChartView<'a>>,
    plates: Vec<PlateView<'a>>,
    /// Colours of a phase from 0 to 2 pi, as stops of a gradient.
    wheel: String,
}

struct PlateView<'a> {
    title: &'a str,
    pictures: Vec<(&'a str, String)>,
    /// Whether they are phases.
    phases: bool,
}

/// A chart with its legend.
pub(in crate::report) struct ChartView<'a> {
    pub(in crate::report) caption: &'a str,
    /// CSS class and name of every curve.
    pub(in crate::report) legend: Vec<(&'a str, &'a str)>,
    pub(in crate::report) chart: LineChart,
}

impl PlateView<'_> {
    fn has_phases(&self) -> bool {
        self.phases
    }
}

fn legend(chart: &Chart) -> Vec<(&str, &str)> {
    chart.curves.iter().map(|c| (c.class.as_str(), c.name.as_str())).collect()
}

fn lines(chart: &Chart) -> LineChart {
    let series: Vec<_> = chart
        .curves
        .iter()
        .map(|c| Series {
            class: c.class.clone(),
            name: c.name.clone(),
            points: c.points.iter().map(|p| (p.x, p.y)).collect(),
            spreads: c.points.iter().map(|p| p.spread).collect(),
        })
        .collect();
    LineChart::new(chart.caption.clone(), chart.x_label, chart.y_label, &series, Vec::new())
}

impl Table {
    /// Head of the first column, and those of the others.
    fn heads(&self) -> Option<(&String, &[String])> {
        self.head.split_first()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::sample;
    use super::*;

    #[test]
    fn page_is_whole_offline_and_escaped() {
        let html = render_study(&sample()).expect("renders");
        if let Some(path) = std::env::var_os("FFM_STUDY_PREVIEW") {
            std::fs::write(path, &html).expect("writable preview file");
        }
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        // The XML name space is a name and not an address to load.
        let outside = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains("http:") && !outside.contains("https:") && !outside.contains("<script"));
        assert!(!html.contains("<thing>") && !html.contains("<in silico>") && !html.contains("<curve>"));
        assert!(html.contains("layers-2-seed-1/report.html") && html.contains("82.5 %"));
        assert_eq!(html.matches("class=\"error\"").count(), 2, "a bar where there is a spread");
    }

    #[test]
    fn a_chart_alone_is_a_picture_with_its_colours() {
        let svg = chart_svg(&sample().charts[0]).expect("renders");
        assert!(svg.starts_with("<svg") && svg.contains("<style>") && svg.contains("--ideal"));
    }
}
