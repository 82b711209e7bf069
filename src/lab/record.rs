//! Records a measurement: renders every frame, sets exposure times, reads the camera, writes the folder.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::Array2;
use num_complex::Complex64;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use super::bench::{Bench, Plane};
use super::camera::Sensor;
use super::error::{LabError, wrong};
use super::plan::{Extent, Light, Planned, frames};
use super::truth::{FrameTruth, Truth};
use super::{folder, truth};
use crate::io;
use crate::measure::{CameraSheet, Measurement, MeasurementConfig, Shown};
use crate::optics::Angle;
use crate::twin::{Pair, System, SystemConfig};

/// Stream of the phase steps; frames of a camera have the lower ones.
const STEPS: u64 = u64::MAX - 1;

/// What is asked of the laboratory.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Name of the measurement.
    pub name: &'a str,
    /// The bench as everybody believes it to be; its own imperfections are not read.
    pub system: &'a SystemConfig,
    /// The bench as it is.
    pub truth: &'a Truth,
    /// Draws patterns, noise, and wavefronts where the truth has no seed for them.
    pub seed: u64,
    /// Points along a modulator pixel; odd numbers put pixel edges between points.
    pub fine: usize,
    /// A folder with frames to record, in place of `extent`.
    pub plan: Option<&'a Path>,
    /// How much of what is recorded.
    pub extent: Extent,
    /// Once it is true, no further frame is rendered: what is by then is written.
    pub stop: &'a AtomicBool,
}

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The measurement.
    pub measurement: Measurement,
    /// The truth with every drawn number.
    pub truth: Truth,
    /// File of the truth.
    pub reveal: PathBuf,
    /// Points of the fine grid.
    pub grid: [usize; 2],
    /// Share of pixels in frames of the bench's light that read the largest count.
    pub saturated: f64,
    /// Frames that were to be recorded: more than those of the measurement where it was stopped.
    pub planned: usize,
}

/// Records into `dir` and writes the truth to `reveal`. `watch` hears of every frame: how many are rendered, of how many. Where it
/// is stopped, the measurement has the frames so far, but none of a set that is not whole.
///
/// # Errors
/// A truth or plan that no bench can have; files that cannot be written; [`LabError::Stopped`] before there is a frame to write.
pub fn record(
    asked: &Asked<'_>,
    dir: &Path,
    reveal: &Path,
    watch: &mut dyn FnMut(usize, usize),
) -> Result<Recorded, LabError> {
    if !(1..=9).contains(&asked.fine) {
        return Err(wrong("--fine", asked.fine, "must be 1 to 9 points along a pixel"));
    }
    check(asked)?;
    let mut truth = asked.truth.resolved(asked.system, asked.seed)?;
    let mut planned = match asked.plan {
        Some(plan) => folder::planned(plan, asked.system)?,
        None => frames(asked.system, asked.extent, truth.camera.uneven > 0.0, asked.seed),
    };
    let sheet = sheet(&truth);
    let sensor = Sensor::new(&truth.camera, sheet.pixels.both(), sheet.pitch.both().map(|l| l.0), asked.seed);
    let mut bench = Bench::new(asked.system, &truth, asked.fine, sensor.view())?;
    let steps = steps(&planned, truth.reference.step_error.0, asked.seed);
    let (all, whole) = (planned.len(), whole(&planned));
    let mut light = Vec::new();
    for (k, (one, step)) in planned.iter().zip(&steps).enumerate() {
        if asked.stop.load(Ordering::SeqCst) {
            break;
        }
        light.push(match one.light {
            Light::Bench => Some(render(&mut bench, &sensor, one, *step, asked.system, &truth)?),
            Light::Dark | Light::Even(_) => None,
        });
        watch(k + 1, all);
    }
    let kept = (0..=light.len()).rev().find(|k| whole[*k]).unwrap_or(0);
    planned.truncate(kept);
    light.truncate(kept);
    if planned.is_empty() && all > 0 {
        return Err(LabError::Stopped);
    }
    let exposures = exposures(&planned, &light, &mut truth);
    let electrons = truth.camera.electrons.unwrap_or(1.0);
    let mut config = MeasurementConfig {
        name: asked.name.into(),
        optics: asked.system.optics.clone(),
        camera: sheet,
        frames: Vec::new(),
    };
    let (mut full, mut pixels) = (0, 0);
    for (k, (one, light)) in planned.into_iter().zip(light).enumerate() {
        let exposure = exposures[k];
        let mean = match (light, one.light) {
            (Some(image), _) => image.mapv(|v| v * electrons * exposure),
            (None, Light::Even(level)) => even(sensor.shape, level * truth.camera.full_well),
            (None, _) => even(sensor.shape, 0.0),
        };
        let counts = sensor.read(&mean, k);
        if one.light == Light::Bench {
            let top = truth.camera.largest_count();
            full += counts.iter().filter(|v| u32::from(**v) == top).count();
            pixels += counts.len();
        }
        folder::write_counts(&dir.join(&one.frame.file), &counts)?;
        for (file, gray) in &one.patterns {
            io::write_atomic(&dir.join(file), &io::png_gray8(gray)?)?;
        }
        if one.frame.reference {
            truth.frames.push(FrameTruth { file: one.frame.file.clone(), step: Angle(steps[k]) });
        }
        config.frames.push(crate::measure::Frame { exposure, ..one.frame });
    }
    let measurement = Measurement { dir: dir.into(), config };
    measurement.save()?;
    let text = toml::to_string(&truth).map_err(|e| io::IoError::content(reveal, e))?;
    io::write_atomic(reveal, text.as_bytes())?;
    let saturated = full as f64 / (pixels.max(1)) as f64;
    Ok(Recorded { measurement, truth, reveal: reveal.into(), grid: bench.shape(), saturated, planned: all })
}

