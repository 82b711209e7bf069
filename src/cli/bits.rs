//! `ffm bits`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::args::{Bits, Common};
use super::{exit, print, print_json, signal, train};
use crate::experiment::bits::{BitsRow, compare_bits};
use crate::experiment::study::{Spread, run_folder};

/// Compares masks rounded after training with masks trained with rounding.
pub(super) fn bits(args: &Bits, common: &Common) -> anyhow::Result<ExitCode> {
    let mut first = train::experiment(args.experiment.as_deref(), &args.set, args.data.as_deref(), common)?;
    train::calibrate(&mut first, &args.twin)?;
    first.train.validate()?;
    let mut engine = train::open(&first, &args.device, common)?;
    let folder = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("runs/bits-{}", first.name)));
    signal::install()?;
    let mut rows = Vec::new();
    let mut note = |text: &str| {
        if !common.quiet {
            eprintln!("{text}");
        }
    };
    let seeds = if args.seeds.is_empty() { vec![first.seed] } else { args.seeds.clone() };
    for seed in seeds {
        let mut experiment = first.clone();
        experiment.seed = seed;
        let data = experiment.load_data(None)?;
        experiment.detectors.classes.get_or_insert(data.classes.len());
        let path = folder.join(format!("seed-{seed}"));
        let dir = run_folder(&path, &experiment, &*engine, &train::command_line())?;
        match compare_bits(&experiment, &data, &mut *engine, (&args.bits, &dir), &signal::STOP, &mut note)? {
            Some(row) => rows.push(row),
            None => {
                eprintln!("interrupted; the same command goes on in {}", folder.display());
                return Ok(ExitCode::from(exit::INTERRUPTED));
            }
        }
    }
    table(&args.bits, &rows);
    if common.json {
        print_json(&json(&args.bits, &rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Over all seeds: continuous, then for each number of bits rounded, trained, and the gain of a seed.
fn spreads(bits: &[u32], rows: &[BitsRow]) -> (Spread, Vec<[Spread; 3]>) {
    let of = |value: &dyn Fn(&BitsRow) -> f64| Spread::of(rows.iter().map(value));
    let one = |k: usize| {
        [
            of(&|r| r.bits[k].rounded),
            of(&|r| r.bits[k].trained),
            of(&|r| r.bits[k].trained - r.bits[k].rounded),
        ]
    };
    (of(&|r| r.continuous), (0..bits.len()).map(one).collect())
}

fn table(bits: &[u32], rows: &[BitsRow]) {
    let (continuous, pairs) = spreads(bits, rows);
    print("| bits | rounded after training | trained with rounding | gain |\n|---:|---:|---:|---:|");
    for (b, [rounded, trained, gain]) in bits.iter().zip(&pairs) {
        let gain = text(gain).replace('%', "points");
        print(&format!("| {b} | {} | {} | {gain} |", text(rounded), text(trained)));
    }
    print(&format!("| continuous | {0} | {0} | |", text(&continuous)));
}

fn text(s: &Spread) -> String {
    match s.two_sigma {
        Some(spread) => format!("{:.1} ± {:.1} %", 100.0 * s.mean, 100.0 * spread),
        None => format!("{:.1} %", 100.0 * s.mean),
    }
}

fn json(bits: &[u32], rows: &[BitsRow]) -> serde_json::Value {
    let (continuous, pairs) = spreads(bits, rows);
    let one = |(bits, [rounded, trained, gain]): (&u32, &[Spread; 3])| serde_json::json!({ "bits": bits, "rounded": rounded, "trained": trained, "gain": gain });
    serde_json::json!({
        "continuous": continuous,
        "table": bits.iter().zip(&pairs).map(one).collect::<Vec<_>>(),
        "seeds": rows,
    })
}
