//! Compared runs as a report and as a table of numbers.

use std::path::Path;

use super::{Run, Versus};
use crate::experiment::classify::Summary;
use crate::experiment::study::Origin;
use crate::io::IoError;
use crate::report::study::{Chart, Curve, Plate, Point, StudyReport, Table};
use crate::report::{Fact, Picture, PictureKind, duration, grouped, percent, significant};

/// Colours of curves; further runs begin again.
const COLOURS: usize = 6;

/// A figure of a run: its name in files and on the page, its value and how the page writes it.
type Figure = (&'static str, &'static str, fn(&Summary) -> Option<f64>, fn(f64) -> String);

const FIGURES: [Figure; 10] = [
    ("accuracy.ideal", "ideal system / %", |s| Some(s.accuracy.ideal), percent),
    (
        "accuracy.in_silico_deployed",
        "in silico, deployed / %",
        |s| Some(s.accuracy.in_silico_deployed),
        percent,
    ),
    ("accuracy.trained", "trained on the twin / %", |s| Some(s.accuracy.trained), percent),
    ("ssim.ideal_vs_twin", "SSIM to ideal, deployed", |s| s.ssim.ideal_vs_twin, three),
    ("ssim.ideal_vs_ffm", "SSIM to ideal, trained", |s| s.ssim.ideal_vs_ffm, three),
    ("bench.training_seconds", "bench time of training", |s| Some(s.bench.training_seconds), duration),
    ("bench.frames", "camera frames", |s| Some(s.bench.frames as f64), grouped),
    ("bench.energy", "light / J", |s| Some(s.bench.energy), three),
    ("seconds", "computing time of training", |s| Some(s.seconds), duration),
    ("samples_per_second", "training samples/s", |s| Some(s.samples_per_second), grouped),
];

fn three(value: f64) -> String {
    significant(value, 3)
}

/// The report, without the links to the runs' own pages, which depend on where it is written.
pub fn versus_report(versus: &Versus, origin: Origin) -> StudyReport {
    let runs = &versus.runs;
    let mut devices: Vec<String> =
        runs.iter().filter_map(|r| r.summary.as_ref()).map(|s| s.device.clone()).collect();
    devices.sort();
    devices.dedup();
    StudyReport {
        title: format!("{} runs compared", runs.len()),
        findings: findings(versus),
        charts: [("loss", "loss"), ("accuracy", "test accuracy / %")].map(|f| chart(runs, f)).into(),
        tables: vec![results(runs), cosines(runs), settings(versus)],
        plates: plates(runs),
        runs: Vec::new(),
        definitions: definitions(),
        device: devices.join("; "),
        command: origin.command,
        settings: versus.shared.join("\n"),
        version: origin.version,
        commit: origin.commit,
        date: origin.date,
    }
}

fn findings(versus: &Versus) -> Vec<String> {
    let done = versus.runs.iter().filter_map(|r| Some((r, r.summary.as_ref()?)));
    let best = done.max_by(|a, b| a.1.accuracy.trained.total_cmp(&b.1.accuracy.trained));
    let mut findings: Vec<String> = best
        .iter()
        .map(|(run, s)| {
            format!(
                "Highest accuracy on the twin: {}, {} % of {} test images ({}).",
                run.name,
                percent(s.accuracy.trained),
                grouped(s.test_samples as f64),
                s.method
            )
        })
        .collect();
    findings.push(match versus.differing.len() {
        0 => "All settings are the same.".into(),
        1 => "The runs differ in one setting.".into(),
        n => format!("The runs differ in {n} settings."),
    });
    let open: Vec<_> = versus.runs.iter().filter(|r| r.summary.is_none()).map(|r| r.name.as_str()).collect();
    if !open.is_empty() {
        findings.push(format!("Not finished: {}. Go on with: ffm resume RUN.", open.join(", ")));
    }
    findings
}

