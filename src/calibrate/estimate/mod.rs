//! What is wrong with a set-up, estimated from its frames: the twin is fitted to them by robust non-linear least squares.

mod choice;
mod error;
mod flight;
mod inclined;
mod model;
mod normal;
mod parameters;
mod pixels;
mod plan;
mod quality;
mod register;
mod report;
mod search;
mod tangents;
pub mod wavefront;

pub use choice::{Choice, Swept, names};
pub use error::EstimateError;
pub use pixels::Corrected;
pub use plan::{Extent, Proposal, plan};

use ndarray::Array2;

use crate::calibrate::Calibration;
use crate::engine::Engine;
use crate::measure::{Measurement, Role};
use crate::optics::Grid;
use model::{FrameData, Model};
use parameters::{Knob, Parameter};
use pixels::{Correction, Pixels};
use search::{Found, Task};

/// Rounds between a search and what happens within the pixels where it ends; each changes a hundredth of what the one before did.
const ROUNDS: usize = 6;

/// How many times wider uncertainties are than noise alone makes them: the root of a `chi_square` above 2.
pub fn widened(chi_square: f64) -> f64 {
    if chi_square > report::NOISY { chi_square.sqrt() } else { 1.0 }
}

/// How well a twin meets frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    /// Frames.
    pub frames: usize,
    /// Mean SSIM of the nominal twin.
    pub before: f64,
    /// Mean SSIM of the calibrated twin.
    pub after: f64,
}

/// A calibration, and how good it is.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The file.
    pub calibration: Calibration,
    /// Frames that were fitted.
    pub fitted: Similarity,
    /// Frames of role `test`, which the fit has not seen.
    pub tested: Option<Similarity>,
    /// How well it meets measured fields, where [`wavefront::estimate`] has looked at them.
    pub fields: Option<wavefront::FieldOutcome>,
    /// What was taken from the counts before.
    pub corrected: Corrected,
    /// The fitted numbers.
    known: Known,
}

/// The fitted numbers and how they vary together, for what is estimated after them.
#[derive(Clone, Debug)]
struct Known {
    parameters: Vec<Parameter>,
    values: Vec<f64>,
    covariance: Array2<f64>,
    grid: Grid,
}

