//! `ffm compare`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::args::{Common, Compare};
use super::{study, train};
use crate::experiment::study::{comparison, comparison_report, contest};
use crate::train::Method;

/// Trains by several methods and compares.
pub(super) fn compare(args: &Compare, common: &Common) -> anyhow::Result<ExitCode> {
    let mut base = train::experiment(args.experiment.as_deref(), &args.set, None, common)?;
    train::calibrate(&mut base, &args.twin)?;
    let methods = methods(args.methods.as_deref())?;
    let seeds = args.seeds.clone().unwrap_or_else(|| vec![base.seed]);
    let contest = contest(&base, &methods, &seeds);
    if contest.entries.is_empty() {
        let reasons: Vec<_> = contest.refused.into_iter().map(|(_, reason)| reason).collect();
        anyhow::bail!(study::Wrong(format!("none of the methods can run here: {}", reasons.join("; "))));
    }
    let folder =
        args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(format!("compare-{}", base.name)));
    let Some(found) = study::run(&contest.entries, &folder, &args.device, common)? else {
        return Ok(study::interrupted());
    };
    let entries = contest.entries.clone();
    let results = comparison(&base.name, contest, &found);
    let report = comparison_report(&results, &entries, study::origin(&base.to_toml()));
    study::finish(&folder, &report, &results, common)
}

/// Methods by name; all when none is named.
fn methods(names: Option<&[String]>) -> anyhow::Result<Vec<Method>> {
    let all = Method::ALL;
    let Some(names) = names else { return Ok(all.to_vec()) };
    let mut found = Vec::new();
    for name in names {
        let known = all.iter().find(|m| m.name() == name.trim());
        let method = *known.ok_or_else(|| {
            let list: Vec<_> = all.iter().map(|m| m.name()).collect();
            study::Wrong(format!("--methods {name}: there is no such method; there are {}", list.join(", ")))
        })?;
        if !found.contains(&method) {
            found.push(method);
        }
    }
    Ok(found)
}
