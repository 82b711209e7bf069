//! What a camera records of a calibrated twin: the frames of a measurement, predicted.

mod path;
mod sight;
mod stage;
mod upright;

use std::collections::BTreeMap;
use std::f32::consts::TAU;

use ndarray::Array2;
use num_complex::Complex64;

use super::{Calibration, Response};
use crate::engine::{Engine, EngineError, cpu};
use crate::measure::{CameraSheet, Frame, MeasureError, Measurement, MeasurementConfig};
use crate::optics::Field;
use crate::twin::{ConfigError, LayerParts, System, SystemConfig};

pub(crate) use path::FreeSpace;
pub(crate) use sight::{Fine, Sight};
pub(crate) use stage::Stage;
pub(crate) use upright::View;
use upright::upright;

/// Why a frame cannot be predicted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// The measurement.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// Its bench, or the calibration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A predicted frame.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// Counts: `offset + gain exposure intensity`; without a [`Response`] the gain is 1 and the offset 0. `[rows, cols]` of the
    /// camera, neither clipped nor rounded; 0 intensity where a pixel looks past the twin's grid ([`Predictor::inside`]).
    pub counts: Array2<f64>,
    /// Mean intensity over each pixel, smoothed, of a source of amplitude 1.
    pub intensity: Array2<f64>,
}

/// Predicts the frames of a measurement.
pub struct Predictor {
    system: System,
    space: FreeSpace,
    sight: Sight,
    camera: CameraSheet,
    response: Response,
}

impl Predictor {
    /// The twin of a bench with these imperfections, seen by its camera. Light of amplitude 1 falls on the first modulator.
    ///
    /// # Errors
    /// Impossible settings; an engine that has too little memory.
    pub fn new(
        config: &MeasurementConfig,
        calibration: &Calibration,
        engine: Box<dyn Engine>,
    ) -> Result<Self, PredictError> {
        let system = system(config, calibration)?;
        let space = FreeSpace::new(&system, engine)?;
        let dark = Response { gain: 1.0, offset: 0.0, blur: 0.0, electrons_per_count: None };
        let response = calibration.response.unwrap_or(dark);
        let registration = calibration.registration.unwrap_or_default();
        let sight = Sight::new(system.grid(), &config.camera, registration, response.blur.powi(2));
        Ok(Self { system, space, sight, camera: config.camera.clone(), response })
    }

    /// Camera pixels that see nothing but light of the twin's grid, whichever layers a frame shows; what others see is not
    /// known to a twin.
    pub fn inside(&self) -> Array2<bool> {
        let layers = 1..=self.system.config().optics.layers;
        self.sight.inside_all(layers.map(|l| self.system.errors_of(l)))
    }

    /// The listed frames (numbers from 1), in their order.
    ///
    /// # Errors
    /// Frames that are missing, have a reference beam (its amplitude is not known here) or show nothing; patterns that cannot
    /// be read; a lost device.
    pub fn predict(&mut self, m: &Measurement, numbers: &[usize]) -> Result<Vec<Prediction>, PredictError> {
        let mut ways: BTreeMap<Way, Vec<usize>> = BTreeMap::new();
        for (at, &number) in numbers.iter().enumerate() {
            ways.entry(Way::of(m, number)?).or_default().push(at);
        }
        let mut predicted: Vec<Option<Prediction>> = numbers.iter().map(|_| None).collect();
        for (way, members) in ways {
            let stage = Stage::new(&self.system, &way, &self.camera)?;
            let sight = stage.sight(&self.sight);
            let layers = stage.layers(&way, &mut self.space)?;
            for group in members.chunks(8) {
                let mut fields = vec![plane(&self.system); group.len()];
                for (&layer, parts) in way.layers.iter().zip(&layers) {
                    for (field, &at) in fields.iter_mut().zip(group) {
                        *field *= &cpu::mask(&parts.modulator, &commands(m, numbers[at], layer)?);
                    }
                    fields = fields.into_iter().map(|field| stage.spread(field)).collect();
                    fields = self.space.carry(&fields, &parts.transfer)?;
                    if let Some(after) = &parts.after {
                        fields.iter_mut().for_each(|field| *field *= after.as_ref());
                    }
                }
                for (field, &at) in fields.iter().zip(group) {
                    let intensity = sight.intensity(&sight.fine(field));
                    let scale = self.response.gain * m.config.frames[numbers[at] - 1].exposure;
                    let counts = intensity.mapv(|v| self.response.offset + scale * v);
                    predicted[at] = Some(Prediction { counts, intensity });
                }
            }
        }
        Ok(predicted.into_iter().flatten().collect())
    }
}

