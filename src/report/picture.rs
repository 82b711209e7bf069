//! Raw arrays as pictures: scaling, colour, PNG, data URI.

use std::borrow::Cow;
use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, RgbImage};
use serde::Serialize;

use super::ReportError;
use super::colour::{DIVERGING, GRAY, Rgb, SEQUENTIAL, sample, sample_phase};

/// Share of pixels that may exceed white in an intensity picture, so that one bright pixel does not darken the rest.
const CLIPPED: f64 = 0.002;

/// What the values of a picture are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum PictureKind {
    /// Intensity, at least 0; black is 0, white the brightest value but for the top 0.2 % of pixels.
    Intensity,
    /// Amplitude or gray value, at least 0; black is 0, white the largest value.
    Amplitude,
    /// Phase in radians, shown modulo `2 pi`.
    Phase,
    /// Amplitude transmission; black is 0, white is 1.
    Transmission,
    /// Values of a scale shared with other pictures, in the colours of intensities: black is 0, white is 1.
    Unit,
    /// Differences: blue is -1, white 0, red 1.
    Signed,
}

/// A real array to be shown, row-major.
#[derive(Clone, Debug, Serialize)]
pub struct Picture {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// `rows * cols` values.
    pub values: Vec<f32>,
    /// What they are.
    pub kind: PictureKind,
}

impl Picture {
    /// A PNG file. Pictures with a side above `max_side` are reduced by a whole factor: blocks of pixels are replaced by
    /// their mean, for phases by the phase of the mean phasor.
    ///
    /// # Errors
    /// [`ReportError::Length`] when the number of values is not `rows * cols` or is zero; [`ReportError::Png`].
    pub fn to_png(&self, max_side: usize) -> Result<Vec<u8>, ReportError> {
        self.check("a picture")?;
        let picture = self.reduced(max_side);
        let colour = picture.colouring();
        let pixels = picture.values.iter().flat_map(|&v| colour(f64::from(v))).collect();
        // The buffer has exactly three bytes a pixel; sides are below 2^32 because the values fit in memory.
        let image = RgbImage::from_raw(picture.cols as u32, picture.rows as u32, pixels).unwrap_or_default();
        let mut png = Cursor::new(Vec::new());
        image.write_to(&mut png, ImageFormat::Png)?;
        Ok(png.into_inner())
    }

    /// The PNG as a `data:` address.
    ///
    /// # Errors
    /// As [`Picture::to_png`].
    pub fn to_data_uri(&self, max_side: usize) -> Result<String, ReportError> {
        Ok(format!("data:image/png;base64,{}", STANDARD.encode(self.to_png(max_side)?)))
    }

    /// Checks that the number of values fits the shape; `what` names the picture in the error.
    pub(super) fn check(&self, what: &str) -> Result<(), ReportError> {
        let want = self.rows * self.cols;
        if self.values.len() != want || want == 0 {
            return Err(ReportError::Length {
                what: what.to_owned(),
                got: self.values.len(),
                reference: "its shape of at least one pixel",
                want: want.max(1),
            });
        }
        Ok(())
    }

