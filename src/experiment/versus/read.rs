//! What a run folder holds of a run.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::experiment::classify::Summary;
use crate::experiment::study::summary;
use crate::experiment::{RunError, SettingsError, read_text};
use crate::io::{self, IoError, RunDir};

/// A run, as its folder tells it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Run {
    /// Name of the folder.
    pub name: String,
    /// The folder.
    pub path: String,
    /// `config.toml`, key by key.
    pub settings: BTreeMap<String, String>,
    /// `summary.json`; `None` of a run that is not finished.
    pub summary: Option<Summary>,
    /// Losses and accuracies, epoch by epoch.
    pub histories: Vec<History>,
    /// The trained masks.
    #[serde(skip)]
    pub masks: Vec<Mask>,
}

/// A figure over the epochs of a stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    /// The stage: a method's name.
    pub stage: String,
    /// `train`, `validation` or `test`.
    pub split: String,
    /// `loss` or `accuracy`.
    pub figure: String,
    /// Epoch and value.
    pub points: Vec<(f64, f64)>,
}

/// A mask.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    /// Layer, from 1.
    pub layer: usize,
    /// Whether values are amplitudes, not phases in radians.
    pub amplitude: bool,
    /// The values.
    pub values: Array2<f32>,
}

/// Reads a run folder, finished or not.
///
/// # Errors
/// A folder that is no run's, files in it that are damaged.
pub fn read(path: &Path) -> Result<Run, RunError> {
    let dir = RunDir::open(path)?;
    let config = dir.file("config.toml");
    let text = read_text(&config)?;
    let table: Table = text.parse().map_err(|e: toml::de::Error| SettingsError::Syntax {
        origin: config.display().to_string(),
        message: e.to_string(),
    })?;
    let mut settings = BTreeMap::new();
    flatten("", &Value::Table(table), &mut settings);
    let summary = if dir.file("DONE").exists() { Some(summary(&dir)?) } else { None };
    let masks = match &summary {
        Some(found) => masks(&dir, &found.method)?,
        None => Vec::new(),
    };
    let name = path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into());
    let histories = histories(&dir.file("metrics.csv"))?;
    Ok(Run { name, path: path.display().to_string(), settings, summary, histories, masks })
}

/// Every value that is no table, by its dotted key.
fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            flatten(&path, value, into);
        }),
        other => {
            into.insert(prefix.to_owned(), other.to_string());
        }
    }
}

#[derive(Deserialize)]
struct Row {
    epoch: f64,
    stage: String,
    split: String,
    name: String,
    value: f64,
}

fn histories(path: &Path) -> Result<Vec<History>, RunError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut reader = csv::Reader::from_path(path).map_err(|e| IoError::content(path, e))?;
    let mut found: Vec<History> = Vec::new();
    for row in reader.deserialize() {
        let row: Row = row.map_err(|e| IoError::content(path, e))?;
        if !["loss", "accuracy"].contains(&row.name.as_str()) {
            continue;
        }
        let same = |h: &History| h.stage == row.stage && h.split == row.split && h.figure == row.name;
        match found.iter_mut().find(|h| same(h)) {
            Some(history) => history.points.push((row.epoch, row.value)),
            None => found.push(History {
                stage: row.stage,
                split: row.split,
                figure: row.name,
                points: vec![(row.epoch, row.value)],
            }),
        }
    }
    Ok(found)
}

fn masks(dir: &RunDir, stage: &str) -> Result<Vec<Mask>, RunError> {
    let mut masks = Vec::new();
    for layer in 1.. {
        let before = masks.len();
        for (suffix, amplitude) in [("", false), ("-amplitude", true)] {
            let path = dir.file(&format!("masks/{stage}-layer-{layer}{suffix}.npy"));
            if path.exists() {
                masks.push(Mask { layer, amplitude, values: io::read_real(&path)? });
            }
        }
        if masks.len() == before {
            break;
        }
    }
    Ok(masks)
}
