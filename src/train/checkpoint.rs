//! What a run needs to go on, bit for bit: the trainable state, the exposures, the position, the sums so far.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{EpochRow, TrainError};
use crate::engine::{Exposure, State, Tally};
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
    masks: usize,
}
