//! What studies have in common: running, and writing what was found.

use std::path::Path;
use std::process::ExitCode;

use super::args::{Common, Device};
use super::progress::Progress;
use super::{exit, print, print_json, signal, train};
use crate::experiment::study::{self, Ended, Entry, Found, Origin, Study};
use crate::io;
use crate::report::study::{StudyReport, chart_svg, render_study, study_markdown, study_text};

/// Arguments that do not fit.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Wrong(pub(super) String);

/// A run that a study cannot do without diverged.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Diverged(pub(super) String);

/// Runs a study; `None` when it was interrupted.
pub(super) fn run(
    entries: &[Entry],
    folder: &Path,
    device: &Device,
    common: &Common,
) -> anyhow::Result<Option<Vec<Found>>> {
    // What can be wrong with any of the runs is found before the first begins.
    for entry in entries {
        entry.experiment.train.validate()?;
        entry.experiment.laboratory.validate()?;
        entry.experiment.train.method.check(&entry.experiment.system())?;
    }
    let Some(first) = entries.first() else { return Ok(Some(Vec::new())) };
    let mut engine = train::open(&first.experiment, device, common)?;
    signal::install()?;
    let mut progress = Progress::new(common.quiet);
    let job =
        Study { entries, engine: &mut *engine, folder, command: train::command_line(), stop: &signal::STOP };
    let ended = study::run(job, &mut progress);
    progress.close();
    match ended? {
        Ended::Done(found) => Ok(Some(found)),
        Ended::Interrupted => {
            eprintln!("interrupted; the same command goes on in {}", folder.display());
            Ok(None)
        }
    }
}

/// What an interrupted study ends with.
pub(super) fn interrupted() -> ExitCode {
    ExitCode::from(exit::INTERRUPTED)
}

/// Where the numbers come from.
pub(super) fn origin(settings: &str) -> Origin {
    Origin {
        command: train::command_line(),
        settings: settings.to_owned(),
        version: concat!("ffm-twin ", env!("CARGO_PKG_VERSION")).into(),
        commit: io::COMMIT.into(),
        date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
    }
}

/// Prints the tables and writes `report.html`, `table.md`, `results.json` and every chart as SVG.
pub(super) fn finish(
    folder: &Path,
    report: &StudyReport,
    results: &impl serde::Serialize,
    common: &Common,
) -> anyhow::Result<ExitCode> {
    io::write_atomic(&folder.join("report.html"), render_study(report)?.as_bytes())?;
    io::write_atomic(&folder.join("table.md"), study_markdown(report).as_bytes())?;
    io::write_atomic(&folder.join("results.json"), serde_json::to_string_pretty(results)?.as_bytes())?;
    for (k, chart) in report.charts.iter().enumerate() {
        io::write_atomic(&folder.join(format!("chart-{}.svg", k + 1)), chart_svg(chart)?.as_bytes())?;
    }
    print(&study_text(report));
    if !common.quiet {
        eprintln!("folder: {0}\nreport: {0}/report.html", folder.display());
    }
    if common.json {
        print_json(results)?;
    }
    Ok(ExitCode::SUCCESS)
}
