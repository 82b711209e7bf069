//! The headline table as plain text and as Markdown.

use super::boxed::{self, wrapped};
use super::format::{grouped, percent};
use super::summary::{Row, bench, gradient, rows, systems};
use super::{ClassificationReport, DriftPoint};

/// Widest line of the plain-text form; only a single word that is longer exceeds it.
const WIDTH: usize = 80;

/// The headline numbers for a terminal: box-drawn, aligned, at most 80 columns, without a trailing newline.
pub fn text_table(report: &ClassificationReport) -> String {
    let systems = systems(report);
    let names = |part: fn(&(&str, &str)) -> String| {
        std::iter::once(String::new()).chain(systems.iter().map(part)).collect::<Vec<_>>()
    };
    let head = [names(|s| s.0.to_owned()), names(|s| s.1.to_owned())];
    let body: Vec<_> = rows(report).into_iter().map(cells).collect();

    let mut out = wrapped("", &report.title, WIDTH);
    out.extend(boxed::lines(&head, &body));
    if let Some(gradient) = gradient(report) {
        out.extend(wrapped("gradient cosine  ", &gradient, WIDTH));
    }
    if !report.drift.is_empty() {
        out.push("as the bench drifts, test accuracy".to_owned());
        let head =
            vec!["bench step".to_owned(), "in silico".into(), "calibrated".into(), report.method.clone()];
        out.extend(boxed::lines(&[head], &report.drift.iter().map(drift_cells).collect::<Vec<_>>()));
    }
    out.extend(wrapped("on a real bench  ", &bench(report), WIDTH));
    out.extend(wrapped("device           ", &report.device, WIDTH));
    out.join("\n")
}

/// The headline numbers as a Markdown table, followed by the gradient cosine where there is one.
pub fn markdown_table(report: &ClassificationReport) -> String {
    let names = systems(report).map(|(name, place)| format!("{name} ({place})"));
    let mut out = vec![format!("| | {} |", names.join(" | ")), "|---|---:|---:|---:|".to_owned()];
    out.extend(rows(report).iter().map(|row| format!("| {} | {} |", row.label, row.cells.join(" | "))));
    if let Some(gradient) = gradient(report) {
        out.extend([String::new(), format!("Gradient cosine: {gradient}.")]);
    }
    out.join("\n") + "\n"
}

fn drift_cells(p: &DriftPoint) -> Vec<String> {
    let share = |v: f64| format!("{} %", percent(v));
    let trained = p.trained.map_or_else(|| "–".to_owned(), share);
    vec![grouped(p.step as f64), share(p.in_silico), share(p.calibrated), trained]
}

fn cells(row: Row) -> Vec<String> {
    std::iter::once(row.label.to_owned()).chain(row.cells).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    #[test]
    fn text_is_aligned_and_fits_a_terminal() {
        let mut report = sample();
        report.device = "a very long device name ".repeat(8);
        report.drift.clear();
        let text = text_table(&report);
        assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
        let boxed: Vec<_> = text.lines().filter(|l| l.starts_with(['┌', '│', '├', '└'])).collect();
        let width = boxed[0].chars().count();
        assert!(boxed.len() >= 8 && boxed.iter().all(|l| l.chars().count() == width), "{text}");
        assert!(
            text.contains("test accuracy") && text.contains("points") && text.contains("gradient cosine")
        );
    }

    #[test]
    fn text_reads_like_this() {
        let want = "\
Fashion-MNIST through four phase masks & \"air\"
┌──────────────────────┬───────────────┬────────────────┬────────────────┐
│                      │         ideal │       deployed │            FFM │
│                      │ perfect model │ imperfect twin │ imperfect twin │
├──────────────────────┼───────────────┼────────────────┼────────────────┤
│ test accuracy        │  87.4 ± 0.3 % │   34.7 ± 0.5 % │   86.0 ± 0.3 % │
│ gap to ideal         │             – │   −52.7 points │    −1.5 points │
│ SSIM to ideal output │             – │          0.413 │          0.687 │
│ light on detectors   │        31.2 % │         28.7 % │         30.5 % │
│ epochs               │             8 │              – │              6 │
│ best epoch           │             7 │              – │              5 │
│ training time        │    3 min 11 s │              – │     2 min 28 s │
│ training samples/s   │        25,071 │              – │         24,322 │
└──────────────────────┴───────────────┴────────────────┴────────────────┘
gradient cosine  0.978 (layer by layer: 0.969, 0.981, 0.987, 0.994)
on a real bench  39 h 18 min, 4,800,000 frames, 1143 J of light
device           NVIDIA H100 80GB HBM3 (gpu, f32, vulkan)";
        let mut report = sample();
        report.drift.clear();
        assert_eq!(text_table(&report), want);
    }

    #[test]
    fn a_drifting_bench_has_a_table_of_its_own() {
        let text = text_table(&sample());
        let want = "\
as the bench drifts, test accuracy
┌────────────┬───────────┬────────────┬────────┐
│ bench step │ in silico │ calibrated │    FFM │
├────────────┼───────────┼────────────┼────────┤
│ 0          │    29.0 % │     85.0 % │      – │
│ 300        │    23.7 % │     69.6 % │ 84.5 % │";
        assert!(text.contains(want), "{text}");
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        let mut report = sample();
        report.gradient = None;
        report.fidelity = None;
        let text = text_table(&report);
        assert!(!text.contains("gradient") && !text.contains("SSIM"), "{text}");
    }

    #[test]
    fn markdown_has_four_columns_everywhere() {
        let text = markdown_table(&sample());
        let table: Vec<_> = text.lines().filter(|l| l.starts_with('|')).collect();
        assert!(table.len() >= 7 && table.iter().all(|l| l.matches('|').count() == 5), "{text}");
    }
}
