//! From frames with a reference beam to complex fields.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array2;
use serde::Serialize;

use super::{Corrections, MeasureError, Measurement};
use crate::holography::{self, HolographyError, Ramp, SideBand};
use crate::optics::Field;

/// How fields are made of frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldOptions {
    /// This set only.
    pub set: Option<String>,
    /// Find the phase steps even where they are given.
    pub find_steps: bool,
    /// Take the conjugate field: unknown steps leave open which of the two it is, and so does one off-axis frame.
    pub conjugate: bool,
    /// What of the reference is taken out.
    pub flatten: Flatten,
}

/// What of the reference's phase is taken out of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flatten {
    /// Nothing.
    #[default]
    Nothing,
    /// Its tilt.
    Tilt,
    /// Tilt and quadratic phase.
    Curvature,
}

/// A field and how it was found.
#[derive(Clone, Debug, Serialize)]
pub struct MeasuredField {
    /// The set's name; of a frame without set that of its file.
    pub name: String,
    /// Numbers of its frames, from 1.
    pub frames: Vec<usize>,
    /// `phase-shifting` or `off-axis`.
    pub method: &'static str,
    /// Phase steps, radians.
    pub steps: Option<Vec<f64>>,
    /// Whether the steps were found rather than given.
    pub steps_found: bool,
    /// What the frames do not have in common with the model, over the rms of the fringes.
    pub residual: Option<f64>,
    /// Where the field was in the spectrum.
    pub side_band: Option<SideBand>,
    /// What was taken out.
    pub ramp: Option<Ramp>,
    /// The field times the reference's amplitude.
    #[serde(skip)]
    pub field: Field,
}

impl Measurement {
    /// Frames with the reference beam that belong together, by name; frames without a set stand for themselves.
    pub fn reference_sets(&self) -> BTreeMap<String, Vec<usize>> {
        let mut sets = BTreeMap::<_, Vec<_>>::new();
        for (number, frame) in (1..).zip(&self.config.frames).filter(|(_, f)| f.reference) {
            let stem =
                || Path::new(&frame.file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
            sets.entry(frame.set.clone().unwrap_or_else(stem)).or_default().push(number);
        }
        sets
    }

    /// The complex fields of all reference sets: by phase shifting where a set has three frames or more, by off-axis holography
    /// where it has one. Backgrounds and flat frames are taken out first.
    ///
    /// # Errors
    /// No such set, frames that cannot be read, or of which no field can be made.
    pub fn fields(&self, options: &FieldOptions) -> Result<Vec<MeasuredField>, MeasureError> {
        let mut sets = self.reference_sets();
        let known = sets.keys().cloned().collect::<Vec<_>>().join(", ");
        if let Some(name) = &options.set {
            sets.retain(|n, _| n == name);
        }
        if sets.is_empty() {
            let wanted = options.set.as_ref().map_or(String::new(), |s| format!(" in a set {s:?}"));
            let there = if known.is_empty() {
                "set reference = true where it was on".into()
            } else {
                format!("sets: {known}")
            };
            let message = format!("no frame with the reference beam{wanted}; {there}");
            return Err(MeasureError::Config {
                file: self.dir.join(super::FILE).display().to_string(),
                message,
            });
        }
        let corrections = Corrections::read(self)?;
        sets.into_iter().map(|(name, numbers)| self.field(name, numbers, &corrections, options)).collect()
    }

    fn field(
        &self,
        name: String,
        numbers: Vec<usize>,
        corrections: &Corrections,
        options: &FieldOptions,
    ) -> Result<MeasuredField, MeasureError> {
        let wrong = |source: HolographyError| MeasureError::Field { set: name.clone(), source };
        let mut frames = Vec::new();
        for number in &numbers {
            let exposure = self.config.frames[number - 1].exposure;
            frames.push(corrections.apply(self.counts(*number)?, exposure) / exposure);
        }
        let mut out = match frames.len() {
            1 => off_axis(&frames[0], options).map_err(wrong)?,
            _ => self.stepped(&numbers, &frames, options).map_err(wrong)?,
        };
        if options.flatten != Flatten::Nothing {
            let curvature = options.flatten == Flatten::Curvature;
            let (field, ramp) = holography::flatten(&out.field, curvature).map_err(wrong)?;
            (out.field, out.ramp) = (field, Some(ramp));
        }
        Ok(MeasuredField { name, frames: numbers, ..out })
    }

    fn stepped(
        &self,
        numbers: &[usize],
        frames: &[Array2<f64>],
        options: &FieldOptions,
    ) -> Result<MeasuredField, HolographyError> {
        let steps: Vec<f64> =
            numbers.iter().filter_map(|n| Some(self.config.frames[n - 1].step?.0)).collect();
        let given = steps.len() == frames.len() && !options.find_steps;
        let found = match given {
            true => holography::known_steps(frames, &steps)?,
            false => holography::unknown_steps(frames)?,
        };
        let turned = |v: &num_complex::Complex64| if options.conjugate { v.conj() } else { *v };
        Ok(MeasuredField {
            method: "phase-shifting",
            field: found.field.map(turned),
            steps: Some(found.steps),
            steps_found: !given,
            residual: Some(found.residual),
            ..empty()
        })
    }
}

fn off_axis(frame: &Array2<f64>, options: &FieldOptions) -> Result<MeasuredField, HolographyError> {
    let found = holography::off_axis(frame.view(), None, options.conjugate)?;
    Ok(MeasuredField { field: found.field, side_band: Some(found.side_band), ..empty() })
}

fn empty() -> MeasuredField {
    MeasuredField {
        name: String::new(),
        frames: Vec::new(),
        method: "off-axis",
        steps: None,
        steps_found: false,
        residual: None,
        side_band: None,
        ramp: None,
        field: Field::default((0, 0)),
    }
}
