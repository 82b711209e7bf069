//! The headline table as plain text and as Markdown.

use super::ClassificationReport;
use super::summary::{Row, SYSTEMS, gradient, rows};

/// Widest line of the plain-text form; only a single word that is longer exceeds it.
const WIDTH: usize = 80;

/// The headline numbers for a terminal: box-drawn, aligned, at most 80 columns, without a trailing newline.
pub fn text_table(report: &ClassificationReport) -> String {
    let head = [String::new(), SYSTEMS[0].0.into(), SYSTEMS[1].0.into(), SYSTEMS[2].0.into()];
    let place = [String::new(), SYSTEMS[0].1.into(), SYSTEMS[1].1.into(), SYSTEMS[2].1.into()];
    let body: Vec<_> = rows(report).into_iter().map(cells).collect();
    let width = |column: usize| {
        let lines = [&head, &place].into_iter().chain(&body);
        lines.map(|line| line[column].chars().count()).max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2), width(3)];

    let mut out = wrapped("", &report.title);
    out.push(rule(widths, ['┌', '┬', '┐']));
    out.push(line(widths, &head));
    out.push(line(widths, &place));
    out.push(rule(widths, ['├', '┼', '┤']));
    out.extend(body.iter().map(|row| line(widths, row)));
    out.push(rule(widths, ['└', '┴', '┘']));
    if let Some(gradient) = gradient(report) {
        out.extend(wrapped("gradient cosine  ", &gradient));
    }
    out.extend(wrapped("device           ", &report.device));
    out.join("\n")
}

/// The headline numbers as a Markdown table, followed by the gradient cosine where there is one.
pub fn markdown_table(report: &ClassificationReport) -> String {
    let names = SYSTEMS.map(|(name, place)| format!("{name} ({place})"));
    let mut out = vec![format!("| | {} |", names.join(" | ")), "|---|---:|---:|---:|".to_owned()];
    out.extend(rows(report).iter().map(|row| format!("| {} | {} |", row.label, row.cells.join(" | "))));
    if let Some(gradient) = gradient(report) {
        out.extend([String::new(), format!("Gradient cosine: {gradient}.")]);
    }
    out.join("\n") + "\n"
}

fn cells(row: Row) -> [String; 4] {
    let [a, b, c] = row.cells;
    [row.label.to_owned(), a, b, c]
}

/// A horizontal line with the given left, inner and right joints.
fn rule(widths: [usize; 4], [left, inner, right]: [char; 3]) -> String {
    let parts = widths.map(|w| "─".repeat(w + 2));
    format!("{left}{}{right}", parts.join(&inner.to_string()))
}

/// A row: the label to the left, numbers to the right.
fn line(widths: [usize; 4], cells: &[String; 4]) -> String {
    let [label, a, b, c] = cells;
    let [w, wa, wb, wc] = widths;
    format!("│ {label:<w$} │ {a:>wa$} │ {b:>wb$} │ {c:>wc$} │")
}

/// `text` after `label`, broken between words; further lines are indented by the label's width.
fn wrapped(label: &str, text: &str) -> Vec<String> {
    let indent = label.chars().count();
    let mut lines = vec![label.to_owned()];
    let mut used = indent;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > indent && used + 1 + length > WIDTH {
            lines.push(" ".repeat(indent));
            used = indent;
        }
        if let Some(last) = lines.last_mut() {
            if used > indent {
                last.push(' ');
                used += 1;
            }
            last.push_str(word);
            used += length;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    #[test]
    fn text_is_aligned_and_fits_a_terminal() {
        let mut report = sample();
        report.device = "a very long device name ".repeat(8);
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
│ epochs               │             8 │              – │              6 │
│ training time        │    3 min 11 s │              – │     2 min 28 s │
│ training samples/s   │        25,071 │              – │         24,322 │
└──────────────────────┴───────────────┴────────────────┴────────────────┘
gradient cosine  0.978 (layer by layer: 0.969, 0.981, 0.987, 0.994)
device           NVIDIA H100 80GB HBM3 (gpu, f32, vulkan)";
        assert_eq!(text_table(&sample()), want);
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
