//! The HTML page: gathers numbers, charts and pictures for the template.

use askama::Template;

use super::colour::{CYCLIC, ColourMap, SEQUENTIAL};
use super::format::{duration, grouped, percent, significant, standard_error};
use super::lines::{Level, LineChart, Series};
use super::matrix::MatrixChart;
use super::plates::{ExampleView, MaskView};
use super::setup::{Imperfections, optics};
use super::summary::{self, Row};
use super::validate::validate;
use super::{ClassificationReport, DriftPoint, Epoch, Fact, PictureKind, ReportError};
use crate::metrics::Confusion;

/// CSS classes of the three systems, in the order of [`summary::systems`].
pub(super) const CLASSES: [&str; 3] = ["ideal", "deployed", "ffm"];

/// The report as one HTML file that needs nothing else, neither network nor scripts.
///
/// # Errors
/// [`ReportError`] when parts of the report do not fit together, or a picture cannot be encoded.
pub fn render_classification(report: &ClassificationReport) -> Result<String, ReportError> {
    validate(report)?;
    let page = Page {
        report,
        finding: summary::finding(report),
        bars: bars(report),
        chance: percent(1.0 / report.class_names.len().max(1) as f64),
        tested: grouped(report.ideal.total() as f64),
        systems: summary::systems(report),
        bench: bench(report),
        rows: summary::rows(report),
        gradient: report.gradient.as_ref().map(|g| Cosines::new(g.total, &g.layers)),
        loss: loss_chart(report),
        accuracy: accuracy_chart(report),
        drift: drift_chart(report),
        validated: summary::validated(&report.ffm_training),
        courses: [&report.in_silico_training, &report.ffm_training].map(summary::course),
        matrices: matrices(report),
        phases: report.masks.iter().any(|m| m.ideal.kind == PictureKind::Phase),
        amplitudes: report.masks.iter().any(|m| m.ideal.kind == PictureKind::Transmission),
        masks: report.masks.iter().map(MaskView::new).collect::<Result<_, _>>()?,
        examples: report.examples.iter().map(|e| ExampleView::new(e, report)).collect::<Result<_, _>>()?,
        optics: optics(&report.optics),
        imperfections: Imperfections::new(&report.imperfections),
        differential: report.detectors.iter().any(|d| d.negative),
        ramp: gradient_stops(&SEQUENTIAL),
        wheel: gradient_stops(&CYCLIC),
    };
    Ok(page.render()?)
}

#[derive(Template)]
#[template(path = "report/classification.html")]
struct Page<'a> {
    report: &'a ClassificationReport,
    finding: String,
    bars: Vec<AccuracyBar<'a>>,
    chance: String,
    tested: String,
    systems: [(&'a str, &'static str); 3],
    /// The real bench.
    bench: Vec<Fact>,
    rows: Vec<Row>,
    gradient: Option<Cosines>,
    loss: LineChart,
    accuracy: LineChart,
    /// Where the bench drifts.
    drift: Option<LineChart>,
    /// Whether there are curves of a validation.
    validated: bool,
    /// In silico, third stage.
    courses: [String; 2],
    matrices: [MatrixView<'a>; 3],
    masks: Vec<MaskView>,
    /// Whether there are masks of phases, of amplitudes.
    phases: bool,
    amplitudes: bool,
    examples: Vec<ExampleView>,
    optics: Vec<Fact>,
    imperfections: Imperfections,
    /// Whether some detectors count against their class.
    differential: bool,
    ramp: String,
    wheel: String,
}

/// An accuracy as a horizontal bar; all numbers in percent.
struct AccuracyBar<'a> {
    class: &'static str,
    name: &'a str,
    place: &'static str,
    value: String,
    error: String,
    /// Left end and width of the bar of one standard error to either side.
    whisker: (String, String),
}

fn bars(report: &ClassificationReport) -> Vec<AccuracyBar<'_>> {
    let confusions = [&report.ideal, &report.deployed, &report.ffm];
    let bar = |i: usize| {
        let accuracy = confusions[i].accuracy();
        let error = standard_error(accuracy, confusions[i].total());
        let place =
            ["in-silico masks, perfect model", "same masks, imperfect twin", "trained on the imperfect twin"]
                [i];
        AccuracyBar {
            class: CLASSES[i],
            name: summary::systems(report)[i].0,
            place,
            value: percent(accuracy),
            error: percent(error),
            whisker: (format!("{:.2}", 100.0 * (accuracy - error)), format!("{:.2}", 200.0 * error)),
        }
    };
    (0..3).map(bar).collect()
}

