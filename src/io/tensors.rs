//! Named arrays with a text header in a safetensors file.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::{Dtype, SafeTensors, View};

use super::{IoError, write_atomic};

/// An array.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    /// Single precision, row-major.
    F32 {
        /// Lengths of the axes.
        shape: Vec<usize>,
        /// Values.
        data: Vec<f32>,
    },
}

/// A tensor as the safetensors crate wants to see it.
struct Seen<'a>(&'a Tensor);

impl View for Seen<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        let Tensor::F32 { shape, .. } = self.0;
        shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let Tensor::F32 { data, .. } = self.0;
        Cow::Owned(data.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        let Tensor::F32 { data, .. } = self.0;
        size_of_val(data.as_slice())
    }
}

/// Arrays and metadata by name.
pub type Content = (BTreeMap<String, Tensor>, BTreeMap<String, String>);

/// Writes arrays and metadata.
///
/// # Errors
/// As [`write_atomic`].
pub fn save(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: &BTreeMap<String, String>,
) -> Result<(), IoError> {
    let views: Vec<_> = tensors.iter().map(|(name, t)| (name.as_str(), Seen(t))).collect();
    let header: HashMap<String, String> = metadata.clone().into_iter().collect();
    let bytes = safetensors::serialize(views, Some(header)).map_err(|e| IoError::content(path, e))?;
    write_atomic(path, &bytes)
}

/// Reads arrays and metadata.
///
/// # Errors
/// A file that is missing, damaged, or something else.
pub fn load(path: &Path) -> Result<Content, IoError> {
    let bytes = std::fs::read(path).map_err(|e| IoError::read(path, &e))?;
    let damaged = |e: &dyn std::fmt::Display| {
        IoError::content(
            path,
            format!("not a whole safetensors file ({e}); restore it or start the run anew"),
        )
    };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&e))?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(&e))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(IoError::content(
                path,
                format!("array {name} has type {:?}, expected F32", view.dtype()),
            ));
        }
        let number = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        let data = view.data().chunks_exact(4).map(number).collect();
        tensors.insert(name, Tensor::F32 { shape: view.shape().to_vec(), data });
    }
    Ok((tensors, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.safetensors");
        let tensor =
            Tensor::F32 { shape: vec![2, 3], data: vec![1.0, -0.0, f32::MIN_POSITIVE, 3.5, 1e30, 0.1] };
        let metadata = BTreeMap::from([("header".to_owned(), "text \"quoted\"".to_owned())]);
        save(&path, &[("a".to_owned(), tensor.clone())], &metadata).unwrap();
        assert_eq!(load(&path).unwrap(), (BTreeMap::from([("a".to_owned(), tensor)]), metadata));
    }

    #[test]
    fn damaged_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.safetensors");
        let tensor = Tensor::F32 { shape: vec![4], data: vec![0.0; 4] };
        save(&path, &[("a".to_owned(), tensor)], &BTreeMap::new()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for bad in [
            &bytes[..bytes.len() - 3],
            &bytes[..7],
            b"",
            b"\xff\xff\xff\xff\xff\xff\xff\xff{}",
            b"some text file",
        ] {
            std::fs::write(&path, bad).unwrap();
            assert!(load(&path).unwrap_err().to_string().contains("t.safetensors"));
        }
    }
}
