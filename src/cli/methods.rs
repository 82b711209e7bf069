//! `ffm methods`.

use std::process::ExitCode;

use super::args::{Common, Methods};
use super::{print, print_json};
use crate::train::{Method, Passes};

/// Prints the table of training methods.
pub(super) fn methods(args: &Methods, common: &Common) -> anyhow::Result<ExitCode> {
    let table: Vec<_> = Method::ALL.iter().map(|m| m.facts(args.layers)).collect();
    for m in &table {
        print(&format!(
            "{}: {}\n  gradient  {}\n  source    {}\n  needs     {}",
            m.name, m.title, m.equation, m.source, m.needs
        ));
        let cascade = m.cascade.map_or("not possible".to_owned(), |p| work(p, args.phase_steps));
        print(&format!("  a sample  reload: {}; cascade: {cascade}", work(m.reload, args.phase_steps)));
    }
    if common.json {
        print_json(
            &serde_json::json!({ "layers": args.layers, "phase_steps": args.phase_steps, "methods": table }),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn work(p: Passes, steps: u64) -> String {
    match p.loads {
        0 => "no light".to_owned(),
        1 => format!("1 optical pass, {} frames", p.fields * steps),
        loads => format!("{loads} optical passes, {} frames", p.fields * steps),
    }
}
