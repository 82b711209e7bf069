//! Files that come with a modulator.

use std::f64::consts::TAU;
use std::path::Path;

use ndarray::Array2;

use crate::io::{self, IoError};

/// Reads the measured phase of each gray value, radians: lines `gray,phase`, or an `.npy` of 256.
///
/// # Errors
/// A file that is missing, or does not hold 256 phases.
pub fn read_phases(path: &Path) -> Result<Vec<f64>, IoError> {
    let wrong = |problem: String| IoError::content(path, problem);
    let values: Vec<f64> = if path.extension().is_some_and(|e| e == "npy") {
        io::read_real(path)?.iter().map(|v| f64::from(*v)).collect()
    } else {
        let text = std::fs::read_to_string(path).map_err(|e| IoError::read(path, &e))?;
        let mut table = Vec::new();
        for (k, line) in
            text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).enumerate()
        {
            let mut words = line.split([',', ';', '\t', ' ']).filter(|w| !w.is_empty());
            let pair = (
                words.next().and_then(|w| w.parse::<f64>().ok()),
                words.next().and_then(|w| w.parse::<f64>().ok()),
            );
            match pair {
                (Some(gray), Some(phase)) if gray == table.len() as f64 => table.push(phase),
                // A line of titles may come first.
                (None, _) if k == 0 => {}
                _ => {
                    return Err(wrong(format!(
                        "{line:?}: lines `gray,phase` are needed, gray values 0 to 255 in their order, phases in radians"
                    )));
                }
            }
        }
        table
    };
    if values.len() != 256 {
        return Err(wrong(format!("{} phases; 256 are needed, one for each gray value", values.len())));
    }
    let span =
        values.iter().copied().fold(f64::MIN, f64::max) - values.iter().copied().fold(f64::MAX, f64::min);
    match span {
        s if !(s.is_finite() && s > 0.0) => Err(wrong("the phases are all the same, or not finite".into())),
        s if s > 4.0 * TAU => Err(wrong(format!(
            "phases span {s:.0} rad: this is a table of drive levels for the modulator's own controller; give phases in radians"
        ))),
        _ => Ok(values),
    }
}

/// Reads a maker's flatness correction, a bitmap in which 255 is `2 pi`; radians.
///
/// # Errors
/// A file that is missing or no picture.
pub fn read_flatness(path: &Path) -> Result<Array2<f64>, IoError> {
    Ok(io::read_gray(path)?.mapv(|v| v * TAU))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_phases_are_read_and_others_refused() {
        let dir = tempfile::tempdir().unwrap();
        let read = |lines: &dyn Fn(usize) -> String, n: usize| {
            let path = dir.path().join("t.csv");
            let text: Vec<String> = (0..n).map(lines).collect();
            std::fs::write(&path, text.join("\n")).unwrap();
            read_phases(&path).map_err(|e| e.to_string())
        };
        let good = read(&|g| format!("{g}, {}", g as f64 * 0.02), 256).unwrap();
        assert!((good[100] - 2.0).abs() < 1e-12);
        assert!(read(&|g| format!("{g} {}", g * 5), 256).unwrap_err().contains("drive levels"));
        assert!(read(&|g| format!("{g},0.1"), 256).unwrap_err().contains("all the same"));
        assert!(read(&|g| format!("{g},{}", g as f64 * 0.02), 255).unwrap_err().contains("255 phases"));
        assert!(read(&|g| format!("{},0.1", g + 1), 256).unwrap_err().contains("gray,phase"));
    }
}
