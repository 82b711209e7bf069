//! The page of a measurement's check: thumbnails, histograms, figures, problems.

use askama::Template;

use super::format::{percent, significant};
use super::{Picture, PictureKind, ReportError, boxed};
use crate::measure::{BINS, Check, FrameCheck, Severity, Statistics};

/// Longest side of a thumbnail, pixels.
const SIDE: usize = 256;
/// Box of a histogram.
const HISTOGRAM: [f64; 2] = [256.0, 60.0];
/// Heads of the columns.
const HEADS: [&str; 8] = ["frame", "role", "exposure", "min", "mean", "max", "saturated %", "S/N"];

/// The check of a measurement as one HTML file that needs nothing else, neither network nor scripts.
///
/// # Errors
/// [`ReportError::Template`] when the page cannot be put together, [`ReportError::Png`].
pub fn render_measurement(name: &str, command: &str, check: &Check) -> Result<String, ReportError> {
    let frames: Result<Vec<_>, _> = check.frames.iter().map(|f| view(check, f)).collect();
    let line = |p: &crate::measure::Problem| (p.severity == Severity::Error, p.to_string());
    let page = Page {
        title: format!("Measurement {name}"),
        finding: finding(check),
        usable: check.usable(),
        problems: check.problems.iter().map(line).collect(),
        frames: frames?,
        heads: HEADS,
        rows: check.frames.iter().map(cells).collect(),
        dark: significant(check.dark, 4),
        top: check.top,
        bins: BINS,
        command: command.to_owned(),
        version: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
    };
    Ok(page.render()?)
}

/// The check as a table for the terminal, and its problems.
pub fn measurement_table(check: &Check) -> String {
    let head = [HEADS.iter().chain(&["problem"]).map(ToString::to_string).collect::<Vec<_>>()];
    let row = |f: &FrameCheck| {
        let kinds: Vec<_> = check.of(f.number).map(|p| p.kind.name()).collect();
        [cells(f), vec![kinds.join(", ")]].concat()
    };
    let body: Vec<_> = check.frames.iter().map(row).collect();
    let mut out = if body.is_empty() { Vec::new() } else { boxed::lines(&head, &body) };
    let warnings = check.problems.iter().filter(|p| p.severity == Severity::Warning);
    out.extend(warnings.map(|p| format!("warning: {p}")));
    out.push(finding(check));
    out.join("\n")
}

fn finding(check: &Check) -> String {
    let errors = check.problems.iter().filter(|p| p.severity == Severity::Error).count();
    let warnings = check.problems.len() - errors;
    let count = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let frames = count(check.frames.len(), "frame");
    match (errors, warnings) {
        (0, 0) => format!("{frames}, nothing wrong."),
        (0, w) => format!("{frames}, {}.", count(w, "warning")),
        (e, 0) => format!("{frames}, {}: not usable as it is.", count(e, "problem")),
        (e, w) => {
            format!("{frames}, {} and {}: not usable as it is.", count(e, "problem"), count(w, "warning"))
        }
    }
}

fn cells(frame: &FrameCheck) -> Vec<String> {
    let mut cells = vec![
        format!("{} {}", frame.number, frame.file),
        frame.role.name().into(),
        frame.exposure.to_string(),
    ];
    match &frame.statistics {
        None => cells.resize(HEADS.len(), "–".into()),
        Some(s) => {
            cells.extend([s.min, s.mean, s.max].map(|v| significant(v, 5)));
            cells.push(significant(100.0 * s.saturated, 2));
            cells.push(significant(s.signal_to_noise, 3));
        }
    }
    cells
}

