//! The wavefront on the camera's side, which intensities do not know: Zernike terms between measured fields and the twin's.
//!
//! A field is measured against its reference beam, so that the beam's own phase is in it. A plane or spherical wave is Noll 1 to 4,
//! and these are left to every set's reference (`docs/physics.md`, "The camera's wavefront"); of a reference that is said to be
//! flat, only the piston is.

mod align;
mod beside;
mod combine;
mod sets;
mod spread;

pub(crate) use beside::beside;
pub use sets::References;
pub(crate) use sets::{Set, sets};

use ndarray::Array2;
use num_complex::Complex64;

use super::{Choice, EstimateError, Outcome};
use crate::calibrate::predict::Way;
use crate::calibrate::{Calibration, Estimate, FieldFit, Predictor, Unclear};
use crate::engine::Engine;
use crate::measure::{Measurement, Role};
use crate::optics::Field;
use crate::twin::ConfigError;
use align::{Aligned, align, sum};
use combine::{Combined, combine};
use spread::{Fitted, spread};

/// The least overlap of a field that the twin is taken to meet. Strangers have a few per cent.
const ALIKE: f64 = 0.4;
/// Terms of a plane or spherical reference: piston, tilts, defocus.
const REFERENCE: usize = 4;

/// How many terms, from Noll 1 on, are every set's own, for they may be the reference's.
pub(crate) fn own_terms(m: &Measurement) -> usize {
    if m.config.camera.flat_reference { 1 } else { REFERENCE }
}

/// How well a twin meets measured fields, each with the reference's tilt and curvature taken out unless it is flat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlaps {
    /// Sets.
    pub sets: usize,
    /// Mean overlap without the estimated wavefront.
    pub before: f64,
    /// Mean overlap with it.
    pub after: f64,
}

/// Fields of sets that a wavefront was fitted to, and of role `test`, which the fit has not seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldOutcome {
    /// Of role `fit`.
    pub fitted: Overlaps,
    /// Of role `test`.
    pub tested: Option<Overlaps>,
}

/// Estimates the camera's wavefront from reference sets, with the twin of a finished fit, and puts it into the calibration: on top
/// of what that says already, the same terms for every layer, since one camera sees them all; of masks in a row for the last one.
///
/// # Errors
/// A set whose field the twin does not meet; a lost device.
pub fn estimate(
    m: &Measurement,
    references: &References,
    choice: &Choice,
    outcome: &mut Outcome,
    engine: Box<dyn Engine>,
    news: &mut dyn FnMut(&str),
) -> Result<(), EstimateError> {
    let calibration = &outcome.calibration;
    let mut bench = Bench::new(m, calibration, choice.zernike, engine)?;
    let first = own_terms(m);
    let mut each = Vec::new();
    let mut pairs = Vec::new();
    for set in &references.fit {
        news(&format!("field of set {}", set.name));
        let (pair, aligned) = bench.meet(m, set)?;
        each.push(aligned);
        pairs.push(pair);
    }
    let Some(Combined { terms, mut covariance, chi_square, shares }) = combine(&each, first) else {
        let problem = format!("the pixels of {} sets do not tell so many terms; lower it", each.len());
        return Err(EstimateError::Choice { name: format!("--zernike {}", choice.zernike), problem });
    };
    news("the camera's wavefront with the other numbers moved");
    let numbers = references.fit.iter().map(|set| set.number).collect();
    let fields = Fitted { numbers, pairs: &pairs, each: &each, shares: &shares, first };
    covariance += &spread(&mut bench, m, calibration, &outcome.known, &fields)?;
    let psi = sum(&bench.basis, &[&vec![0.0; first], terms.as_slice()].concat());
    let fitted = bench.overlaps(&pairs, first, &psi);
    let mut unseen = Vec::new();
    for set in &references.test {
        unseen.push(bench.meet(m, set)?.0);
    }
    let tested = (!unseen.is_empty()).then(|| bench.overlaps(&unseen, first, &psi));
    outcome.fields = Some(FieldOutcome { fitted, tested });
    let calibration = &mut outcome.calibration;
    calibration.fields = Some(FieldFit {
        sets: each.len(),
        overlap_before: fitted.before,
        overlap_after: fitted.after,
        chi_square,
    });
    let layers = layers(m)?;
    put(calibration, &layers, first, &terms, &covariance, each.len());
    if first == REFERENCE {
        let key = |j: usize| layers.iter().map(move |layer| key(layer, j));
        calibration.unclear.push(Unclear {
            keys: (2..=REFERENCE).flat_map(key).collect(),
            advice: "camera_aberration zernike 2, 3 and 4 (tilts and defocus) cannot be told from tilt and curvature of the \
                     reference beam and were kept; where it is known to be a plane wave along the camera's normal, set \
                     camera.flat_reference = true in measurement.toml"
                .into(),
        });
    }
    Ok(())
}

/// A measured field, the twin's, and the pixels that count.
struct Pair {
    measured: Field,
    predicted: Field,
    used: Array2<bool>,
}

/// The twin, and polynomials over its camera.
struct Bench {
    predictor: Predictor,
    inside: Array2<bool>,
    /// Noll 1, 2, 3, ..
    basis: Vec<Array2<f64>>,
}

impl Bench {
    fn new(
        m: &Measurement,
        calibration: &Calibration,
        zernike: usize,
        engine: Box<dyn Engine>,
    ) -> Result<Self, EstimateError> {
        let predictor = Predictor::new(&m.config, calibration, engine)?;
        let basis = (1..=zernike.max(REFERENCE)).map(|j| predictor.wavefront(&[(j, 1.0)]));
        let basis = basis.collect::<Result<_, ConfigError>>()?;
        let inside = predictor.inside();
        Ok(Self { predictor, inside, basis })
    }

