//! Tables drawn with box characters, for terminals.

/// A horizontal line with the given left, inner and right joints.
pub(super) fn rule(widths: &[usize], [left, inner, right]: [char; 3]) -> String {
    let parts: Vec<_> = widths.iter().map(|w| "─".repeat(w + 2)).collect();
    format!("{left}{}{right}", parts.join(&inner.to_string()))
}

/// A row: the first cell to the left, all others to the right.
pub(super) fn line(widths: &[usize], cells: &[String]) -> String {
    let padded = widths.iter().zip(cells).enumerate().map(|(k, (&width, cell))| match k {
        0 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    format!("│ {} │", padded.collect::<Vec<_>>().join(" │ "))
}

/// The lines of a table; `head` lines stand above the rule.
pub(super) fn lines(head: &[Vec<String>], body: &[Vec<String>]) -> Vec<String> {
    let columns = head.iter().chain(body).map(Vec::len).max().unwrap_or(0);
    let width = |k: usize| {
        let cells = head.iter().chain(body).filter_map(|row| row.get(k));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut out = vec![rule(&widths, ['┌', '┬', '┐'])];
    out.extend(head.iter().map(|row| line(&widths, row)));
    out.push(rule(&widths, ['├', '┼', '┤']));
    out.extend(body.iter().map(|row| line(&widths, row)));
    out.push(rule(&widths, ['└', '┴', '┘']));
    out
}

/// `text` after `label`, broken between words to lines of at most `width`; further lines are indented by the label's
/// width. Only a single word that is longer exceeds it.
pub(super) fn wrapped(label: &str, text: &str, width: usize) -> Vec<String> {
    let indent = label.chars().count();
    let mut lines = vec![label.to_owned()];
    let mut used = indent;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > indent && used + 1 + length > width {
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
