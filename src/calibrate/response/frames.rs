//! From whole frames of a sweep to phases, wherever the camera is.
//!
//! With stripes of gray 0 and g the field in any pixel is `A + B exp(i phase)`, so the intensity is `a + b cos(phase) +
//! c sin(phase)` with three numbers of the pixel and one of the frame. Both are found in turns by linear least squares, as phase
//! steps that are not known are (Wang & Han, Opt. Lett. 29, 1671 (2004)), from the phases that a linear device would have.

use std::f64::consts::TAU;

use ndarray::Array2;
use rayon::prelude::*;

use super::error::{ResponseError, unfit};
use super::table::{How, PhaseTable, unwrapped};
use crate::numeric::Factor;

/// Pixels that are used at most: those whose intensity changes most.
const PIXELS: usize = 6000;
/// Turns at most, and the change of a phase, radians, at which they end.
const TURNS: usize = 3000;
const SETTLED: f64 = 1e-7;
/// Smaller over larger of the two kinds of change that pixels show, below which all change alike.
const ALIKE: f64 = 2e-3;

/// Phases of `(gray, frame)`, dark counts taken off and all in one unit of intensity; the first (lowest) gray value is that of
/// the other stripes.
///
/// # Errors
/// Too few frames, frames of several sizes, frames in which all pixels change alike (as in a single order: see
/// [`super::from_order`]), or a search that does not settle.
pub fn from_frames(frames: &[(f64, Array2<f64>)]) -> Result<PhaseTable, ResponseError> {
    let mut order: Vec<usize> = (0..frames.len()).collect();
    order.sort_by(|a, b| frames[*a].0.total_cmp(&frames[*b].0));
    let Some(shape) = frames.first().map(|f| f.1.dim()).filter(|_| frames.len() >= 6) else {
        return Err(unfit(format!("{} frames; a sweep needs 6 gray values or more", frames.len())));
    };
    if frames.iter().any(|f| f.1.dim() != shape) {
        return Err(unfit("frames of a sweep must be of one size"));
    }
    let gray: Vec<f64> = order.iter().map(|&k| frames[k].0).collect();
    let pixels = liveliest(frames, &order);
    let mut phases: Vec<f64> = gray.iter().map(|g| TAU * (g - gray[0]) / 256.0).collect();
    let mut turns = 0;
    let (coefficients, left) = loop {
        let (coefficients, left) = pixel_by_pixel(&pixels, &phases)?;
        let next = frame_by_frame(&pixels, &coefficients)?;
        // The common offset of all phases is nobody's.
        let moved = |(a, b): (&f64, &f64)| {
            let d = (b - next[0]) - (a - phases[0]);
            (d - TAU * (d / TAU).round()).abs()
        };
        let change = phases.iter().zip(&next).map(moved).fold(0.0, f64::max);
        phases = next;
        turns += 1;
        if change < SETTLED {
            break (coefficients, left);
        }
        if turns == TURNS {
            return Err(ResponseError::Unsettled { steps: turns });
        }
    };
    let (k, p) = (gray.len() as f64, pixels.len() as f64);
    let variance = left / ((k - 3.0) * p - k).max(1.0);
    let known = |phase: f64| {
        let (sin, cos) = phase.sin_cos();
        variance / coefficients.iter().map(|[_, b, c]| (c * cos - b * sin).powi(2)).sum::<f64>()
    };
    let first = known(phases[0]);
    let sigma = |(i, phase): (usize, &f64)| if i == 0 { 0.0 } else { (known(*phase) + first).sqrt() };
    Ok(PhaseTable {
        sigma: phases.iter().enumerate().map(sigma).collect(),
        phase: unwrapped(&phases),
        gray,
        how: How::Frames,
    })
}

