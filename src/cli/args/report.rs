//! What can be typed behind `ffm report`.

use std::path::PathBuf;

use clap::Args;

/// `ffm report`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  ffm report runs/a runs/b --out runs/a-and-b.html\n\n\
    OUT.html is one page that needs nothing else; OUT.csv and OUT.json beside it hold the numbers.\n\n\
    JSON keys of runs: report, runs (array of name, path, settings, summary, histories), differing (key, values), shared.")]
pub(in crate::cli) struct Report {
    /// Run folders to compare with one another, two or more
    #[arg(value_name = "RUN")]
    pub(in crate::cli) runs: Vec<PathBuf>,
    /// The page to write, .html
    #[arg(long, value_name = "FILE", default_value = "report.html", help_heading = "Output")]
    pub(in crate::cli) out: PathBuf,
}
