//! Frames worth recording: patterns, a description of the measurement, and what they will determine.

use std::path::Path;

use ndarray::Array2;

use super::choice::{self, Choice};
use super::model::{FrameData, Model};
use super::normal::{Noise, Normal};
use super::parameters::Knob;
use super::{EstimateError, report, search, shown};
use crate::calibrate::{Calibration, Estimate, Unclear};
use crate::engine::Engine;
use crate::io;
use crate::measure::{
    CameraSheet, Frame, MeasureError, Measurement, MeasurementConfig, Role, Shown, patterns,
};
use crate::optics::Length;
use crate::twin::OpticsConfig;

/// Sides of random blocks in pixels: fine ones light the whole camera, coarse ones its middle.
const BLOCKS: [usize; 4] = [2, 4, 8, 3];
/// Electrons that fill a pixel, and read noise, of a common camera.
const FULL_WELL: f64 = 10_000.0;
const READ_NOISE: f64 = 2.5;
/// The brightest pixel is to reach this share of the largest count.
const EXPOSED: f64 = 0.8;

/// What to record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Frames of random blocks to fit to, every third at a second distance.
    pub frames: usize,
    /// Seed of the patterns.
    pub seed: u64,
}

/// A proposal, written to a folder.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The folder with patterns and description; its frames are not recorded yet.
    pub measurement: Measurement,
    /// Every parameter with its nominal value and the uncertainty to expect.
    pub expected: Vec<Estimate>,
    /// What even these frames will not tell apart.
    pub unclear: Vec<Unclear>,
}

/// Writes patterns and a `measurement.toml` into `dir`, and says what frames of these patterns will determine: from the normal
/// equations at the nominal twin, with the noise of a camera with a well of 10 000 electrons and 2.5 electrons of read noise.
///
/// # Errors
/// An impossible bench; a folder that cannot be written to.
pub fn plan(
    name: &str,
    optics: &OpticsConfig,
    extent: Extent,
    choice: &Choice,
    dir: &Path,
    engine: Box<dyn Engine>,
) -> Result<Proposal, EstimateError> {
    let mut config = MeasurementConfig { name: name.into(), optics: optics.clone(), ..Default::default() };
    config.camera = camera(optics);
    let base = Calibration::default();
    let mut model = Model::new(&config, &base, engine)?;
    let mut m = Measurement { dir: dir.into(), config };
    propose(&mut m, extent)?;
    let mut frames: Vec<FrameData> =
        (1..=m.config.frames.len()).map(|n| FrameData::planned(&m, n)).collect::<Result<_, _>>()?;
    expose(&mut model, &mut m, &mut frames)?;
    m.save()?;
    frames.retain(|f| m.config.frames[f.number - 1].role == Role::Fit);
    model.parameters = choice::list(&m.config, &base, model.grid(), &shown(&frames), choice)?;
    let (normal, x) = foreseen(&mut model, &frames)?;
    let (unclear, held) = report::unclear(&model, &normal);
    let expected = report::estimates(&model, &normal, &x, &held, "foreseen for the nominal twin");
    Ok(Proposal { measurement: m, expected, unclear })
}

/// A camera that sees the whole layer: square pixels, 256 along the shorter side.
fn camera(optics: &OpticsConfig) -> CameraSheet {
    let (pixels, pitch) = (optics.pixels.both(), optics.pitch.both());
    let side = [0, 1].map(|k| pixels[k] as f64 * pitch[k].0);
    let pixel = side[0].min(side[1]) / 256.0;
    let count = side.map(|s| (s / pixel).round() as usize);
    CameraSheet {
        pixels: crate::twin::Pair::Two(count),
        pitch: crate::twin::Pair::One(Length(pixel)),
        ..CameraSheet::default()
    }
}