/// The intensities over the sweep of the pixels that change most.
fn liveliest(frames: &[(f64, Array2<f64>)], order: &[usize]) -> Vec<Vec<f64>> {
    let n = frames[0].1.len();
    let flat: Vec<Vec<f64>> = order.iter().map(|&k| frames[k].1.iter().copied().collect()).collect();
    let course = |p: usize| -> Vec<f64> { flat.iter().map(|frame| frame[p]).collect() };
    let spread = |p: usize| {
        let line = course(p);
        let mean = line.iter().sum::<f64>() / line.len() as f64;
        line.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
    };
    let mut all: Vec<(f64, usize)> = (0..n).into_par_iter().map(|p| (spread(p), p)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    all.truncate(PIXELS);
    all.into_iter().map(|(_, p)| course(p)).collect()
}

/// `a, b, c` of every pixel, and the square of what is left.
fn pixel_by_pixel(pixels: &[Vec<f64>], phases: &[f64]) -> Result<(Vec<[f64; 3]>, f64), ResponseError> {
    let basis: Vec<[f64; 3]> = phases.iter().map(|p| [1.0, p.cos(), p.sin()]).collect();
    let mut matrix = [0.0; 9];
    for b in &basis {
        for i in 0..9 {
            matrix[i] += b[i / 3] * b[i % 3];
        }
    }
    let l = Factor::of(&matrix, 3)
        .ok_or_else(|| unfit("the gray values of the sweep all have the same phase"))?;
    let one = |course: &Vec<f64>| {
        let mut right = [0.0; 3];
        for (b, v) in basis.iter().zip(course) {
            (0..3).for_each(|i| right[i] += b[i] * v);
        }
        let x = l.solve(&right);
        let x = [x[0], x[1], x[2]];
        let rest = |(b, v): (&[f64; 3], &f64)| (v - x[0] - x[1] * b[1] - x[2] * b[2]).powi(2);
        (x, basis.iter().zip(course).map(rest).sum::<f64>())
    };
    // Sums in the order of pixels, on any number of threads.
    let all: Vec<([f64; 3], f64)> = pixels.par_iter().map(one).collect();
    let left = all.iter().map(|(_, rest)| rest).sum();
    Ok((all.into_iter().map(|(x, _)| x).collect(), left))
}

/// The phase of every frame.
fn frame_by_frame(pixels: &[Vec<f64>], coefficients: &[[f64; 3]]) -> Result<Vec<f64>, ResponseError> {
    let sum = |f: &dyn Fn(&[f64; 3]) -> f64| coefficients.iter().map(f).sum::<f64>();
    let (bb, bc, cc) = (sum(&|x| x[1] * x[1]), sum(&|x| x[1] * x[2]), sum(&|x| x[2] * x[2]));
    let (trace, det) = (bb + cc, bb * cc - bc * bc);
    let told_apart = det > ALIKE * trace * trace / 4.0;
    if !told_apart {
        return Err(ResponseError::Alike);
    }
    let count = pixels.first().map_or(0, Vec::len);
    let one = |k: usize| {
        let (mut rb, mut rc) = (0.0, 0.0);
        for (course, [a, b, c]) in pixels.iter().zip(coefficients) {
            rb += b * (course[k] - a);
            rc += c * (course[k] - a);
        }
        let (cos, sin) = ((cc * rb - bc * rc) / det, (bb * rc - bc * rb) / det);
        sin.atan2(cos)
    };
    Ok((0..count).into_par_iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(alike: bool) -> Vec<(f64, Array2<f64>)> {
        let noise = |k: usize, r: usize, c: usize| {
            f64::from(crate::device::noise::normals([9, 2], (r * 64 + c) as u32, k as u32, 0)[0])
        };
        (0..20)
            .map(|k| {
                let g = 255.0 * k as f64 / 19.0;
                let phase = TAU * 0.9 * (g / 256.0).powf(1.25);
                let frame = Array2::from_shape_fn((40, 50), |(r, c)| {
                    let place = if alike { 0.0 } else { 0.2 * r as f64 + 0.03 * (c * c) as f64 };
                    let a = 500.0 + 200.0 * (0.1 * c as f64).sin();
                    a + 0.6 * a * (phase + place).cos() + 15.0 * noise(k, r, c)
                });
                (g, frame)
            })
            .collect()
    }

    #[test]
    fn phases_come_out_of_frames_that_nobody_can_read() {
        let table = from_frames(&sweep(false)).unwrap();
        let errors: Vec<f64> = table
            .gray
            .iter()
            .zip(&table.phase)
            .map(|(g, p)| p - TAU * 0.9 * (g / 256.0).powf(1.25))
            .collect();
        let rms = (errors.iter().map(|e| e * e).sum::<f64>() / 20.0).sqrt();
        assert!(rms < 0.005, "{rms} {errors:?}");
        let law = table.power().unwrap();
        assert!((law.range - 0.9).abs() < 0.003 && (law.gamma - 1.25).abs() < 0.005, "{law:?}");
    }

    #[test]
    fn frames_that_all_change_alike_are_refused() {
        let message = from_frames(&sweep(true)).unwrap_err().to_string();
        assert!(message.contains("change alike"), "{message}");
        assert!(from_frames(&sweep(false)[..4]).unwrap_err().to_string().contains("4 frames"));
    }
}
