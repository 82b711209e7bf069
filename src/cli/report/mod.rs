//! `ffm report`.

mod against;
mod caustic;
mod likeness;
mod measured;
mod runs;
mod sets;
mod twins;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::{Common, Report};
use super::study::Wrong;
use crate::io;

/// Compares what it was given, and writes page, table and numbers.
pub(super) fn report(args: &Report, common: &Common) -> anyhow::Result<ExitCode> {
    let files = Files::new(&args.out)?;
    match (&args.measured, &args.against) {
        (None, _) => runs::report(&args.runs, &files, common),
        (Some(measured), Some(against)) => against::report(measured, against, &files, common),
        (Some(measured), None) if args.caustic => caustic::report(measured, &files, common),
        (Some(measured), None) => measured::report(measured, args, &files, common),
    }
}

/// The three files of a report.
struct Files {
    html: PathBuf,
    csv: PathBuf,
    json: PathBuf,
}

impl Files {
    /// `OUT.html` and its neighbours; whether they can be written is found before the work.
    fn new(out: &Path) -> anyhow::Result<Self> {
        if out.extension().is_none_or(|e| e != "html") {
            let shown = out.display();
            anyhow::bail!(Wrong(format!(
                "--out {shown}: the report is a page; give it a name that ends in .html"
            )));
        }
        let files =
            Self { html: out.into(), csv: out.with_extension("csv"), json: out.with_extension("json") };
        for file in [&files.html, &files.csv, &files.json] {
            io::check_writable(file)?;
        }
        Ok(files)
    }

    fn write(&self, html: &str, csv: &[u8], json: &impl serde::Serialize) -> anyhow::Result<()> {
        io::write_atomic(&self.html, html.as_bytes())?;
        io::write_atomic(&self.csv, csv)?;
        Ok(io::write_atomic(&self.json, serde_json::to_string_pretty(json)?.as_bytes())?)
    }

    /// Says where they are.
    fn say(&self, common: &Common) {
        if !common.quiet {
            let [html, csv, json] = [&self.html, &self.csv, &self.json].map(|f| f.display());
            eprintln!("report: {html}\nnumbers: {csv}, {json}");
        }
    }
}
