//! Ticks at round numbers.

/// Round numbers 1, 2 or 5 times a power of ten apart that cover `low..=high`, about `count` of them. The first is at
/// or below `low`, the last at or above `high`.
pub(super) fn covering(low: f64, high: f64, count: usize) -> Vec<f64> {
    let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
    let step = round_step((high - low) / count.max(1) as f64);
    // A hundred-millionth of a step of slack, so that 0.3 / 0.1 does not count as above 3.
    const SLACK: f64 = 1e-8;
    let first = (low / step + SLACK).floor() as i64;
    let last = (high / step - SLACK).ceil() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Whole numbers inside `low..=high`, about `count` of them, for an axis that counts.
pub(super) fn whole(low: f64, high: f64, count: usize) -> Vec<f64> {
    let step = round_step((high - low).max(1.0) / count.max(1) as f64).max(1.0);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Label of a tick, with the decimals that the spacing of the ticks needs.
pub(super) fn label(value: f64, ticks: &[f64]) -> String {
    let step = ticks.windows(2).map(|w| w[1] - w[0]).next().unwrap_or(1.0);
    let decimals = (-step.log10().floor()).clamp(0.0, 8.0) as usize;
    format!("{:.decimals$}", value + 0.0).replace('-', "\u{2212}")
}

/// The smallest of 1, 2, 5, 10 times a power of ten that is at least `raw`.
fn round_step(raw: f64) -> f64 {
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= raw * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[f64]) -> Vec<String> {
        ticks.iter().map(|&t| label(t, ticks)).collect()
    }

    #[test]
    fn ticks_are_round_and_cover() {
        assert_eq!(labels(&covering(0.0, 0.3, 3)), ["0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(labels(&covering(0.43, 2.29, 4)), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]);
        assert_eq!(labels(&covering(-12.0, 70.0, 5)), ["−20", "0", "20", "40", "60", "80"]);
    }

    #[test]
    fn a_flat_curve_still_has_an_axis() {
        let ticks = covering(2.0, 2.0, 4);
        assert!(ticks.len() >= 2 && ticks[0] < 2.0 && ticks[ticks.len() - 1] > 2.0);
    }

    #[test]
    fn epochs_are_whole() {
        assert_eq!(whole(1.0, 2.0, 6), [1.0, 2.0]);
        assert_eq!(whole(0.0, 30.0, 6), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]);
        assert_eq!(whole(0.0, 1.0, 6), [0.0, 1.0]);
    }
}