    /// From value to colour, with the scale that suits this picture.
    fn colouring(&self) -> Box<dyn Fn(f64) -> Rgb> {
        let scaled = |map: &'static super::colour::ColourMap, white: f64| -> Box<dyn Fn(f64) -> Rgb> {
            let scale = if white > 0.0 { 1.0 / white } else { 0.0 };
            Box::new(move |v| sample(map, v * scale))
        };
        match self.kind {
            PictureKind::Intensity => scaled(&SEQUENTIAL, self.quantile(1.0 - CLIPPED)),
            PictureKind::Amplitude => scaled(&GRAY, self.quantile(1.0)),
            PictureKind::Phase => Box::new(sample_phase),
            PictureKind::Transmission => scaled(&GRAY, 1.0),
            PictureKind::Unit => scaled(&SEQUENTIAL, 1.0),
            PictureKind::Signed => Box::new(|v| sample(&DIVERGING, 0.5 + 0.5 * v)),
        }
    }

    /// The value that a share of the finite values does not exceed; 0 without finite values.
    fn quantile(&self, share: f64) -> f64 {
        let mut sorted: Vec<f32> = self.values.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_unstable_by(f32::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((share * last as f64).round() as usize).copied().map_or(0.0, f64::from)
    }

    /// The picture with no side above `max_side`.
    fn reduced(&self, max_side: usize) -> Cow<'_, Self> {
        let factor = self.rows.max(self.cols).div_ceil(max_side.max(1));
        if factor <= 1 {
            return Cow::Borrowed(self);
        }
        let (rows, cols) = (self.rows.div_ceil(factor), self.cols.div_ceil(factor));
        let values =
            (0..rows * cols).map(|i| self.block(i / cols * factor, i % cols * factor, factor)).collect();
        Cow::Owned(Self { rows, cols, values, kind: self.kind })
    }

    /// Mean of the block that starts at `(row, col)`, cut at the border.
    fn block(&self, row: usize, col: usize, side: usize) -> f32 {
        let rows = row..(row + side).min(self.rows);
        let cols = col..(col + side).min(self.cols);
        let values = rows.flat_map(|r| cols.clone().map(move |c| self.values[r * self.cols + c]));
        let (mut sum, mut sin, mut cos, mut count) = (0.0, 0.0, 0.0, 0.0);
        for value in values {
            sum += value;
            sin += value.sin();
            cos += value.cos();
            count += 1.0;
        }
        if self.kind == PictureKind::Phase { sin.atan2(cos) } else { sum / count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::PI;

    fn decode(png: &[u8]) -> RgbImage {
        image::load_from_memory_with_format(png, ImageFormat::Png).expect("a PNG").to_rgb8()
    }

    #[test]
    fn rows_run_down_and_columns_across() {
        let picture = Picture { rows: 1, cols: 3, values: vec![0.0, 1.0, 2.0], kind: PictureKind::Amplitude };
        let image = decode(&picture.to_png(100).expect("valid"));
        assert_eq!(image.dimensions(), (3, 1));
        assert_eq!([0, 1, 2].map(|x| image.get_pixel(x, 0).0[0]), [0, 128, 255]);
        let half = Picture { cols: 1, values: vec![0.5], kind: PictureKind::Transmission, ..picture };
        assert_eq!(decode(&half.to_png(100).expect("valid")).get_pixel(0, 0).0, [128; 3]);
    }

    #[test]
    fn large_pictures_are_averaged() {
        let values = vec![0.0, 2.0, 4.0, 4.0, 2.0, 0.0, 4.0, 4.0];
        let picture = Picture { rows: 2, cols: 4, values, kind: PictureKind::Amplitude };
        let image = decode(&picture.to_png(2).expect("valid"));
        assert_eq!(image.dimensions(), (2, 1));
        assert_eq!([0, 1].map(|x| image.get_pixel(x, 0).0[0]), [64, 255]);
    }

    #[test]
    fn phases_average_across_the_wrap() {
        let values = vec![PI - 0.1, 0.1 - PI];
        let picture = Picture { rows: 1, cols: 2, values, kind: PictureKind::Phase };
        let image = decode(&picture.to_png(1).expect("valid"));
        assert_eq!(image.get_pixel(0, 0).0, sample_phase(std::f64::consts::PI));
    }

    #[test]
    fn dark_and_broken_pictures() {
        let dark = Picture { rows: 2, cols: 2, values: vec![0.0; 4], kind: PictureKind::Intensity };
        assert_eq!(decode(&dark.to_png(10).expect("valid")).get_pixel(1, 1).0, SEQUENTIAL[0]);
        let short = Picture { values: vec![0.0; 3], ..dark };
        assert!(matches!(short.to_data_uri(10), Err(ReportError::Length { got: 3, want: 4, .. })));
    }
}