/// Fits the twin of a measurement to its frames of role `fit`, starting from `base` (what is known already). Background and flat
/// frames are taken out of the counts first. `news` is told how it goes.
///
/// # Errors
/// Frames that cannot be used, that are mirrored or out of order, or that the twin does not meet.
pub fn estimate(
    m: &Measurement,
    base: &Calibration,
    choice: &Choice,
    engine: Box<dyn Engine>,
    news: &mut dyn FnMut(&str),
) -> Result<Outcome, EstimateError> {
    let (mut fit, mut test) = (frames(m, Role::Fit)?, frames(m, Role::Test)?);
    if fit.is_empty() {
        return Err(EstimateError::NoFrames { dir: m.dir.display().to_string() });
    }
    let mut model = Model::new(&m.config, base, engine)?;
    let layers = shown(&fit);
    model.parameters = choice::list(&m.config, base, model.grid(), &layers, choice)?;
    let expected = model.start();
    let inside = model.inside(&expected);
    let correction = Correction::read(m, &fit)?;
    let pixels = Pixels::of(m, &fit, &inside, &correction)?;
    correction.apply(&mut fit);
    correction.apply(&mut test);
    let valid = &pixels.valid;

    // 1. Where the frames lie, how bright they are, and whether they show what is said.
    let every: Vec<usize> = (0..fit.len()).collect();
    let mut x = expected.clone();
    brightness(&mut model, &fit, valid, &mut x)?;
    let place = placed(&mut model, &fit, &mut x, news)?;
    news(&format!(
        "frames lie {:.1}, {:.1} camera pixels (x, y) from where they should; correlation {:.2}",
        place.shift[1], place.shift[0], place.correlation
    ));
    brightness(&mut model, &fit, valid, &mut x)?;
    quality::check_order(m, &mut model, &fit, valid, &x)?;

    // 2. From few frames and few parameters to all.
    let few = spread(fit.len(), 4);
    let coarse: Vec<bool> = model.parameters.iter().map(|p| is_coarse(p.knob)).collect();
    let all = vec![true; model.parameters.len()];
    let noise = normal::Noise { dark: 1.0, slope: 0.0 };
    let mut found = Found {
        x,
        noise,
        iterations: 0,
        converged: false,
        began: 0.0,
        normal: None,
        slopes: None,
        rest: 0.0,
    };
    let mut stages = vec![(few.clone(), coarse, 6)];
    if few.len() < fit.len() {
        stages.push((few, all.clone(), 10));
    }
    let task = |which, active, steps, rough| Task {
        frames: &fit,
        which,
        pixels: &pixels,
        active,
        expected: &expected,
        steps,
        rough,
    };
    for (which, active, steps) in stages {
        found = task(which, active, steps, 1e-3).search(&mut model, found, news)?;
    }
    let mut whole = task(every, all, 25, 0.0);
    found = settle(&whole, &mut model, found, news)?;

    // 3. What cannot be told apart stays where it was expected, and the rest is fitted once more.
    let mut normal = whole.normal_at(&mut model, &mut found)?;
    let (unclear, held) = report::unclear(&model, &normal);
    if !held.is_empty() {
        for &n in &held {
            (whole.active[n], found.x[n]) = (false, expected[n]);
        }
        whole.steps = 10;
        found = settle(&whole, &mut model, found, news)?;
        normal = whole.normal_at(&mut model, &mut found)?;
    }

    // 4. How good it is.
    quality::check_order(m, &mut model, &fit, valid, &found.x)?;
    let corrected = correction.done;
    report::outcome(report::Parts {
        m,
        model,
        normal,
        found,
        unclear,
        held,
        fit,
        test,
        pixels,
        corrected,
        base,
    })
}

/// Searches, with what happens within the pixels where the search begins, until that makes no difference any more.
fn settle(
    task: &Task<'_>,
    model: &mut Model,
    mut found: Found,
    news: &mut dyn FnMut(&str),
) -> Result<Found, EstimateError> {
    for _ in 0..ROUNDS {
        model.incline(task.frames, &task.which, &found.x)?;
        found = task.search(model, found, news)?;
        // The next round would have a hundredth of the way to go, and less than a hundredth to gain.
        if !found.converged || found.began < 100.0 * search::ENOUGH {
            return Ok(found);
        }
    }
    Ok(Found { converged: false, ..found })
}

fn frames(m: &Measurement, role: Role) -> Result<Vec<FrameData>, EstimateError> {
    let numbers = (1..).zip(&m.config.frames).filter(|(_, f)| f.role == role && !f.reference);
    numbers.map(|(number, _)| FrameData::read(m, number)).collect()
}

/// Layers that frames show, each with the number of distances that frames have behind it.
fn shown(frames: &[FrameData]) -> Vec<(usize, usize)> {
    let mut all: Vec<(usize, Vec<u64>)> = Vec::new();
    for frame in frames {
        for (k, &layer) in frame.way.layers.iter().enumerate() {
            let last = k + 1 == frame.way.layers.len();
            let at = all.iter().position(|(l, _)| *l == layer).unwrap_or_else(|| {
                all.push((layer, Vec::new()));
                all.len() - 1
            });
            let distance = if last { frame.way.distance().to_bits() } else { 0 };
            if !all[at].1.contains(&distance) {
                all[at].1.push(distance);
            }
        }
    }
    all.sort_unstable();
    all.into_iter().map(|(layer, distances)| (layer, distances.len())).collect()
}

/// Numbers of up to `most` frames, evenly spread.
fn spread(frames: usize, most: usize) -> Vec<usize> {
    let n = frames.min(most);
    (0..n).map(|k| k * frames / n).collect()
}

