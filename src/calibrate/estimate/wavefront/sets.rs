//! Measured fields of reference sets, ready to be compared with the twin's.

use ndarray::Array2;

use super::super::{Choice, EstimateError};
use crate::measure::{FieldOptions, Measurement, Role};
use crate::optics::Field;

/// A measured field.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) name: String,
    /// Number (from 1) of a frame of it, which says what was shown.
    pub(crate) number: usize,
    /// Field times the reference's amplitude, counts.
    pub(crate) field: Field,
    /// Pixels that are not saturated in any frame.
    pub(crate) used: Array2<bool>,
    /// Whether it may as well be the conjugate field: steps were found, or there is one frame.
    pub(crate) either: bool,
}

/// The fields of a measurement's reference sets.
#[derive(Clone, Debug)]
pub struct References {
    pub(crate) fit: Vec<Set>,
    pub(crate) test: Vec<Set>,
}

impl References {
    /// Makes fields of all reference sets of role `fit` and `test`, in a moment: what is wrong with them is known before a long
    /// fit. `None` where there is none of role `fit`, or the choice fixes `camera_aberration`.
    ///
    /// # Errors
    /// Sets of which no field can be made; a choice that frees `camera_aberration` where there is no set.
    pub fn read(m: &Measurement, choice: &Choice) -> Result<Option<Self>, EstimateError> {
        const NAME: &str = "camera_aberration";
        if choice.fix.iter().any(|name| name == NAME) {
            return Ok(None);
        }
        let role = |numbers: &[usize]| numbers.first().map(|n| m.config.frames[n - 1].role);
        if !m.reference_sets().values().any(|numbers| role(numbers) == Some(Role::Fit)) {
            if choice.free.iter().any(|name| name == NAME) {
                let problem = "no frame of role \"fit\" has reference = true, and without a reference beam the camera's \
                               wavefront leaves no trace"
                    .into();
                return Err(EstimateError::Choice { name: NAME.into(), problem });
            }
            return Ok(None);
        }
        let (mut fit, mut test) = (Vec::new(), Vec::new());
        for set in sets(m)? {
            match m.config.frames[set.number - 1].role {
                Role::Fit => fit.push(set),
                Role::Test => test.push(set),
                _ => {}
            }
        }
        Ok(Some(Self { fit, test }))
    }
}

/// Fields of all reference sets.
///
/// # Errors
/// A set of which no field can be made.
pub(crate) fn sets(m: &Measurement) -> Result<Vec<Set>, EstimateError> {
    let full = 2.0_f64.powi(m.config.camera.bits.min(52) as i32) - 1.0;
    let mut all = Vec::new();
    for found in m.fields(&FieldOptions::default())? {
        let mut used = Array2::from_elem(found.field.dim(), true);
        let mut exposure = 0.0;
        for &number in &found.frames {
            used.zip_mut_with(&m.counts(number)?, |used, v| *used &= *v < full);
            exposure += m.config.frames[number - 1].exposure / found.frames.len() as f64;
        }
        let Some(&number) = found.frames.first() else { continue };
        let either = found.steps_found || found.side_band.is_some();
        all.push(Set { name: found.name, number, field: found.field * exposure, used, either });
    }
    Ok(all)
}
