//! The IDX format of MNIST and its kin, plain or gzipped.
//!
//! Magic `00 00 08 n` (unsigned bytes, `n` axes), `n` big-endian lengths, then the bytes.

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::DataError;
use crate::engine::ImageSet;

/// Reads images and their labels.
pub(super) fn read_pair(images: &Path, labels: &Path) -> Result<ImageSet, DataError> {
    let (shape, pixels) = read(images, 3)?;
    let (counts, marks) = read(labels, 1)?;
    if shape[0] != counts[0] {
        let problem = format!("{} images, but {} labels in {}", shape[0], counts[0], labels.display());
        return Err(DataError::invalid(images, problem));
    }
    if shape[1] == 0 || shape[2] == 0 {
        return Err(DataError::invalid(images, format!("images of {} x {} pixels", shape[1], shape[2])));
    }
    Ok(ImageSet { size: [shape[1], shape[2]], pixels, labels: marks })
}

/// Reads one array of unsigned bytes with the given number of axes.
fn read(path: &Path, axes: usize) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let raw = std::fs::read(path).map_err(|e| DataError::unreadable(path, e))?;
    let bytes = if raw.starts_with(&[0x1f, 0x8b]) { unzip(path, &raw)? } else { raw };
    decode(&bytes, axes).map_err(|problem| DataError::invalid(path, problem))
}

fn unzip(path: &Path, raw: &[u8]) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    let read = MultiGzDecoder::new(raw).read_to_end(&mut bytes);
    read.map_err(|e| DataError::invalid(path, format!("damaged gzip data ({e}); fetch the file again")))?;
    Ok(bytes)
}

fn decode(bytes: &[u8], axes: usize) -> Result<(Vec<usize>, Vec<u8>), String> {
    let header = 4 + 4 * axes;
    let Some(magic) = bytes.get(..4) else {
        return Err(format!("truncated: {} bytes, an IDX header has at least 8", bytes.len()));
    };
    if magic[..2] != [0, 0] {
        return Err(format!("not an IDX file (it begins with {magic:02x?}, not 00 00)"));
    }
    if magic[2] != 8 {
        return Err(format!("IDX type {:#04x}; only unsigned bytes (0x08) are images or labels", magic[2]));
    }
    if usize::from(magic[3]) != axes {
        return Err(format!("IDX array with {} axes, expected {axes}", magic[3]));
    }
    let Some(lengths) = bytes.get(4..header) else {
        return Err(format!("truncated in its header: {} of {header} bytes", bytes.len()));
    };
    let length = |b: &[u8]| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize;
    let shape: Vec<usize> = lengths.chunks_exact(4).map(length).collect();
    // The header is not trusted: lengths are compared with the bytes there are before anything is allocated.
    let expected = shape.iter().try_fold(1usize, |n, &k| n.checked_mul(k));
    let body = &bytes[header..];
    match expected {
        Some(n) if n == body.len() => Ok((shape, body.to_vec())),
        Some(n) if n > body.len() => {
            Err(format!("truncated: {} of {n} bytes ({shape:?}); fetch the file again", body.len()))
        }
        Some(n) => Err(format!("{} bytes too many after {n} ({shape:?})", body.len() - n)),
        None => Err(format!("impossible lengths {shape:?}")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;

    /// An IDX file's bytes.
    pub(in crate::data) fn encode(shape: &[u32], body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, shape.len() as u8];
        bytes.extend(shape.iter().flat_map(|n| n.to_be_bytes()));
        bytes.extend(body);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn pair(images: &[u8], labels: &[u8]) -> Result<ImageSet, DataError> {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("images"), dir.path().join("labels"));
        std::fs::write(&a, images).unwrap();
        std::fs::write(&b, labels).unwrap();
        read_pair(&a, &b)
    }

    #[test]
    fn plain_and_gzipped_files_read_alike() {
        let images = encode(&[2, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        let labels = encode(&[2], &[3, 9]);
        let read = pair(&images, &labels).unwrap();
        assert_eq!((read.size, read.len(), read.labels.clone()), ([2, 3], 2, vec![3, 9]));
        assert_eq!(pair(&gzip(&images), &gzip(&labels)).unwrap(), read);
    }

    #[test]
    fn damaged_files_are_refused_with_numbers() {
        let images = encode(&[2, 2, 2], &[0; 8]);
        let labels = encode(&[2], &[0, 1]);
        let mut packed = gzip(&images);
        let crc = packed.len() - 6;
        packed[crc] ^= 0xff;
        let cases: [(&[u8], &[u8], &str); 11] = [
            (&images[..images.len() - 3], &labels, "truncated: 5 of 8"),
            (&images[..10], &labels, "truncated in its header: 10 of 16"),
            (&images[..2], &labels, "truncated: 2 bytes"),
            (b"PNG, really", &labels, "not an IDX file"),
            (&encode(&[8], &[0; 8]), &labels, "1 axes, expected 3"),
            (&[0, 0, 13, 3, 0, 0, 0, 1], &labels, "IDX type 0x0d"),
            (&encode(&[2, 2, 2], &[0; 9]), &labels, "1 bytes too many"),
            (&encode(&[u32::MAX, u32::MAX, u32::MAX], &[0; 9]), &labels, "impossible lengths"),
            (&images, &encode(&[3], &[0; 3]), "2 images, but 3 labels"),
            (&packed, &labels, "damaged gzip"),
            (&gzip(&images)[..12], &labels, "damaged gzip"),
        ];
        for (images, labels, expected) in cases {
            let message = pair(images, labels).unwrap_err().to_string();
            assert!(message.contains(expected), "{expected}: {message}");
        }
    }
}
