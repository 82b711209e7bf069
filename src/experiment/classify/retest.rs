//! Tests of masks: deployed ones, and those of a finished run.

use super::programs::Programs;
use super::saved::finished;
use crate::data::DataSet;
use crate::engine::{Engine, Exposure, ImageSet, Program, SetId, State};
use crate::experiment::{Experiment, RunError, WavelengthResult};
use crate::io::RunDir;
use crate::train::{self, Checkpoint, Evaluation, Method};

/// Noise key of the tests of deployed masks.
const DEPLOYED_STEP: u64 = 1 << 50;

/// Masks tested on a system, with the exposures that were used.
pub(super) struct Deployed {
    pub(super) evaluation: Evaluation,
    pub(super) exposure: Option<Exposure>,
}

/// Tests masks on a loaded system, exposures set for them first.
pub(super) fn deploy(
    engine: &mut dyn Engine,
    program: &Program,
    state: &State,
    images: &ImageSet,
    (test, labels): (SetId, &[u8]),
    experiment: &Experiment,
) -> Result<Deployed, RunError> {
    engine.set_state(state)?;
    let exposure = match program.camera {
        Some(_) => {
            let few: Vec<u32> = (0..images.len().min(16) as u32).collect();
            let exposure = train::measure_exposure(program, images, &few, state)?;
            engine.set_exposure(&exposure)?;
            Some(exposure)
        }
        None => None,
    };
    let key = (experiment.seed, DEPLOYED_STEP);
    let evaluation = train::evaluate(engine, test, labels, experiment.train.batch, key)?;
    Ok(Deployed { evaluation, exposure })
}

/// Accuracies of a finished run's masks.
#[derive(Clone, Debug)]
pub struct Retested {
    /// In-silico masks on the ideal system.
    pub ideal: f64,
    /// In-silico masks on the twin.
    pub in_silico_deployed: f64,
    /// The masks of the third stage on the twin.
    pub trained: f64,
    /// The same at each of several wavelengths.
    pub wavelengths: Vec<WavelengthResult>,
    /// Method of the third stage.
    pub method: Method,
    /// Test images.
    pub samples: usize,
}

/// Tests the masks of a run folder on a data set.
///
/// # Errors
/// Missing or foreign checkpoints, engine failures.
pub fn retest(
    experiment: &Experiment,
    data: &DataSet,
    engine: &mut dyn Engine,
    dir: &RunDir,
) -> Result<Retested, RunError> {
    tested(experiment, data, engine, dir, false)
}

/// Tests the masks of a run folder on another bench than they were trained on, which the experiment now has: exposures are set
/// anew.
///
/// # Errors
/// As [`retest`].
pub fn retest_elsewhere(
    experiment: &Experiment,
    data: &DataSet,
    engine: &mut dyn Engine,
    dir: &RunDir,
) -> Result<Retested, RunError> {
    tested(experiment, data, engine, dir, true)
}

fn tested(
    experiment: &Experiment,
    data: &DataSet,
    engine: &mut dyn Engine,
    dir: &RunDir,
    elsewhere: bool,
) -> Result<Retested, RunError> {
    let programs = Programs::compile(experiment, data.test.size, engine)?;
    experiment.check_test_data(data)?;
    // The images that exposures were measured with are those that were trained on.
    let held_out = if data.train.is_empty() { None } else { Some(experiment.split(data)?.0) };
    let data = held_out.as_ref().unwrap_or(data);
    let keep = experiment.train.keep;
    let ideal = finished(dir, Method::InSilico.name(), &programs.ideal, keep)?;
    let programs = match &ideal.distances {
        Some(learned) => programs.with_distances(&learned.metres)?,
        None => programs,
    };
    let ffm = finished(dir, programs.method.name(), &programs.twin, keep)?;
    let images = if data.train.is_empty() { &data.test } else { &data.train };
    let labels = &data.test.labels[..];
    let load = |engine: &mut dyn Engine, program: &Program| -> Result<SetId, RunError> {
        engine.load(program, experiment.batch(data))?;
        engine.clear_sets();
        Ok(engine.upload(&data.test)?)
    };
    let test = load(engine, &programs.ideal)?;
    let on_ideal = test_as_trained(engine, &ideal, (test, labels), experiment)?;
    let test = load(engine, &programs.twin)?;
    let deployed = deploy(engine, &programs.twin, &ideal.state, images, (test, labels), experiment)?;
    let on_twin = match programs.method {
        Method::InSilico | Method::InSilicoRobust | Method::InSilicoCalibrated => {
            deploy(engine, &programs.twin, &ffm.state, images, (test, labels), experiment)?.evaluation
        }
        _ if elsewhere => {
            deploy(engine, &programs.twin, &ffm.state, images, (test, labels), experiment)?.evaluation
        }
        _ => {
            if programs.drifts().is_some() {
                engine.replace(&programs.twin_at(ffm.position.step)?)?;
            }
            test_as_trained(engine, &ffm, (test, labels), experiment)?
        }
    };
    let predictions = [&on_ideal, &deployed.evaluation, &on_twin].map(|e| &e.predictions[..]);
    Ok(Retested {
        wavelengths: experiment.by_wavelength(labels, predictions, &programs.ideal),
        ideal: on_ideal.accuracy,
        in_silico_deployed: deployed.evaluation.accuracy,
        trained: on_twin.accuracy,
        method: programs.method,
        samples: data.test.len(),
    })
}

/// Tests masks on the system they were trained on as at the end of their training: same exposures, same noise.
pub(super) fn test_as_trained(
    engine: &mut dyn Engine,
    checkpoint: &Checkpoint,
    (test, labels): (SetId, &[u8]),
    experiment: &Experiment,
) -> Result<Evaluation, RunError> {
    engine.set_state(&checkpoint.state)?;
    if let Some(exposure) = &checkpoint.exposure {
        engine.set_exposure(exposure)?;
    }
    let key = train::evaluation_key(experiment.seed, checkpoint.position.step);
    Ok(train::evaluate(engine, test, labels, experiment.train.batch, key)?)
}
