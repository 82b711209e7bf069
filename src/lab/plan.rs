//! What is shown and recorded, where nobody gave a plan.

use ndarray::Array2;

use crate::measure::{Frame, Role, Shown, patterns};
use crate::optics::Length;
use crate::twin::{HardwareKind, SystemConfig};

/// How much of what is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Frames to fit to.
    pub fit: usize,
    /// Frames that are kept back.
    pub test: usize,
    /// Gray values of the sweep for the look-up table; 0: no sweep.
    pub sweep: usize,
    /// Exposures of the photon-transfer curve, two frames each; 0: none.
    pub transfer: usize,
    /// Phase-stepped sets of four frames.
    pub reference: usize,
}

impl Default for Extent {
    fn default() -> Self {
        Self { fit: 16, test: 4, sweep: 33, transfer: 12, reference: 0 }
    }
}

/// A frame to record, and the patterns that it needs.
pub(super) struct Planned {
    pub(super) frame: Frame,
    pub(super) light: Light,
    /// Files in the folder and their content.
    pub(super) patterns: Vec<(String, Array2<u8>)>,
}

/// Where the light of a frame comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Light {
    /// Through what is shown.
    Bench,
    /// There is none.
    Dark,
    /// Even light that fills this share of the wells.
    Even(f64),
}

/// Sides of the blocks of random patterns, pixels: fine ones light the whole plane, coarse ones its middle.
const BLOCKS: [usize; 4] = [2, 4, 8, 1];
/// Frames in the dark.
const DARK: usize = 4;
/// Frames of even light for each pixel's sensitivity.
const FLAT: usize = 4;

/// The frames of a bench: random blocks at two distances to fit to, other blocks and a smooth pattern to test on, dark frames,
/// a sweep of gray values in a binary grating, pairs of evenly lit frames.
pub(super) fn frames(config: &SystemConfig, extent: Extent, uneven: bool, seed: u64) -> Vec<Planned> {
    let mut all = Vec::new();
    let layers = config.optics.layers;
    let cascade = config.hardware.kind == HardwareKind::Cascade;
    let nearer = Length(patterns::NEARER * config.optics.distance.0);
    // One modulator used once per layer shows the layers in turn; masks in a row show all at once.
    let turns = if cascade { 1 } else { layers };
    let shown = |index: usize| if cascade { (1..=layers).collect() } else { vec![index % layers + 1] };
    for k in 0..extent.fit {
        let block = BLOCKS[k / turns % BLOCKS.len()];
        let mut frame = new("fit", k + 1, Role::Fit);
        frame.distance = (k / turns % 3 == 2).then_some(nearer);
        all.push(pattern(
            config,
            frame,
            &shown(k),
            &|shape, s| patterns::random_blocks(shape, block, s),
            mix(seed, k),
        ));
    }
    for k in 0..extent.test {
        let of_test = mix(seed, 1_000_000 + k);
        let frame = new("test", k + 1, Role::Test);
        all.push(match k / turns % 3 {
            0 => pattern(config, frame, &shown(k), &|shape, s| patterns::random_blocks(shape, 3, s), of_test),
            1 => pattern(config, frame, &shown(k), &|shape, s| patterns::smooth_random(shape, 6, s), of_test),
            _ => pattern(config, frame, &shown(k), &|shape, s| patterns::random_blocks(shape, 6, s), of_test),
        });
    }
    for set in 0..extent.reference {
        let (seed, block) = (mix(seed, 2_000_000 + set), BLOCKS[set % BLOCKS.len()]);
        for step in 0..4 {
            let mut frame = new("step", 4 * set + step + 1, Role::Fit);
            frame.reference = true;
            frame.set = Some(format!("steps-{}", set + 1));
            all.push(pattern(
                config,
                frame,
                &shown(set),
                &|shape, s| patterns::random_blocks(shape, block, s),
                seed,
            ));
        }
    }
    all.extend((0..DARK).map(|k| bare(new("dark", k + 1, Role::Background), Light::Dark)));
    if uneven {
        all.extend((0..FLAT).map(|k| bare(new("flat", k + 1, Role::Flat), Light::Even(0.6))));
    }
    all.extend((0..extent.sweep).map(|k| sweep(config, cascade, k, extent.sweep)));
    for k in 0..extent.transfer {
        // Even steps from one per cent to beyond the full well.
        let last = (extent.transfer - 1).max(1) as f64;
        let level = 0.01 + 1.19 * k as f64 / last;
        for one in 0..2 {
            let mut frame = new("transfer", 2 * k + one + 1, Role::PhotonTransfer);
            frame.set = Some(format!("exposure-{}", k + 1));
            all.push(bare(frame, Light::Even(level)));
        }
    }
    all
}

fn new(name: &str, number: usize, role: Role) -> Frame {
    Frame { file: format!("frames/{name}-{number:03}.png"), role, ..Frame::default() }
}

fn bare(frame: Frame, light: Light) -> Planned {
    Planned { frame, light, patterns: Vec::new() }
}

/// A frame in which each of these layers shows a pattern of its own.
fn pattern(
    config: &SystemConfig,
    mut frame: Frame,
    layers: &[usize],
    make: &dyn Fn([usize; 2], u64) -> Array2<u8>,
    seed: u64,
) -> Planned {
    let name = frame.file.trim_start_matches("frames/").trim_end_matches(".png").to_owned();
    // The frames of a set show the same.
    let name = frame.set.clone().unwrap_or(name);
    let mut files = Vec::new();
    for &layer in layers {
        let file = match layers.len() {
            1 => format!("patterns/{name}.png"),
            _ => format!("patterns/{name}-layer-{layer}.png"),
        };
        frame.show.insert(layer.to_string(), Shown::File(file.clone()));
        files.push((file, make(config.optics.pixels.both(), mix(seed, layer))));
    }
    Planned { frame, light: Light::Bench, patterns: files }
}

/// Stripes of gray value 0 and one other on the first layer: how its phase acts shows in every pixel of the camera.
fn sweep(config: &SystemConfig, cascade: bool, index: usize, of: usize) -> Planned {
    let gray = (255.0 * index as f64 / (of - 1).max(1) as f64).round() as u8;
    let shape = config.optics.pixels.both();
    let file = format!("patterns/grating-{gray:03}.png");
    let mut frame = new("sweep", index + 1, Role::Sweep);
    frame.set = Some("sweep-layer-1".into());
    frame.show.insert("1".into(), Shown::File(file.clone()));
    if cascade {
        frame.show.extend((2..=config.optics.layers).map(|l| (l.to_string(), Shown::Gray(0))));
    }
    let period = (shape[1] / 8).max(4);
    let grating = patterns::binary_grating(shape, period, false, [0, gray]);
    Planned { frame, light: Light::Bench, patterns: vec![(file, grating)] }
}

/// A seed for every purpose.
fn mix(seed: u64, number: usize) -> u64 {
    let [low, high] = crate::device::noise::step_key(seed, number as u64);
    u64::from(high) << 32 | u64::from(low)
}
