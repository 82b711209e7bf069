//! What a run needs to go on, bit for bit: the trainable state, the exposures, the position, the sums so far.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{Distances, EpochRow, TrainError, Trend};
use crate::engine::{Exposure, Program, State, Tally};
use crate::io::tensors::{self, Tensor};

/// Where in a run a checkpoint was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Epochs finished.
    pub epoch: usize,
    /// Batches done in the current epoch.
    pub batch: u64,
    /// Steps done in all.
    pub step: u64,
}

/// What a run has taken so far, resumptions included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Effort {
    /// Seconds, tests included.
    pub seconds: f64,
    /// Seconds of training alone.
    pub training: f64,
    /// Training samples.
    pub samples: u64,
}

/// A state of a run between two steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Where it was taken.
    pub position: Position,
    /// Phases and moments.
    pub state: State,
    /// Camera exposures in use.
    pub exposure: Option<Exposure>,
    /// Sums over the current epoch.
    pub tally: Tally,
    /// Finished epochs.
    pub rows: Vec<EpochRow>,
    /// Time and samples up to here.
    pub effort: Effort,
    /// Losses of the stage at its beginning and of late.
    pub trend: Trend,
    /// Distances, where they learn.
    pub distances: Option<Distances>,
}

/// The part that is text.
#[derive(Serialize, Deserialize)]
struct Header {
    position: Position,
    exposure: Option<(Vec<f64>, Vec<f64>)>,
    loss: f64,
    correct: u64,
    samples: u64,
    rows: Vec<EpochRow>,
    effort: Effort,
    trend: Trend,
    masks: usize,
    /// Masks with amplitudes.
    #[serde(default, skip_serializing_if = "is_zero")]
    amplitudes: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    distances: Option<Distances>,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// Names of the arrays of a state.
const KINDS: [&str; 4] = ["phase", "amplitude", "first", "second"];

impl Checkpoint {
    /// The beginning of a run with these masks.
    pub fn fresh(state: State) -> Self {
        Self {
            position: Position::default(),
            state,
            exposure: None,
            tally: Tally::default(),
            rows: Vec::new(),
            effort: Effort::default(),
            trend: Trend::default(),
            distances: None,
        }
    }

