//! What a camera records of a calibrated twin: the frames of a measurement, predicted.

mod fields;
mod path;
mod sight;
mod stage;
mod upright;
mod within;

use std::collections::BTreeMap;
use std::f32::consts::TAU;

use ndarray::Array2;
use num_complex::Complex64;

use super::{Calibration, Response};
use crate::engine::{Engine, EngineError, cpu};
use crate::measure::{CameraSheet, Frame, MeasureError, Measurement, MeasurementConfig};
use crate::optics::{Field, Grid};
use crate::twin::{ConfigError, LayerParts, System, SystemConfig};

pub(crate) use path::FreeSpace;
pub(crate) use sight::{Fine, Sight};
pub(crate) use stage::Stage;
pub(crate) use upright::View;
use upright::upright;
pub(crate) use within::Within;

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
        let (sight, response) = seen(system.grid(), config, calibration);
        Ok(Self { system, space, sight, response, camera: config.camera.clone() })
    }

    /// Takes another calibration of the same bench.
    pub(crate) fn recalibrate(
        &mut self,
        config: &MeasurementConfig,
        calibration: &Calibration,
    ) -> Result<(), PredictError> {
        self.system = system(config, calibration)?;
        self.camera = config.camera.clone();
        (self.sight, self.response) = seen(self.system.grid(), config, calibration);
        Ok(())
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
        let ways = numbers.iter().map(|&n| Way::of(m, n)).collect::<Result<_, _>>()?;
        let response = self.response;
        let mut predicted: Vec<Option<Prediction>> = numbers.iter().map(|_| None).collect();
        self.look(m, numbers, ways, |at, sight, light| {
            let intensity = sight.intensity(light);
            let scale = response.gain * m.config.frames[numbers[at] - 1].exposure;
            let counts = intensity.mapv(|v| response.offset + scale * v);
            predicted[at] = Some(Prediction { counts, intensity });
        })?;
        Ok(predicted.into_iter().flatten().collect())
    }

    /// Lets the camera look at the light of the listed frames, in any order, each by its place in the list. The phase on the
    /// camera's side is not in it.
    fn look(
        &mut self,
        m: &Measurement,
        numbers: &[usize],
        ways: Vec<Way>,
        mut see: impl FnMut(usize, &Sight, &Fine),
    ) -> Result<(), PredictError> {
        let mut alike: BTreeMap<Way, Vec<usize>> = BTreeMap::new();
        for (at, way) in ways.into_iter().enumerate() {
            alike.entry(way).or_default().push(at);
        }
        for (way, members) in alike {
            let bare = fields::bare(&self.system, &way)?;
            let stage = Stage::new(&bare, &way, &self.camera)?;
            let sight = stage.sight(&self.sight);
            let layers = stage.layers(&way, &mut self.space)?;
            let within = stage.within(&way, &layers, &mut self.space)?;
            for group in members.chunks(8) {
                let mut fields = vec![plane(&self.system); group.len()];
                for (&layer, parts) in way.layers.iter().zip(&layers) {
                    for (field, &at) in fields.iter_mut().zip(group) {
                        *field *= &cpu::mask(&parts.modulator, &commands(m, numbers[at], layer)?);
                    }
                    fields = stage.carry(&mut self.space, fields, parts, within.as_ref())?;
                }
                for (field, &at) in fields.iter().zip(group) {
                    see(at, &sight, &sight.fine(field));
                }
            }
        }
        Ok(())
    }
}

/// How the camera of a bench sees, and what it counts.
fn seen(grid: &Grid, config: &MeasurementConfig, calibration: &Calibration) -> (Sight, Response) {
    let dark = Response { gain: 1.0, offset: 0.0, blur: 0.0, electrons_per_count: None };
    let response = calibration.response.unwrap_or(dark);
    let registration = calibration.registration.unwrap_or_default();
    (Sight::new(grid, &config.camera, registration, response.blur.powi(2)), response)
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
    /// The way of frame `number` (from 1), whose counts a twin can predict.
    pub(crate) fn of(m: &Measurement, number: usize) -> Result<Self, PredictError> {
        let way = Self::through(m, number)?;
        let frame = &m.config.frames[number - 1];
        if frame.reference {
            let problem =
                "the reference beam is on, and nothing is known of its amplitude; compare the field instead";
            return Err(
                MeasureError::Frame { file: frame.file.clone(), number, problem: problem.into() }.into()
            );
        }
        Ok(way)
    }

    /// The way of frame `number` (from 1), with or without a reference beam.
    pub(crate) fn through(m: &Measurement, number: usize) -> Result<Self, PredictError> {
        let frame = number.checked_sub(1).and_then(|k| m.config.frames.get(k)).ok_or_else(|| {
            let message = format!("there is no frame {number}; there are {}", m.config.frames.len());
            MeasureError::Config { file: m.dir.join(crate::measure::FILE).display().to_string(), message }
        })?;
        let wrong = |problem: String| MeasureError::Frame { file: frame.file.clone(), number, problem };
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
