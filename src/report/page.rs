//! The HTML page: gathers numbers, charts and pictures for the template.

use askama::Template;

use super::colour::{CYCLIC, ColourMap, SEQUENTIAL};
use super::format::{metres, percent, significant, standard_error};
use super::lines::{Level, LineChart, Series};
use super::matrix::MatrixChart;
use super::scores::ScoreBars;
use super::summary::{self, Row, SYSTEMS};
use super::validate::validate;
use super::{ClassificationReport, Epoch, Example, Fact, Imperfection, Optics, Output, Picture, ReportError};
use crate::metrics::Confusion;

/// Largest side of an embedded output picture, pixels; keeps a page with many examples at a few megabytes.
const OUTPUT_SIDE: usize = 256;
/// Largest side of an embedded phase mask, pixels.
const MASK_SIDE: usize = 400;
/// CSS classes of the three systems, in the order of [`SYSTEMS`].
const CLASSES: [&str; 3] = ["ideal", "deployed", "ffm"];

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
        systems: SYSTEMS,
        rows: summary::rows(report),
        gradient: report.gradient.as_ref().map(|g| Cosines::new(g.total, &g.layers)),
        loss: loss_chart(report),
        accuracy: accuracy_chart(report),
        matrices: matrices(report),
        masks: report.masks.iter().map(MaskView::new).collect::<Result<_, _>>()?,
        examples: report.examples.iter().map(|e| ExampleView::new(e, report)).collect::<Result<_, _>>()?,
        optics: optics(&report.optics),
        imperfections: Imperfections::new(&report.imperfections),
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
    bars: Vec<AccuracyBar>,
    chance: String,
    systems: [(&'static str, &'static str); 3],
    rows: Vec<Row>,
    gradient: Option<Cosines>,
    loss: LineChart,
    accuracy: LineChart,
    matrices: [MatrixView; 3],
    masks: Vec<MaskView>,
    examples: Vec<ExampleView>,
    optics: Vec<Fact>,
    imperfections: Imperfections,
    ramp: String,
    wheel: String,
}

/// An accuracy as a horizontal bar; all numbers in percent.
struct AccuracyBar {
    class: &'static str,
    name: &'static str,
    place: &'static str,
    value: String,
    error: String,
    /// Left end and width of the bar of one standard error to either side.
    whisker: (String, String),
}

fn bars(report: &ClassificationReport) -> Vec<AccuracyBar> {
    let confusions = [&report.ideal, &report.deployed, &report.ffm];
    let bar = |i: usize| {
        let accuracy = confusions[i].accuracy();
        let error = standard_error(accuracy, confusions[i].total());
        let place =
            ["in-silico masks, perfect model", "same masks, imperfect twin", "trained on the imperfect twin"]
                [i];
        AccuracyBar {
            class: CLASSES[i],
            name: SYSTEMS[i].0,
            place,
            value: percent(accuracy),
            error: percent(error),
            whisker: (format!("{:.2}", 100.0 * (accuracy - error)), format!("{:.2}", 200.0 * error)),
        }
    };
    (0..3).map(bar).collect()
}

/// Agreement of the FFM gradient with the true one.
struct Cosines {
    total: String,
    /// Layer number, cosine as text, length of its bar in percent.
    layers: Vec<(usize, String, String)>,
}

impl Cosines {
    fn new(total: f64, layers: &[f64]) -> Self {
        let layer =
            |(i, c): (usize, &f64)| (i + 1, format!("{c:.3}"), format!("{:.1}", 100.0 * c.clamp(0.0, 1.0)));
        Self { total: format!("{total:.3}"), layers: layers.iter().enumerate().map(layer).collect() }
    }
}

