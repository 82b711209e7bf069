//! A measured field beside those of twins, each with the phase that a reference may have and the best complex factor.

use ndarray::Array2;
use num_complex::Complex64;

use super::Set;
use super::align::{Aligned, align, sum};
use crate::optics::Field;

/// The field of a set, and the twins' brought as near to it as a reference allows: `gain P exp(i psi)` with psi of the twin's
/// `basis`, by the pixels that are `known` to the twins. Of a field and its conjugate, where the frames do not tell them apart,
/// the one that a twin meets best. `None` where a field is dark.
pub(crate) fn beside(
    set: &Set,
    twins: &[(&Field, &[Array2<f64>])],
    known: &Array2<bool>,
) -> Option<(Field, Vec<Field>)> {
    let used = &set.used & known;
    let meet = |measured: Field| -> Option<(Field, Vec<Aligned>)> {
        let each = twins.iter().map(|(predicted, basis)| align(&measured, predicted, &used, basis));
        let each = each.collect::<Option<Vec<_>>>()?;
        Some((measured, each))
    };
    let best = |each: &[Aligned]| each.iter().map(|a| a.overlap).fold(0.0, f64::max);
    let mut found = meet(set.field.clone())?;
    if set.either {
        let other = meet(set.field.mapv(|v| v.conj()))?;
        if best(&other.1) > best(&found.1) {
            found = other;
        }
    }
    let (measured, each) = found;
    let near = |((predicted, basis), a): (&(&Field, &[Array2<f64>]), &Aligned)| {
        *predicted * &sum(basis, &a.terms).mapv(|psi| Complex64::from_polar(a.gain, psi))
    };
    let rivals = twins.iter().zip(&each).map(near).collect();
    Some((measured, rivals))
}
