//! The masks that training starts from: as `train.start` says, or from files.

use std::path::Path;

use ndarray::Array2;

use crate::engine::{Program, State};
use crate::experiment::{Experiment, RunError};
use crate::io::{self, RunDir};
use crate::train;
use crate::twin::ConfigError;

/// The masks that the stages of a run start from. A run folder keeps copies of the files that are named, and a run that goes on
/// takes these, whatever has become of the files.
///
/// # Errors
/// Files that are missing, damaged, of another size than a layer, or amplitudes that are not within 0..=1.
pub fn start_state(
    experiment: &Experiment,
    program: &Program,
    dir: Option<&RunDir>,
) -> Result<State, RunError> {
    let (mut phases, mut amplitudes) =
        train::initial_commands(experiment.train.start, program, experiment.seed);
    let dim = program.amplitude_masks();
    for (m, phase) in phases.iter_mut().enumerate() {
        let layer = experiment.masks.of(m + 1);
        if let Some(file) = &layer.file {
            let key = format!("masks.layer.{}.file", m + 1);
            *phase = read(&key, file, program.shape, dir, &format!("masks/start-layer-{}.npy", m + 1))?;
        }
        if let (Some(file), Some(k)) = (&layer.amplitude_file, dim.iter().position(|&d| d == m)) {
            let key = format!("masks.layer.{}.amplitude_file", m + 1);
            let copy = format!("masks/start-layer-{}-amplitude.npy", m + 1);
            let amplitude = read(&key, file, program.shape, dir, &copy)?;
            if let Some(v) = amplitude.iter().find(|v| !(0.0..=1.0).contains(*v)) {
                let problem = format!("it holds {v}; amplitude transmissions are 0 to 1");
                return Err(ConfigError::Value { key, value: file.clone(), problem }.into());
            }
            amplitudes[k] = amplitude;
        }
    }
    Ok(State::with_amplitudes(phases, amplitudes))
}

/// Reads an array of a layer's size: the copy in the run folder, or the file, which is copied there.
fn read(
    key: &str,
    file: &str,
    [rows, cols]: [usize; 2],
    dir: Option<&RunDir>,
    copy: &str,
) -> Result<Array2<f32>, RunError> {
    let kept = dir.map(|dir| dir.file(copy));
    if let Some(kept) = kept.as_ref().filter(|path| path.exists()) {
        return Ok(io::read_real(kept)?);
    }
    let values = io::read_real(Path::new(file))?;
    if values.dim() != (rows, cols) {
        let (r, c) = values.dim();
        let problem = format!("it has {r} x {c} pixels, but a layer has {rows} x {cols}");
        return Err(ConfigError::Value { key: key.into(), value: file.into(), problem }.into());
    }
    if let Some(kept) = kept {
        io::write_real(&kept, values.view())?;
    }
    Ok(values)
}
