//! `ffm bench`.

use std::io::IsTerminal;
use std::process::ExitCode;

use indicatif::ProgressBar;

use super::args::{Bench, BenchWork, Common};
use super::progress::bar;
use super::train::command_line;
use super::{exit, print, print_json, signal};
use crate::engine::gpu::{self, GpuEngine};
use crate::engine::{self, Engine};
use crate::experiment::bench::{self, Measured, ROUNDS, Settings, Watch};
use crate::io;
use crate::report::bench::{BenchCase, BenchDevice, BenchReport, Profile, Work, bench_tables, render_bench};

/// Measures, prints tables, writes the page.
pub(super) fn bench(args: &Bench, common: &Common) -> anyhow::Result<ExitCode> {
    // A page that cannot be written is found before the long work.
    if let Some(path) = &args.html {
        io::check_writable(path)?;
    }
    let settings = settings(args);
    let names = devices(&args.devices);
    let mut engines = open(&names, args, common)?;
    let described: Vec<_> = engines.iter().map(|(_, engine)| device(&**engine)).collect();
    signal::install()?;

    let (names, mut engines): (Vec<String>, Vec<_>) = engines.drain(..).unzip();
    let mut progress = Rounds::new(common.quiet);
    let measured = bench::bench(&mut engines, &settings, &mut progress, &signal::STOP);
    progress.close();
    let measured = measured?;
    // A profile opens its device anew: what it needs must be free.
    drop(engines);
    let profiles =
        if args.profile && !measured.interrupted { profiles(&names, &settings, common)? } else { Vec::new() };

    let report = report(measured, described, profiles);
    print(&bench_tables(&report));
    if let Some(path) = &args.html {
        io::write_atomic(path, render_bench(&report)?.as_bytes())?;
        if !common.quiet {
            eprintln!("page: {}", path.display());
        }
    }
    if common.json {
        print_json(&report)?;
    }
    Ok(if report.interrupted { ExitCode::from(exit::INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// Options, or their defaults.
fn settings(args: &Bench) -> Settings {
    let or = |given: &Option<Vec<usize>>, quick: &[usize], default: &[usize]| {
        let default = if args.quick { quick } else { default };
        distinct(given.as_deref().unwrap_or(default))
    };
    let kinds = args.work.as_deref().unwrap_or(&[BenchWork::Hop, BenchWork::Step]);
    let mut work: Vec<_> = distinct(kinds).into_iter().map(kind).collect();
    if args.noise {
        // The ratio needs both.
        work.retain(|w| *w != Work::Step);
        work.extend([Work::Step, Work::NoisyStep]);
    }
    Settings {
        sizes: or(&args.sizes, &[64, 128], &[128, 256, 400, 512]),
        padding: or(&args.padding, &[1, 2], &[1, 2]),
        batch: or(&args.batch, &[8], &[16]),
        layers: or(&args.layers, &[2], &[4]),
        work,
        seconds: args.seconds.unwrap_or(if args.quick { 0.2 } else { 1.0 }),
    }
}

fn kind(work: BenchWork) -> Work {
    match work {
        BenchWork::Hop => Work::Hop,
        BenchWork::Step => Work::Step,
    }
}

/// Each value once, in the order given.
fn distinct<T: Copy + PartialEq>(values: &[T]) -> Vec<T> {
    let mut found = Vec::new();
    for &value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// Names of devices, `all` spelled out as the numbers of `ffm devices`.
fn devices(wanted: &[String]) -> Vec<String> {
    let spelled = |name: &String| match name.trim().eq_ignore_ascii_case("all") {
        true => (0..=gpu::adapters().len()).map(|n| n.to_string()).collect(),
        false => vec![name.clone()],
    };
    wanted.iter().flat_map(spelled).collect()
}

type Opened = Vec<(String, Box<dyn Engine>)>;

fn open(names: &[String], args: &Bench, common: &Common) -> anyhow::Result<Opened> {
    let mut engines = Opened::new();
    for name in names {
        let engine = engine::open(name, args.threads)?;
        if !common.quiet {
            eprintln!("device: {}", engine.device().describe());
        }
        engines.push((name.clone(), engine));
    }
    Ok(engines)
}

fn device(engine: &dyn Engine) -> BenchDevice {
    let info = engine.device();
    BenchDevice {
        name: info.name.clone(),
        engine: info.engine,
        precision: info.precision,
        detail: info.detail.clone(),
    }
}

fn profiles(names: &[String], settings: &Settings, common: &Common) -> anyhow::Result<Vec<Profile>> {
    let mut profiles = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match engine::select(name)? {
            Some(selection) => {
                profiles.extend(bench::profile(&mut GpuEngine::new(selection)?, index, settings)?);
            }
            None if common.quiet => {}
            None => eprintln!("--profile is for GPUs: no passes of the CPU engine"),
        }
    }
    Ok(profiles)
}

fn report(measured: Measured, devices: Vec<BenchDevice>, profiles: Vec<Profile>) -> BenchReport {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    BenchReport {
        version: concat!("ffm-twin ", env!("CARGO_PKG_VERSION")).into(),
        commit: io::COMMIT.into(),
        date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        system: format!("{}, {processors} processors", io::system()),
        command: command_line(),
        chain: measured.chain,
        devices,
        cases: measured.cases,
        profiles,
        interrupted: measured.interrupted,
    }
}

/// Shows rounds and cases on standard error: a bar on a terminal, a line a round elsewhere.
struct Rounds {
    bar: Option<ProgressBar>,
    quiet: bool,
    round: usize,
}

impl Rounds {
    fn new(quiet: bool) -> Self {
        Self { bar: None, quiet, round: 0 }
    }

    fn close(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Watch for Rounds {
    fn case(&mut self, done: usize, all: usize, round: usize, case: &BenchCase) {
        if self.quiet {
            return;
        }
        if std::io::stderr().is_terminal() {
            let template = "  {bar:24} {percent:>3} %  {msg}  {elapsed}";
            let bar = self.bar.get_or_insert_with(|| bar(all as u64, true, template));
            bar.set_position(done as u64);
            bar.set_message(format!("round {round} of {ROUNDS}: {}", case.name()));
        } else if round != self.round {
            eprintln!("round {round} of {ROUNDS}: {} cases", all / ROUNDS);
        }
        self.round = round;
    }
}
