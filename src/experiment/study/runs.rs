//! Runs of a study, one after the other, each resumable: the same study in the same folder goes on where it was.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::data::DataSet;
use crate::engine::{DeviceInfo, Engine};
use crate::experiment::classify::{self, Classification, Summary, classify};
use crate::experiment::{DataConfig, Experiment, RunError, read_text};
use crate::io::{self, IoError, RunDir, environment_json};
use crate::train::{Method, TrainError};

/// How the message of a divergence begins.
const DIVERGED: &str = "training diverged";

/// A run of a study.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Name of its folder.
    pub name: String,
    /// Settings.
    pub experiment: Experiment,
    /// The entry before it, by number, that trains the same network in silico: that stage is not done again.
    pub same_in_silico: Option<usize>,
}

/// A study, ready to go.
pub struct Study<'a> {
    /// Its runs.
    pub entries: &'a [Entry],
    /// Where they run.
    pub engine: &'a mut dyn Engine,
    /// The folder that holds theirs.
    pub folder: &'a Path,
    /// The command that repeats it.
    pub command: String,
    /// Set from outside to stop.
    pub stop: &'a AtomicBool,
}

/// Whoever looks at a study.
pub trait Watch: classify::Watch {
    /// A run begins, number `index` of `of`, from 0; `done` when it had been finished before.
    fn run(&mut self, entry: &Entry, index: usize, of: usize, done: bool);
}

/// How a run of a study ended: with a summary, or without one because training diverged, in words.
pub type Found = Result<Summary, String>;

/// How a study ended.
pub enum Ended {
    /// With the outcome of every run.
    Done(Vec<Found>),
    /// Stopped from outside; the same study goes on.
    Interrupted,
}

/// Runs what is not finished yet.
///
/// # Errors
/// As [`classify()`], but for divergence, which is a result; a folder that holds a run with other settings.
pub fn run(study: Study<'_>, watch: &mut dyn Watch) -> Result<Ended, RunError> {
    let Study { entries, engine, folder, command, stop } = study;
    let mut shelf = Shelf::default();
    let mut summaries = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let path = folder.join(&entry.name);
        let data = shelf.get(&entry.experiment)?;
        let mut experiment = entry.experiment.clone();
        experiment.detectors.classes.get_or_insert(data.classes.len());
        let dir = run_folder(&path, &experiment, engine, &command)?;
        let before = found(&dir)?;
        watch.run(entry, index, entries.len(), before.is_some());
        if let Some(before) = before {
            summaries.push(before);
            continue;
        }
        if let Some(before) = entry.same_in_silico {
            adopt(&folder.join(&entries[before].name), &dir)?;
        }
        let job = Classification {
            experiment: &experiment,
            data,
            engine,
            run: &dir,
            command: command.clone(),
            stop,
        };
        let ended = classify(job, watch).inspect_err(|e| {
            // The error itself is reported; that its marker cannot be written must not hide it.
            let _ = dir.mark_failed(&e.to_string());
        });
        match ended {
            Ok(classify::Ended::Done(summary)) => summaries.push(Ok(*summary)),
            Ok(classify::Ended::Interrupted) => return Ok(Ended::Interrupted),
            Err(RunError::Train(e @ TrainError::Diverged { .. })) => {
                watch.note(&e.to_string());
                summaries.push(Err(e.to_string()));
            }
            Err(e) => return Err(e),
        }
    }
    Ok(Ended::Done(summaries))
}

/// The data set in use: runs that follow each other mostly share it.
#[derive(Default)]
struct Shelf(Option<(DataConfig, u64, DataSet)>);

impl Shelf {
    fn get(&mut self, experiment: &Experiment) -> Result<&DataSet, RunError> {
        let Experiment { data: config, seed, .. } = experiment;
        let held = self.0.take().filter(|(c, s, _)| c == config && s == seed);
        let held = match held {
            Some(held) => held,
            None => (config.clone(), *seed, experiment.load_data(None)?),
        };
        Ok(&self.0.insert(held).2)
    }
}

/// The folder of a run of a study, new or as it was left.
///
/// # Errors
/// A folder that holds a run with other settings, or that cannot be written to.
pub fn run_folder(
    path: &Path,
    experiment: &Experiment,
    engine: &dyn Engine,
    command: &str,
) -> Result<RunDir, RunError> {
    let text = experiment.to_toml();
    if let Ok(dir) = RunDir::open(path) {
        if read_text(&dir.file("config.toml"))? != text {
            let reason = "it holds a run with other settings; choose another folder with --out".into();
            return Err(IoError::Write { path: path.display().to_string(), reason }.into());
        }
        return Ok(dir);
    }
    let dir = RunDir::create(Some(path), &experiment.name, "")?;
    let devices: Vec<String> = engine.devices().iter().map(DeviceInfo::describe).collect();
    dir.write("env.json", environment_json(&devices, experiment.seed, command).as_bytes())?;
    // Last, because it is what makes a folder a run.
    dir.write("config.toml", text.as_bytes())?;
    Ok(dir)
}

/// What a run before has found, if it came to an end.
fn found(dir: &RunDir) -> Result<Option<Found>, RunError> {
    if dir.file("DONE").exists() {
        return Ok(Some(Ok(summary(dir)?)));
    }
    let failed = std::fs::read_to_string(dir.file("FAILED")).unwrap_or_default();
    Ok(failed.starts_with(DIVERGED).then(|| Err(failed.trim_end().to_owned())))
}

/// The summary of a finished run.
pub(crate) fn summary(dir: &RunDir) -> Result<Summary, RunError> {
    let path = dir.file("summary.json");
    let bad = |problem: String| IoError::Content { path: path.display().to_string(), problem };
    let text = std::fs::read_to_string(&path).map_err(|e| bad(e.to_string()))?;
    Ok(serde_json::from_str(&text).map_err(|e| bad(format!("not the summary of a run: {e}")))?)
}

/// Copies the checkpoints of the in-silico stage from a finished run, where this one has none yet.
fn adopt(from: &Path, to: &RunDir) -> Result<(), RunError> {
    let from = RunDir::open(from)?;
    let stage = Method::InSilico.name();
    // The last checkpoint comes last: with it the stage counts as done.
    for name in [classify::best_name(stage), stage.to_owned()] {
        let (source, target) = (from.checkpoint(&name), to.checkpoint(&name));
        if source.exists() && !target.exists() {
            let bytes = std::fs::read(&source).map_err(|e| IoError::Content {
                path: source.display().to_string(),
                problem: e.to_string(),
            })?;
            io::write_atomic(&target, &bytes)?;
        }
    }
    Ok(())
}
