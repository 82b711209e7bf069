//! One sample on its way: data pass and error pass, block by block of rows.

use std::ops::Range;

use super::buffer::Buffer;
use super::loaded::{Loaded, Workspace};
use super::measure::{NoiseKey, measure};
use super::pixelwise::{gather, grade, mean_intensity, multiply, peak_intensity};
use super::real::Real;
use super::records::{shorten, widen};
use crate::device::noise::{Pass, stage_word};
use crate::engine::{Relay, Store};

/// The key of a sample's noise; `None` measures exactly.
pub(super) type Noise = Option<([u32; 2], u32)>;

/// Where a block's complex numbers are.
fn part<T: Real>(p: &Loaded<T>, block: usize) -> Range<usize> {
    let len = 2 * p.layout.block_pixels();
    block * len..(block + 1) * len
}

/// Where its real numbers are.
fn real_part<T: Real>(p: &Loaded<T>, block: usize) -> Range<usize> {
    let len = p.layout.block_pixels();
    block * len..(block + 1) * len
}

/// Data pass from `U_0` in `ws.fields[0]` to `U_L`; records every field in its place. `input_power` is the mean of `|U_0|^2`.
/// `seen` sees every field from `U_0` on when it is there: some give their places to later ones.
pub(super) fn data_pass<T: Real>(
    p: &Loaded<T>,
    ws: &mut Workspace<T>,
    input_power: f64,
    noise: Noise,
    mut seen: impl FnMut(usize, &Workspace<T>),
) {
    seen(0, ws);
    stretch(p, ws, (0, p.hops.len()), input_power, noise, seen);
}

/// The part of a data pass from the recorded `U_from` to `U_to`: with the same noise the same bits.
fn stretch<T: Real>(
    p: &Loaded<T>,
    ws: &mut Workspace<T>,
    (from, to): (usize, usize),
    input_power: f64,
    noise: Noise,
    mut seen: impl FnMut(usize, &Workspace<T>),
) {
    let mask_of = |l: usize| p.hops.get(l).and_then(|h| h.mask).map(|m| &p.masks[m][..]);
    // What is measured is not what passes on: light is kept beside its record.
    let apart = p.sensor.is_some() && noise.is_some() && p.relay == Relay::Optical;
    let begin = from.checked_sub(1).and_then(|before| p.hops[before].activation.as_ref());
    for block in 0..p.layout.blocks() {
        let at = part(p, block);
        let field = &ws.fields[p.place(from)][at.clone()];
        let rows = match begin {
            Some(unit) => {
                ws.rows.copy_from_slice(field);
                unit.activate(p.layout.lanes, &mut ws.rows, input_power.sqrt());
                &ws.rows[..]
            }
            None => field,
        };
        send(p, block, rows, mask_of(from).map(|m| &m[at]), &mut ws.work, &mut ws.scratch);
    }
    for (l, hop) in p.hops.iter().enumerate().take(to).skip(from) {
        p.transform.columns(hop.transfer, &mut ws.work, &mut ws.scratch);
        let scale = p.exposure.data[l] * input_power.sqrt();
        let half = p.is_half(l + 1);
        if half {
            ws.units[l + 1] = Store::unit(p.exposure.data[l], input_power.sqrt());
        }
        for block in 0..p.layout.blocks() {
            let at = part(p, block);
            let record = if half { &mut ws.recorded[..] } else { &mut ws.fields[p.place(l + 1)][at.clone()] };
            p.transform.inverse(block, &mut ws.work, record, &mut ws.scratch);
            if let Some(after) = &hop.after {
                multiply(p.layout.lanes, record, &after[at.clone()]);
            }
            if apart {
                ws.rows.copy_from_slice(record);
            }
            observe(p, record, block, scale, noise, stage_word(l, Pass::Data));
            if half {
                shorten(record, ws.units[l + 1], &mut ws.halves[l + 1][at.clone()]);
            }
            if l + 1 < to {
                if let Some(unit) = &hop.activation {
                    if !apart {
                        ws.rows.copy_from_slice(record);
                    }
                    unit.activate(p.layout.lanes, &mut ws.rows, input_power.sqrt());
                }
                let rows = if apart || hop.activation.is_some() { &ws.rows[..] } else { record };
                send(p, block, rows, mask_of(l + 1).map(|m| &m[at]), &mut ws.work, &mut ws.scratch);
            }
        }
        seen(l + 1, ws);
    }
}