/// The system of a measurement, with what a calibration says is wrong with it.
pub(crate) fn system(config: &MeasurementConfig, calibration: &Calibration) -> Result<System, ConfigError> {
    let imperfections = calibration.imperfections.clone();
    let described = SystemConfig { optics: config.optics.clone(), imperfections, ..SystemConfig::default() };
    // Nothing is loaded as an image; one pixel fits every grid.
    System::new(described, [1, 1], 0)
}

/// Light of amplitude 1.
pub(crate) fn plane(system: &System) -> Field {
    Field::from_elem((system.grid().rows, system.grid().cols), Complex64::ONE)
}

/// The commands of a frame's layer (numbers from 1): gray value `g` is `2 pi g / 256`.
pub(crate) fn commands(m: &Measurement, number: usize, layer: usize) -> Result<Array2<f32>, PredictError> {
    let [rows, cols] = m.config.optics.pixels.both();
    let shown = m.shown(number, layer)?.unwrap_or_else(|| Array2::zeros((rows, cols)));
    Ok(shown.mapv(|gray| TAU * f32::from(gray) / 256.0))
}

/// The layers that a frame's light passes, and where its camera stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    /// Layers (from 1), ascending.
    pub(crate) layers: Vec<usize>,
    /// Free space behind the last, as the bits of a number of metres; positive numbers have the order of their bits.
    distance: u64,
}

impl Way {
    /// The way of frame `number` (from 1).
    pub(crate) fn of(m: &Measurement, number: usize) -> Result<Self, PredictError> {
        let frame = number.checked_sub(1).and_then(|k| m.config.frames.get(k)).ok_or_else(|| {
            let message = format!("there is no frame {number}; there are {}", m.config.frames.len());
            MeasureError::Config { file: m.dir.join(crate::measure::FILE).display().to_string(), message }
        })?;
        let wrong = |problem: String| MeasureError::Frame { file: frame.file.clone(), number, problem };
        if frame.reference {
            let problem =
                "the reference beam is on, and nothing is known of its amplitude; compare the field instead";
            return Err(wrong(problem.into()).into());
        }
        let distance = frame.distance.unwrap_or(m.config.optics.distance).0;
        if !(distance.is_finite() && distance > 0.0) {
            return Err(wrong(format!("distance = {distance} m; it must be positive")).into());
        }
        let layers = layers(frame, m.config.optics.layers).map_err(wrong)?;
        Ok(Self { layers, distance: distance.to_bits() })
    }

    /// Free space behind the last layer, metres.
    pub(crate) fn distance(&self) -> f64 {
        f64::from_bits(self.distance)
    }

    /// What light meets on it.
    pub(crate) fn parts(&self, system: &System, padded: [usize; 2]) -> Result<Vec<LayerParts>, ConfigError> {
        let mut distances = system.distances().to_vec();
        if let Some(last) = self.layers.last() {
            distances[last - 1] = self.distance();
        }
        let system = system.with_distances(&distances)?;
        self.layers.iter().map(|&layer| system.parts(layer, padded)).collect()
    }
}

/// The layers that a frame names, ascending.
fn layers(frame: &Frame, of: usize) -> Result<Vec<usize>, String> {
    let mut layers = Vec::new();
    for key in frame.show.keys() {
        let number = key.parse().ok().filter(|n: &usize| (1..=of).contains(n) && n.to_string() == *key);
        layers.push(number.ok_or_else(|| format!("show.{key}: there are layers 1 to {of}"))?);
    }
    layers.sort_unstable();
    match layers.is_empty() {
        true => Err(
            "it shows nothing on any layer; name what its modulator showed, show = { 1 = \"pattern.png\" }"
                .into(),
        ),
        false => Ok(layers),
    }
}
