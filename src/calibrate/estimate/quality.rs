//! How well frames are met, and whether they show what is said.

use ndarray::{Array2, s};

use super::EstimateError;
use super::model::{FrameData, Model};
use super::normal::Noise;
use super::pixels::Pixels;
use super::register::likeness;
use crate::measure::Measurement;
use crate::metrics::ssim_intensity;

/// Refuses frames that are far more like what other frames should show.
pub(crate) fn check_order(
    m: &Measurement,
    model: &mut Model,
    frames: &[FrameData],
    valid: &[Array2<bool>],
    x: &[f64],
) -> Result<(), EstimateError> {
    let every: Vec<usize> = (0..frames.len()).collect();
    let predicted = model.evaluate(frames, &every, x)?;
    let mut wrong = Vec::new();
    for (i, frame) in frames.iter().enumerate() {
        let own = likeness(&predicted[i], &frame.counts, &valid[i]);
        let others = every
            .iter()
            .filter(|&&j| j != i)
            .map(|&j| (j, likeness(&predicted[j], &frame.counts, &valid[i])));
        let Some((j, best)) = others.max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
        if best > 0.3 && best > own + 0.2 {
            let name = |k: usize| {
                let number = frames[k].number;
                format!("frame {number} ({})", m.config.frames[number - 1].file)
            };
            wrong.push(format!(
                "{} looks like what {} should show (correlation {best:.2}, with its own {own:.2})",
                name(i),
                name(j)
            ));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(EstimateError::Order(wrong.join("; "))) }
}

/// Mean SSIM of predicted against measured frames, over the rectangle that the twin knows; of counts above `offset`, each frame
/// relative to its mean.
pub(crate) fn similarity(
    predicted: &[Array2<f64>],
    (dark, offset): (f64, f64),
    frames: &[FrameData],
    inside: &Array2<bool>,
) -> Result<f64, EstimateError> {
    let [top, bottom, left, right] = bounds(inside);
    let part = s![top..bottom, left..right];
    let mut sum = 0.0;
    for (p, frame) in predicted.iter().zip(frames) {
        let light = |a: &Array2<f64>, offset: f64| a.slice(part).mapv(|v| (v - offset).max(0.0));
        sum += ssim_intensity(light(p, dark).view(), light(&frame.counts, offset).view())?.mean;
    }
    Ok(sum / frames.len() as f64)
}

/// First and last row and column (exclusive) of what is true.
fn bounds(inside: &Array2<bool>) -> [usize; 4] {
    let mut found = [usize::MAX, 0, usize::MAX, 0];
    for ((r, c), _) in inside.indexed_iter().filter(|(_, v)| **v) {
        found = [found[0].min(r), found[1].max(r + 1), found[2].min(c), found[3].max(c + 1)];
    }
    found
}

/// Residual rms, and mean square of residuals in units of the frames' own noise, which is read off differences of neighbouring
/// residuals (Immerkaer, Comput. Vis. Image Underst. 64, 300 (1996)). Both in counts as they were read.
pub(crate) fn residuals(
    predicted: &[Array2<f64>],
    offset: f64,
    frames: &[FrameData],
    pixels: &Pixels,
) -> (f64, f64) {
    let mut pairs = Vec::new();
    let (mut n, mut sum) = (0.0_f64, 0.0);
    for ((p, frame), valid) in predicted.iter().zip(frames).zip(&pixels.valid) {
        let r = pixels.residuals(p, &frame.counts);
        let (rows, cols) = r.dim();
        for row in 1..rows - 1 {
            for col in 1..cols - 1 {
                if !valid[[row, col]] {
                    continue;
                }
                n += 1.0;
                sum += r[[row, col]].powi(2);
                if (row + col) % 3 == 0 {
                    let at = |dr: usize, dc: usize| r[[row + dr - 1, col + dc - 1]];
                    let laplace = at(0, 0) + at(0, 2) + at(2, 0) + at(2, 2) + 4.0 * at(1, 1)
                        - 2.0 * (at(0, 1) + at(1, 0) + at(1, 2) + at(2, 1));
                    pairs.push((pixels.light([row, col], p[[row, col]], offset), laplace * laplace / 36.0));
                }
            }
        }
    }
    let noise = Noise::fit(pairs);
    let mut chi = 0.0;
    for (k, (p, frame)) in predicted.iter().zip(frames).enumerate() {
        let each = pixels.used(k, p, &frame.counts, offset);
        chi += each.map(|pixel| pixel.residual.powi(2) / noise.variance(pixel.light)).sum::<f64>();
    }
    let used: usize = pixels.valid.iter().flatten().filter(|v| **v).count();
    ((sum / n.max(1.0)).sqrt(), chi / used.max(1) as f64)
}