/// For every number of frames, from 0: whether it cuts no set apart.
fn whole(planned: &[Planned]) -> Vec<bool> {
    let set = |p: &Planned| p.frame.set.clone();
    let last: BTreeMap<_, usize> = (0..).zip(planned).filter_map(|(k, p)| Some((set(p)?, k))).collect();
    let mut needed = 0;
    let mut all = vec![true];
    for (k, one) in planned.iter().enumerate() {
        needed = needed.max(set(one).map_or(k, |name| last[&name]));
        all.push(needed == k);
    }
    all
}

/// Refuses values that no twin could have either.
fn check(asked: &Asked<'_>) -> Result<(), LabError> {
    let system = SystemConfig { imperfections: asked.truth.imperfections.clone(), ..asked.system.clone() };
    System::new(system, [1, 1], asked.seed)?;
    let a = asked.extent;
    let counts = [("--frames", a.fit), ("--test", a.test), ("--sweep", a.sweep), ("--transfer", a.transfer)];
    match counts.into_iter().chain([("--reference", a.reference)]).find(|(_, n)| *n > 10_000) {
        Some((key, n)) => Err(wrong(key, n, "must be at most 10000")),
        None => Ok(()),
    }
}

fn sheet(truth: &Truth) -> CameraSheet {
    let plain = CameraSheet::default();
    CameraSheet {
        pixels: Pair::Two(truth.camera.pixels.unwrap_or(plain.pixels).both()),
        pitch: Pair::Two(truth.camera.pitch.unwrap_or(plain.pitch).both()),
        bits: truth.camera.bits,
        ..plain
    }
}

fn even(shape: [usize; 2], electrons: f64) -> Array2<f64> {
    Array2::from_elem((shape[0], shape[1]), electrons)
}

/// Phase of the reference in every frame: multiples of 90 degrees within its set, as well as they are set.
fn steps(planned: &[Planned], error: f64, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STEPS);
    let miss = Normal::new(0.0, error.abs()).ok();
    let mut seen: BTreeMap<Option<String>, usize> = BTreeMap::new();
    let mut one = |p: &Planned| {
        if !p.frame.reference {
            return 0.0;
        }
        let index = seen.entry(p.frame.set.clone()).or_default();
        *index += 1;
        let nominal = p.frame.step.map_or(0.25 * TAU * (*index - 1) as f64, |s| s.0);
        // The first frame of a set is what the others are measured against.
        if *index == 1 { 0.0 } else { nominal + miss.map_or(0.0, |m| m.sample(&mut rng)) }
    };
    planned.iter().map(&mut one).collect()
}

