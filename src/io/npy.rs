//! NumPy arrays.

use std::path::Path;

use ndarray::{Array2, ArrayView2};
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement, WriteNpyExt};
use num_complex::{Complex32, Complex64};
use num_traits::AsPrimitive;

use super::{IoError, write_atomic};
use crate::optics::Field;

/// Amplitudes whose squares can be summed over any field.
const LARGEST: f64 = 1e140;

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
    match field.indexed_iter().find(|(_, v)| !(v.re.abs() < LARGEST && v.im.abs() < LARGEST)) {
        Some(((r, c), v)) if v.is_finite() => {
            let problem =
                format!("{v:e} at row {r}, column {c} is too large for its intensity; scale the field");
            Err(IoError::content(path, problem))
        }
        Some(((r, c), v)) => {
            Err(IoError::content(path, format!("{v} at row {r}, column {c}; replace it by a number")))
        }
        None => Ok(field),
    }
}

/// Reads a two-dimensional array of float32 or float64 (complex numbers without imaginary part are taken as well).
///
/// # Errors
/// As [`read_field`]; numbers with an imaginary part.
pub fn read_real(path: &Path) -> Result<Array2<f32>, IoError> {
    let field = read_field(path)?;
    match field.indexed_iter().find(|(_, v)| v.im != 0.0) {
        Some(((r, c), v)) => {
            let problem = format!("{v} at row {r}, column {c}; real numbers are needed");
            Err(IoError::content(path, problem))
        }
        None => Ok(field.mapv(|v| v.re as f32)),
    }
}

/// The header's shape must match the bytes there are, at least `item` a value: a reader allocates what a header promises.
fn check_size(bytes: &[u8], item: usize) -> Result<(), String> {
    let short = || "the file is cut short in its header".to_owned();
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err("it does not begin like an .npy file".into());
    }
    let word = |at: usize, n: usize| -> Option<usize> {
        Some(bytes.get(at..at + n)?.iter().rev().fold(0, |v, b| v << 8 | usize::from(*b)))
    };
    let wide = *bytes.get(6).ok_or_else(short)? > 1;
    let (start, length) = if wide { (12, word(8, 4)) } else { (10, word(8, 2)) };
    let end = length.and_then(|n| n.checked_add(start)).ok_or_else(short)?;
    let header = String::from_utf8_lossy(bytes.get(start..end).ok_or_else(short)?);
    let Some(shape) = header.split_once("'shape': (").and_then(|(_, rest)| Some(rest.split_once(')')?.0))
    else {
        return Err("its header has no shape".into());
    };
    let mut count = Some(1usize);
    for length in shape.split(',').map(str::trim).filter(|t| !t.is_empty()) {
        count = length.parse::<usize>().ok().zip(count).and_then(|(n, k)| n.checked_mul(k));
    }
    match count.and_then(|n| n.checked_mul(item)) {
        Some(least) if least <= bytes.len() - end => Ok(()),
        _ => Err(format!("its shape ({shape}) needs more than the {} bytes there are", bytes.len() - end)),
    }
}

fn decode(bytes: &[u8]) -> Result<Field, String> {
    let hint = "expected a whole .npy file with a two-dimensional array of complex64, complex128, float32 or float64";
    // Every type that is read has four bytes or more.
    check_size(bytes, 4).map_err(|problem| format!("{problem}; {hint}"))?;
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
    real.map(|a| a.mapv(|v| Complex64::new(v, 0.0))).map_err(|e| format!("{e}; {hint}"))
}

/// The real numbers of an `.npy` file's bytes.
pub(super) fn decode_real(bytes: &[u8]) -> Result<Array2<f64>, String> {
    let hint = "expected a whole .npy file with a two-dimensional array of real numbers (u8, u16, u32, i16, i32, i64, f32, f64)";
    check_size(bytes, 1).map_err(|problem| format!("{problem}; {hint}"))?;
    fn as_f64<T: ReadableElement + AsPrimitive<f64>>(bytes: &[u8]) -> Result<Array2<f64>, ReadNpyError> {
        Array2::<T>::read_npy(bytes).map(|a| a.mapv(AsPrimitive::as_))
    }
    // The header says which type it is; the wrong readers refuse at once.
    let readers = [
        as_f64::<u8>,
        as_f64::<u16>,
        as_f64::<f32>,
        as_f64::<u32>,
        as_f64::<i16>,
        as_f64::<i32>,
        as_f64::<i64>,
    ];
    let read = readers.iter().find_map(|read| read(bytes).ok());
    read.map_or_else(|| as_f64::<f64>(bytes).map_err(|e| format!("{e}; {hint}")), Ok)
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
        assert!(read_real(&path).unwrap_err().to_string().contains("real numbers are needed"));
        let real = sample().mapv(|v| v.re as f32);
        write_real(&path, real.view()).unwrap();
        assert_eq!(read_real(&path).unwrap(), real);
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
        let mut huge = bytes.clone();
        let shape = huge.windows(6).position(|w| w == b"(3, 4)").unwrap();
        huge.splice(shape..shape + 6, *b"(9999999999, 99999999)");
        std::fs::write(&path, &huge).unwrap();
        assert!(
            read_field(&path).unwrap_err().to_string().contains("f.npy"),
            "no allocation from an unchecked header"
        );
        let mut poisoned = sample();
        poisoned[[1, 2]].im = f64::NAN;
        write_field(&path, &poisoned).unwrap();
        let message = read_field(&path).unwrap_err().to_string();
        assert!(message.contains("row 1, column 2"), "{message}");
        let mut wide = Vec::new();
        Array2::from_elem((2, 2), 1e200).write_npy(&mut wide).unwrap();
        std::fs::write(&path, wide).unwrap();
        assert!(read_field(&path).unwrap_err().to_string().contains("too large for its intensity"));
        assert!(!read_field(&dir.path().join("none.npy")).unwrap_err().is_output());
    }
}
