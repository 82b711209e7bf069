//! From a finished search to a calibration file: values, uncertainties, what is unclear, how good it is.

use ndarray::Array2;

use super::model::{FrameData, Model};
use super::normal::Normal;
use super::parameters::{Knob, Light, Parameter};
use super::pixels::{Corrected, Pixels};
use super::quality;
use super::search::{Found, offset};
use super::{EstimateError, Known, Outcome, Similarity, widened};
use crate::calibrate::{Bench, Calibration, Estimate, Fit, Unclear};
use crate::measure::Measurement;
use crate::optics::Length;

/// What the report is made of.
pub(crate) struct Parts<'a> {
    pub(crate) m: &'a Measurement,
    pub(crate) model: Model,
    pub(crate) normal: Normal,
    pub(crate) found: Found,
    pub(crate) unclear: Vec<Unclear>,
    /// Parameters that were kept where they were expected.
    pub(crate) held: Vec<usize>,
    pub(crate) fit: Vec<FrameData>,
    pub(crate) test: Vec<FrameData>,
    pub(crate) pixels: Pixels,
    pub(crate) corrected: Corrected,
    pub(crate) base: &'a Calibration,
}

/// Largest inflation of a variance: beyond it derivatives that differ by less than 1/100 of themselves would have to be told
/// apart, and no twin is that good.
const INFLATION: f64 = 1e4;

/// Largest `chi_square` of a calibration that is written.
const WORST: f64 = 10.0;
/// Beyond this `chi_square` uncertainties grow with its root, as if all of the residual were noise.
pub(super) const NOISY: f64 = 2.0;

/// Groups of parameters that these frames cannot tell apart, and those of them that are better kept where they are expected.
pub(crate) fn unclear(model: &Model, normal: &Normal) -> (Vec<Unclear>, Vec<usize>) {
    let covariance = normal.covariance(&normal.eigen());
    let sigma = |n: usize| covariance[[n, n]].sqrt();
    // How many times larger a number's variance is because the others are not known either.
    let inflation = |n: usize| normal.matrix[[n, n]] * covariance[[n, n]];
    let mut held = Vec::new();
    let mut groups = Vec::new();
    for (n, p) in model.parameters.iter().enumerate() {
        // Nothing was learned where as much is unknown as before, unless it was known.
        if p.measured || (sigma(n) < 0.5 * p.prior && inflation(n) < INFLATION) || held.contains(&n) {
            continue;
        }
        let tied = |k: usize| (covariance[[n, k]] / (sigma(n) * sigma(k))).abs() > 0.7;
        let group: Vec<usize> = (0..model.parameters.len()).filter(|&k| k == n || tied(k)).collect();
        let Some(&least) = group.iter().min_by_key(|&&k| rank(model.parameters[k].knob)) else { continue };
        if held.contains(&least) {
            continue;
        }
        held.push(least);
        let of = |k: &usize| &model.parameters[*k];
        groups.push(Unclear {
            keys: group.iter().map(|k| of(k).key.clone()).collect(),
            advice: advice(&group.iter().map(of).collect::<Vec<_>>(), of(&least)),
        });
    }
    (groups, held)
}

/// What is kept free longest has the highest rank.
fn rank(knob: Knob) -> usize {
    match knob {
        Knob::Tilt(_) => 0,
        Knob::Crosstalk => 1,
        Knob::Distortion | Knob::Shear | Knob::Aspect => 2,
        Knob::Zernike(4) => 3,
        Knob::Aperture => 4,
        Knob::Slope(_) | Knob::Curvature(_) => 5,
        Knob::FillFactor => 6,
        Knob::Zernike(_) => 7,
        Knob::Magnification | Knob::Gamma | Knob::RangeMap { .. } | Knob::Lut { .. } | Knob::Blur => 8,
        _ => 9,
    }
}

/// A parameter as a person would call it.
fn words(p: &Parameter) -> String {
    let short = p.key.rsplit_once("layer.").map_or(p.key.as_str(), |(_, k)| k);
    match short.split_once('.') {
        Some((layer, name)) if p.of_layer() => format!("{} of layer {layer}", name.replace('.', " ")),
        _ => p.key.replace('.', " "),
    }
}