/// Frames and their patterns.
fn propose(m: &mut Measurement, extent: Extent) -> Result<(), EstimateError> {
    let shape = m.config.optics.pixels.both();
    let nearer = Length(patterns::NEARER * m.config.optics.distance.0);
    let layers = m.config.optics.layers;
    let mut number = 0;
    let mut add = |role: Role, pattern: Array2<u8>, layer: usize, near: bool| -> Result<(), EstimateError> {
        number += 1;
        let file = format!("patterns/{number:03}.png");
        let path = m.dir.join(&file);
        io::write_atomic(&path, &io::png_gray8(&pattern).map_err(MeasureError::from)?)
            .map_err(MeasureError::from)?;
        m.config.frames.push(Frame {
            file: format!("frames/{number:03}.png"),
            role,
            show: [(layer.to_string(), Shown::File(file))].into(),
            distance: near.then_some(nearer),
            ..Frame::default()
        });
        Ok(())
    };
    for layer in 1..=layers {
        let mix = |k: usize| extent.seed.wrapping_mul(1000).wrapping_add((layer * 100_000 + k) as u64);
        for k in 0..extent.frames {
            let pattern = patterns::random_blocks(shape, BLOCKS[k % BLOCKS.len()], mix(k));
            add(Role::Fit, pattern, layer, k % 3 == 2)?;
        }
        // Two gray values at a time: how far they are apart in phase is how bright the first order is.
        for (k, gray) in [64, 128, 192, 255].into_iter().enumerate() {
            add(Role::Fit, patterns::binary_grating(shape, 16, k % 2 == 1, [0, gray]), layer, false)?;
        }
        for k in 0..extent.frames.div_ceil(4) {
            add(Role::Test, patterns::random_blocks(shape, [3, 6][k % 2], mix(50_000 + k)), layer, false)?;
        }
    }
    Ok(())
}

/// Exposures, relative to the first frame's, that light the brightest pixel of every frame alike.
fn expose(model: &mut Model, m: &mut Measurement, frames: &mut [FrameData]) -> Result<(), EstimateError> {
    let every: Vec<usize> = (0..frames.len()).collect();
    let light = model.evaluate(frames, &every, &[])?;
    let peak = |a: &Array2<f64>| a.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let first = light.first().map_or(1.0, peak);
    for (frame, light) in frames.iter_mut().zip(&light) {
        // Three digits, as one sets it.
        let exposure = first / peak(light);
        let digits = 10.0_f64.powf(2.0 - exposure.log10().floor());
        frame.exposure = (exposure * digits).round() / digits;
        m.config.frames[frame.number - 1].exposure = frame.exposure;
    }
    Ok(())
}

/// Normal equations at the nominal twin, exposed so that frames are well lit.
fn foreseen(model: &mut Model, frames: &[FrameData]) -> Result<(Normal, Vec<f64>), EstimateError> {
    let mut x = model.start();
    let full = 2.0_f64.powi(model.config.camera.bits as i32) - 1.0;
    let every: Vec<usize> = (0..frames.len()).collect();
    let offset = search::offset(model, &x);
    let brightest =
        model.evaluate(frames, &every, &x)?.iter().flatten().fold(0.0_f64, |a, v| a.max(v - offset));
    let gain = if brightest > 0.0 { EXPOSED * full / brightest } else { 1.0 };
    for (p, x) in model.parameters.iter_mut().zip(&mut x) {
        if p.knob == Knob::Gain {
            (*x, p.scale, p.prior) = (gain, 0.01 * gain, 100.0 * gain);
        }
    }
    let per_count = FULL_WELL / full;
    let noise = Noise { dark: 1.0 / 12.0 + (READ_NOISE / per_count).powi(2), slope: 1.0 / per_count };
    let inside = model.inside(&x);
    let mut normal = Normal::new(x.len());
    model.linearise(frames, &every, (&x, &vec![true; x.len()]), |_, linear| {
        let mut variance = linear.counts.mapv(|p| noise.variance(p - offset));
        variance.zip_mut_with(&inside, |v, used| {
            if !used {
                *v = f64::INFINITY
            }
        });
        let none = Array2::zeros(linear.counts.raw_dim());
        normal.add(none.view(), variance.view(), &linear.columns);
    })?;
    for (n, p) in model.parameters.iter().enumerate() {
        normal.prior(n, 0.0, p.prior);
    }
    Ok((normal, x))
}