/// Agreement of the measured gradient with the true one.
struct Cosines {
    total: String,
    /// Layer number, cosine as text, length of its bar in percent.
    layers: Vec<(usize, String, String)>,
}

/// A cosine; none of a mask that is not trained, or whose gradient is zero.
fn cosine(c: Option<f64>) -> String {
    c.map_or_else(|| "none".to_owned(), |c| format!("{c:.3}"))
}

impl Cosines {
    fn new(total: Option<f64>, layers: &[Option<f64>]) -> Self {
        let layer = |(i, c): (usize, &Option<f64>)| {
            (i + 1, cosine(*c), format!("{:.1}", 100.0 * c.unwrap_or(0.0).clamp(0.0, 1.0)))
        };
        Self { total: cosine(total), layers: layers.iter().enumerate().map(layer).collect() }
    }
}

/// The curves of one quantity: training, validation where there is one, and test, of the first and the third stage.
fn series(
    report: &ClassificationReport,
    train: fn(&Epoch) -> f64,
    validation: fn(&Epoch) -> Option<f64>,
    test: fn(&Epoch) -> Option<f64>,
) -> Vec<Series> {
    let stages = [
        ("ideal", "in silico", &report.in_silico_training.history),
        ("ffm", report.method.as_str(), &report.ffm_training.history),
    ];
    let curves = |(class, name, history): (&str, &str, &Vec<Epoch>)| {
        let curve = |set: &str, kind: &str, value: &dyn Fn(&Epoch) -> Option<f64>| Series {
            class: format!("{class} {kind}"),
            name: format!("{name}, {set} set"),
            points: history.iter().filter_map(|e| Some((e.epoch, value(e)?))).collect(),
            spreads: Vec::new(),
        };
        [
            curve("training", "train", &|e| Some(train(e))),
            curve("test", "test", &test),
            curve("validation", "validation", &validation),
        ]
    };
    stages
        .into_iter()
        .flat_map(curves)
        .filter(|s| !s.class.ends_with("validation") || !s.points.is_empty())
        .collect()
}

/// The real bench as lines of a table.
fn bench(report: &ClassificationReport) -> Vec<Fact> {
    let b = &report.bench;
    let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
    vec![
        fact("Time with tests", duration(b.seconds)),
        fact("Time of training", duration(b.training_seconds)),
        fact("Fields loaded", grouped(b.loads as f64)),
        fact("Camera frames", grouped(b.frames as f64)),
        fact("Light while frames are taken", format!("{} J", significant(b.energy, 3))),
        fact("Computing time of this run", duration(b.compute_seconds)),
    ]
}

fn loss_chart(report: &ClassificationReport) -> LineChart {
    let series = series(report, |e| e.train_loss, |e| e.validation_loss, |e| e.test_loss);
    LineChart::new("Loss after every epoch", "epoch", "mean loss", &series, Vec::new())
}

fn accuracy_chart(report: &ClassificationReport) -> LineChart {
    let series = series(
        report,
        |e| 100.0 * e.train_accuracy,
        |e| Some(100.0 * e.validation_accuracy?),
        |e| Some(100.0 * e.test_accuracy?),
    );
    let deployed = report.deployed.accuracy();
    let name = format!("deployed: {} %", percent(deployed));
    let level = Level { class: "deployed", name, value: 100.0 * deployed };
    LineChart::new("Accuracy after every epoch", "epoch", "accuracy / %", &series, vec![level])
}

/// Accuracy against bench steps.
fn drift_chart(report: &ClassificationReport) -> Option<LineChart> {
    type Column = fn(&DriftPoint) -> Option<f64>;
    let columns: [(&str, &str, Column); 3] = [
        ("deployed test", "trained on the ideal model", |p| Some(p.in_silico)),
        ("ideal test", "trained on the calibrated twin of bench step 0", |p| Some(p.calibrated)),
        ("ffm test", &report.method, |p| p.trained),
    ];
    let series = columns.map(|(class, name, value)| Series {
        class: class.into(),
        name: name.into(),
        points: report.drift.iter().filter_map(|p| Some((p.step as f64, 100.0 * value(p)?))).collect(),
        spreads: Vec::new(),
    });
    let title = "Test accuracy as the bench drifts";
    (!report.drift.is_empty())
        .then(|| LineChart::new(title, "bench step", "accuracy / %", &series, Vec::new()))
}

