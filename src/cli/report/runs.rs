//! Runs compared with one another.

use std::path::PathBuf;
use std::process::ExitCode;

use super::Files;
use crate::cli::args::Common;
use crate::cli::study::{Wrong, origin};
use crate::cli::{print, print_json};
use crate::experiment::RunError;
use crate::experiment::versus::{self, Run, Versus, versus_csv, versus_report};
use crate::report::study::{render_study, study_text};

pub(super) fn report(folders: &[PathBuf], files: &Files, common: &Common) -> anyhow::Result<ExitCode> {
    if folders.len() < 2 {
        anyhow::bail!(Wrong(format!(
            "ffm report compares two or more run folders, not {}; name them one after the other, or frames with --measured",
            folders.len()
        )));
    }
    let runs: Vec<_> = folders.iter().map(|f| versus::read(f)).collect::<Result<_, RunError>>()?;
    let versus = Versus::new(runs);
    let mut page = versus_report(&versus, origin(""));
    page.runs = links(&versus, files)?;
    let mut numbers = serde_json::to_value(&versus)?;
    numbers["report"] = files.html.display().to_string().into();
    files.write(&render_study(&page)?, &versus_csv(&versus)?, &numbers)?;
    print(&study_text(&page));
    files.say(common);
    if common.json {
        print_json(&numbers)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The runs' own pages as the new page reaches them: from its folder, or by their whole path.
fn links(versus: &Versus, files: &Files) -> std::io::Result<Vec<(String, String)>> {
    let page = std::path::absolute(&files.html)?;
    let folder = page.parent().unwrap_or(&page);
    let link = |run: &Run| {
        let target = std::path::absolute(&run.path)?.join("report.html");
        let near = target.strip_prefix(folder).unwrap_or(&target);
        Ok((run.name.clone(), near.display().to_string()))
    };
    versus.runs.iter().map(link).collect()
}
