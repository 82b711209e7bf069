//! Checkpoints of the stages of a run.

use std::path::Path;

use super::files;
use crate::engine::Program;
use crate::io::RunDir;
use crate::train::{self, Checkpoint, EpochRow, Keep, TrainError};

/// A checkpoint whose masks are those of a program.
pub(crate) fn load_checkpoint(path: &Path, program: &Program) -> Result<Checkpoint, TrainError> {
    let checkpoint = Checkpoint::load(path)?;
    checkpoint.check(path, program)?;
    Ok(checkpoint)
}

/// The checkpoint of the best of these epochs.
pub(crate) fn load_best(
    dir: &RunDir,
    stage: &str,
    program: &Program,
    rows: &[EpochRow],
) -> Result<Checkpoint, TrainError> {
    let path = dir.checkpoint(&files::best_name(stage));
    let foreign = |problem| TrainError::Checkpoint { path: path.display().to_string(), problem };
    let Some(epoch) = train::best_epoch(rows).map(|row| row.epoch) else {
        return Err(not_so_far(dir, &path));
    };
    if !path.exists() {
        return Err(foreign("it is missing; with train.keep = \"last\" it is not needed".to_owned()));
    }
    let best = load_checkpoint(&path, program)?;
    match best.position.epoch {
        found if found == epoch => Ok(best),
        found => Err(foreign(format!(
            "it holds the masks of epoch {found}, but epoch {epoch} was the best; go on with: ffm resume {}",
            dir.path().display()
        ))),
    }
}

/// The checkpoint of a stage that must have begun, with the masks that count.
pub(super) fn finished(
    dir: &RunDir,
    stage: &str,
    program: &Program,
    keep: Keep,
) -> Result<Checkpoint, TrainError> {
    let path = dir.checkpoint(stage);
    if !path.exists() {
        return Err(not_so_far(dir, &path));
    }
    let last = load_checkpoint(&path, program)?;
    match keep {
        Keep::Last => Ok(last),
        Keep::Best => load_best(dir, stage, program, &last.rows),
    }
}

fn not_so_far(dir: &RunDir, path: &Path) -> TrainError {
    let resume = format!("the run has not come that far; go on with: ffm resume {}", dir.path().display());
    TrainError::Checkpoint { path: path.display().to_string(), problem: resume }
}