/// A confusion matrix with its caption.
struct MatrixView<'a> {
    class: &'static str,
    name: &'a str,
    place: &'static str,
    accuracy: String,
    chart: MatrixChart,
}

fn matrices(report: &ClassificationReport) -> [MatrixView<'_>; 3] {
    let confusions: [&Confusion; 3] = [&report.ideal, &report.deployed, &report.ffm];
    std::array::from_fn(|i| {
        let title = format!("Confusion matrix, {}", summary::systems(report)[i].0);
        MatrixView {
            class: CLASSES[i],
            name: summary::systems(report)[i].0,
            place: summary::systems(report)[i].1,
            accuracy: summary::accuracy(confusions[i]),
            chart: MatrixChart::new(CLASSES[i], title, confusions[i], &report.class_names),
        }
    })
}

/// Stops of a CSS gradient that shows a colour map.
pub(super) fn gradient_stops(map: &ColourMap) -> String {
    let stops = map.iter().step_by(15).map(|[r, g, b]| format!("#{r:02x}{g:02x}{b:02x}"));
    stops.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    /// Keeps the page where the environment variable says, to be looked at.
    fn preview(variable: &str, html: &str) {
        if let Some(path) = std::env::var_os(variable) {
            std::fs::write(path, html).expect("writable preview file");
        }
    }

    #[test]
    fn page_is_whole_offline_and_escaped() {
        let html = render_classification(&sample()).expect("renders");
        preview("FFM_REPORT_PREVIEW", &html);
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        // The XML name space is a name and not an address to load.
        let outside = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains("http:") && !outside.contains("https:") && !outside.contains("<script"));
        assert!(!html.contains("<T-shirt") && !html.contains("<seed 7>") && !html.contains("<a&b>"));
        assert!(html.contains("&#60;T-shirt &#38; top&#62;"));
        assert_eq!(html.matches("data:image/png;base64,").count(), 4 * 2 + 3 * 4);
        for tag in ["svg", "table", "section", "figure", "div", "details"] {
            let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
            let opened = html
                .match_indices(&open)
                .filter(|(i, _)| html[i + open.len()..].starts_with([' ', '>', '\n']));
            assert_eq!(opened.count(), html.matches(&close).count(), "<{tag}> is not closed");
        }
    }

    #[test]
    fn parts_that_are_missing_leave_no_hole() {
        let mut report = sample();
        report.gradient = None;
        report.fidelity = None;
        report.masks.clear();
        report.examples.clear();
        report.drift.clear();
        report.imperfections.clear();
        let html = render_classification(&report).expect("renders");
        for id in ["id=\"masks\"", "id=\"drift\"", "id=\"examples\"", "href=\"#masks\"", "SSIM"] {
            assert!(!html.contains(id), "{id}");
        }
    }

    #[test]
    fn unusual_systems_render() {
        let mut report = sample();
        report.class_names[3] = "a class with a name that is far too long for any axis".into();
        report.ffm_training.history.truncate(1);
        report.in_silico_training.history.clear();
        report.optics.distances = vec![0.1, 0.2, 0.3];
        report.imperfections[0].values = vec![Some(-1.234e-7); 12];
        report.detectors.extend(report.detectors.clone().into_iter().map(|d| crate::report::Detector {
            row: d.row + 25,
            rows: 10,
            negative: true,
            ..d
        }));
        report.examples.truncate(1);
        report.examples[0].ffm.scores = vec![-0.4, 0.1, -0.9, 0.2, f64::NAN, 0.0, 0.3, -0.1, 0.05, -0.7];
        report.examples[0].ffm.predicted = 6;
        report.masks.truncate(1);
        let html = render_classification(&report).expect("renders");
        preview("FFM_REPORT_PREVIEW_UNUSUAL", &html);
        assert!(html.contains("negative") && html.contains("layer 12") && html.contains("−1.23e−7"));
    }

    #[test]
    fn finding_follows_the_numbers() {
        let mut report = sample();
        assert!(summary::finding(&report).contains("recovers"));
        report.deployed = report.ideal.clone();
        assert!(!summary::finding(&report).contains("but only"));
        report.deployed = sample().deployed;
        report.ffm = report.deployed.clone();
        assert!(summary::finding(&report).contains("none of the loss"));
    }
}
