//! One sample on its way: data pass and error pass, row block by row block.

use std::ops::Range;

use num_complex::Complex;
use num_traits::Zero;

use super::encode::mean_intensity;
use super::loaded::{Loaded, Workspace};
use super::measure::{NoiseKey, measure};
use super::pixelwise::{accumulate, multiply, product};
use super::real::Real;
use crate::device::noise::{Pass, stage_word};
use crate::engine::Relay;

/// The key of a sample's noise; `None` measures exactly.
pub(super) type Noise = Option<([u32; 2], u32)>;

/// The blocks of rows and their pixels.
fn blocks<T: Real>(p: &Loaded<T>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let (size, pixels) = (p.block_pixels(), p.pixels());
    (0..pixels.div_ceil(size)).map(move |block| (block, block * size..((block + 1) * size).min(pixels)))
}

/// Data pass from `U_0` in `ws.fields[0]` to `U_L`; records every field. `input_power` is the mean of `|U_0|^2`.
pub(super) fn data_pass<T: Real>(p: &Loaded<T>, ws: &mut Workspace<T>, input_power: f64, noise: Noise) {
    let mask_of = |l: usize| p.hops.get(l).and_then(|h| h.mask).map(|m| &p.masks[m][..]);
    for (block, pixels) in blocks(p) {
        let rows = &mut ws.rows[..pixels.len()];
        through(rows, &ws.fields[0][pixels.clone()], mask_of(0).map(|m| &m[pixels]));
        send(p, block, rows, &mut ws.work, &mut ws.scratch);
    }
    for (l, hop) in p.hops.iter().enumerate() {
        p.transform.columns(hop.transfer, &mut ws.work, &mut ws.scratch);
        let scale = p.exposure.data[l] * input_power.sqrt();
        for (block, pixels) in blocks(p) {
            let rows = &mut ws.rows[..pixels.len()];
            p.transform.inverse(block, &mut ws.work, rows, &mut ws.scratch);
            if let Some(after) = &hop.after {
                multiply(rows, &after[pixels.clone()]);
            }
            let record = &mut ws.fields[l + 1][pixels.clone()];
            record.copy_from_slice(rows);
            observe(p, record, pixels.start, scale, noise, stage_word(l, Pass::Data));
            if l + 1 == p.hops.len() {
                continue;
            }
            let mask = mask_of(l + 1).map(|m| &m[pixels]);
            match (p.relay, mask) {
                (Relay::Measured, _) => through(rows, record, mask),
                (Relay::Optical, Some(mask)) => multiply(rows, mask),
                (Relay::Optical, None) => {}
            }
            send(p, block, rows, &mut ws.work, &mut ws.scratch);
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
    let last = p.hops.len() - 1;
    for (block, pixels) in blocks(p) {
        let rows = &mut ws.rows[..pixels.len()];
        through(rows, &ws.source[pixels.clone()], p.hops[last].error_before.as_ref().map(|b| &b[pixels]));
        send(p, block, rows, &mut ws.work, &mut ws.scratch);
    }
    for (l, hop) in p.hops.iter().enumerate().rev() {
        p.transform.columns(hop.error_transfer, &mut ws.work, &mut ws.scratch);
        let scale = p.exposure.error[l] * error_power.sqrt();
        let mut power = 0.0;
        for (block, pixels) in blocks(p) {
            let (rows, measured) = (&mut ws.rows[..pixels.len()], &mut ws.measured[..pixels.len()]);
            p.transform.inverse(block, &mut ws.work, rows, &mut ws.scratch);
            if let Some(after) = &hop.error_after {
                multiply(rows, &after[pixels.clone()]);
            }
            if noise.is_none() {
                // Only whoever measures exposures asks, and does so without noise.
                power += mean_intensity(rows) * rows.len() as f64;
            }
            measured.copy_from_slice(rows);
            observe(p, measured, pixels.start, scale, noise, stage_word(l, Pass::Error));
            if let Some(m) = hop.mask {
                let mask = &p.masks[m][pixels.clone()];
                // e_{l-1} = M E_l, and E_l V_l = (M E_l) U_{l-1}: one product serves both.
                multiply(measured, mask);
                accumulate(&mut gradients[m][pixels.clone()], measured, &ws.fields[l][pixels.clone()]);
                if p.relay == Relay::Optical {
                    multiply(rows, mask);
                }
            }
            if l == 0 {
                continue;
            }
            if p.relay == Relay::Measured {
                rows.copy_from_slice(measured);
            }
            if let Some(before) = &p.hops[l - 1].error_before {
                multiply(rows, &before[pixels]);
            }
            send(p, block, rows, &mut ws.work, &mut ws.scratch);
        }
        ws.error_power[l] = power / p.pixels() as f64;
    }
}

/// Rows times a mask, or as they are.
fn through<T: Real>(out: &mut [Complex<T>], rows: &[Complex<T>], mask: Option<&[Complex<T>]>) {
    match mask {
        Some(mask) => product(out, rows, mask),
        None => out.copy_from_slice(rows),
    }
}

/// Row transforms of a block; a dark block (outside the image or the detectors) needs none.
fn send<T: Real>(
    p: &Loaded<T>,
    block: usize,
    rows: &[Complex<T>],
    work: &mut [Complex<T>],
    scratch: &mut [Complex<T>],
) {
    if rows.iter().all(Zero::is_zero) {
        p.transform.dark(block, work);
    } else {
        p.transform.forward(block, rows, work, scratch);
    }
}

fn observe<T: Real>(
    p: &Loaded<T>,
    rows: &mut [Complex<T>],
    first: usize,
    scale: f64,
    noise: Noise,
    stage: u32,
) {
    if let (Some(sensor), Some((step, sample))) = (&p.sensor, noise) {
        measure(rows, first, scale, sensor, NoiseKey { step, sample, stage });
    }
}
