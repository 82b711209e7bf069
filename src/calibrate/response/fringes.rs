//! From fringes to phases: two regions of the modulator interfere, and the gray value of one moves the fringes.

use std::f64::consts::TAU;

use ndarray::Array2;
use num_complex::Complex64;

use super::error::{ResponseError, unfit};
use super::table::{How, PhaseTable, unwrapped};
use crate::optics::dft;

/// Carrier frequencies below this many periods across the frame are taken for the frame's own shape.
const LOWEST: usize = 3;
/// Amplitude of the carrier over that of the noise in the spectrum, from which fringes are believed.
const CLEAR: f64 = 5.0;

/// Phases of `(gray, frame)`; the carrier is the strongest frequency that all frames have.
///
/// # Errors
/// Too few frames, frames of several sizes, or no fringes.
pub fn from_fringes(frames: &[(f64, Array2<f64>)]) -> Result<PhaseTable, ResponseError> {
    let mut order: Vec<usize> = (0..frames.len()).collect();
    order.sort_by(|a, b| frames[*a].0.total_cmp(&frames[*b].0));
    let Some(shape) = frames.first().map(|f| f.1.dim()).filter(|_| frames.len() >= 3) else {
        return Err(unfit(format!("{} frames; fringes need 3 gray values or more", frames.len())));
    };
    if frames.iter().any(|f| f.1.dim() != shape) || shape.0.min(shape.1) < 4 * LOWEST {
        return Err(unfit("frames of fringes must be of one size, 12 pixels a side or more"));
    }
    let spectra: Vec<Array2<Complex64>> = order.iter().map(|&k| spectrum(&frames[k].1)).collect();
    let mut power = Array2::<f64>::zeros(shape);
    spectra.iter().for_each(|s| power.zip_mut_with(s, |p, v| *p += v.norm_sqr()));
    let signed = |k: usize, n: usize| k.min(n - k);
    // One of two conjugate halves.
    let half = |r: usize, c: usize| c <= shape.1 / 2 && (c > 0 || r <= shape.0 / 2);
    let outside =
        |r: usize, c: usize| signed(r, shape.0).pow(2) + signed(c, shape.1).pow(2) >= LOWEST * LOWEST;
    let candidates = power.indexed_iter().filter(|((r, c), _)| half(*r, *c) && outside(*r, *c));
    let Some((carrier, _)) = candidates.max_by(|a, b| a.1.total_cmp(b.1)) else {
        return Err(unfit("the frames are too small for fringes"));
    };
    let mut all: Vec<f64> = power.iter().copied().collect();
    all.sort_by(f64::total_cmp);
    // The median of an exponential distribution is ln 2 of its mean.
    let noise = all[all.len() / 2] / std::f64::consts::LN_2 / spectra.len() as f64;
    let peaks: Vec<Complex64> = spectra.iter().map(|s| s[carrier]).collect();
    let weakest = peaks.iter().map(|p| p.norm()).fold(f64::MAX, f64::min);
    let clear = weakest > CLEAR * noise.sqrt();
    if !clear {
        return Err(unfit(format!(
            "no fringes in every frame: the carrier is {:.1} times the noise, {CLEAR} are needed; let the two regions overlap \
             on the camera, with more light",
            weakest / noise.sqrt()
        )));
    }
    let phases: Vec<f64> = peaks.iter().map(|p| p.arg()).collect();
    let one = |p: &Complex64| 0.5 * noise / p.norm_sqr();
    let sigma = |p: &Complex64| (one(p) + one(&peaks[0])).sqrt();
    Ok(PhaseTable {
        gray: order.iter().map(|&k| frames[k].0).collect(),
        phase: unwrapped(&phases),
        sigma: peaks.iter().enumerate().map(|(k, p)| if k == 0 { 0.0 } else { sigma(p) }).collect(),
        how: How::Fringes,
    })
}

/// The spectrum under a Hann window, the mean taken off.
fn spectrum(frame: &Array2<f64>) -> Array2<Complex64> {
    let (rows, cols) = frame.dim();
    let mean = frame.sum() / frame.len() as f64;
    let hann = |k: usize, n: usize| 0.5 - 0.5 * (TAU * (k as f64 + 0.5) / n as f64).cos();
    let mut field = Array2::from_shape_fn((rows, cols), |(r, c)| {
        Complex64::new((frame[[r, c]] - mean) * hann(r, rows) * hann(c, cols), 0.0)
    });
    dft(&mut field, false);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(contrast: f64) -> Vec<(f64, Array2<f64>)> {
        let phase = |g: f64| TAU * 1.3 * (g / 256.0).powf(0.9);
        let noise = |k: usize, r: usize, c: usize| {
            f64::from(crate::device::noise::normals([7, 1], (r * 64 + c) as u32, k as u32, 0)[0])
        };
        (0..18)
            .map(|k| {
                let g = 15.0 * k as f64;
                let frame = Array2::from_shape_fn((48, 64), |(r, c)| {
                    let envelope = (-((r as f64 - 22.0) / 30.0).powi(2)).exp();
                    let fringe = (TAU * (c as f64 / 6.3 + r as f64 / 40.0) - phase(g)).cos();
                    400.0 * envelope * (1.0 + contrast * fringe) + 10.0 * noise(k, r, c)
                });
                (g, frame)
            })
            .collect()
    }

    #[test]
    fn fringes_move_with_the_phase() {
        let table = from_fringes(&frames(0.4)).unwrap();
        let errors = table.gray.iter().zip(&table.phase).map(|(g, p)| p - TAU * 1.3 * (g / 256.0).powf(0.9));
        for (error, sigma) in errors.zip(&table.sigma).skip(1) {
            assert!(error.abs() < 5.0 * sigma && *sigma < 0.02, "{error} {sigma}");
        }
        assert!((table.power().unwrap().gamma - 0.9).abs() < 0.01);
    }

    #[test]
    fn frames_without_fringes_are_refused() {
        let message = from_fringes(&frames(0.0)).unwrap_err().to_string();
        assert!(message.contains("no fringes"), "{message}");
        assert!(from_fringes(&frames(0.4)[..2]).unwrap_err().to_string().contains("2 frames"));
    }
}