    /// A set beside the twin's field, and all terms between them.
    fn meet(&mut self, m: &Measurement, set: &Set) -> Result<(Pair, Aligned), EstimateError> {
        let predicted = self.predictor.fields(m, &[set.number])?.remove(0);
        let used = &set.used & &self.inside;
        let mut best: Option<(Field, Aligned)> = None;
        let other = set.either.then(|| set.field.mapv(|v| v.conj()));
        for measured in [Some(set.field.clone()), other].into_iter().flatten() {
            let Some(aligned) = align(&measured, &predicted, &used, &self.basis) else { continue };
            if best.as_ref().is_none_or(|(_, known)| aligned.overlap > known.overlap) {
                best = Some((measured, aligned));
            }
        }
        let overlap = best.as_ref().map_or(0.0, |(_, aligned)| aligned.overlap);
        match best.filter(|_| overlap > ALIKE) {
            Some((measured, aligned)) => Ok((Pair { measured, predicted, used }, aligned)),
            None => Err(EstimateError::Unlike { set: set.name.clone(), overlap }),
        }
    }

    /// Mean overlaps without and with a wavefront; the terms before `first` are every set's own.
    fn overlaps(&self, pairs: &[Pair], first: usize, psi: &Array2<f64>) -> Overlaps {
        let own = &self.basis[..first];
        let of = |p: &Pair, predicted: &Field| {
            align(&p.measured, predicted, &p.used, own).map_or(0.0, |found| found.overlap)
        };
        let phase = psi.mapv(Complex64::cis);
        let (mut before, mut after) = (0.0, 0.0);
        for p in pairs {
            before += of(p, &p.predicted);
            after += of(p, &(&p.predicted * &phase));
        }
        let n = pairs.len() as f64;
        Overlaps { sets: pairs.len(), before: before / n, after: after / n }
    }
}

/// Layers whose light the camera looks at: all, or the last of those that light passes one after the other.
fn layers(m: &Measurement) -> Result<Vec<usize>, EstimateError> {
    let mut last = None;
    for (number, frame) in (1..).zip(&m.config.frames) {
        if matches!(frame.role, Role::Fit | Role::Test) && frame.show.len() > 1 {
            last = last.max(Way::through(m, number)?.layers.last().copied());
        }
    }
    Ok(match last {
        Some(last) => vec![last],
        None => (1..=m.config.optics.layers).collect(),
    })
}

fn key(layer: &usize, j: usize) -> String {
    format!("imperfections.layer.{layer}.camera_aberration.zernike.{j}")
}

/// Adds terms (Noll `first + 1`, ..) to the layers of a calibration.
fn put(
    calibration: &mut Calibration,
    layers: &[usize],
    first: usize,
    terms: &[f64],
    covariance: &Array2<f64>,
    sets: usize,
) {
    for layer in layers.iter().filter(|_| !terms.is_empty()) {
        let errors = calibration.imperfections.layer.entry(layer.to_string()).or_default();
        let zernike = &mut errors.camera_aberration.get_or_insert_default().zernike;
        for (k, more) in terms.iter().enumerate() {
            let j = first + 1 + k;
            let known: f64 = zernike.iter().filter(|(n, _)| *n == j).map(|(_, c)| c).sum();
            zernike.retain(|(n, _)| *n != j);
            zernike.push((j, known + more));
            calibration.estimates.push(Estimate {
                key: key(layer, j),
                value: known + more,
                sigma: covariance[[k, k]].sqrt(),
                unit: "rad".into(),
                from: format!("fields of {sets} reference sets"),
            });
        }
        zernike.sort_unstable_by_key(|(n, _)| *n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Frame, MeasurementConfig, Shown};

    #[test]
    fn one_camera_sees_all_layers_and_masks_in_a_row_from_behind() {
        let mut config = MeasurementConfig::default();
        config.optics.layers = 3;
        let show = |layers: &[usize]| Frame {
            show: layers.iter().map(|l| (l.to_string(), Shown::Gray(0))).collect(),
            ..Frame::default()
        };
        config.frames = vec![show(&[1]), show(&[3])];
        let mut m = Measurement { dir: ".".into(), config };
        let mut calibration = Calibration::default();
        let known = "[layer.2.camera_aberration]\nzernike = [[4, 0.2], [6, 0.5]]";
        calibration.imperfections = toml::from_str(known).unwrap();
        let layers = layers(&m).unwrap();
        assert_eq!(layers, [1, 2, 3]);
        put(&mut calibration, &layers, REFERENCE, &[0.1, -0.2], &Array2::from_diag_elem(2, 1e-4), 2);
        let terms = |layer| calibration.imperfections.of(layer).camera_aberration.unwrap().zernike;
        assert_eq!(terms(1), [(5, 0.1), (6, -0.2)]);
        // On top of what is known.
        assert_eq!(terms(2), [(4, 0.2), (5, 0.1), (6, 0.3)]);
        assert_eq!(calibration.estimates.len(), 6);
        assert!(calibration.estimates.iter().all(|e| (e.sigma - 0.01).abs() < 1e-12 && e.unit == "rad"));
        m.config.frames.push(show(&[1, 2, 3]));
        assert_eq!(super::layers(&m).unwrap(), [3]);
    }
}
