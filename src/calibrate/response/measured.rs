//! Responses from the frames of a measurement folder.

use std::collections::BTreeMap;

use ndarray::Array2;

use super::error::{ResponseError, unfit};
use super::{FlatPair, Levels, Order, PhaseTable, PhotonTransfer, from_frames, from_order, photon_transfer};
use crate::measure::{Measurement, Role};

/// Share of pixels at the largest count from which a frame is taken for over-exposed.
const OVEREXPOSED: f64 = 1e-3;
/// Part of the largest change over a sweep above which a pixel belongs to an order.
const LIVELY: f64 = 0.2;

/// The table of a layer's modulator, or of what one part of the camera saw of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerTable {
    /// Layer, from 1.
    pub layer: usize,
    /// Part of the frame, `[row, column]` of the tiles.
    pub tile: [usize; 2],
    /// The table.
    pub table: PhaseTable,
}

/// Phase tables from the frames with `role = "sweep"`: a binary grating of one gray value that all frames have and one that
/// changes, on one layer. `tiles` cuts the frames into so many parts along y and x, each with its own table: of use where the
/// camera sees an image of the modulator, so that the response of one place stays in one place. Frames in which all pixels
/// change alike (a focal plane) are read by the intensity of their orders; [`PhaseTable::how`] says so.
///
/// # Errors
/// No sweep, patterns that are none, over-exposed frames, phases that do not settle.
pub fn sweeps(measurement: &Measurement, tiles: [usize; 2]) -> Result<Vec<LayerTable>, ResponseError> {
    let mut sets: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (k, frame) in measurement.config.frames.iter().enumerate().filter(|(_, f)| f.role == Role::Sweep) {
        sets.entry(frame.set.clone().unwrap_or_default()).or_default().push(k + 1);
    }
    if sets.is_empty() {
        return Err(unfit(
            "there are no frames with role = \"sweep\"; a binary grating of gray 0 and 0, 8, .. 255 makes one",
        ));
    }
    let dark = dark(measurement)?;
    let mut found = Vec::new();
    for numbers in sets.values() {
        let (layer, grays) = grays(measurement, numbers)?;
        let mut frames = Vec::new();
        for (number, gray) in numbers.iter().zip(grays) {
            frames.push((gray, lit(measurement, *number, dark.as_ref())?));
        }
        let [rows, cols] = measurement.config.camera.pixels.both();
        for tile in 0..tiles[0].max(1) * tiles[1].max(1) {
            let (r, c) = (tile / tiles[1].max(1), tile % tiles[1].max(1));
            let cut = |n: usize, k: usize, of: usize| (k * n / of.max(1))..((k + 1) * n / of.max(1));
            let part: Vec<(f64, Array2<f64>)> = frames
                .iter()
                .map(|(g, f)| {
                    (*g, f.slice(ndarray::s![cut(rows, r, tiles[0]), cut(cols, c, tiles[1])]).to_owned())
                })
                .collect();
            let table = match from_frames(&part) {
                Err(ResponseError::Alike) => from_orders(&part)?,
                told => told?,
            };
            found.push(LayerTable { layer, tile: [r, c], table });
        }
    }
    Ok(found)
}

/// From frames in a focal plane: the light of all pixels that were dark at first and brightened most, the odd orders, whatever
/// their place; where there are none, of those that darkened, the order 0.
fn from_orders(frames: &[(f64, Array2<f64>)]) -> Result<PhaseTable, ResponseError> {
    let first = frames.iter().min_by(|a, b| a.0.total_cmp(&b.0)).map(|f| &f.1);
    let Some(first) = first else { return Err(unfit("there are no frames")) };
    let extreme = |pick: fn(f64, f64) -> f64, from: f64| {
        let mut map = Array2::from_elem(first.dim(), from);
        frames.iter().for_each(|(_, f)| map.zip_mut_with(f, |m, v| *m = pick(*m, *v)));
        map
    };
    let (high, low) = (extreme(f64::max, f64::MIN), extreme(f64::min, f64::MAX));
    let swing = &high - &low;
    let most = swing.iter().copied().fold(0.0, f64::max);
    let lively = swing.indexed_iter().filter(|(_, s)| **s > LIVELY * most).map(|(at, _)| at);
    let dark = |at: &(usize, usize)| first[*at] - low[*at] < 0.5 * swing[*at];
    let (odd, even): (Vec<_>, Vec<_>) = lively.partition(dark);
    let (pixels, order) = if odd.is_empty() { (even, Order::Zero) } else { (odd, Order::First) };
    let sum = |f: &Array2<f64>| pixels.iter().map(|at| f[*at]).sum::<f64>();
    let series: Vec<(f64, f64)> = frames.iter().map(|(gray, f)| (*gray, sum(f))).collect();
    from_order(&series, order, Levels::Measured)
}

/// Gain, read noise, offset and saturation of the camera from the frames with `role = "photon-transfer"`, two of each exposure,
/// and from dark frames where there are two or more.
///
/// # Errors
/// As [`photon_transfer`].
pub fn camera(measurement: &Measurement) -> Result<PhotonTransfer, ResponseError> {
    let largest = f64::from((1_u32 << measurement.config.camera.bits.min(16)) - 1);
    let mut sets: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let mut dark = Vec::new();
    for (k, frame) in measurement.config.frames.iter().enumerate() {
        match frame.role {
            Role::PhotonTransfer => sets.entry(frame.exposure.to_bits()).or_default().push(k + 1),
            Role::Background => dark.push(k + 1),
            _ => {}
        }
    }
    let mut pairs = Vec::new();
    for (exposure, numbers) in &sets {
        for two in numbers.chunks_exact(2) {
            let frames = [measurement.counts(two[0])?, measurement.counts(two[1])?];
            pairs.push(FlatPair::of(f64::from_bits(*exposure), &frames[0], &frames[1], largest)?);
        }
    }
    if pairs.is_empty() {
        return Err(unfit(
            "there are no pairs of frames with role = \"photon-transfer\" and the same exposure",
        ));
    }
    let dark = match dark[..] {
        [a, b, ..] => Some(FlatPair::of(0.0, &measurement.counts(a)?, &measurement.counts(b)?, largest)?),
        _ => None,
    };
    photon_transfer(&pairs, dark)
}