/// The mean intensity in every camera pixel.
fn render(
    bench: &mut Bench,
    sensor: &Sensor,
    one: &Planned,
    step: f64,
    system: &SystemConfig,
    truth: &Truth,
) -> Result<Array2<f64>, LabError> {
    let [rows, cols] = system.optics.pixels.both();
    let mut shown = Vec::new();
    for layer in 1..=system.optics.layers {
        match one.frame.show.get(&layer.to_string()) {
            None => {}
            Some(Shown::Gray(gray)) => shown.push((layer, Array2::from_elem((rows, cols), *gray))),
            Some(Shown::File(file)) => {
                let gray = one.patterns.iter().find(|(name, _)| name == file).map(|(_, gray)| gray.clone());
                shown.extend(gray.map(|g| (layer, g)));
            }
        }
    }
    let distance = one.frame.distance.unwrap_or(system.optics.distance);
    let field = bench.field(&shown, distance.0)?;
    let seen = bench.seen().clone();
    let beam = one.frame.reference.then(|| wave(truth, system, step));
    let mut light =
        Plane { values: Array2::zeros(field.values.dim()), pitch: field.pitch, offset: field.offset };
    for r in seen[0].clone() {
        for c in seen[1].clone() {
            let u = field.values[[r, c]] + beam.as_ref().map_or(Complex64::ZERO, |b| b(field.at(r, c)));
            light.values[[r, c]] = u.norm_sqr();
        }
    }
    if let Some(sigma) = sensor.blur() {
        bench.smooth(&mut light, sigma);
    }
    Ok(sensor.collect(&light))
}

/// The reference beam at a place.
fn wave(truth: &Truth, system: &SystemConfig, step: f64) -> impl Fn([f64; 2]) -> Complex64 + use<> {
    let truth::ReferenceBeam { amplitude, tilt, radius, .. } = truth.reference;
    let k = TAU * system.optics.index / system.optics.wavelength.0;
    let [tilt_x, tilt_y] = tilt.map(|a| k * a.0.sin());
    let bend = radius.map_or(0.0, |r| 0.5 * k / r.0);
    move |[y, x]| Complex64::from_polar(amplitude, step + tilt_x * x + tilt_y * y + bend * (y * y + x * x))
}

/// Exposure times: the brightest pixel of a frame, or of its set, holds the photons that are asked for. Sets the light level of
/// the truth where it is left open.
fn exposures(planned: &[Planned], light: &[Option<Array2<f64>>], truth: &mut Truth) -> Vec<f64> {
    let mut brightest: BTreeMap<String, f64> = BTreeMap::new();
    let group = |p: &Planned| p.frame.set.clone().unwrap_or_else(|| p.frame.file.clone());
    for (one, image) in planned.iter().zip(light) {
        if let Some(image) = image {
            let peak = image.iter().copied().fold(0.0, f64::max);
            let so_far = brightest.entry(group(one)).or_default();
            *so_far = so_far.max(peak);
        }
    }
    let photons = truth.camera.photons.unwrap_or(truth.camera.full_well);
    let first = planned.iter().zip(light).find(|(_, i)| i.is_some()).map(|(one, _)| brightest[&group(one)]);
    let level = first.filter(|peak| *peak > 0.0).map_or(1.0, |peak| photons / peak);
    let electrons = *truth.camera.electrons.get_or_insert(level);
    let exposure = |(one, image): (&Planned, &Option<Array2<f64>>)| match (image, one.light) {
        (Some(_), _) => match brightest[&group(one)] * electrons {
            peak if peak > 0.0 => shorter(photons / peak),
            _ => 1.0,
        },
        (None, Light::Even(level)) => level,
        (None, _) => 1.0,
    };
    planned.iter().zip(light).map(exposure).collect()
}

/// An exposure time as it is set: three digits, rounded down.
fn shorter(exact: f64) -> f64 {
    let digits = 2 - exact.log10().floor() as i32;
    let scale = 10.0_f64.powi(digits.abs());
    // A number that is exact but for its last bits stays. Dividing by whole powers of ten keeps the number as short as it reads.
    match digits >= 0 {
        true => (exact * scale * (1.0 + 1e-9)).floor() / scale,
        false => (exact / scale * (1.0 + 1e-9)).floor() * scale,
    }
}
