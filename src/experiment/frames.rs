//! Frames made ready to be compared: dark counts, and the pixels that all twins know.

use std::ops::Range;

use ndarray::Array2;

use crate::measure::{MeasureError, Measurement, Role};

/// Mean of the background frames; `None` without any.
///
/// # Errors
/// Frames that cannot be read.
pub fn dark_counts(m: &Measurement) -> Result<Option<Array2<f64>>, MeasureError> {
    let numbers: Vec<usize> = numbered(m, |role| role == Role::Background).collect();
    let mut sum: Option<Array2<f64>> = None;
    for &number in &numbers {
        let counts = m.counts(number)?;
        sum = Some(sum.map_or(counts.clone(), |s| s + &counts));
    }
    Ok(sum.map(|s| s / numbers.len() as f64))
}

/// Numbers (from 1) of the frames with a role that is `wanted`.
pub fn numbered(m: &Measurement, wanted: impl Fn(Role) -> bool) -> impl Iterator<Item = usize> {
    m.config.frames.iter().enumerate().filter(move |(_, f)| wanted(f.role)).map(|(k, _)| k + 1)
}

/// Rows and columns of a rectangle in which all of `known` holds: the bounding box, from which the side with most unknown
/// pixels is taken until none is left. Empty ranges where nothing is known.
pub fn window(known: &Array2<bool>) -> [Range<usize>; 2] {
    let (rows, cols) = known.dim();
    let [mut top, mut bottom, mut left, mut right] = [0, rows, 0, cols];
    while top < bottom && left < right {
        let row = |r: usize| (left..right).filter(|&c| !known[[r, c]]).count() as f64 / (right - left) as f64;
        let col = |c: usize| (top..bottom).filter(|&r| !known[[r, c]]).count() as f64 / (bottom - top) as f64;
        let sides = [row(top), row(bottom - 1), col(left), col(right - 1)];
        let worst = (0..4).max_by(|&a, &b| sides[a].total_cmp(&sides[b])).unwrap_or(0);
        let clean =
            sides[worst] == 0.0 && known.slice(ndarray::s![top..bottom, left..right]).iter().all(|k| *k);
        match worst {
            _ if clean => return [top..bottom, left..right],
            0 => top += 1,
            1 => bottom -= 1,
            2 => left += 1,
            _ => right -= 1,
        }
    }
    [0..0, 0..0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_the_largest_upright_part() {
        let known = Array2::from_shape_fn((9, 12), |(r, c)| (2..8).contains(&r) && (1..11).contains(&c));
        assert_eq!(window(&known), [2..8, 1..11]);
        // A corner that is unknown costs a row or a column, not the rest.
        let mut corner = known.clone();
        corner[[2, 1]] = false;
        let [rows, cols] = window(&corner);
        assert!(rows.len() * cols.len() >= 50 && corner.slice(ndarray::s![rows, cols]).iter().all(|k| *k));
        let [rows, cols] = window(&Array2::from_elem((5, 5), false));
        assert!(rows.is_empty() && cols.is_empty());
    }
}
