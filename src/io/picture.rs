//! Pictures: gray values in, modulator bitmaps out.

use std::f32::consts::TAU;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat};
use ndarray::{Array2, ArrayView2};

use super::IoError;

/// Reads a PNG, TIFF, BMP, JPEG or PGM picture as gray values 0..=1; colour becomes luminance, 16 bits are kept.
///
/// # Errors
/// A file that is missing, damaged, or no picture.
pub fn read_gray(path: &Path) -> Result<Array2<f64>, IoError> {
    let gray = picture(path)?.to_luma16();
    let (cols, rows) = (gray.width() as usize, gray.height() as usize);
    let value = |(r, c): (usize, usize)| f64::from(gray.get_pixel(c as u32, r as u32).0[0]) / 65535.0;
    Ok(Array2::from_shape_fn((rows, cols), value))
}

fn picture(path: &Path) -> Result<DynamicImage, IoError> {
    let bytes = std::fs::read(path).map_err(|e| IoError::read(path, &e))?;
    decode(path, &bytes, ".npy, .png, .tif, .bmp, .jpg or .pgm")
}

/// The picture in `bytes`, of a file of that name; `supported` is what the caller reads.
pub(super) fn decode(path: &Path, bytes: &[u8], supported: &str) -> Result<DynamicImage, IoError> {
    let kind = kind(path);
    if !["png", "tif", "tiff", "bmp", "jpg", "jpeg", "pgm", "pnm"].contains(&kind.as_str()) {
        return Err(IoError::unsupported(path, &kind, supported));
    }
    let format = image::guess_format(bytes).map_err(|e| IoError::content(path, e))?;
    let picture =
        image::load_from_memory_with_format(bytes, format).map_err(|e| IoError::content(path, e))?;
    match (picture.height(), picture.width()) {
        (rows, cols) if rows == 0 || cols == 0 => {
            Err(IoError::content(path, format!("the picture is empty ({rows} x {cols})")))
        }
        _ => Ok(picture),
    }
}

/// The extension, in small letters.
pub(super) fn kind(path: &Path) -> String {
    path.extension().map_or_else(String::new, |e| e.to_string_lossy().to_lowercase())
}

/// What a phase modulator with 256 levels shows: `phase mod 2 pi`, 256 levels being `2 pi`, rounded.
pub fn modulator_bitmap(phases: ArrayView2<'_, f32>) -> Array2<u8> {
    phases.mapv(|p| ((p / TAU - (p / TAU).floor()) * 256.0).round() as u32 as u8)
}

/// What an amplitude modulator with 256 levels shows: transmissions 0 to 1, rounded.
pub fn amplitude_bitmap(amplitudes: ArrayView2<'_, f32>) -> Array2<u8> {
    amplitudes.mapv(|a| (a.clamp(0.0, 1.0) * 255.0).round() as u8)
}

/// A PNG of gray values.
///
/// # Errors
/// Sides of zero.
pub fn png_gray8(values: &Array2<u8>) -> Result<Vec<u8>, IoError> {
    let (rows, cols) = values.dim();
    let pixels: Vec<u8> = values.iter().copied().collect();
    let name = Path::new("(picture)");
    let picture = image::GrayImage::from_raw(cols as u32, rows as u32, pixels)
        .ok_or_else(|| IoError::content(name, "its size does not match its pixels"))?;
    let mut out = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(picture)
        .write_to(&mut out, ImageFormat::Png)
        .map_err(|e| IoError::content(name, e))?;
    Ok(out.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmaps_wrap_and_round() {
        let tau = TAU;
        let phases =
            ndarray::arr2(&[[0.0, tau / 2.0, tau, -tau / 4.0, tau * 255.6 / 256.0, 3.0 * tau + tau / 256.0]]);
        assert_eq!(modulator_bitmap(phases.view()), ndarray::arr2(&[[0u8, 128, 0, 192, 0, 1]]));
        let amplitudes = ndarray::arr2(&[[0.0, 0.5, 1.0, 0.001]]);
        assert_eq!(amplitude_bitmap(amplitudes.view()), ndarray::arr2(&[[0u8, 128, 255, 0]]));
    }

    #[test]
    fn pictures_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let values = Array2::from_shape_fn((5, 7), |(r, c)| (r * 40 + c * 11) as u8);
        let path = dir.path().join("p.png");
        std::fs::write(&path, png_gray8(&values).unwrap()).unwrap();
        let read = read_gray(&path).unwrap();
        assert!(read.iter().zip(&values).all(|(a, b)| (a - f64::from(*b) / 255.0).abs() < 1e-9));
    }

    #[test]
    fn sixteen_bit_tiff_keeps_its_depth() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.tif");
        let pixels: Vec<u16> = (0..6).map(|v| v * 10_001).collect();
        let mut out = Cursor::new(Vec::new());
        tiff::encoder::TiffEncoder::new(&mut out)
            .unwrap()
            .write_image::<tiff::encoder::colortype::Gray16>(3, 2, &pixels)
            .unwrap();
        std::fs::write(&path, out.into_inner()).unwrap();
        let read = read_gray(&path).unwrap();
        assert_eq!(read.dim(), (2, 3));
        assert!((read[[1, 2]] - 50_005.0 / 65_535.0).abs() < 1e-9);
    }

    #[test]
    fn other_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [
            ("a.png", &b"not a picture"[..]),
            ("b.txt", b"text"),
            ("c.tif", b"II*\0"),
            ("d.pgm", b"P5\n0 0\n255\n"),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert!(read_gray(&path).unwrap_err().to_string().contains(name));
        }
    }
}