    /// Writes a safetensors file: arrays `phase.1`, `amplitude.1`, `first.1`, `second.1`, ... and a JSON header as metadata.
    ///
    /// # Errors
    /// When the file cannot be written; the one before is left whole.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let header = Header {
            position: self.position,
            exposure: self.exposure.as_ref().map(|e| (e.data.clone(), e.error.clone())),
            loss: self.tally.loss,
            correct: self.tally.correct,
            samples: self.tally.samples,
            rows: self.rows.clone(),
            effort: self.effort,
            trend: self.trend,
            masks: self.state.phases.len(),
            amplitudes: self.state.amplitudes.len(),
            distances: self.distances.clone(),
        };
        let text = serde_json::to_string(&header).map_err(|e| foreign(path, e))?;
        let mut arrays = Vec::new();
        let State { phases, amplitudes, first, second } = &self.state;
        for (kind, list) in KINDS.into_iter().zip([phases, amplitudes, first, second]) {
            for (k, a) in list.iter().enumerate() {
                let data = a.iter().copied().collect();
                arrays.push((
                    format!("{kind}.{}", k + 1),
                    Tensor::F32 { shape: vec![a.nrows(), a.ncols()], data },
                ));
            }
        }
        Ok(tensors::save(path, &arrays, &BTreeMap::from([("header".to_owned(), text)]))?)
    }

    /// Reads what [`Checkpoint::save`] wrote.
    ///
    /// # Errors
    /// A file that is missing, damaged, or something else.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        let (mut arrays, metadata) = tensors::load(path)?;
        let text = metadata
            .get("header")
            .ok_or_else(|| foreign(path, "it has no header; it is not a checkpoint"))?;
        let header: Header = serde_json::from_str(text).map_err(|e| foreign(path, e))?;
        let mut take = |kind: &str, count: usize| -> Result<Vec<Array2<f32>>, TrainError> {
            (1..=count)
                .map(|k| match arrays.remove(&format!("{kind}.{k}")) {
                    Some(Tensor::F32 { shape, data }) if shape.len() == 2 => {
                        Array2::from_shape_vec((shape[0], shape[1]), data).map_err(|e| foreign(path, e))
                    }
                    _ => Err(foreign(path, format!("array {kind}.{k} is missing"))),
                })
                .collect()
        };
        Ok(Self {
            position: header.position,
            state: State {
                phases: take(KINDS[0], header.masks)?,
                amplitudes: take(KINDS[1], header.amplitudes)?,
                first: take(KINDS[2], header.masks + header.amplitudes)?,
                second: take(KINDS[3], header.masks + header.amplitudes)?,
            },
            exposure: header.exposure.map(|(data, error)| Exposure { data, error }),
            tally: Tally { loss: header.loss, correct: header.correct, samples: header.samples },
            rows: header.rows,
            effort: header.effort,
            trend: header.trend,
            distances: header.distances,
        })
    }

    /// Refuses a checkpoint of a run with other masks than those of `program`. `path` is where it was read from.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] with both counts or sizes.
    pub fn check(&self, path: &Path, program: &Program) -> Result<(), TrainError> {
        let (masks, [rows, cols]) = (program.masks.len(), program.shape);
        let found = self.state.phases.len();
        if found != masks {
            let problem =
                format!("it holds {found} masks, but this run has {masks}; it belongs to another run");
            return Err(foreign(path, problem));
        }
        let (found, dim) = (self.state.amplitudes.len(), program.amplitude_masks().len());
        if found != dim {
            let problem = format!(
                "{found} of its masks have amplitudes, but {dim} of this run; it belongs to another run"
            );
            return Err(foreign(path, problem));
        }
        let State { first, second, .. } = &self.state;
        match self.state.commands().chain(first).chain(second).find(|a| a.dim() != (rows, cols)) {
            Some(a) => {
                let (r, c) = a.dim();
                let problem = format!(
                    "its masks have {r} x {c} pixels, but those of this run {rows} x {cols}; it belongs to another run"
                );
                Err(foreign(path, problem))
            }
            None => Ok(()),
        }
    }
}

fn foreign(path: &Path, problem: impl std::fmt::Display) -> TrainError {
    TrainError::Checkpoint { path: path.display().to_string(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let phases = vec![Array2::from_shape_fn((3, 5), |(r, c)| 0.1 * r as f32 - 1.7 * c as f32); 2];
        let row = EpochRow {
            epoch: 1,
            step: 9,
            rate: 0.1 + 0.2,
            train_loss: 1.0 / 3.0,
            train_accuracy: 0.1,
            test_loss: 0.7,
            test_accuracy: 0.2,
            test_light: 0.3,
            validation_loss: Some(0.1 + 0.7),
            validation_accuracy: None,
        };
        Checkpoint {
            position: Position { epoch: 1, batch: 4, step: 13 },
            exposure: Some(Exposure { data: vec![0.9, 1.0 / 7.0], error: vec![1e-9, 2.0] }),
            tally: Tally { loss: 0.1 + 0.2, correct: 7, samples: 11 },
            rows: vec![row],
            distances: Some(Distances::fresh(vec![0.1 + 0.2, 1.0 / 7.0])),
            effort: Effort { seconds: 2.5, training: 1.0 / 3.0, samples: 77 },
            ..Checkpoint::fresh(State::with_amplitudes(
                phases.clone(),
                vec![phases[0].mapv(|p| 0.01 * p.abs())],
            ))
        }
    }

    #[test]
    fn a_checkpoint_reads_back_to_the_last_bit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        checkpoint().save(&path).unwrap();
        assert_eq!(Checkpoint::load(&path).unwrap(), checkpoint());
    }

    #[test]
    fn damaged_and_foreign_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        checkpoint().save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        assert!(Checkpoint::load(&path).unwrap_err().to_string().contains("a.safetensors"));
        let stranger = ("a".to_owned(), Tensor::F32 { shape: vec![1], data: vec![0.0] });
        tensors::save(&path, &[stranger], &BTreeMap::new()).unwrap();
        assert!(Checkpoint::load(&path).unwrap_err().to_string().contains("no header"));
        assert!(Checkpoint::load(&dir.path().join("none")).is_err());
    }
}