/// The four curves of one quantity: training and test, in silico and FFM.
fn series(
    report: &ClassificationReport,
    train: fn(&Epoch) -> f64,
    test: fn(&Epoch) -> Option<f64>,
) -> Vec<Series> {
    let histories = [&report.in_silico_training.history, &report.ffm_training.history];
    let names = [
        ("ideal train", "in silico, training set", "ideal test", "in silico, test set"),
        ("ffm train", "FFM, training set", "ffm test", "FFM, test set"),
    ];
    let pair = |(history, (train_class, train_name, test_class, test_name)): (&Vec<Epoch>, _)| {
        let points = history.iter().map(|e| (e.epoch, train(e))).collect();
        let tested = history.iter().filter_map(|e| Some((e.epoch, test(e)?))).collect();
        [
            Series { class: train_class, name: train_name, points },
            Series { class: test_class, name: test_name, points: tested },
        ]
    };
    histories.into_iter().zip(names).flat_map(pair).collect()
}

fn loss_chart(report: &ClassificationReport) -> LineChart {
    let series = series(report, |e| e.train_loss, |e| e.test_loss);
    LineChart::new("Loss after every epoch", "epoch", "mean loss", &series, Vec::new())
}

fn accuracy_chart(report: &ClassificationReport) -> LineChart {
    let series = series(report, |e| 100.0 * e.train_accuracy, |e| Some(100.0 * e.test_accuracy?));
    let deployed = report.deployed.accuracy();
    let name = format!("deployed: {} %", percent(deployed));
    let level = Level { class: "deployed", name, value: 100.0 * deployed };
    LineChart::new("Accuracy after every epoch", "epoch", "accuracy / %", &series, vec![level])
}

/// A confusion matrix with its caption.
struct MatrixView {
    class: &'static str,
    name: &'static str,
    place: &'static str,
    accuracy: String,
    chart: MatrixChart,
}

fn matrices(report: &ClassificationReport) -> [MatrixView; 3] {
    let confusions: [&Confusion; 3] = [&report.ideal, &report.deployed, &report.ffm];
    std::array::from_fn(|i| {
        let title = format!("Confusion matrix, {}", SYSTEMS[i].0);
        MatrixView {
            class: CLASSES[i],
            name: SYSTEMS[i].0,
            place: SYSTEMS[i].1,
            accuracy: summary::accuracy(confusions[i]),
            chart: MatrixChart::new(CLASSES[i], title, confusions[i], &report.class_names),
        }
    })
}

struct MaskView {
    ideal: String,
    ffm: String,
}

impl MaskView {
    fn new(masks: &super::LayerMasks) -> Result<Self, ReportError> {
        Ok(Self { ideal: masks.ideal.to_data_uri(MASK_SIDE)?, ffm: masks.ffm.to_data_uri(MASK_SIDE)? })
    }
}

struct ExampleView {
    index: usize,
    truth: String,
    input: String,
    outputs: Vec<OutputView>,
}

struct OutputView {
    class: &'static str,
    name: &'static str,
    picture: String,
    rows: usize,
    cols: usize,
    boxes: Vec<DetectorBox>,
    predicted: String,
    correct: bool,
    scores: ScoreBars,
}

struct DetectorBox {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    /// CSS classes: winner, truth, negative.
    class: String,
    name: String,
}

impl ExampleView {
    fn new(example: &Example, report: &ClassificationReport) -> Result<Self, ReportError> {
        let outputs = [&example.ideal, &example.deployed, &example.ffm];
        let view = |(i, output): (usize, &Output)| OutputView::new(i, output, example.truth, report);
        Ok(Self {
            index: example.index,
            truth: report.class_names[example.truth].clone(),
            input: input(&example.input)?,
            outputs: outputs.into_iter().enumerate().map(view).collect::<Result<_, _>>()?,
        })
    }
}

fn input(picture: &Picture) -> Result<String, ReportError> {
    picture.to_data_uri(OUTPUT_SIDE)
}

