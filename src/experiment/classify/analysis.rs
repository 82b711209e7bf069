//! What is found out about a finished run: cosines, likeness of fields, examples.

use ndarray::{Array2, Axis, concatenate};

use super::programs::Programs;
use super::retest::Deployed;
use crate::data::DataSet;
use crate::engine::{Batch, Engine, Exposure, Program, State};
use crate::experiment::{Experiment, RunError};
use crate::metrics::{GradientCosine, MetricError, gradient_cosine, ssim_intensity};
use crate::report::DriftPoint;
use crate::train::{self, Method, Outcome};

/// Test images whose output fields are compared.
const FIELDS: usize = 64;
/// Training images whose gradients are compared.
const GRADIENTS: usize = 16;
/// Examples in the report.
const EXAMPLES: usize = 6;
/// Noise key of the analysis.
const ANALYSIS_STEP: u64 = 1 << 51;

/// The three stages' results.
pub(super) struct Found {
    pub(super) ideal: Outcome,
    pub(super) deployed: Deployed,
    pub(super) ffm: Outcome,
    /// Images held out of the training set.
    pub(super) validation: usize,
    /// Empty where the bench stands still.
    pub(super) drift: Vec<DriftPoint>,
}

/// What the analysis adds.
pub(super) struct Analysis {
    pub(super) gradient: GradientCosine,
    /// None, like those that follow, where images are dark or smaller than the window of SSIM.
    pub(super) ssim_deployed: Option<f64>,
    pub(super) ssim_ffm: Option<f64>,
    /// The third stage's masks, twin as measured, against the ideal system.
    pub(super) ssim_uncalibrated: Option<f64>,
    /// The same, against the twin without noise.
    pub(super) ssim_calibrated: Option<f64>,
    pub(super) compared: usize,
    pub(super) examples: Vec<Example>,
    pub(super) device: String,
    pub(super) engine: &'static str,
}

/// One test image through the three systems.
pub(super) struct Example {
    pub(super) index: usize,
    /// Ideal, deployed, FFM.
    pub(super) outputs: [Output; 3],
}

/// Light on the detectors and what is read from it.
#[derive(Clone)]
pub(super) struct Output {
    pub(super) intensity: Array2<f64>,
    pub(super) scores: Vec<f64>,
    pub(super) prediction: u8,
}

