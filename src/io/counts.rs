//! Camera frames: numbers as they are stored, whatever the file.

use std::path::{Path, PathBuf};

use image::{ColorType, DynamicImage};
use ndarray::Array2;

use super::{IoError, npy, picture, unpack};

/// Reads a frame's numbers as they are stored: a picture (PNG, TIFF, BMP, JPEG, PGM; 8 or 16 bit, colour becomes luminance), a
/// real `.npy` array (u8, u16, u32, i16, i32, i64, f32, f64), or an array of an `.npz` file (`frames.npz:name`, without a name
/// the first). Pictures and `.npy` may be gzipped (`frame.pgm.gz`).
///
/// # Errors
/// A file that is missing, damaged, of another kind, empty, or holds NaN or infinity; a packed file that unpacks to more
/// than 1 GiB.
pub fn read_counts(path: &Path) -> Result<Array2<f64>, IoError> {
    let (file, name) = member(path);
    let mut bytes = std::fs::read(&file).map_err(|e| IoError::read(&file, &e))?;
    let mut plain = file.clone();
    let wrong = |problem: String| IoError::content(path, problem);
    if picture::kind(&file) == "gz" {
        bytes = unpack::gunzip(&bytes).map_err(wrong)?;
        plain.set_extension("");
    }
    let counts = match picture::kind(&plain).as_str() {
        "npy" => npy::decode_real(&bytes).map_err(wrong)?,
        "npz" => {
            let array = unpack::npz_member(&bytes, name.as_deref()).map_err(wrong)?;
            npy::decode_real(&array).map_err(wrong)?
        }
        _ => stored(picture::decode(&plain, &bytes, ".png, .tif, .bmp, .jpg, .pgm, .npy or .npz")?)
            .map_err(wrong)?,
    };
    if counts.is_empty() {
        return Err(wrong(format!("the array is empty ({} x {})", counts.nrows(), counts.ncols())));
    }
    match counts.indexed_iter().find(|(_, v)| !v.is_finite()) {
        Some(((r, c), v)) => Err(wrong(format!("{v} at row {r}, column {c}; replace it by a number"))),
        None => Ok(counts),
    }
}

/// `frames.npz:name` apart.
fn member(path: &Path) -> (PathBuf, Option<String>) {
    let text = path.to_string_lossy();
    match text.rsplit_once(':') {
        Some((file, name)) if picture::kind(Path::new(file)) == "npz" && !name.contains(['/', '\\']) => {
            (file.into(), Some(name.to_owned()))
        }
        _ => (path.into(), None),
    }
}