#[derive(Template)]
#[template(path = "report/measure.html")]
struct Page {
    title: String,
    finding: String,
    usable: bool,
    /// Whether it is an error, and its text.
    problems: Vec<(bool, String)>,
    frames: Vec<FrameView>,
    heads: [&'static str; 8],
    rows: Vec<Vec<String>>,
    dark: String,
    top: f64,
    bins: usize,
    command: String,
    version: &'static str,
}

/// A frame's picture and histogram.
struct FrameView {
    title: String,
    bad: bool,
    facts: String,
    problems: Vec<String>,
    /// Data address of the thumbnail, and path of the histogram.
    seen: Option<(String, String)>,
}

fn view(check: &Check, frame: &FrameCheck) -> Result<FrameView, ReportError> {
    let problems = || check.of(frame.number);
    let picture = frame.thumbnail.as_ref().map(|small| {
        let (rows, cols) = small.dim();
        let picture =
            Picture { rows, cols, values: small.iter().copied().collect(), kind: PictureKind::Intensity };
        picture.to_data_uri(SIDE)
    });
    let seen = match (picture, &frame.statistics) {
        (Some(picture), Some(s)) => Some((picture?, histogram(s))),
        _ => None,
    };
    let facts = frame.statistics.as_ref().map_or_else(String::new, |s| {
        let saturated =
            if s.saturated > 0.0 { format!(", {} % saturated", percent(s.saturated)) } else { String::new() };
        format!("mean {}, max {}{saturated}", significant(s.mean, 4), significant(s.max, 5))
    });
    Ok(FrameView {
        title: format!("{}: {}", frame.number, frame.file),
        bad: problems().any(|p| p.severity == Severity::Error),
        facts: format!("{}, exposure {}; {facts}", frame.role.name(), significant(frame.exposure, 4)),
        problems: problems().map(|p| p.message.clone()).collect(),
        seen,
    })
}

/// Filled steps, heights by the logarithm of the number of pixels.
fn histogram(s: &Statistics) -> String {
    let [width, height] = HISTOGRAM;
    let log = |n: u32| (1.0 + f64::from(n)).ln();
    let most = s.histogram.iter().copied().map(log).fold(1.0, f64::max);
    let step = width / s.histogram.len().max(1) as f64;
    let mut path = format!("M0 {height}");
    for (k, &n) in s.histogram.iter().enumerate() {
        let y = height * (1.0 - log(n) / most);
        path.push_str(&format!("V{y:.1}H{:.1}", (k + 1) as f64 * step));
    }
    path.push_str(&format!("V{height}Z"));
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Kind, Problem, Role};

    fn sample() -> Check {
        let counts = ndarray::Array2::from_shape_fn((8, 12), |(r, c)| (20 * r + 3 * c) as f64);
        let good = FrameCheck {
            number: 1,
            file: "frames/<a>.png".into(),
            role: Role::Fit,
            exposure: 2.5,
            statistics: Some(Statistics::of(counts.view(), 255.0, 0.0)),
            thumbnail: Some(counts.mapv(|v| v as f32)),
        };
        let lost =
            FrameCheck { number: 2, file: "b.png".into(), statistics: None, thumbnail: None, ..good.clone() };
        let problem = Problem {
            frame: Some(2),
            file: "b.png".into(),
            severity: Severity::Error,
            kind: Kind::Missing,
            message: "cannot read b.png".into(),
        };
        Check { frames: vec![good, lost], problems: vec![problem], dark: 0.0, top: 255.0 }
    }

    #[test]
    fn page_is_whole_offline_and_escaped() {
        let html = render_measurement("m <1>", "ffm measure check m", &sample()).expect("renders");
        if let Some(path) = std::env::var_os("FFM_MEASURE_PREVIEW") {
            std::fs::write(path, &html).expect("writable preview file");
        }
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        let outside = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains("http:") && !outside.contains("https:") && !outside.contains("<script"));
        assert!(!html.contains("<1>") && !html.contains("<a>") && html.contains("&#60;a&#62;"));
        assert_eq!(html.matches("data:image/png").count(), 1);
        for tag in ["svg", "table", "section", "figure", "div"] {
            let opened =
                html.matches(&format!("<{tag} ")).count() + html.matches(&format!("<{tag}>")).count();
            assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "<{tag}> is not closed");
        }
    }

    #[test]
    fn the_table_names_what_is_wrong() {
        let text = measurement_table(&sample());
        assert!(text.contains("missing") && text.contains("2 b.png") && text.contains("–"), "{text}");
        assert!(text.ends_with("2 frames, 1 problem: not usable as it is."), "{text}");
        let mut good = sample();
        good.problems[0].severity = Severity::Warning;
        let text = measurement_table(&good);
        assert!(
            text.contains("warning: b.png (frame 2): cannot read") && text.ends_with("1 warning."),
            "{text}"
        );
    }
}
