//! `ffm train` and `ffm resume`.

use std::path::Path;
use std::process::ExitCode;

use sha2::{Digest, Sha256};

use super::args::{Common, Device, Resume, Train, Twin};
use super::progress::Progress;
use super::{exit, print, print_json, signal};
use crate::calibrate::Calibration;
use crate::data::DataSet;
use crate::engine::{DeviceInfo, Engine, Program};
use crate::experiment::classify::{Classification, Ended, classify, error_pass, start_state};
use crate::experiment::{self, DEFAULT, Experiment};
use crate::io::{RunDir, environment_json};
use crate::lab;
use crate::twin::{ConfigError, OpticsConfig, System, plausible};

/// Trains, deploys, trains again, compares.
pub(super) fn train(args: &Train, common: &Common) -> anyhow::Result<ExitCode> {
    let mut experiment = experiment(args.experiment.as_deref(), &args.set, args.data.as_deref(), common)?;
    calibrate(&mut experiment, &args.twin)?;
    experiment.train.validate()?;
    experiment.laboratory.validate()?;
    experiment.train.check_distance(experiment.optics.distance.0)?;
    experiment.train.method.check(&experiment.system())?;
    let data = experiment.load_data(None)?;
    experiment.detectors.classes.get_or_insert(data.classes.len());
    experiment.check_training_data(&data)?;
    experiment.train.check_samples(experiment.split(&data)?.0.train.len())?;
    let mut engine = open(&experiment, &args.device, common)?;
    if args.dry_run {
        return dry_run(&experiment, &data, &*engine, common);
    }
    // Everything that can be wrong with the settings is found before a folder is made.
    let system = System::new(experiment.system(), data.train.size, experiment.seed)?;
    twin(&experiment, &system, &*engine)?;
    let text = experiment.to_toml();
    let dir = RunDir::create(args.out.as_deref(), &experiment.name, &hash(&text))?;
    let command = command_line();
    dir.write("config.toml", text.as_bytes())?;
    let devices: Vec<String> = engine.devices().iter().map(DeviceInfo::describe).collect();
    dir.write("env.json", environment_json(&devices, experiment.seed, &command).as_bytes())?;
    run(&experiment, &data, &mut *engine, &dir, command, common)
}

/// Goes on where a run was interrupted.
pub(super) fn resume(args: &Resume, common: &Common) -> anyhow::Result<ExitCode> {
    let dir = RunDir::open(&args.run)?;
    let experiment = read_run(&dir)?;
    let data = experiment.load_data(None)?;
    let mut engine = open(&experiment, &args.device, common)?;
    run(&experiment, &data, &mut *engine, &dir, command_line(), common)
}

/// The settings of a run folder.
pub(super) fn read_run(dir: &RunDir) -> anyhow::Result<Experiment> {
    let path = dir.file("config.toml");
    let text = experiment::read_text(&path)?;
    let experiment: Experiment = experiment::settings(&text, &path.display().to_string(), &[])?;
    experiment.train.validate()?;
    experiment.laboratory.validate()?;
    Ok(experiment)
}

/// Opens the engine and says which.
pub(super) fn open(
    experiment: &Experiment,
    device: &Device,
    common: &Common,
) -> anyhow::Result<Box<dyn Engine>> {
    let engine = experiment.open(&device.device, device.threads)?;
    if !common.quiet {
        let devices = engine.devices();
        for (k, info) in devices.iter().enumerate() {
            match devices.len() {
                1 => eprintln!("device: {}", info.describe()),
                n => eprintln!("device {} of {n}: {}", k + 1, info.describe()),
            }
        }
    }
    Ok(engine)
}

/// The settings of a file (without one: the default experiment) with overrides.
pub(super) fn experiment(
    file: Option<&Path>,
    set: &[String],
    data: Option<&str>,
    common: &Common,
) -> anyhow::Result<Experiment> {
    let (text, origin) = match file {
        Some(path) => (experiment::read_text(path)?, path.display().to_string()),
        None => (DEFAULT.to_owned(), "the default experiment".to_owned()),
    };
    let mut experiment: Experiment = experiment::settings(&text, &origin, set)?;
    if let Some(source) = data {
        source.clone_into(&mut experiment.data.source);
    }
    if !common.quiet {
        strange(&experiment.optics).iter().for_each(|problem| eprintln!("warning: {problem}"));
    }
    Ok(experiment)
}

