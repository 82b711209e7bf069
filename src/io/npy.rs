//! NumPy arrays.

use std::path::Path;

use ndarray::{Array2, ArrayView2};
use ndarray_npy::{ReadNpyExt, WriteNpyExt};
use num_complex::{Complex32, Complex64};

use super::{IoError, write_atomic};
use crate::optics::Field;

/// Reads a two-dimensional array of complex64, complex128, float32 or float64.
///
/// # Errors
/// A file that is missing, damaged, of another type or shape, or holds NaN or infinity (row and column are named).
pub fn read_field(path: &Path) -> Result<Field, IoError> {
    let bytes = std::fs::read(path).map_err(|e| IoError::read(path, &e))?;
    let field = decode(&bytes).map_err(|problem| IoError::content(path, problem))?;
    if field.is_empty() {
        return Err(IoError::content(
            path,
            format!("the array is empty ({} x {})", field.nrows(), field.ncols()),
        ));
    }
    match field.indexed_iter().find(|(_, v)| !v.is_finite()) {
        Some(((r, c), v)) => {
            Err(IoError::content(path, format!("{v} at row {r}, column {c}; replace it by a number")))
        }
        None => Ok(field),
    }
}

fn decode(bytes: &[u8]) -> Result<Field, String> {
    // The header says which type it is; the wrong readers refuse at once.
    if let Ok(a) = Array2::<Complex64>::read_npy(bytes) {
        return Ok(a);
    }
    if let Ok(a) = Array2::<Complex32>::read_npy(bytes) {
        return Ok(a.mapv(|v| Complex64::new(f64::from(v.re), f64::from(v.im))));
    }
    if let Ok(a) = Array2::<f32>::read_npy(bytes) {
        return Ok(a.mapv(|v| Complex64::new(f64::from(v), 0.0)));
    }
    let real = Array2::<f64>::read_npy(bytes);
    real.map(|a| a.mapv(|v| Complex64::new(v, 0.0))).map_err(|e| {
        let hint = "expected a whole .npy file with a two-dimensional array of complex64, complex128, float32 or float64";
        format!("{e}; {hint}")
    })
}

/// Writes complex64.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_field(path: &Path, field: &Field) -> Result<(), IoError> {
    let single = field.mapv(|v| Complex32::new(v.re as f32, v.im as f32));
    let mut bytes = Vec::new();
    single.write_npy(&mut bytes).map_err(|e| IoError::content(path, e))?;
    write_atomic(path, &bytes)
}

/// Writes float32.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_real(path: &Path, values: ArrayView2<'_, f32>) -> Result<(), IoError> {
    let mut bytes = Vec::new();
    values.write_npy(&mut bytes).map_err(|e| IoError::content(path, e))?;
    write_atomic(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Field {
        Array2::from_shape_fn((3, 4), |(r, c)| Complex64::new(r as f64 - 0.5, 0.25 * c as f64))
    }

    #[test]
    fn fields_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.npy");
        write_field(&path, &sample()).unwrap();
        assert_eq!(read_field(&path).unwrap(), sample());
        let real = sample().mapv(|v| v.re as f32);
        write_real(&path, real.view()).unwrap();
        assert_eq!(read_field(&path).unwrap(), real.mapv(|v| Complex64::new(f64::from(v), 0.0)));
    }

    #[test]
    fn damaged_files_and_nan_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.npy");
        write_field(&path, &sample()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for bad in [&bytes[..bytes.len() - 5], &bytes[..20], b"no array", b""] {
            std::fs::write(&path, bad).unwrap();
            let message = read_field(&path).unwrap_err().to_string();
            assert!(message.contains("f.npy") && message.contains("expected a whole .npy"), "{message}");
        }
        let mut poisoned = sample();
        poisoned[[1, 2]].im = f64::NAN;
        write_field(&path, &poisoned).unwrap();
        let message = read_field(&path).unwrap_err().to_string();
        assert!(message.contains("row 1, column 2"), "{message}");
        assert!(!read_field(&dir.path().join("none.npy")).unwrap_err().is_output());
    }
}