/// Error pass from `g` in `ws.source`; adds `-2 Im(E_l V_l)`, and for amplitudes `2 Re(E_l C_l F_{l-1})`, to the gradients, or
/// writes them where they are `fresh`. `powers` are the means of `|U_0|^2` and of `|g|^2`.
pub(super) fn error_pass<T: Real>(
    p: &Loaded<T>,
    ws: &mut Workspace<T>,
    powers: [f64; 2],
    noise: Noise,
    gradients: &mut [Buffer<T>],
    fresh: bool,
) {
    // Nothing is learned from an error in front of the first mask that is trained.
    let Some(first) = p.hops.iter().position(|h| h.learns()) else { return };
    let last = p.hops.len() - 1;
    let [input_rms, error_rms] = powers.map(f64::sqrt);
    let (quiet, data_noise) = (noise.is_none(), noise);
    let noise = noise.filter(|_| p.error_measured);
    let apart = p.sensor.is_some() && noise.is_some() && p.relay == Relay::Optical;
    for block in 0..p.layout.blocks() {
        let at = part(p, block);
        let before = p.hops[last].error_before.as_ref().map(|b| &b[at.clone()]);
        send(p, block, &ws.source[at], before, &mut ws.work, &mut ws.scratch);
    }
    for (l, hop) in p.hops.iter().enumerate().skip(first).rev() {
        p.transform.columns(hop.error_transfer, &mut ws.work, &mut ws.scratch);
        let scale = p.exposure.error[l] * error_rms;
        let again = p.segments.before(l).filter(|_| l > first);
        let (mut power, mut peak) = (0.0, 0.0_f64);
        for block in 0..p.layout.blocks() {
            let at = part(p, block);
            let (rows, measured) = (&mut ws.rows[..], &mut ws.measured[..]);
            p.transform.inverse(block, &mut ws.work, measured, &mut ws.scratch);
            if let Some(after) = &hop.error_after {
                multiply(p.layout.lanes, measured, &after[at.clone()]);
            }
            if quiet {
                // Only whoever measures exposures asks, and does so without noise.
                power += mean_intensity(measured, 1);
                peak = peak.max(peak_intensity(p.layout.lanes, measured));
            }
            if apart {
                rows.copy_from_slice(measured);
            }
            observe(p, measured, block, scale, noise, stage_word(l, Pass::Error));
            // The unit between the hop before and this one, and the field that it saw.
            let unit = l.checked_sub(1).and_then(|before| p.hops[before].activation.as_ref());
            let u = if p.is_half(l) {
                if hop.learns() || unit.is_some() {
                    widen(&ws.halves[l][at.clone()], ws.units[l], &mut ws.recorded);
                }
                &mut ws.recorded[..]
            } else {
                &mut ws.fields[p.place(l)][at.clone()]
            };
            if let Some(m) = hop.mask {
                let mask = &p.masks[p.error_masks + m][at.clone()];
                let sent = match unit.filter(|_| hop.learns()) {
                    Some(unit) => {
                        ws.activated.copy_from_slice(u);
                        unit.activate(p.layout.lanes, &mut ws.activated, input_rms);
                        &ws.activated[..]
                    }
                    None => &*u,
                };
                let (lanes, place, fresh) = (p.layout.lanes, real_part(p, block), fresh && hop.mask_is_new);
                if let Some(k) = hop.amplitude_gradient {
                    let carrier = &p.carriers[p.error_masks + m][at.clone()];
                    grade(lanes, measured, carrier, sent, &mut gradients[k][place.clone()], fresh);
                }
                match hop.phase_gradient {
                    // d_{l-1} = M E_l, and E_l V_l = (M E_l) F_{l-1}: one product serves both.
                    Some(k) => gather(lanes, measured, mask, sent, &mut gradients[k][place], fresh),
                    None => multiply(lanes, measured, mask),
                }
                if apart {
                    multiply(p.layout.lanes, rows, mask);
                }
            }
            if l > first {
                let rows = if apart { rows } else { measured };
                if let Some(unit) = unit {
                    unit.turn_back(p.layout.lanes, rows, u, input_rms);
                }
                if again.is_some() {
                    // Light needs the work array first; nobody needs this field any more.
                    u.copy_from_slice(rows);
                } else {
                    let before = p.hops[l - 1].error_before.as_ref().map(|b| &b[at]);
                    send(p, block, rows, before, &mut ws.work, &mut ws.scratch);
                }
            }
        }
        if let Some(part_of_way) = again {
            stretch(p, ws, part_of_way, powers[0], data_noise, |_, _| ());
            for block in 0..p.layout.blocks() {
                let at = part(p, block);
                let before = p.hops[l - 1].error_before.as_ref().map(|b| &b[at.clone()]);
                let error = &ws.fields[p.place(l)][at];
                send(p, block, error, before, &mut ws.work, &mut ws.scratch);
            }
        }
        ws.error_power[l] = power / (p.layout.rows * p.layout.cols) as f64;
        ws.error_peak[l] = peak;
    }
}

/// Row transforms of a block; a dark block (outside the image or the detectors) needs none.
fn send<T: Real>(
    p: &Loaded<T>,
    block: usize,
    rows: &[T],
    times: Option<&[T]>,
    work: &mut [T],
    scratch: &mut [T],
) {
    if rows.iter().all(|v| *v == T::of(0.0)) {
        p.transform.dark(block, work);
    } else {
        p.transform.forward(block, rows, times, work, scratch);
    }
}

fn observe<T: Real>(p: &Loaded<T>, rows: &mut [T], block: usize, scale: f64, noise: Noise, stage: u32) {
    if let (Some(sensor), Some((step, sample))) = (&p.sensor, noise) {
        measure(rows, p.layout, block, scale, sensor, NoiseKey { step, sample, stage });
        p.layout.darken(rows, block);
    }
}