fn advice(group: &[&Parameter], held: &Parameter) -> String {
    let named: Vec<String> = group.iter().map(|p| words(p)).collect();
    let remedy = match held.knob {
        Knob::Tilt(_) | Knob::Zernike(4) => "record frames at a second distance",
        Knob::Range
        | Knob::RangeMap { .. }
        | Knob::Lut { .. }
        | Knob::Gamma
        | Knob::FillFactor
        | Knob::Crosstalk => "record frames of gratings and of random blocks of several sizes",
        _ => "record more frames, of random blocks of several sizes",
    };
    let kept = words(held);
    match named.len() {
        1 => format!("{kept} cannot be told from these frames and was kept; {remedy}"),
        _ => format!(
            "{} cannot be told apart from these frames; {kept} was kept; {remedy}",
            named.join(" and ")
        ),
    }
}

/// The file, and how good it is.
pub(crate) fn outcome(parts: Parts<'_>) -> Result<Outcome, EstimateError> {
    let Parts { m, mut model, normal, found, unclear, held, fit, test, pixels, corrected, base } = parts;
    let x = &found.x;
    let dark = offset(&model, x);
    let inside = model.inside(x);
    let every = |frames: &[FrameData]| (0..frames.len()).collect::<Vec<usize>>();
    model.incline(&test, &every(&test), x)?;
    let predicted = [&fit, &test].map(|frames| model.evaluate(frames, &every(frames), x));
    let [predicted, unseen] = predicted;
    let (predicted, unseen) = (predicted?, unseen?);
    let parameters = std::mem::take(&mut model.parameters);
    model.level();
    let mut compare = |frames: &[FrameData], after: &[Array2<f64>]| -> Result<Similarity, EstimateError> {
        let after = quality::similarity(after, (dark, dark), frames, &inside)?;
        let nominal = model.evaluate(frames, &every(frames), &[])?;
        let nominal_dark = base.response.map_or(0.0, |r| r.offset);
        let before = quality::similarity(&nominal, (nominal_dark, dark), frames, &inside)?;
        Ok(Similarity { frames: frames.len(), before, after })
    };
    let fitted = compare(&fit, &predicted)?;
    let tested = if test.is_empty() { None } else { Some(compare(&test, &unseen)?) };
    model.parameters = parameters;
    let (rms, chi_square) = quality::residuals(&predicted, dark, &fit, &pixels);
    let alike = fitted.after.is_finite() && (fitted.after > 0.6 || chi_square < 4.0);
    // Frames may look alike and still be met so badly that every number and every uncertainty is wrong.
    if !(alike && chi_square <= WORST) {
        let what = format!(
            "after {} steps the residual is {rms:.1} counts rms, {:.1} times the noise, and the SSIM {:.2} ({:.2} before)",
            found.iterations,
            chi_square.sqrt(),
            fitted.after,
            fitted.before
        );
        return Err(EstimateError::Poor { what });
    }
    if !found.converged {
        return Err(EstimateError::Unfinished { steps: found.iterations });
    }
    let mut calibration = model.calibration(x);
    let o = &m.config.optics;
    calibration.name.clone_from(&m.config.name);
    // Of the calibration that was started from.
    calibration.fields = None;
    calibration.bench = Some(Bench {
        wavelength: o.wavelength,
        pixels: o.pixels.both(),
        pitch: o.pitch.both(),
        layers: o.layers,
        distance: o.distance,
    });
    calibration.fit = Some(Fit {
        frames: fit.len(),
        rms,
        chi_square,
        iterations: found.iterations,
        ssim_before: fitted.before,
        ssim_after: fitted.after,
    });
    let mut from = format!("least squares over {} frames", fit.len());
    calibration.estimates = estimates(&model, &normal, x, &held, &from);
    let wider = widened(chi_square);
    if wider > 1.0 {
        from += &format!("; sigma is {wider:.2} times wider, for a chi-square of {chi_square:.2}");
        for estimate in &mut calibration.estimates {
            estimate.sigma *= wider;
            estimate.from.clone_from(&from);
        }
    }
    calibration.unclear = unclear;
    calibration.unclear.extend(even(&model, x, &calibration.estimates));
    let known = known(&model, normal, x, &held, chi_square);
    Ok(Outcome { calibration, fitted, tested, fields: None, corrected, known })
}

