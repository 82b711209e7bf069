//! Line chart with labelled axes.

use askama::Template;

use super::ticks;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = HEIGHT - 46.0;
/// More points than this are drawn without a marker each.
const MARKERS: usize = 40;

/// A curve of a chart.
pub(super) struct Series {
    /// CSS class that sets colour and dashes.
    pub(super) class: String,
    /// Name for the tooltip.
    pub(super) name: String,
    /// Points `(x, y)`; those that are not finite are left out.
    pub(super) points: Vec<(f64, f64)>,
    /// Half the length of the error bar of every point, 0 for none; empty: none at all.
    pub(super) spreads: Vec<f64>,
}

/// A horizontal line across the chart, for comparison.
pub(super) struct Level {
    /// CSS class that sets its colour.
    pub(super) class: &'static str,
    /// Text on the line.
    pub(super) name: String,
    /// Its height.
    pub(super) value: f64,
}

/// A chart in pixels of its view box.
#[derive(Template)]
#[template(path = "report/lines.svg")]
pub(super) struct LineChart {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    title: String,
    x_label: &'static str,
    y_label: &'static str,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    curves: Vec<Curve>,
    levels: Vec<Guide>,
}

struct Tick {
    at: String,
    label: String,
}

struct Curve {
    class: String,
    name: String,
    path: String,
    markers: Vec<(String, String)>,
    /// Error bars: x, upper and lower end.
    bars: Vec<[String; 3]>,
}

struct Guide {
    class: &'static str,
    name: String,
    at: String,
    text: String,
}

impl LineChart {
    /// Lays out curves and levels; the axis of x begins at 0, or at the smallest x below.
    pub(super) fn new(
        title: impl Into<String>,
        x_label: &'static str,
        y_label: &'static str,
        series: &[Series],
        levels: Vec<Level>,
    ) -> Self {
        let finite = || series.iter().flat_map(|s| &s.points).filter(|(x, y)| x.is_finite() && y.is_finite());
        let x_high = finite().map(|p| p.0).fold(1.0, f64::max);
        let ends = series.iter().flat_map(|s| s.points.iter().zip(&s.spreads));
        let ends = ends.flat_map(|(p, e)| [p.1 - e, p.1 + e]).filter(|y| y.is_finite());
        let heights = finite().map(|p| p.1).chain(ends).chain(levels.iter().map(|l| l.value));
        let (low, high) = heights.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), y| (l.min(y), h.max(y)));
        let y_values = if low <= high { ticks::covering(low, high, 5) } else { ticks::covering(0.0, 1.0, 5) };
        let x_low = finite().map(|p| p.0).fold(0.0, f64::min);
        let x_values = ticks::whole(x_low, x_high, 6);

        let (y_low, y_high) = (y_values[0], y_values[y_values.len() - 1]);
        let x_at = |x: f64| LEFT + (RIGHT - LEFT) * (x - x_low) / (x_high - x_low);
        let y_at = |y: f64| BOTTOM - (BOTTOM - TOP) * (y - y_low) / (y_high - y_low);
        let place = |values: &[f64], at: &dyn Fn(f64) -> f64| {
            values.iter().map(|&v| Tick { at: pixel(at(v)), label: ticks::label(v, values) }).collect()
        };
        Self {
            width: WIDTH,
            height: HEIGHT,
            left: LEFT,
            right: RIGHT,
            top: TOP,
            bottom: BOTTOM,
            title: title.into(),
            x_label,
            y_label,
            x_ticks: place(&x_values, &x_at),
            y_ticks: place(&y_values, &y_at),
            curves: series.iter().map(|s| Curve::new(s, &x_at, &y_at)).collect(),
            levels: levels.into_iter().map(|level| Guide::new(level, &y_at)).collect(),
        }
    }
}

impl Curve {
    fn new(series: &Series, x_at: &dyn Fn(f64) -> f64, y_at: &dyn Fn(f64) -> f64) -> Self {
        let finite = series.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        let points: Vec<_> = finite.map(|&(x, y)| (pixel(x_at(x)), pixel(y_at(y)))).collect();
        let steps: Vec<_> = points.iter().map(|(x, y)| format!("{x} {y}")).collect();
        let path = if steps.is_empty() { String::new() } else { format!("M{}", steps.join("L")) };
        let markers = if points.len() <= MARKERS { points } else { Vec::new() };
        let spread = series.points.iter().zip(&series.spreads);
        let bars = spread
            .filter(|((x, y), e)| **e > 0.0 && (x + y + **e).is_finite())
            .map(|(&(x, y), e)| [x_at(x), y_at(y + e), y_at(y - e)].map(pixel));
        Self { class: series.class.clone(), name: series.name.clone(), path, markers, bars: bars.collect() }
    }
}

impl Guide {
    fn new(level: Level, y_at: &dyn Fn(f64) -> f64) -> Self {
        let y = y_at(level.value);
        // Text stands on the line, or hangs below it where it would leave the chart.
        let text = if y < TOP + 16.0 { y + 13.0 } else { y - 5.0 };
        Self { class: level.class, name: level.name, at: pixel(y), text: pixel(text) }
    }
}

/// A coordinate with a tenth of a pixel.
fn pixel(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_land_where_the_axes_say() {
        let series = [Series {
            class: "a".into(),
            name: "a".into(),
            points: vec![(0.0, 0.0), (4.0, 10.0), (2.0, f64::NAN)],
            spreads: Vec::new(),
        }];
        let chart = LineChart::new("t", "x", "y", &series, Vec::new());
        assert_eq!(chart.curves[0].path, format!("M{LEFT:.1} {BOTTOM:.1}L{RIGHT:.1} {TOP:.1}"));
        assert_eq!(chart.y_ticks.last().map(|t| (t.label.as_str(), t.at.as_str())), Some(("10", "12.0")));
        assert_eq!(chart.x_ticks.last().map(|t| t.label.as_str()), Some("4"));
    }

    #[test]
    fn nothing_to_draw_is_an_empty_chart() {
        let chart = LineChart::new("t", "x", "y", &[], Vec::new());
        assert!(!chart.y_ticks.is_empty());
        assert!(chart.render().expect("renders").contains("<svg"));
    }
}
