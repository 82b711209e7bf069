//! All figures of a pair of intensity images.

use ndarray::{Array2, ArrayView2};

use super::{
    MetricError, Ssim, energy_ratio, finite, nrmse, pearson, psnr, residual_shift, same_shape, ssim,
};

/// How alike two intensity images are.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameSimilarity {
    /// Structural similarity, both images scaled to mean 1; range: [`FrameSimilarity::data_range`].
    pub ssim: Ssim,
    /// The largest value of either scaled image: data range of SSIM and PSNR, in units of the mean.
    pub data_range: f64,
    /// Peak signal-to-noise ratio of the scaled images, dB.
    pub psnr: f64,
    /// Error of the scaled images relative to the reference's root mean square.
    pub nrmse: f64,
    /// Pearson correlation of the pixels.
    pub correlation: f64,
    /// Displacement of the image against the reference, `[along rows, along columns]`, pixels.
    pub shift: [f64; 2],
    /// Light of the image relative to that of the reference, before scaling.
    pub energy_ratio: f64,
    /// The reference, mean 1.
    pub reference: Array2<f64>,
    /// The image, mean 1.
    pub image: Array2<f64>,
}

/// Compares an image with a reference whose scale need not be the same.
///
/// Both are divided by their means first, as in [`super::ssim_intensity`], so that lamp, exposure and losses count in
/// [`FrameSimilarity::energy_ratio`] alone. Values below zero, as noise leaves them once the dark counts are subtracted, stay.
///
/// # Errors
/// As of the single figures: different shapes, less than 11 x 11 pixels, values that are not finite, an image without light
/// or without structure.
pub fn compare_frames(
    reference: ArrayView2<'_, f64>,
    image: ArrayView2<'_, f64>,
) -> Result<FrameSimilarity, MetricError> {
    same_shape("frame similarity", reference.shape(), image.shape())?;
    let a = unit_mean(reference, "the first image")?;
    let b = unit_mean(image, "the second image")?;
    let data_range = a.iter().chain(&b).copied().fold(0.0, f64::max);
    Ok(FrameSimilarity {
        ssim: ssim(a.view(), b.view(), data_range)?,
        data_range,
        psnr: psnr(a.view(), b.view(), data_range)?,
        nrmse: nrmse(a.view(), b.view())?,
        correlation: pearson(a.view(), b.view())?,
        shift: residual_shift(a.view(), b.view())?,
        energy_ratio: energy_ratio(reference, image)?,
        reference: a,
        image: b,
    })
}

fn unit_mean(image: ArrayView2<'_, f64>, what: &'static str) -> Result<Array2<f64>, MetricError> {
    finite("frame similarity", what, image)?;
    match image.mean() {
        Some(mean) if mean > 0.0 => Ok(image.mapv(|v| v / mean)),
        _ => Err(MetricError::Degenerate { metric: "frame similarity", what: what.to_owned() }),
    }
}