impl OutputView {
    fn new(
        system: usize,
        output: &Output,
        truth: usize,
        report: &ClassificationReport,
    ) -> Result<Self, ReportError> {
        let names = &report.class_names;
        let mark = |on: bool, class: &'static str| if on { class } else { "" };
        let boxes = report.detectors.iter().map(|d| DetectorBox {
            x: d.col,
            y: d.row,
            width: d.cols,
            height: d.rows,
            class: [
                mark(d.class == output.predicted, "winner"),
                mark(d.class == truth, "truth"),
                mark(d.negative, "negative"),
            ]
            .join(" "),
            name: names[d.class].clone(),
        });
        Ok(Self {
            class: CLASSES[system],
            name: SYSTEMS[system].0,
            picture: output.picture.to_data_uri(OUTPUT_SIDE)?,
            rows: output.picture.rows,
            cols: output.picture.cols,
            boxes: boxes.collect(),
            predicted: names[output.predicted].clone(),
            correct: output.predicted == truth,
            scores: ScoreBars::new(&output.scores, output.predicted, truth, names),
        })
    }
}

fn optics(optics: &Optics) -> Vec<Fact> {
    let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
    let [dy, dx] = optics.pitch;
    let [rows, cols] = optics.shape;
    let pitch = if dy == dx { metres(dx) } else { format!("{} × {} (y × x)", metres(dy), metres(dx)) };
    let size = format!("{rows} × {cols} px, {} × {}", metres(rows as f64 * dy), metres(cols as f64 * dx));
    let mut facts = vec![
        fact("Wavelength", metres(optics.wavelength)),
        fact("Pixel pitch", pitch),
        fact("Aperture (y × x)", size),
        fact("Transform with padding", format!("{} × {}", optics.padded[0], optics.padded[1])),
        fact("Free-space distances", distances(&optics.distances)),
        fact("Propagation", optics.method.clone()),
    ];
    facts.extend(optics.more.iter().cloned());
    facts
}

fn distances(distances: &[f64]) -> String {
    match distances {
        [first, _, ..] if distances.iter().all(|d| d == first) => {
            format!("{} × {}", distances.len(), metres(*first))
        }
        _ => distances.iter().map(|&d| metres(d)).collect::<Vec<_>>().join(", "),
    }
}

/// The table of imperfections: one column per layer.
struct Imperfections {
    layers: Vec<usize>,
    /// Name, unit, values.
    rows: Vec<(String, String, Vec<String>)>,
}

impl Imperfections {
    fn new(list: &[Imperfection]) -> Self {
        let layers = list.iter().map(|i| i.values.len()).max().unwrap_or(0);
        let value = |v: &Option<f64>| v.map_or("–".to_owned(), |v| significant(v, 3));
        let row = |i: &Imperfection| (i.name.clone(), i.unit.clone(), i.values.iter().map(value).collect());
        Self { layers: (1..=layers).collect(), rows: list.iter().map(row).collect() }
    }

    /// Columns the last value of a row spans: all that are left.
    fn span(&self, values: &[String]) -> usize {
        1 + self.layers.len().saturating_sub(values.len())
    }
}

/// Stops of a CSS gradient that shows a colour map.
fn gradient_stops(map: &ColourMap) -> String {
    let stops = map.iter().step_by(15).map(|[r, g, b]| format!("#{r:02x}{g:02x}{b:02x}"));
    stops.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    #[test]
    fn page_is_whole_offline_and_escaped() {
        let html = render_classification(&sample()).expect("renders");
        if let Some(path) = std::env::var_os("FFM_REPORT_PREVIEW") {
            std::fs::write(path, &html).expect("writable preview file");
        }
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
        report.imperfections.clear();
        let html = render_classification(&report).expect("renders");
        for id in ["id=\"masks\"", "id=\"examples\"", "href=\"#masks\"", "SSIM"] {
            assert!(!html.contains(id), "{id}");
        }
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

    #[test]
    fn distances_are_short_when_equal() {
        assert_eq!(distances(&[0.388, 0.388]), "2 × 388 mm");
        assert_eq!(distances(&[0.388]), "388 mm");
        assert_eq!(distances(&[0.1, 0.2]), "100 mm, 200 mm");
    }
}
