//! Confusion matrix as a heat map.

use askama::Template;

use super::format::percent;
use crate::metrics::Confusion;

/// Width of all cells together.
const SIDE: f64 = 330.0;
const LEFT: f64 = 106.0;
const TOP: f64 = 6.0;
/// Room for the rotated names of the columns.
const FOOT: f64 = 92.0;
/// Names longer than this are cut; the tooltip has them whole.
const NAME: usize = 13;
/// With more classes than this a cell has no room for its number.
const NUMBERED: usize = 20;
/// From this opacity on a cell contrasts better with the paper's colour than with ink, on light paper.
const STRONG: f64 = 0.8;
/// The same on dark paper, where the tints are brighter.
const STRONG_ON_DARK: f64 = 0.6;

/// A heat map in pixels of its view box; rows are true classes.
#[derive(Template)]
#[template(path = "report/matrix.svg")]
pub(super) struct MatrixChart {
    class: &'static str,
    title: String,
    width: f64,
    height: f64,
    left: f64,
    top: f64,
    side: f64,
    cell: f64,
    font: f64,
    names: Vec<Name>,
    cells: Vec<Cell>,
}

struct Name {
    short: String,
    whole: String,
    at: f64,
}

struct Cell {
    x: f64,
    y: f64,
    middle: f64,
    baseline: f64,
    opacity: String,
    /// CSS class that chooses the colour of the number.
    strength: &'static str,
    text: String,
    tooltip: String,
}

impl MatrixChart {
    /// Lays out a matrix in the colour of `class`; `names` has one name per class.
    pub(super) fn new(class: &'static str, title: String, confusion: &Confusion, names: &[String]) -> Self {
        let classes = confusion.classes();
        let cell = SIDE / classes as f64;
        let largest =
            (0..classes * classes).map(|i| confusion.count(i / classes, i % classes)).max().unwrap_or(0);
        // A digit is about 0.6 em wide; the number should leave a little air.
        let digits = largest.to_string().len() as f64;
        let font = (0.82 * cell / (0.6 * digits)).min(0.42 * cell).clamp(6.0, 13.0);
        Self {
            class,
            title,
            width: LEFT + SIDE + 6.0,
            height: TOP + SIDE + FOOT,
            left: LEFT,
            top: TOP,
            side: SIDE,
            cell,
            font,
            names: names
                .iter()
                .enumerate()
                .map(|(i, name)| Name::new(name, (i as f64 + 0.5) * cell))
                .collect(),
            cells: (0..classes * classes)
                .map(|i| Cell::new(confusion, names, i / classes, i % classes, cell, font))
                .collect(),
        }
    }
}

impl Name {
    fn new(name: &str, at: f64) -> Self {
        let short = if name.chars().count() > NAME {
            name.chars().take(NAME - 1).chain(['…']).collect()
        } else {
            name.to_owned()
        };
        Self { short, whole: name.to_owned(), at }
    }
}

impl Cell {
    fn new(confusion: &Confusion, names: &[String], row: usize, col: usize, side: f64, font: f64) -> Self {
        let count = confusion.count(row, col);
        let share = count as f64 / confusion.row_total(row).max(1) as f64;
        // The root makes confusions of a few percent visible.
        let opacity = share.sqrt();
        let name = |class: usize| names.get(class).map_or("", String::as_str);
        let text =
            if count == 0 || confusion.classes() > NUMBERED { String::new() } else { count.to_string() };
        Self {
            x: LEFT + col as f64 * side,
            y: TOP + row as f64 * side,
            middle: LEFT + (col as f64 + 0.5) * side,
            baseline: TOP + (row as f64 + 0.5) * side + 0.35 * font,
            opacity: format!("{opacity:.3}"),
            strength: match opacity {
                o if o > STRONG => "strong",
                o if o > STRONG_ON_DARK => "middling",
                _ => "weak",
            },
            text,
            tooltip: format!("{} taken for {}: {count} ({} %)", name(row), name(col), percent(share)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_true_and_names_are_escaped() {
        let confusion = Confusion::new(&[0, 0, 0, 1], &[0, 1, 1, 1], 2).expect("valid");
        let names = ["<T-shirt & top>".to_owned(), "bag".to_owned()];
        let chart = MatrixChart::new("ideal", "t".to_owned(), &confusion, &names);
        let upper_right = &chart.cells[1];
        assert_eq!(
            (upper_right.text.as_str(), upper_right.x > LEFT, upper_right.y == TOP),
            ("2", true, true)
        );
        let svg = chart.render().expect("renders");
        assert!(svg.contains("&#60;T-shirt &#38; top&#62; taken for bag: 2 (66.7 %)"), "{svg}");
        assert!(!svg.contains("<T-shirt"));
    }
}