/// Beams that are too wide for these frames: their radius is where its range ends, and its uncertainty says nothing.
fn even(model: &Model, x: &[f64], estimates: &[Estimate]) -> Vec<Unclear> {
    let parameters = model.parameters.iter().zip(x);
    let ended = parameters.filter(|(p, x)| matches!(p.knob, Knob::Curvature(_)) && **x <= p.limits[0]);
    let found = |key: &str| estimates.iter().find(|e| e.key == key).map(|e| Length(e.value));
    ended
        .filter_map(|(p, _)| {
            let value = found(&p.key)?;
            let advice = format!(
                "{} is at the end of its range, {value}: the light is even as far as these frames tell",
                words(p)
            );
            Some(Unclear { keys: vec![p.key.clone()], advice })
        })
        .collect()
}

/// The numbers that were fitted, with those that were held as certain.
fn known(model: &Model, mut normal: Normal, x: &[f64], held: &[usize], chi_square: f64) -> Known {
    for &n in held {
        normal.matrix.row_mut(n).fill(0.0);
        normal.matrix.column_mut(n).fill(0.0);
        normal.matrix[[n, n]] = 1.0;
    }
    let covariance = normal.covariance(&normal.eigen()) * widened(chi_square).powi(2);
    let free: Vec<usize> = (0..x.len()).filter(|n| !held.contains(n)).collect();
    Known {
        parameters: free.iter().map(|&n| model.parameters[n].clone()).collect(),
        values: free.iter().map(|&n| x[n]).collect(),
        covariance: Array2::from_shape_fn((free.len(), free.len()), |(i, j)| covariance[[free[i], free[j]]]),
        grid: *model.grid(),
    }
}

/// Every fitted number with its uncertainty, as the file has them.
pub(crate) fn estimates(
    model: &Model,
    normal: &Normal,
    x: &[f64],
    held: &[usize],
    from: &str,
) -> Vec<Estimate> {
    let covariance = normal.covariance(&normal.eigen());
    let calibration = model.calibration(x);
    let mut all = Vec::new();
    for (n, p) in model.parameters.iter().enumerate().filter(|(n, _)| !held.contains(n)) {
        // What was kept where it was expected may be off by what was known of it, and this number with it.
        let moved = |h: &usize| {
            let tied = covariance[[n, *h]].powi(2) / (covariance[[n, n]] * covariance[[*h, *h]]) > 0.5;
            let by = covariance[[n, *h]] / covariance[[*h, *h]] * model.parameters[*h].prior;
            if tied { by * by } else { 0.0 }
        };
        let own = covariance[[n, n]] + held.iter().map(moved).sum::<f64>();
        let sigma = own.sqrt().min(p.prior.max(covariance[[n, n]].sqrt()));
        let light = Light::of(&calibration.imperfections.of(p.layer), model.grid());
        let (value, sigma) = match p.knob {
            Knob::Slope(k) => {
                // centre = slope / (2 curvature)
                let curved =
                    model.parameters.iter().position(|q| q.layer == p.layer && q.knob == Knob::Curvature(k));
                let u = light.curvature[k];
                let by = [0.5 / u, -0.5 * light.slope[k] / (u * u)];
                let variance = curved.map_or(by[0] * by[0] * sigma * sigma, |c| {
                    by[0] * by[0] * covariance[[n, n]]
                        + 2.0 * by[0] * by[1] * covariance[[n, c]]
                        + by[1] * by[1] * covariance[[c, c]]
                });
                (light.centre(k), variance.sqrt())
            }
            Knob::Curvature(k) => {
                let u = light.curvature[k];
                (u.sqrt().recip(), 0.5 * sigma * u.powf(-1.5))
            }
            Knob::Blur => {
                let blur = x[n].max(0.0).sqrt();
                (blur, if blur * blur > sigma { 0.5 * sigma / blur } else { sigma.sqrt() })
            }
            _ => (x[n], sigma),
        };
        all.push(Estimate { key: p.key.clone(), value, sigma, unit: p.unit.into(), from: from.into() });
    }
    all
}
