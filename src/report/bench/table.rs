//! The figures for a terminal.

use super::model::{BenchCase, BenchReport, Profile, Timing, Work};
use crate::report::boxed;
use crate::report::format::{grouped, percent, significant};

/// Widest line of running text.
const WIDTH: usize = 80;

/// Tables of all devices: medians and spreads, then reasons of cases that failed, then passes.
pub fn bench_tables(report: &BenchReport) -> String {
    let mut out =
        vec![format!("{} ({}), {}", report.version, report.commit, report.date), report.system.clone()];
    for (index, device) in report.devices.iter().enumerate() {
        out.push(String::new());
        out.extend(boxed::wrapped("device: ", &device.line(), WIDTH));
        for work in Work::ALL {
            let cases: Vec<_> = report.of(index, work).collect();
            if !cases.is_empty() {
                out.push(work.title().to_owned());
                out.extend(table(report, work, &cases));
            }
        }
        out.extend(report.profiles.iter().filter(|p| p.device == index).flat_map(profile));
    }
    let failed: Vec<_> = report.cases.iter().filter_map(|c| Some((c, c.failed.as_deref()?))).collect();
    if !failed.is_empty() {
        out.extend([String::new(), "not measured:".to_owned()]);
    }
    for (case, reason) in failed {
        let device = &report.devices[case.device].name;
        out.extend(boxed::wrapped("  ", &format!("{} on {device}: {reason}", case.name()), WIDTH));
    }
    out.join("\n")
}

/// Heads of the columns of a kind of work.
pub(super) fn heads(work: Work) -> &'static [&'static str] {
    match work {
        Work::Hop => &["pixels", "pad", "batch", "ms/hop", "min–max", "fields/s", "Mpx/s"],
        Work::Step => &["pixels", "pad", "batch", "layers", "ms/step", "min–max", "samples/s", "Mpx·L/s"],
        Work::NoisyStep => &["pixels", "pad", "batch", "layers", "ms/step", "min–max", "samples/s", "ratio"],
    }
}

/// The cells of a case, one per head.
pub(super) fn cells(report: &BenchReport, case: &BenchCase) -> Vec<String> {
    let mut cells: Vec<_> = [case.pixels, case.padding, case.batch].iter().map(usize::to_string).collect();
    if case.work != Work::Hop {
        cells.push(case.layers.to_string());
    }
    let Some(t) = &case.timing else {
        cells.resize(heads(case.work).len(), "–".to_owned());
        return cells;
    };
    cells.extend([milliseconds(t.median_ms), spread(t), grouped(t.per_second)]);
    cells.push(match case.work {
        Work::NoisyStep => report.noise_ratio(case).map_or("–".into(), |r| format!("{r:.2} x")),
        _ => grouped(t.megapixels_per_second),
    });
    cells
}

/// Fastest and slowest repeat.
fn spread(t: &Timing) -> String {
    format!("{}–{}", milliseconds(t.min_ms), milliseconds(t.max_ms))
}

/// Three digits, zeros at the end kept, so that columns compare.
fn milliseconds(value: f64) -> String {
    let decimals = (2.0 - value.abs().max(1e-9).log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{value:.decimals$}")
}

fn table(report: &BenchReport, work: Work, cases: &[&BenchCase]) -> Vec<String> {
    let head = vec![heads(work).iter().map(|&h| h.to_owned()).collect()];
    let body: Vec<_> = cases.iter().map(|case| cells(report, case)).collect();
    boxed::lines(&head, &body)
}

fn profile(profile: &Profile) -> Vec<String> {
    let mut out = vec![format!("passes of a training step, {}", profile.case)];
    if let Some(reason) = &profile.failed {
        out.extend(boxed::wrapped("  ", reason, WIDTH));
        return out;
    }
    if let Some(copy) = profile.copy_bytes_per_second {
        out.push(format!("copy bandwidth {} GB/s (read and written)", significant(copy / 1e9, 4)));
    }
    let head = vec![pass_heads(profile).iter().map(|&h| h.to_owned()).collect()];
    let body: Vec<_> = pass_rows(profile);
    out.extend(boxed::lines(&head, &body));
    out
}

/// Heads of the columns of a profile: times only where there are any.
pub(super) fn pass_heads(profile: &Profile) -> &'static [&'static str] {
    const HEADS: [&str; 7] = ["pass", "dispatches", "MB read", "MB written", "ms", "GB/s", "of copy"];
    let timed = profile.passes.iter().any(|p| p.ms.is_some());
    match (timed, profile.copy_bytes_per_second) {
        (true, Some(_)) => &HEADS,
        (true, None) => &HEADS[..6],
        (false, _) => &HEADS[..4],
    }
}

/// The cells of all passes, and their sums.
pub(super) fn pass_rows(profile: &Profile) -> Vec<Vec<String>> {
    let timed: f64 = profile.passes.iter().filter_map(|p| p.ms).sum();
    let sum = super::PassLine {
        name: "sum".into(),
        dispatches: profile.passes.iter().map(|p| p.dispatches).sum(),
        reads: profile.passes.iter().map(|p| p.reads).sum(),
        writes: profile.passes.iter().map(|p| p.writes).sum(),
        ms: (timed > 0.0).then_some(timed),
    };
    let mega = |bytes: u64| significant(bytes as f64 / 1e6, 3);
    let row = |p: &super::PassLine| {
        let rate = p.bytes_per_second();
        let share = rate.zip(profile.copy_bytes_per_second).map(|(rate, copy)| rate / copy);
        let or = |text: Option<String>| text.unwrap_or("–".into());
        let mut cells = vec![p.name.clone(), p.dispatches.to_string(), mega(p.reads), mega(p.writes)];
        cells.push(or(p.ms.map(|ms| significant(ms, 3))));
        cells.push(or(rate.map(|r| significant(r / 1e9, 3))));
        cells.push(or(share.map(|s| format!("{} %", percent(s)))));
        cells.truncate(pass_heads(profile).len());
        cells
    };
    profile.passes.iter().chain([&sum]).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::bench::sample::sample;

    #[test]
    fn tables_are_aligned_and_fit_a_terminal() {
        let text = bench_tables(&sample());
        assert!(text.lines().all(|l| l.chars().count() <= WIDTH), "{text}");
        for table in text.split('┌').skip(1) {
            let boxed: Vec<_> =
                table.lines().skip(1).take_while(|l| l.starts_with(['│', '├', '└'])).collect();
            let width = boxed[0].chars().count();
            assert!(boxed.len() >= 3 && boxed.iter().all(|l| l.chars().count() == width), "{text}");
        }
    }

    #[test]
    fn medians_spreads_ratios_and_reasons_are_there() {
        let text = bench_tables(&sample());
        for part in [
            " 25.6 │",
            " 24.1–31.0 │",
            "1.50 x",
            "not measured:",
            "length 4096 is not possible",
            "copy bandwidth 3000",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn a_profile_that_failed_says_why() {
        let mut report = sample();
        report.profiles[0].failed = Some("no clock on the device".into());
        let text = bench_tables(&report);
        assert!(text.contains("no clock on the device") && !text.contains("error_row_800"), "{text}");
    }

    #[test]
    fn a_profile_without_clock_has_bytes_only() {
        let mut report = sample();
        report.profiles[0].passes.iter_mut().for_each(|p| p.ms = None);
        assert_eq!(pass_heads(&report.profiles[0]).len(), 4);
        assert!(pass_rows(&report.profiles[0]).iter().all(|row| row.len() == 4));
    }
}