/// Lengths that hardly can be meant; a design may be as it likes, and is trained all the same.
fn strange(optics: &OpticsConfig) -> Vec<String> {
    let units = plausible::units(optics, None);
    // Of a wrong wavelength or pitch follows a wrong spread.
    if units.is_empty() { plausible::distance(optics).into_iter().collect() } else { units }
}

/// Puts a calibration, or the bench of a laboratory, in place of the experiment's own imperfections, where one is given.
pub(super) fn calibrate(experiment: &mut Experiment, twin: &Twin) -> anyhow::Result<()> {
    if let Some(file) = &twin.calibration {
        experiment.calibrate(&Calibration::read(file)?, &file.display().to_string())?;
    }
    if let Some(file) = &twin.truth {
        experiment.calibrate(&lab::bench(file, &experiment.system())?, &file.display().to_string())?;
    }
    Ok(())
}

/// The compiled twin.
fn twin(experiment: &Experiment, system: &System, engine: &dyn Engine) -> Result<Program, ConfigError> {
    let length = |n| engine.transform_length(n);
    experiment.compile(system, |s| s.compile_twin(error_pass(experiment), &length))
}

fn run(
    experiment: &Experiment,
    data: &DataSet,
    engine: &mut dyn Engine,
    dir: &RunDir,
    command: String,
    common: &Common,
) -> anyhow::Result<ExitCode> {
    signal::install()?;
    let mut progress = Progress::new(common.quiet);
    let job = Classification { experiment, data, engine, run: dir, command, stop: &signal::STOP };
    let ended = classify(job, &mut progress);
    progress.close();
    let ended = ended.inspect_err(|e| {
        // The error itself is reported; that its marker cannot be written must not hide it.
        let _ = dir.mark_failed(&e.to_string());
    })?;
    match ended {
        Ended::Done(summary) => {
            print(&summary.table);
            if !common.quiet {
                eprintln!("run folder: {0}\nreport:     {0}/report.html", summary.run_dir);
            }
            if common.json {
                print_json(&summary)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Ended::Interrupted => {
            eprintln!("interrupted; go on with: ffm resume {}", dir.path().display());
            Ok(ExitCode::from(exit::INTERRUPTED))
        }
    }
}

fn dry_run(
    experiment: &Experiment,
    data: &DataSet,
    engine: &dyn Engine,
    common: &Common,
) -> anyhow::Result<ExitCode> {
    let system = System::new(experiment.system(), data.train.size, experiment.seed)?;
    let twin = twin(experiment, &system, engine)?;
    start_state(experiment, &twin, None)?;
    let memory = engine.memory_by_device(&twin, experiment.batch(data));
    let bytes = memory.iter().copied().fold(0, u64::saturating_add);
    let devices = engine.devices();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let lines: Vec<_> = devices
        .iter()
        .zip(&memory)
        .map(|(info, &b)| format!("# memory {:.1} MiB on {}", mib(b), info.describe()))
        .collect();
    print(&experiment.to_toml());
    print(&format!(
        "# {}: {} training and {} test images ({})\n# padded grid {} x {}, method {}\n{}",
        data.name,
        data.train.len(),
        data.test.len(),
        data.origin,
        twin.padded[0],
        twin.padded[1],
        system.method(twin.padded)?.name(),
        lines.join("\n")
    ));
    if common.json {
        print_json(&serde_json::json!({
            "memory_bytes": bytes,
            "memory_bytes_by_device": memory,
            "padded": twin.padded,
            "method": system.method(twin.padded)?.name(),
            "train_samples": data.train.len(),
            "test_samples": data.test.len(),
            "device": engine.device().name,
            "engine": engine.device().engine,
        }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Six hexadecimal digits of the settings.
fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(3).map(|b| format!("{b:02x}")).collect()
}

/// The command as it was typed, with the program's plain name.
pub(super) fn command_line() -> String {
    let quote = |a: String| if a.contains(char::is_whitespace) { format!("'{a}'") } else { a };
    let words = std::env::args_os().map(|a| quote(a.to_string_lossy().into_owned()));
    let mut words: Vec<String> = words.collect();
    if let Some(program) = words.first_mut() {
        *program = Path::new(program.as_str())
            .file_name()
            .map_or("ffm".into(), |n| n.to_string_lossy().into_owned());
    }
    words.join(" ")
}
