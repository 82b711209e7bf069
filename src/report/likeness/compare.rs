//! From arrays to a sample with figures and pictures.

use ndarray::{Array2, ArrayView2, Zip};

use super::{Figures, Rival, Sample};
use crate::metrics::{FrameSimilarity, MetricError, compare_fields, compare_frames};
use crate::optics::Field;
use crate::report::{Picture, PictureKind};

/// Share of the measured frame's pixels that may exceed white.
const CLIPPED: f64 = 0.002;
/// Full colour of a difference, in units of white.
const DIFFERENCE: f64 = 0.5;

/// A frame with named images held against it, all of one shape.
///
/// # Errors
/// As [`compare_frames`].
pub fn compare(
    name: &str,
    detail: String,
    frame: ArrayView2<'_, f64>,
    rivals: &[(&str, ArrayView2<'_, f64>)],
) -> Result<Sample, MetricError> {
    let found: Vec<(&str, FrameSimilarity)> = rivals
        .iter()
        .map(|(name, image)| Ok((*name, compare_frames(frame, *image)?)))
        .collect::<Result<_, MetricError>>()?;
    let mean = frame.mean().unwrap_or(1.0);
    let scaled = frame.mapv(|v| v / mean);
    let white = white(&scaled);
    let rivals = found.iter().map(|(name, s)| rival(name, s, white)).collect();
    Ok(Sample {
        name: name.into(),
        detail,
        shape: [frame.nrows(), frame.ncols()],
        rivals,
        picture: picture(&scaled.mapv(|v| v / white), PictureKind::Unit),
        cut: brightest(&scaled),
    })
}

/// A complex field with named others held against it: as [`compare`] for the intensities, and overlap, amplitude and phase.
///
/// # Errors
/// As [`compare_frames`] and [`compare_fields`].
pub fn compare_field(
    name: &str,
    detail: String,
    field: &Field,
    rivals: &[(&str, &Field)],
) -> Result<Sample, MetricError> {
    let intensity = |u: &Field| u.mapv(|v| v.norm_sqr());
    let light: Vec<_> = rivals.iter().map(|(name, u)| (*name, intensity(u))).collect();
    let views: Vec<_> = light.iter().map(|(name, a)| (*name, a.view())).collect();
    let mut sample = compare(name, detail, intensity(field).view(), &views)?;
    for (rival, (_, other)) in sample.rivals.iter_mut().zip(rivals) {
        let similarity = compare_fields(field.view(), other.view())?;
        rival.figures.overlap = Some(similarity.overlap);
        rival.figures.amplitude_ssim = Some(similarity.amplitude.mean);
        rival.figures.phase_ssim = Some(similarity.phase.mean);
    }
    Ok(sample)
}

fn rival(name: &str, s: &FrameSimilarity, white: f64) -> Rival {
    let difference = Zip::from(&s.image).and(&s.reference).map_collect(|i, r| (i - r) / (white * DIFFERENCE));
    Rival {
        name: name.to_owned(),
        figures: Figures {
            ssim: s.ssim.mean,
            psnr: s.psnr,
            nrmse: s.nrmse,
            correlation: s.correlation,
            shift: s.shift,
            energy_ratio: s.energy_ratio,
            data_range: s.data_range,
            overlap: None,
            amplitude_ssim: None,
            phase_ssim: None,
        },
        picture: picture(&s.image.mapv(|v| v / white), PictureKind::Unit),
        difference: picture(&difference, PictureKind::Signed),
        map: picture(&s.ssim.map, PictureKind::Unit),
    }
}

fn picture(values: &Array2<f64>, kind: PictureKind) -> Picture {
    let (rows, cols) = values.dim();
    Picture { rows, cols, values: values.iter().map(|v| *v as f32).collect(), kind }
}

/// The value that all but the brightest pixels stay below.
fn white(image: &Array2<f64>) -> f64 {
    let mut sorted: Vec<f64> = image.iter().copied().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = ((1.0 - CLIPPED) * (sorted.len() - 1) as f64).round() as usize;
    if sorted[at] > 0.0 { sorted[at] } else { 1.0 }
}

/// The row and the column with most light.
fn brightest(image: &Array2<f64>) -> [usize; 2] {
    let largest = |sums: ndarray::Array1<f64>| {
        let best = sums.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        best.map_or(0, |(k, _)| k)
    };
    [largest(image.sum_axis(ndarray::Axis(1))), largest(image.sum_axis(ndarray::Axis(0)))]
}