/// 0..=255 or 0..=65535.
fn stored(picture: DynamicImage) -> Result<Array2<f64>, String> {
    let deep =
        matches!(picture.color(), ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16);
    let shape = (picture.height() as usize, picture.width() as usize);
    let values: Vec<f64> = match deep {
        true => picture.to_luma16().into_raw().into_iter().map(f64::from).collect(),
        false => picture.to_luma8().into_raw().into_iter().map(f64::from).collect(),
    };
    Array2::from_shape_vec(shape, values).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    use image::{ImageBuffer, ImageFormat, Luma};
    use ndarray_npy::WriteNpyExt;

    /// Fits 8 bits, and 16 after `* 257`.
    fn sample() -> Array2<u16> {
        Array2::from_shape_fn((3, 4), |(r, c)| (60 * r + 5 * c) as u16)
    }

    fn npy_bytes<T: ndarray_npy::WritableElement>(array: &Array2<T>) -> Vec<u8> {
        let mut bytes = Vec::new();
        array.write_npy(&mut bytes).unwrap();
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn written(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(dir.join(name), bytes).unwrap();
        dir.join(name)
    }

    #[test]
    fn pictures_of_either_depth_keep_their_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let low = ImageBuffer::from_fn(4, 3, |x, y| Luma([sample()[[y as usize, x as usize]] as u8]));
        let high = ImageBuffer::from_fn(4, 3, |x, y| Luma([sample()[[y as usize, x as usize]] * 257]));
        let (low, high) = (DynamicImage::ImageLuma8(low), DynamicImage::ImageLuma16(high));
        let eight = [("png", ImageFormat::Png), ("tif", ImageFormat::Tiff), ("bmp", ImageFormat::Bmp)];
        let deep = [("png", ImageFormat::Png), ("tif", ImageFormat::Tiff), ("pgm", ImageFormat::Pnm)];
        for (picture, formats, factor) in [(&low, eight, 1.0), (&high, deep, 257.0)] {
            for (kind, format) in formats {
                let mut bytes = Cursor::new(Vec::new());
                picture.write_to(&mut bytes, format).unwrap();
                let expected = sample().mapv(|v| factor * f64::from(v));
                let path = written(dir.path(), &format!("f.{kind}"), bytes.get_ref());
                assert_eq!(read_counts(&path).unwrap(), expected, "{kind}");
                let path = written(dir.path(), &format!("f.{kind}.gz"), &gzip(bytes.get_ref()));
                assert_eq!(read_counts(&path).unwrap(), expected, "{kind}.gz");
            }
        }
        let mut bytes = Cursor::new(Vec::new());
        low.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        let read = read_counts(&written(dir.path(), "f.jpg", bytes.get_ref())).unwrap();
        let expected = sample().mapv(f64::from);
        // JPEG at the encoder's default quality: within its quantisation.
        assert!((&read - &expected).iter().all(|d| d.abs() < 12.0), "{read}");
    }

    #[test]
    fn arrays_of_all_types_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let array = sample();
        let all = [
            npy_bytes(&array.mapv(|v| v as u8)),
            npy_bytes(&array),
            npy_bytes(&array.mapv(u32::from)),
            npy_bytes(&array.mapv(|v| v as i16)),
            npy_bytes(&array.mapv(i32::from)),
            npy_bytes(&array.mapv(i64::from)),
            npy_bytes(&array.mapv(f32::from)),
            npy_bytes(&array.mapv(f64::from)),
            npy_bytes(&array.t().as_standard_layout().into_owned().reversed_axes()),
        ];
        for bytes in all {
            assert_eq!(read_counts(&written(dir.path(), "f.npy", &bytes)).unwrap(), array.mapv(f64::from));
            let packed = written(dir.path(), "f.npy.gz", &gzip(&bytes));
            assert_eq!(read_counts(&packed).unwrap(), array.mapv(f64::from));
        }
    }

    #[test]
    fn arrays_of_an_npz_file_have_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.npz");
        let mut file = ndarray_npy::NpzWriter::new_compressed(std::fs::File::create(&path).unwrap());
        file.add_array("dark", &sample()).unwrap();
        file.add_array("light", &sample().mapv(|v| 3 * v)).unwrap();
        file.finish().unwrap();
        let read = |name: &str| read_counts(&dir.path().join(name));
        assert_eq!(read("f.npz").unwrap(), sample().mapv(f64::from));
        assert_eq!(read("f.npz:light").unwrap(), sample().mapv(|v| 3.0 * f64::from(v)));
        let message = read("f.npz:lihgt").unwrap_err().to_string();
        assert!(message.contains("\"lihgt\"") && message.contains("dark, light"), "{message}");
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let field = Array2::from_elem((2, 2), num_complex::Complex64::new(1.0, 1.0));
        let nan = ndarray::arr2(&[[1.0, 2.0], [3.0, f64::NAN]]);
        let stack = ndarray::Array3::<u8>::zeros((2, 2, 2));
        let mut stacked = Vec::new();
        stack.write_npy(&mut stacked).unwrap();
        let mut huge = npy_bytes(&sample());
        let shape = huge.windows(6).position(|w| w == b"(3, 4)").unwrap();
        huge.splice(shape..shape + 6, *b"(9999999999, 99999999)");
        let cases: [(&str, Vec<u8>, &str); 8] = [
            ("complex.npy", npy_bytes(&field), "real"),
            ("nan.npy", npy_bytes(&nan), "row 1, column 1"),
            ("stack.npy", stacked, "two-dimensional"),
            ("huge.npy", huge, "needs more than"),
            ("cut.npy", npy_bytes(&sample())[..90].to_vec(), "cut.npy"),
            ("text.npz", b"text".to_vec(), "damaged .npz"),
            ("text.pgm.gz", b"text".to_vec(), "damaged gzip"),
            ("text.raw", b"text".to_vec(), ".npz"),
        ];
        for (name, bytes, says) in cases {
            let message = read_counts(&written(dir.path(), name, &bytes)).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(says), "{message}");
        }
    }
}
