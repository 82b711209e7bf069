//! `ffm measure`.

use std::path::Path;
use std::process::ExitCode;

use super::args::{Common, Measure};
use super::{print, print_json};
use crate::experiment::{self, Experiment};
use crate::measure::{self, Measurement};
use crate::{io, report};

/// Begins or checks a measurement.
pub(super) fn measure(command: &Measure, common: &Common) -> anyhow::Result<ExitCode> {
    match command {
        Measure::Init { dir, experiment } => init(dir, experiment.as_deref(), common),
        Measure::Check { dir, html } => check(dir, html.as_deref(), common),
    }
}

/// Opens the folder of a measurement whose lengths can be meant: what is computed from others is nonsense, or does not end.
pub(super) fn open(dir: &Path) -> anyhow::Result<Measurement> {
    let measurement = Measurement::open(dir)?;
    measurement.require_units()?;
    Ok(measurement)
}

fn init(dir: &Path, experiment: Option<&Path>, common: &Common) -> anyhow::Result<ExitCode> {
    let described: Experiment = match experiment {
        None => experiment::settings(experiment::DEFAULT, "the default experiment", &[])?,
        Some(path) => experiment::settings(&experiment::read_text(path)?, &path.display().to_string(), &[])?,
    };
    let files: Vec<_> =
        measure::init(dir, &described.optics)?.iter().map(|p| p.display().to_string()).collect();
    if !common.quiet {
        print(&format!(
            "written: {}\nshow the patterns, record the frames, describe them in {}, then\n  ffm measure check {}",
            files.join(", "),
            dir.join(measure::FILE).display(),
            dir.display()
        ));
    }
    if common.json {
        print_json(&serde_json::json!({ "folder": dir, "files": files }))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn check(dir: &Path, html: Option<&Path>, common: &Common) -> anyhow::Result<ExitCode> {
    let measurement = Measurement::open(dir)?;
    let html = html.map_or_else(|| dir.join("check.html"), Path::to_path_buf);
    io::check_writable(&html)?;
    let found = measurement.check();
    let command = format!("ffm measure check {}", dir.display());
    let name = if measurement.config.name.is_empty() {
        dir.display().to_string()
    } else {
        measurement.config.name.clone()
    };
    io::write_atomic(&html, report::render_measurement(&name, &command, &found)?.as_bytes())?;
    if !common.quiet {
        print(&report::measurement_table(&found));
        print(&format!("page: {}", html.display()));
    }
    if common.json {
        print_json(&serde_json::json!({ "usable": found.usable(), "html": html, "check": found }))?;
    }
    found.require_usable()?;
    Ok(ExitCode::SUCCESS)
}