/// The mean of the dark frames.
fn dark(measurement: &Measurement) -> Result<Option<Array2<f64>>, ResponseError> {
    let frames = measurement.config.frames.iter().enumerate();
    let numbers: Vec<usize> =
        frames.filter(|(_, f)| f.role == Role::Background).map(|(k, _)| k + 1).collect();
    let mut sum: Option<Array2<f64>> = None;
    for number in &numbers {
        let counts = measurement.counts(*number)?;
        sum = Some(sum.map_or(counts.clone(), |s| s + counts));
    }
    Ok(sum.map(|s| s / numbers.len() as f64))
}

/// A frame without its dark counts, in units of one exposure.
fn lit(
    measurement: &Measurement,
    number: usize,
    dark: Option<&Array2<f64>>,
) -> Result<Array2<f64>, ResponseError> {
    let frame = &measurement.config.frames[number - 1];
    let counts = measurement.counts(number)?;
    let largest = f64::from((1_u32 << measurement.config.camera.bits.min(16)) - 1);
    let full = counts.iter().filter(|v| **v >= largest).count() as f64 / counts.len() as f64;
    if full > OVEREXPOSED {
        return Err(unfit(format!(
            "{}: {:.1} % of the pixels are saturated; record the sweep with a shorter exposure",
            frame.file,
            100.0 * full
        )));
    }
    if !frame.exposure.is_finite() || frame.exposure <= 0.0 {
        return Err(unfit(format!("{}: exposure = {}; must be positive", frame.file, frame.exposure)));
    }
    let counts = dark.map_or(counts.clone(), |d| &counts - d);
    Ok(counts / frame.exposure)
}

/// The layer that a sweep is of, and the gray value of each frame.
fn grays(measurement: &Measurement, numbers: &[usize]) -> Result<(usize, Vec<f64>), ResponseError> {
    let wrong = |number: usize, problem: &str| {
        let file = &measurement.config.frames[number - 1].file;
        unfit(format!(
            "{file}: {problem}; a sweep shows stripes of two gray values, one of them the same in all frames"
        ))
    };
    for layer in 1..=measurement.config.optics.layers {
        let mut values = Vec::new();
        for &number in numbers {
            let Some(gray) = measurement.shown(number, layer)? else { break };
            let mut seen = [false; 256];
            gray.iter().for_each(|g| seen[usize::from(*g)] = true);
            let all: Vec<usize> = (0..256).filter(|g| seen[*g]).collect();
            if all.len() > 2 {
                return Err(wrong(number, "the pattern has more than two gray values"));
            }
            values.push(all);
        }
        let differ = values.windows(2).any(|w| w[0] != w[1]);
        if values.len() < numbers.len() || !differ {
            continue;
        }
        // The gray value that all frames have.
        let Some(common) = (0..256).find(|g| values.iter().all(|v| v.contains(g))) else {
            return Err(wrong(numbers[0], "no gray value is in all frames"));
        };
        let other = |v: &Vec<usize>| v.iter().copied().find(|g| *g != common).unwrap_or(common) as f64;
        return Ok((layer, values.iter().map(other).collect()));
    }
    Err(wrong(numbers[0], "no layer's pattern changes"))
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn frames_of_a_focal_plane_are_read_by_their_orders() {
        let phase = |g: f64| TAU * 1.05 * (g / 256.0).powf(1.1);
        let noise =
            |k: usize, at: usize| f64::from(crate::device::noise::normals([4, 6], at as u32, k as u32, 3)[0]);
        let sweep = |orders: &[(usize, bool)]| -> Vec<(f64, Array2<f64>)> {
            let one = |k: usize| {
                let g = 255.0 * k as f64 / 40.0;
                let (odd, even) = ((0.5 * phase(g)).sin().powi(2), (0.5 * phase(g)).cos().powi(2));
                let frame = Array2::from_shape_fn((24, 60), |(r, c)| {
                    let spot = |column: usize| {
                        let d2 = (r as f64 - 11.0).powi(2) + (c as f64 - column as f64).powi(2);
                        (-d2 / 8.0).exp()
                    };
                    let light =
                        |&(column, is_odd): &(usize, bool)| spot(column) * if is_odd { odd } else { even };
                    1000.0 * orders.iter().map(light).sum::<f64>() + 5.0 * noise(k, r * 60 + c)
                });
                (g, frame)
            };
            (0..=40).map(one).collect()
        };
        for orders in [&[(15, true), (30, false), (45, true)][..], &[(30, false)]] {
            let frames = sweep(orders);
            assert!(matches!(from_frames(&frames), Err(ResponseError::Alike)));
            let table = from_orders(&frames).unwrap();
            let worst =
                table.gray.iter().zip(&table.phase).map(|(g, p)| (p - phase(*g)).abs()).fold(0.0, f64::max);
            assert!(worst < 0.06, "{orders:?}: {worst}");
            assert_eq!(table.how, super::super::How::Order);
        }
    }
}
