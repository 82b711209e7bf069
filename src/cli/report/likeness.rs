//! What reports on frames have in common: doubts, files, what is printed.

use std::process::ExitCode;

use super::Files;
use crate::cli::args::Common;
use crate::cli::study::origin;
use crate::cli::{print, print_json};
use crate::report::Fact;
use crate::report::likeness::{LikenessReport, Sample, likeness_csv, likeness_text, render_likeness};
use crate::report::study::{Chart, Table};

/// Residual shift from which on frames count as not registered, pixels.
const SHIFT: f64 = 3.0;
/// Energy ratio from which on (or below whose inverse) scales count as not comparable.
const ENERGY: f64 = 3.0;

/// What there is to say.
#[derive(Default)]
pub(super) struct Found {
    pub(super) title: String,
    pub(super) findings: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) facts: Vec<Fact>,
    pub(super) charts: Vec<Chart>,
    pub(super) tables: Vec<Table>,
    pub(super) samples: Vec<Sample>,
    /// Further keys of the JSON file.
    pub(super) numbers: serde_json::Map<String, serde_json::Value>,
}

impl Found {
    /// A line of the head.
    pub(super) fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.facts.push(Fact { name: name.into(), value: value.into() });
    }

    /// Mean structural similarity over all samples of rival `k`.
    pub(super) fn ssim(&self, k: usize) -> f64 {
        let sum: f64 = self.samples.iter().map(|s| s.rivals[k].figures.ssim).sum();
        sum / self.samples.len() as f64
    }

    /// Warns where rival `k` is not registered, or (`scaled`) its counts are not the frame's.
    pub(super) fn doubt(&mut self, k: usize, scaled: bool, remedy: &str) {
        let all = self.samples.len();
        let Some(name) = self.samples.first().map(|s| s.rivals[k].name.clone()) else { return };
        let count = |bad: &dyn Fn(&Sample) -> bool| self.samples.iter().filter(|s| bad(s)).count();
        let moved = count(&|s| s.rivals[k].figures.shift.iter().any(|v| v.abs() > SHIFT));
        let other = count(&|s| {
            let ratio = s.rivals[k].figures.energy_ratio;
            scaled && !(1.0 / ENERGY..=ENERGY).contains(&ratio)
        });
        if moved > 0 {
            self.warnings.push(format!(
                "Not registered: {name} is displaced by more than {SHIFT} pixels in {moved} of {all} frames, so that SSIM \
                 compares places that do not belong together. {remedy}"
            ));
        }
        if other > 0 {
            self.warnings.push(format!(
                "Scales differ: the light of {name} is more than {ENERGY} times (or less than a third of) that of the frame \
                 in {other} of {all} frames. {remedy}"
            ));
        }
    }

    /// Writes page, table and numbers, and prints the figures.
    pub(super) fn finish(self, files: &Files, common: &Common) -> anyhow::Result<ExitCode> {
        let origin = origin("");
        let page = LikenessReport {
            title: self.title,
            findings: self.findings,
            warnings: self.warnings,
            charts: self.charts,
            tables: self.tables,
            samples: self.samples,
            facts: self.facts,
            command: origin.command,
            version: origin.version,
            commit: origin.commit,
            date: origin.date,
        };
        let mut numbers = serde_json::json!({
            "report": files.html.display().to_string(), "samples": page.samples, "warnings": page.warnings,
        });
        for (key, value) in self.numbers {
            numbers[key] = value;
        }
        files.write(&render_likeness(&page)?, &likeness_csv(&page.samples)?, &numbers)?;
        print(&likeness_text(&page));
        files.say(common);
        if common.json {
            print_json(&numbers)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