/// Parameters that decide whether speckles lie on each other at all.
fn is_coarse(knob: Knob) -> bool {
    matches!(
        knob,
        Knob::Shift(_)
            | Knob::Axial
            | Knob::Roll
            | Knob::Magnification
            | Knob::Gain
            | Knob::Offset
            | Knob::Range
            | Knob::RangeMap { .. }
    )
}

/// Gain and offset by a straight line of counts over predicted counts, where they are free.
fn brightness(
    model: &mut Model,
    frames: &[FrameData],
    valid: &[Array2<bool>],
    x: &mut [f64],
) -> Result<(), EstimateError> {
    let place = |knob| model.parameters.iter().position(|p| p.knob == knob);
    let (Some(gain), offset) = (place(Knob::Gain), place(Knob::Offset)) else { return Ok(()) };
    let which = spread(frames.len(), 4);
    let predicted = model.evaluate(frames, &which, x)?;
    let dark = search::offset(model, x);
    let (mut n, mut sx, mut sy, mut sxx, mut sxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let mut lowest = f64::INFINITY;
    for (&frame, p) in which.iter().zip(&predicted) {
        let each = p.iter().zip(&frames[frame].counts).zip(&valid[frame]).filter(|(_, used)| **used);
        for ((p, d), _) in each {
            let light = p - dark;
            (n, sx, sy, sxx, sxy) = (n + 1.0, sx + light, sy + d, sxx + light * light, sxy + light * d);
            lowest = lowest.min(*d);
        }
    }
    // Where speckles do not lie on each other yet the line is flat; then the darkest pixel is the offset, and means tell the gain.
    let slope = (n * sxy - sx * sy) / (n * sxx - sx * sx);
    let mean_slope = (sy - n * lowest) / sx;
    let (slope, level) = match slope > 0.5 * mean_slope {
        true => (slope, (sy - slope * sx) / n),
        false => (mean_slope, lowest),
    };
    if offset.is_none() && slope > 0.0 {
        x[gain] *= (sy - n * dark) / sx;
    } else if let Some(offset) = offset.filter(|_| slope > 0.0) {
        (x[gain], x[offset]) = (x[gain] * slope, level);
    }
    model.parameters[gain].scale = 0.01 * x[gain];
    model.parameters[gain].prior = 100.0 * x[gain];
    Ok(())
}

/// Moves the last layers by where the frames lie; looks at other distances where nothing is found.
fn placed(
    model: &mut Model,
    frames: &[FrameData],
    x: &mut Vec<f64>,
    news: &mut dyn FnMut(&str),
) -> Result<register::Place, EstimateError> {
    let which = spread(frames.len(), 4);
    let measured: Vec<&Array2<f64>> = which.iter().map(|&k| &frames[k].counts).collect();
    let look = |model: &mut Model, x: &[f64]| -> Result<register::Place, EstimateError> {
        let predicted = model.evaluate(frames, &which, x)?;
        register::register(&predicted, &measured)
    };
    let mut best = look(model, x)?;
    let axial: Vec<usize> = (0..x.len()).filter(|&n| model.parameters[n].knob == Knob::Axial).collect();
    if best.correlation < 0.25 && !axial.is_empty() {
        news("the frames hardly resemble the twin; trying other distances");
        let start = x.clone();
        for part in [-0.04, -0.02, -0.01, 0.01, 0.02, 0.04] {
            let mut tried = start.clone();
            axial.iter().for_each(|&n| tried[n] += part * model.config.optics.distance.0);
            let place = look(model, &tried)?;
            if place.correlation > 1.2 * best.correlation {
                (best, *x) = (place, tried);
            }
        }
    }
    let pitch = model.config.camera.pitch.both().map(|l| l.0);
    let last: Vec<usize> = frames.iter().filter_map(|f| f.way.layers.last().copied()).collect();
    for (n, p) in model.parameters.iter().enumerate() {
        if let Knob::Shift(k) = p.knob
            && last.contains(&p.layer)
        {
            x[n] = (x[n] + best.shift[1 - k] * pitch[1 - k]).clamp(p.limits[0], p.limits[1]);
        }
    }
    Ok(best)
}
