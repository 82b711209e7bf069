//! The headline numbers, worded once for the page, the terminal and Markdown.

use super::format::{duration, grouped, percent, points, significant, standard_error};
use super::{ClassificationReport, Training};
use crate::metrics::Confusion;

/// Names of the three systems, and where each runs.
pub(super) fn systems(report: &ClassificationReport) -> [(&str, &'static str); 3] {
    [("ideal", "perfect model"), ("deployed", "imperfect twin"), (&report.method, "imperfect twin")]
}

/// The bench in one line.
pub(super) fn bench(report: &ClassificationReport) -> String {
    let b = &report.bench;
    let (time, frames) = (duration(b.seconds), grouped(b.frames as f64));
    format!("{time}, {frames} frames, {} J of light", significant(b.energy, 3))
}

/// Stands for "does not apply" or "not measured".
const NONE: &str = "–";

/// Losses smaller than this are not called a gap: it is below what the test sets resolve.
const GAP: f64 = 0.005;

/// One line of the headline table.
pub(super) struct Row {
    pub(super) label: &'static str,
    pub(super) cells: [String; 3],
}

/// The headline table.
pub(super) fn rows(report: &ClassificationReport) -> Vec<Row> {
    let accuracies = [&report.ideal, &report.deployed, &report.ffm].map(Confusion::accuracy);
    let [ideal, deployed, ffm] = accuracies;
    let trainings = [Some(&report.in_silico_training), None, Some(&report.ffm_training)];
    let train = |show: fn(&Training) -> String| trainings.map(|t| t.map_or(NONE.to_owned(), show));
    let mut rows = vec![
        Row { label: "test accuracy", cells: [&report.ideal, &report.deployed, &report.ffm].map(accuracy) },
        Row {
            label: "gap to ideal",
            cells: [
                NONE.to_owned(),
                format!("{} points", points(deployed - ideal)),
                format!("{} points", points(ffm - ideal)),
            ],
        },
    ];
    if let Some(fidelity) = report.fidelity {
        let cells = [NONE.to_owned(), significant(fidelity.deployed, 3), significant(fidelity.ffm, 3)];
        rows.push(Row { label: "SSIM to ideal output", cells });
    }
    let light = report.light.map(|share| format!("{} %", percent(share)));
    rows.push(Row { label: "light on detectors", cells: light });
    rows.push(Row { label: "epochs", cells: train(|t| t.history.len().to_string()) });
    rows.push(Row { label: "best epoch", cells: train(|t| t.best_epoch.to_string()) });
    rows.push(Row { label: "training time", cells: train(|t| duration(t.seconds)) });
    rows.push(Row { label: "training samples/s", cells: train(|t| grouped(t.samples_per_second)) });
    rows
}

/// Whether epochs were compared by images that were held out.
pub(super) fn validated(training: &Training) -> bool {
    training.history.iter().any(|e| e.validation_accuracy.is_some())
}

/// A training in a sentence: epochs, why it was over, the best one, the masks that count.
pub(super) fn course(training: &Training) -> String {
    let Training { best_epoch, kept_epoch, ended, .. } = training;
    let epochs = training.history.len();
    let set = if validated(training) { "validation" } else { "test" };
    let used = if kept_epoch == best_epoch {
        "its masks are used".to_owned()
    } else {
        format!("the masks of epoch {kept_epoch} are used")
    };
    format!("over after epoch {epochs}: {ended}. Best on the {set} images after epoch {best_epoch}; {used}.")
}

/// Accuracy with its standard error.
pub(super) fn accuracy(confusion: &Confusion) -> String {
    let accuracy = confusion.accuracy();
    let error = standard_error(accuracy, confusion.total());
    format!("{} ± {} %", percent(accuracy), percent(error))
}

/// Agreement of the gradients in one line.
pub(super) fn gradient(report: &ClassificationReport) -> Option<String> {
    let gradient = report.gradient.as_ref()?;
    let Some(total) = gradient.total else {
        return Some("none: a gradient is zero, since no light arrives or nothing is left to learn".into());
    };
    let layer = |c: &Option<f64>| c.map_or_else(|| "none".to_owned(), |c| significant(c, 3));
    let layers: Vec<_> = gradient.layers.iter().map(layer).collect();
    Some(format!("{} (layer by layer: {})", significant(total, 3), layers.join(", ")))
}

/// Share of the accuracy lost by deployment that FFM won back, when anything was lost.
pub(super) fn recovered(report: &ClassificationReport) -> Option<f64> {
    let lost = report.ideal.accuracy() - report.deployed.accuracy();
    (lost > GAP).then(|| (report.ffm.accuracy() - report.deployed.accuracy()) / lost)
}

/// The finding in words.
pub(super) fn finding(report: &ClassificationReport) -> String {
    let [ideal, deployed, ffm] =
        [&report.ideal, &report.deployed, &report.ffm].map(|c| format!("{}\u{a0}%", percent(c.accuracy())));
    let first =
        format!("Masks trained on a perfect model classify {ideal} of the test images correctly there");
    let last = match report.method.as_str() {
        "FFM" => format!("Trained on that twin by fully forward mode learning, they classify {ffm}"),
        _ => format!("Trained for that twin by {}, they classify {ffm}", report.method_title),
    };
    if report.method == "in-silico" {
        return format!("{first}, and {deployed} on the imperfect twin.");
    }
    match recovered(report) {
        Some(share) if share > 0.0 => {
            let share = 100.0 * share;
            format!(
                "{first}, but only {deployed} on the imperfect twin. {last}, which recovers {share:.0}\u{a0}% of the loss."
            )
        }
        Some(_) => format!(
            "{first}, but only {deployed} on the imperfect twin. {last}, which recovers none of the loss."
        ),
        None => format!("{first}, and {deployed} on the imperfect twin. {last}."),
    }
}
