//! A phase range that differs from place to place on the modulator: a liquid crystal that is thicker on one side, a voltage
//! that falls along the panel.

use std::fmt;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Phase relative to that of the modulator's one response, at the middles of `rows x columns` equal parts of the mask, in the
/// order of its pixels; between the middles bilinear, beyond the outermost ones constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RangeMap(pub Vec<Vec<f64>>);

/// What a map may multiply a phase with.
const LIMITS: [f64; 2] = [0.1, 4.0];

impl RangeMap {
    /// The same phase everywhere.
    pub fn even([rows, cols]: [usize; 2]) -> Self {
        Self(vec![vec![1.0; cols]; rows])
    }

    /// Rows and columns of the map.
    pub fn parts(&self) -> [usize; 2] {
        [self.0.len(), self.0.first().map_or(0, Vec::len)]
    }

    /// What is wrong with it, if anything.
    pub fn problem(&self) -> Option<String> {
        let [rows, cols] = self.parts();
        if rows == 0 || cols == 0 || self.0.iter().any(|row| row.len() != cols) {
            return Some("needs rows of equally many numbers, at least one".into());
        }
        let off = self.0.iter().flatten().find(|v| !(LIMITS[0]..=LIMITS[1]).contains(*v));
        off.map(|v| format!("{v} must be {} to {}: 1 is the phase of range or lut", LIMITS[0], LIMITS[1]))
    }

    /// The factor of every pixel of a mask. The map has no [`Self::problem`].
    pub fn over(&self, shape: [usize; 2]) -> Array2<f64> {
        let along = |n: usize, parts: usize| -> Vec<(usize, usize, f64)> {
            (0..n)
                .map(|pixel| {
                    let at = (pixel as f64 + 0.5) * parts as f64 / n as f64 - 0.5;
                    let at = at.clamp(0.0, (parts - 1) as f64);
                    let first = (at as usize).min(parts.saturating_sub(2));
                    (first, (first + 1).min(parts - 1), at - first as f64)
                })
                .collect()
        };
        let [rows, cols] = self.parts();
        let (down, across) = (along(shape[0], rows), along(shape[1], cols));
        Array2::from_shape_fn(shape, |(r, c)| {
            let ((y0, y1, wy), (x0, x1, wx)) = (down[r], across[c]);
            let line = |y: usize| self.0[y][x0] * (1.0 - wx) + self.0[y][x1] * wx;
            line(y0) * (1.0 - wy) + line(y1) * wy
        })
    }
}

/// Its size, for messages.
impl fmt::Display for RangeMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, cols] = self.parts();
        write!(f, "{rows} x {cols} parts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_their_value_in_their_middle() {
        let map = RangeMap(vec![vec![1.0, 1.2, 0.8], vec![0.9, 1.1, 1.0]]);
        let over = map.over([10, 15]);
        for (r, c) in (0..2).flat_map(|r| (0..3).map(move |c| (r, c))) {
            assert!((over[[r * 5 + 2, c * 5 + 2]] - map.0[r][c]).abs() < 1e-12, "{r} {c}");
        }
        // Half way, and beyond the last middle.
        assert!((RangeMap(vec![vec![1.0, 2.0]]).over([1, 4])[[0, 1]] - 1.25).abs() < 1e-12);
        assert_eq!((over[[0, 0]], over[[9, 14]]), (1.0, 1.0));
        assert_eq!(RangeMap(vec![vec![1.3]]).over([2, 2]), Array2::from_elem((2, 2), 1.3));
    }

    #[test]
    fn maps_that_are_none_are_refused() {
        let problem = |rows: &[&[f64]]| RangeMap(rows.iter().map(|r| r.to_vec()).collect()).problem();
        assert_eq!(problem(&[&[1.0, 1.1], &[0.9, 1.0]]), None);
        assert!(
            problem(&[]).is_some() && problem(&[&[]]).is_some() && problem(&[&[1.0], &[1.0, 2.0]]).is_some()
        );
        assert!(problem(&[&[1.0, 0.0]]).unwrap().starts_with("0 must"));
        assert!(problem(&[&[f64::NAN]]).is_some());
    }
}
