//! Fields of reference sets against those of the twins.

use std::ops::Range;

use ndarray::{Array2, s};

use super::likeness::Found;
use super::measured::detail;
use super::twins::Predicted;
use crate::calibrate::estimate::wavefront::{Set, beside, own_terms, sets};
use crate::cli::args::Frames;
use crate::cli::study::Wrong;
use crate::measure::{Measurement, Role};
use crate::optics::Field;
use crate::report::likeness::compare_field;

/// The sets asked for: those of role `fit`, or those kept back and, where none is, all.
pub(super) fn chosen(m: &Measurement, frames: Frames) -> anyhow::Result<Vec<Set>> {
    if m.reference_sets().is_empty() {
        return Ok(Vec::new());
    }
    let role = |set: &Set| m.config.frames[set.number - 1].role;
    let mut all = sets(m)?;
    all.retain(|set| matches!(role(set), Role::Fit | Role::Test));
    let wanted = match frames {
        Frames::Fit => Role::Fit,
        Frames::Test | Frames::All => Role::Test,
    };
    if frames == Frames::Fit || all.iter().any(|set| role(set) == wanted) {
        all.retain(|set| role(set) == wanted);
    }
    Ok(all)
}

/// Compares every set with all twins, over a rectangle of pixels that they know.
pub(super) fn compare(
    found: &mut Found,
    m: &Measurement,
    sets: &[Set],
    twins: &[Predicted],
    known: &Array2<bool>,
    seen: &[Range<usize>; 2],
) -> anyhow::Result<()> {
    let cut = |u: &Field| u.slice(s![seen[0].clone(), seen[1].clone()]).to_owned();
    let first = found.samples.len();
    for (k, set) in sets.iter().enumerate() {
        let named = format!("set {:?}", set.name);
        let pairs: Vec<_> = twins.iter().map(|t| (&t.fields[k], t.basis.as_slice())).collect();
        let Some((measured, rivals)) = beside(set, &pairs, known) else {
            anyhow::bail!(Wrong(format!(
                "{named}: its field, or the twin's, is dark where both are known; check show and distance of its frames"
            )));
        };
        let rivals: Vec<_> = twins.iter().zip(&rivals).map(|(t, u)| (t.name, cut(u))).collect();
        let rivals: Vec<_> = rivals.iter().map(|(name, u)| (*name, u)).collect();
        let shown = format!("complex field, {}", detail(&m.config.frames[set.number - 1]));
        let sample = compare_field(&set.name, shown, &cut(&measured), &rivals);
        found.samples.push(sample.map_err(|e| anyhow::Error::new(e).context(named))?);
    }
    if !sets.is_empty() {
        describe(found, first, own_terms(m) == 1);
    }
    Ok(())
}

/// What is to be said of the samples from `first` on.
fn describe(found: &mut Found, first: usize, flat: bool) {
    let of = &found.samples[first..];
    let mean = |k: usize| {
        let each = of.iter().filter_map(|s| s.rivals[k].figures.overlap);
        each.sum::<f64>() / of.len() as f64
    };
    let count = of.len();
    found.findings.push(match of[0].rivals.len() {
        1 => format!("Mean overlap of {count} fields with the nominal twin's: {:.3}.", mean(0)),
        _ => format!(
            "Mean overlap of {count} fields: {:.3} with the nominal twin's, {:.3} with the calibrated one's.",
            mean(0),
            mean(1)
        ),
    });
    found.fact(
        "Fields",
        match flat {
            true => "the reference is flat; each twin's field has the complex factor that brings it nearest to the measured one",
            false => {
                "each twin's field has the complex factor, the tilt and the defocus (Noll 1 to 4) that bring it nearest to the measured \
                 one: they may be the reference's"
            }
        },
    );
}
