//! Numbers as a person reads them.

/// Fraction as percent with one decimal: `0.854` is `85.4`.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.1}", 100.0 * fraction)
}

/// Difference of two fractions in percentage points, with sign: `-58.9`. The minus is U+2212.
pub(crate) fn points(difference: f64) -> String {
    let text = format!("{:.1}", 100.0 * difference.abs());
    match text.as_str() {
        "0.0" => text,
        _ if difference < 0.0 => format!("\u{2212}{text}"),
        _ => format!("+{text}"),
    }
}

/// Standard error of an accuracy measured on `samples` independent samples: `sqrt(p (1 - p) / n)`.
pub(super) fn standard_error(accuracy: f64, samples: u64) -> f64 {
    (accuracy * (1.0 - accuracy) / samples as f64).sqrt()
}

/// `digits` significant digits without trailing zeros; powers of ten outside 1e-4..1e6.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value:.0}").replace('-', "");
    }
    // Round first: 9.996 with three digits is 10, not 10.00.
    let scientific = format!("{value:.*e}", digits.saturating_sub(1));
    let exponent: i32 = scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        return scientific.replace('-', "\u{2212}");
    }
    let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.replace('-', "\u{2212}")
}

/// A length in metres with the SI prefix that suits it: `532 nm`.
pub(super) fn metres(value: f64) -> String {
    let (scale, unit) = match value.abs() {
        v if v < 1e-6 => (1e9, "nm"),
        v if v < 1e-3 => (1e6, "µm"),
        v if v < 1.0 => (1e3, "mm"),
        _ => (1.0, "m"),
    };
    format!("{} {unit}", significant(value * scale, 6))
}

/// A duration: `4.2 s`, `3 min 12 s`, `1 h 02 min`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{} s", significant(seconds, 3));
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
    }
}

/// A rate or count, three significant digits below a thousand and whole with commas above.
pub(crate) fn grouped(value: f64) -> String {
    if value.abs() < 1000.0 {
        return significant(value, 3);
    }
    let digits = format!("{value:.0}");
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 && digit.is_ascii_digit() {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(percent(0.8536), "85.4");
        assert_eq!(
            (points(-0.589), points(0.02), points(-0.0001)),
            ("−58.9".into(), "+2.0".into(), "0.0".into())
        );
        assert_eq!(significant(9.996, 3), "10");
        assert_eq!(significant(0.012_345, 3), "0.0123");
        assert_eq!(significant(-2.5e-7, 3), "−2.50e−7");
        assert_eq!(significant(0.0, 3), "0");
        assert_eq!(significant(1200.0, 2), "1200");
        assert_eq!((standard_error(0.5, 100) * 1000.0).round(), 50.0);
    }

    #[test]
    fn units_follow_size() {
        assert_eq!(metres(532e-9), "532 nm");
        assert_eq!(metres(8e-6), "8 µm");
        assert_eq!(metres(0.388), "388 mm");
        assert_eq!(metres(1.5), "1.5 m");
        assert_eq!(duration(4.21), "4.21 s");
        assert_eq!(duration(192.0), "3 min 12 s");
        assert_eq!(duration(3720.0), "1 h 02 min");
        assert_eq!(grouped(12_345.6), "12,346");
        assert_eq!(grouped(999.0), "999");
        assert_eq!(grouped(1_000_000.0), "1,000,000");
    }
}
