//! `ffm lab`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use super::args::{Common, Lab};
use super::{exit, print, print_json, progress, signal, train};
use crate::io;
use crate::lab::{Asked, Extent, Truth, record};

/// Records what a real bench with this hidden truth would have.
pub(super) fn lab(args: &Lab, common: &Common) -> anyhow::Result<ExitCode> {
    let experiment = train::experiment(args.experiment.as_deref(), &args.set, None, common)?;
    let truth: Truth = io::settings(&io::read_text(&args.truth)?, &args.truth.display().to_string(), &[])?;
    let reveal = args.reveal.clone().unwrap_or_else(|| beside(args));
    signal::install()?;
    io::check_writable(&args.out.join(crate::measure::FILE))?;
    io::check_writable(&reveal)?;
    let extent = Extent {
        fit: args.frames,
        test: args.test.unwrap_or(args.frames.div_ceil(4)),
        sweep: args.sweep,
        transfer: args.transfer,
        reference: args.reference,
    };
    let asked = Asked {
        name: &experiment.name,
        system: &experiment.system(),
        truth: &truth,
        seed: args.seed.unwrap_or(experiment.seed),
        fine: args.fine,
        plan: args.plan.as_deref(),
        extent,
        stop: &signal::STOP,
    };
    let began = Instant::now();
    let shown = !common.quiet && std::io::stderr().is_terminal();
    let bar = progress::bar(1, shown, "  {bar:24} {pos} of {len} frames  {elapsed} < {eta}");
    let recorded = record(&asked, &args.out, &reveal, &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let recorded = recorded?;
    let (frames, seconds) = (recorded.measurement.config.frames.len(), began.elapsed().as_secs_f64());
    if frames < recorded.planned {
        eprintln!(
            "interrupted; {frames} of {} frames are recorded and listed in {}; the same command records all",
            recorded.planned,
            args.out.join(crate::measure::FILE).display()
        );
        return Ok(ExitCode::from(exit::INTERRUPTED));
    }
    if !common.quiet {
        print(&format!(
            "{frames} frames in {}\n  fine grid {} x {}, {seconds:.1} s, {:.3} % of pixels saturated\n  truth in {}",
            args.out.display(),
            recorded.grid[0],
            recorded.grid[1],
            100.0 * recorded.saturated,
            recorded.reveal.display()
        ));
    }
    if common.json {
        print_json(&serde_json::json!({
            "dir": args.out,
            "truth": recorded.reveal,
            "frames": frames,
            "grid": recorded.grid,
            "saturated": recorded.saturated,
            "response": recorded.truth.response(),
            "seconds": seconds,
        }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `DIR-truth.toml`.
fn beside(args: &Lab) -> PathBuf {
    let mut name = args.out.file_name().unwrap_or_default().to_owned();
    name.push("-truth.toml");
    args.out.with_file_name(name)
}