/// Compares gradients and fields.
pub(super) fn analyse(
    experiment: &Experiment,
    data: &DataSet,
    engine: &mut dyn Engine,
    // As the bench was when in-silico masks were first deployed, and when the third stage's were tested.
    (programs, later): (&Programs, &Programs),
    found: &Found,
) -> Result<Analysis, RunError> {
    let gradient = gradients(experiment, data, engine, later, &found.ffm)?;
    let picked = pick(&data.test.labels, data.classes.len());
    let mut indices: Vec<u32> = (0..data.test.len().min(FIELDS) as u32).collect();
    let compared = indices.len();
    indices.extend(&picked);
    let mut run = |program: &Program, state: &State, exposure: Option<&Exposure>| {
        outputs(experiment, data, engine, (program, state, exposure), &indices)
    };
    let ideal = run(&programs.ideal, &found.ideal.state, None)?;
    let deployed = run(&programs.twin, &found.ideal.state, found.deployed.exposure.as_ref())?;
    let ffm = run(&later.twin, &found.ffm.state, found.ffm.exposure.as_ref())?;
    let [uncalibrated, calibrated] =
        [run(&programs.ideal, &found.ffm.state, None)?, run(&later.truth, &found.ffm.state, None)?];
    let likeness = |one: &[Output], other: &[Output]| -> Result<Option<f64>, RunError> {
        let mut sum = 0.0;
        for (a, b) in one.iter().zip(other).take(compared) {
            match ssim_intensity(a.intensity.view(), b.intensity.view()) {
                Ok(found) => sum += found.mean,
                // A training is not lost because its images cannot be compared.
                Err(MetricError::Degenerate { .. } | MetricError::TooSmall { .. }) => return Ok(None),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(Some(sum / compared as f64))
    };
    let (ssim_deployed, ssim_ffm) = (likeness(&ideal, &deployed)?, likeness(&ideal, &ffm)?);
    let (ssim_uncalibrated, ssim_calibrated) = (likeness(&uncalibrated, &ffm)?, likeness(&calibrated, &ffm)?);
    let example = |k: usize| {
        let at = compared + k;
        Example {
            index: picked[k] as usize,
            outputs: [&ideal[at], &deployed[at], &ffm[at]].map(Output::clone),
        }
    };
    let examples = (0..picked.len()).map(example).collect();
    let info = engine.device();
    Ok(Analysis {
        gradient,
        ssim_deployed,
        ssim_ffm,
        ssim_uncalibrated,
        ssim_calibrated,
        compared,
        examples,
        device: format!("{} ({}, {})", info.name, info.precision, info.detail),
        engine: info.engine,
    })
}

/// The first test image of each of the first classes: nobody chose them for their looks.
fn pick(labels: &[u8], classes: usize) -> Vec<u32> {
    let first = |class: usize| labels.iter().position(|&l| usize::from(l) == class);
    (0..classes.min(EXAMPLES)).filter_map(first).map(|i| i as u32).collect()
}

/// The gradient that the method gives against the true one of the same imperfect twin, with the FFM-trained masks.
fn gradients(
    experiment: &Experiment,
    data: &DataSet,
    engine: &mut dyn Engine,
    programs: &Programs,
    ffm: &Outcome,
) -> Result<GradientCosine, RunError> {
    let indices: Vec<u32> = (0..data.train.len().min(GRADIENTS).min(experiment.train.batch) as u32).collect();
    let mut gradient = |program: &Program, estimated: bool| -> Result<Vec<Array2<f64>>, RunError> {
        engine.load(program, indices.len())?;
        engine.clear_sets();
        let set = engine.upload(&data.train)?;
        engine.set_state(&ffm.state)?;
        if let (Some(_), Some(exposure)) = (&program.camera, &ffm.exposure) {
            engine.set_exposure(exposure)?;
        }
        let batch = Batch::whole(set, &indices, experiment.seed, ANALYSIS_STEP);
        if estimated {
            let (labels, c) = (&data.train.labels, experiment.train.perturbation);
            let found = train::estimate(engine, &program.parameters(), &ffm.state, batch, labels, c)?;
            return Ok(found.gradients.iter().map(|g| g.mapv(f64::from)).collect());
        }
        Ok(engine.trace(batch)?.gradients)
    };
    // A computer's method never sees the twin: its gradient is that of the model.
    let used = match programs.method {
        Method::InSilicoCalibrated => &programs.truth,
        method if method.is_physical() => &programs.twin,
        _ => &programs.ideal,
    };
    let measured = gradient(used, programs.method == Method::Spsa)?;
    let truth = gradient(&programs.truth, false)?;
    let masks = programs.twin.masks.len();
    let parameters = programs.twin.parameters();
    // All commands of a mask make one array; masks that are not trained have no direction to compare.
    let of_masks = |gradients: &[Array2<f64>]| -> Vec<Array2<f64>> {
        let of = |m| gradients.iter().zip(&parameters).filter(move |(_, p)| p.trained && p.mask == m);
        let join = |m| {
            let parts: Vec<_> = of(m).map(|(g, _)| g.view()).collect();
            concatenate(Axis(0), &parts).expect("gradients of a mask have its size")
        };
        (0..masks).filter(|&m| !programs.twin.masks[m].frozen).map(join).collect()
    };
    let found = gradient_cosine(&of_masks(&measured), &of_masks(&truth))?;
    let mut layers = found.layers.into_iter();
    let mut layer = |m: usize| if programs.twin.masks[m].frozen { None } else { layers.next() };
    let layers = (0..masks).map(|m| layer(m).flatten()).collect();
    Ok(GradientCosine { layers, ..found })
}

/// Output intensity, scores and class of some test images.
fn outputs(
    experiment: &Experiment,
    data: &DataSet,
    engine: &mut dyn Engine,
    (program, state, exposure): (&Program, &State, Option<&Exposure>),
    indices: &[u32],
) -> Result<Vec<Output>, RunError> {
    let batch = experiment.train.batch.min(indices.len());
    engine.load(program, batch)?;
    engine.clear_sets();
    let set = engine.upload(&data.test)?;
    engine.set_state(state)?;
    if let Some(exposure) = exposure {
        engine.set_exposure(exposure)?;
    }
    let mut all = Vec::with_capacity(indices.len());
    for (k, indices) in indices.chunks(batch).enumerate() {
        let batch = Batch::whole(set, indices, experiment.seed, ANALYSIS_STEP + 1 + k as u64);
        let (read, trace) = (engine.infer(batch)?, engine.trace(batch)?);
        let last = trace.fields.last().map_or(&[][..], Vec::as_slice);
        for (b, field) in last.iter().enumerate() {
            all.push(Output {
                intensity: field.mapv(|u| u.norm_sqr()),
                scores: read.scores.row(b).to_vec(),
                prediction: read.predictions[b],
            });
        }
    }
    Ok(all)
}