/// Test curves of all runs; dashed those of the stage in silico.
fn chart(runs: &[Run], (figure, y_label): (&str, &'static str)) -> Chart {
    let scale = if figure == "accuracy" { 100.0 } else { 1.0 };
    let curves = runs.iter().enumerate().flat_map(|(k, run)| {
        let own = run.histories.iter().filter(|h| h.figure == figure && h.split == "test");
        own.map(move |h| {
            let dashed = if h.stage == "in-silico" { " train" } else { "" };
            Curve {
                class: format!("device{}{dashed}", k % COLOURS),
                name: format!("{}, {}", run.name, h.stage),
                points: h.points.iter().map(|&(x, y)| Point { x, y: scale * y, spread: 0.0 }).collect(),
            }
        })
    });
    Chart {
        caption: format!("Test {figure} over epochs"),
        x_label: "epoch",
        y_label,
        curves: curves.collect(),
    }
}

fn head(first: &str, runs: &[Run]) -> Vec<String> {
    std::iter::once(first.to_owned()).chain(runs.iter().map(|r| r.name.clone())).collect()
}

fn row(label: &str, runs: &[Run], cell: impl Fn(&Summary) -> Option<String>) -> Vec<String> {
    let cells = runs.iter().map(|r| r.summary.as_ref().and_then(&cell).unwrap_or_else(|| "–".into()));
    std::iter::once(label.to_owned()).chain(cells).collect()
}

fn results(runs: &[Run]) -> Table {
    let mut rows = vec![row("method", runs, |s| Some(s.method.clone()))];
    rows.extend(
        FIGURES.iter().map(|(_, label, value, show)| {
            row(label, runs, |s| value(s).filter(|v| v.is_finite()).map(show))
        }),
    );
    Table {
        title: "Accuracies, similarity, and what training takes".into(),
        head: head("", runs),
        rows,
        note: None,
    }
}

fn layers(runs: &[Run]) -> usize {
    runs.iter().filter_map(|r| r.summary.as_ref()).map(|s| s.gradient_cosine.len()).max().unwrap_or(0)
}

fn cosines(runs: &[Run]) -> Table {
    let cell =
        |k: usize| move |s: &Summary| s.gradient_cosine.get(k).copied().flatten().map(|v| significant(v, 3));
    Table {
        title: "Cosine between the method's gradient and the true one".into(),
        head: head("layer", runs),
        rows: (0..layers(runs)).map(|k| row(&(k + 1).to_string(), runs, cell(k))).collect(),
        note: None,
    }
}

fn settings(versus: &Versus) -> Table {
    let row = |s: &super::Setting| {
        let values = s.values.iter().map(|v| v.as_deref().map_or_else(|| "–".into(), shortened));
        std::iter::once(s.key.clone()).chain(values).collect()
    };
    Table {
        title: "Settings that differ".into(),
        head: head("key", &versus.runs),
        rows: versus.differing.iter().map(row).collect(),
        note: Some(format!(
            "{} settings are the same in all runs. Long values are cut; the CSV and JSON files have them whole.",
            versus.shared.len()
        )),
    }
}

/// Lists of numbers, such as wavefronts and look-up tables, would push the other runs off the page.
fn shortened(value: &str) -> String {
    const LONGEST: usize = 28;
    match value.char_indices().nth(LONGEST) {
        None => value.to_owned(),
        Some((cut, _)) => format!("{}…", &value[..cut]),
    }
}

fn plates(runs: &[Run]) -> Vec<Plate> {
    let mut keys: Vec<_> = runs.iter().flat_map(|r| r.masks.iter().map(|m| (m.layer, m.amplitude))).collect();
    keys.sort_unstable();
    keys.dedup();
    let picture = |run: &Run, key: (usize, bool)| {
        let mask = run.masks.iter().find(|m| (m.layer, m.amplitude) == key)?;
        let kind = if key.1 { PictureKind::Transmission } else { PictureKind::Phase };
        let (rows, cols) = mask.values.dim();
        let values = mask.values.iter().copied().collect();
        Some((run.name.clone(), Picture { rows, cols, values, kind }))
    };
    let plate = |key: (usize, bool)| Plate {
        title: format!("Layer {}, {}", key.0, if key.1 { "amplitude" } else { "phase" }),
        pictures: runs.iter().filter_map(|run| picture(run, key)).collect(),
    };
    keys.into_iter().map(plate).collect()
}

fn definitions() -> Vec<Fact> {
    let fact = |name: &str, value: &str| Fact { name: name.into(), value: value.into() };
    vec![
        fact("ideal", "Trained in silico, tested on the ideal system."),
        fact("deployed", "The same masks tested on the imperfect twin, camera and noise included."),
        fact("trained", "Trained by the run's method, tested on the imperfect twin."),
        fact("SSIM", "Structural similarity of output intensities, both of unit mean (Wang 2004)."),
        fact("bench time", "Training alone, at the speeds of [laboratory]; light and frames with all tests."),
        fact("dashed curves", "Training in silico, tested on the ideal system."),
    ]
}

/// All numbers: a row per quantity, a column per run; empty where a run has none.
///
/// # Errors
/// [`IoError::Content`] when the table cannot be put together.
pub fn versus_csv(versus: &Versus) -> Result<Vec<u8>, IoError> {
    let fail = |e: &dyn std::fmt::Display| IoError::content(Path::new("(table)"), e);
    let runs = &versus.runs;
    let mut out = csv::Writer::from_writer(Vec::new());
    let number = |v: f64| if v.is_finite() { v.to_string() } else { String::new() };
    let line = |label: &str, cell: &dyn Fn(&Run) -> String| {
        std::iter::once(label.to_owned()).chain(runs.iter().map(cell)).collect::<Vec<_>>()
    };
    let of =
        |cell: &dyn Fn(&Summary) -> String, run: &Run| run.summary.as_ref().map(cell).unwrap_or_default();
    let mut lines = vec![line("quantity", &|r| r.name.clone()), line("run", &|r| r.path.clone())];
    lines.push(line("method", &|r| of(&|s| s.method.clone(), r)));
    lines.extend(
        FIGURES
            .iter()
            .map(|(key, _, value, _)| line(key, &|r| of(&|s| value(s).map_or_else(String::new, number), r))),
    );
    lines.extend((0..layers(runs)).map(|k| {
        line(&format!("gradient_cosine.{}", k + 1), &|r| {
            of(&|s| s.gradient_cosine.get(k).copied().flatten().map_or_else(String::new, number), r)
        })
    }));
    for setting in &versus.differing {
        let values = setting.values.iter().map(|v| v.clone().unwrap_or_default());
        lines.push(std::iter::once(setting.key.clone()).chain(values).collect());
    }
    for line in lines {
        out.write_record(line).map_err(|e| fail(&e))?;
    }
    out.into_inner().map_err(|e| fail(&e))
}
