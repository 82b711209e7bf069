//! `ffm reproduce`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::args::{Common, Fig2, FigureScale, Reproduce};
use super::{study, train};
use crate::experiment::study::{Scale, fig2, fig2_report, plan};

/// Repeats a published experiment.
pub(super) fn reproduce(command: &Reproduce, common: &Common) -> anyhow::Result<ExitCode> {
    match command {
        Reproduce::Fig2(args) => figure_2(args, common),
    }
}

fn figure_2(args: &Fig2, common: &Common) -> anyhow::Result<ExitCode> {
    let scale = match args.scale {
        FigureScale::Small => Scale::Small,
        FigureScale::Paper => Scale::Paper,
    };
    let mut plan = plan(scale, &args.layers, &args.seeds, &args.set)?;
    for entry in &mut plan.entries {
        train::calibrate(&mut entry.experiment, &args.twin)?;
    }
    let default = || PathBuf::from("runs").join(format!("fig2-{}", scale.name()));
    let folder = args.out.clone().unwrap_or_else(default);
    let Some(found) = study::run(&plan.entries, &folder, &args.device, common)? else {
        return Ok(study::interrupted());
    };
    let summaries = found.into_iter().collect::<Result<Vec<_>, _>>().map_err(study::Diverged)?;
    let results = fig2(scale, &plan, &summaries);
    let report = fig2_report(&results, &plan.entries, study::origin(scale.settings()));
    study::finish(&folder, &report, &results, common)
}
