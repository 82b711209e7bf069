//! Small bar chart of class scores.

use askama::Template;

use super::format::significant;

const WIDTH: f64 = 200.0;
const TOP: f64 = 3.0;
const BOTTOM: f64 = 44.0;
/// Share of a bar's slot that the bar fills.
const FILL: f64 = 0.72;

/// Class scores of one output as bars.
#[derive(Template)]
#[template(path = "report/scores.svg")]
pub(super) struct ScoreBars {
    width: f64,
    zero: f64,
    bars: Vec<Bar>,
}

struct Bar {
    class: usize,
    x: f64,
    middle: f64,
    y: f64,
    width: f64,
    height: f64,
    winner: bool,
    truth: bool,
    tooltip: String,
}

impl ScoreBars {
    /// Bars from zero, scaled to the largest and the smallest score; scores that are not finite have no height.
    pub(super) fn new(scores: &[f64], predicted: usize, truth: usize, names: &[String]) -> Self {
        let finite = || scores.iter().copied().filter(|s| s.is_finite());
        let (low, high) = (finite().fold(0.0, f64::min), finite().fold(0.0, f64::max));
        let span = if high > low { high - low } else { 1.0 };
        let at = |score: f64| BOTTOM - (BOTTOM - TOP) * (score - low) / span;
        let slot = WIDTH / scores.len().max(1) as f64;
        let bar = |(class, &score): (usize, &f64)| {
            let drawn = if score.is_finite() { score } else { 0.0 };
            let (y, end) = (at(drawn.max(0.0)), at(drawn.min(0.0)));
            Bar {
                class,
                x: (class as f64 + 0.5 - 0.5 * FILL) * slot,
                middle: (class as f64 + 0.5) * slot,
                y,
                width: FILL * slot,
                height: end - y,
                winner: class == predicted,
                truth: class == truth,
                tooltip: format!(
                    "{}: {}",
                    names.get(class).map_or("", String::as_str),
                    significant(score, 3)
                ),
            }
        };
        Self { width: WIDTH, zero: at(0.0), bars: scores.iter().enumerate().map(bar).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_start_at_zero_on_both_sides() {
        let names = ["a".to_owned(), "b".to_owned()];
        let chart = ScoreBars::new(&[0.5, -0.5], 0, 1, &names);
        let middle = 0.5 * (TOP + BOTTOM);
        assert_eq!((chart.zero, chart.bars[0].y, chart.bars[1].y), (middle, TOP, middle));
        assert_eq!(chart.bars[0].height, chart.bars[1].height);
        assert!(chart.bars[0].winner && chart.bars[1].truth);
    }
}
