//! One sample on its way: data pass and error pass, row pass by row pass.

use num_complex::Complex;
use num_traits::Zero;

use super::encode::mean_intensity;
use super::lines::{multiply, product};
use super::loaded::{Loaded, Workspace};
use super::measure::{NoiseKey, measure};
use super::real::{Real, wide};
use crate::device::noise::{Pass, stage_word};
use crate::engine::Relay;

/// The key of a sample's noise; `None` measures exactly.
pub(super) type Noise = Option<([u32; 2], u32)>;

/// Data pass from `U_0` in `ws.fields[0]` to `U_L`; records every field. `input_power` is the mean of `|U_0|^2`.
pub(super) fn data_pass<T: Real>(p: &Loaded<T>, ws: &mut Workspace<T>, input_power: f64, noise: Noise) {
    let cols = p.shape[1];
    let first_mask = p.hops[0].mask.map(|m| &p.masks[m][..]);
    for y in 0..p.shape[0] {
        let line = &mut ws.work[y * p.lines.pitch..(y + 1) * p.lines.pitch];
        send(
            p,
            line,
            &ws.fields[0][y * cols..(y + 1) * cols],
            first_mask.map(|m| &m[y * cols..(y + 1) * cols]),
        );
        forward(p, line, &mut ws.scratch);
    }
    for (l, hop) in p.hops.iter().enumerate() {
        p.lines.columns(&mut ws.work, &p.transfers[hop.transfer], &mut ws.scratch);
        let next_mask = p.hops.get(l + 1).and_then(|h| h.mask).map(|m| &p.masks[m][..]);
        let scale = p.exposure.data[l] * input_power.sqrt();
        for y in 0..p.shape[0] {
            let pixels = y * cols..(y + 1) * cols;
            let line = &mut ws.work[y * p.lines.pitch..(y + 1) * p.lines.pitch];
            p.lines.row_inverse(line, &mut ws.scratch);
            if let Some(after) = &hop.after {
                multiply(&mut line[..cols], &after[pixels.clone()]);
            }
            let record = &mut ws.fields[l + 1][pixels.clone()];
            record.copy_from_slice(&line[..cols]);
            observe(p, record, y * cols, scale, noise, stage_word(l, Pass::Data));
            if l + 1 < p.hops.len() {
                let passes_on = match p.relay {
                    Relay::Measured => &*record,
                    Relay::Optical => {
                        ws.row.copy_from_slice(&line[..cols]);
                        &ws.row
                    }
                };
                send(p, line, passes_on, next_mask.map(|m| &m[pixels]));
                forward(p, line, &mut ws.scratch);
            }
        }
    }
}

/// Error pass from `g` in `ws.source`; adds `-2 Im(E_l V_l)` to `gradients[mask]`. `error_power` is the mean of `|g|^2`.
pub(super) fn error_pass<T: Real>(
    p: &Loaded<T>,
    ws: &mut Workspace<T>,
    error_power: f64,
    noise: Noise,
    gradients: &mut [Vec<T>],
) {
    let cols = p.shape[1];
    let last = p.hops.len() - 1;
    for y in 0..p.shape[0] {
        let pixels = y * cols..(y + 1) * cols;
        let line = &mut ws.work[y * p.lines.pitch..(y + 1) * p.lines.pitch];
        send(p, line, &ws.source[pixels.clone()], p.hops[last].error_before.as_ref().map(|b| &b[pixels]));
        forward(p, line, &mut ws.scratch);
    }
    for (l, hop) in p.hops.iter().enumerate().rev() {
        p.lines.columns(&mut ws.work, &p.transfers[hop.error_transfer], &mut ws.scratch);
        let scale = p.exposure.error[l] * error_power.sqrt();
        let mut power = 0.0;
        for y in 0..p.shape[0] {
            let pixels = y * cols..(y + 1) * cols;
            let line = &mut ws.work[y * p.lines.pitch..(y + 1) * p.lines.pitch];
            p.lines.row_inverse(line, &mut ws.scratch);
            if let Some(after) = &hop.error_after {
                multiply(&mut line[..cols], &after[pixels.clone()]);
            }
            power += mean_intensity(&line[..cols]);
            ws.row.copy_from_slice(&line[..cols]);
            observe(p, &mut ws.row, y * cols, scale, noise, stage_word(l, Pass::Error));
            if let Some(m) = hop.mask {
                let mask = &p.masks[m][pixels.clone()];
                // e_{l-1} = M E_l, and E_l V_l = (M E_l) U_{l-1}: one product serves both.
                multiply(&mut ws.row, mask);
                accumulate(&mut gradients[m][pixels.clone()], &ws.row, &ws.fields[l][pixels.clone()]);
                if p.relay == Relay::Optical {
                    multiply(&mut line[..cols], mask);
                }
            }
            if l > 0 {
                if p.relay == Relay::Optical {
                    ws.row.copy_from_slice(&line[..cols]);
                }
                send(p, line, &ws.row, p.hops[l - 1].error_before.as_ref().map(|b| &b[pixels]));
                forward(p, line, &mut ws.scratch);
            }
        }
        ws.error_power[l] = power / p.shape[0] as f64;
    }
}

/// Puts a row, times a mask, at the start of a padded line.
fn send<T: Real>(p: &Loaded<T>, line: &mut [Complex<T>], row: &[Complex<T>], mask: Option<&[Complex<T>]>) {
    let (light, dark) = line[..p.lines.long].split_at_mut(p.shape[1]);
    match mask {
        Some(mask) => product(light, row, mask),
        None => light.copy_from_slice(row),
    }
    dark.fill(Complex::zero());
}

/// Row transform; a dark row (outside the image or the detectors) is its own transform.
fn forward<T: Real>(p: &Loaded<T>, line: &mut [Complex<T>], scratch: &mut super::lines::Scratch<T>) {
    if line[..p.shape[1]].iter().any(|u| !u.is_zero()) {
        p.lines.row_forward(line, scratch);
    }
}

fn observe<T: Real>(
    p: &Loaded<T>,
    row: &mut [Complex<T>],
    first: usize,
    scale: f64,
    noise: Noise,
    stage: u32,
) {
    if let (Some(sensor), Some((step, sample))) = (&p.sensor, noise) {
        measure(row, first, scale, sensor, NoiseKey { step, sample, stage });
    }
}

wide! {
    /// `gradient += -2 Im(e u)`.
    fn accumulate<T: Real>(gradient: &mut [T], e: &[Complex<T>], u: &[Complex<T>]) {
        let minus_two = T::of(-2.0);
        for ((g, e), u) in gradient.iter_mut().zip(e).zip(u) {
            *g += minus_two * (e.re * u.im + e.im * u.re);
        }
    }
}
