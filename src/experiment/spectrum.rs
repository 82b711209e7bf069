//! Several wavelengths: their settings, data, systems, engines, and what is told of each.

use serde::{Deserialize, Serialize};

use super::{Experiment, RunError};
use crate::data::{self, DataSet, Limits};
use crate::engine::{self, Channel, Engine, EngineError, ImageSet, Multiplex, Program};
use crate::optics::Length;
use crate::twin::{ConfigError, System};

/// Wavelengths of a run at most: each has an engine.
const MOST: usize = 16;

/// `[[wavelengths]]`: light of one colour, and what is to be recognised in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WavelengthConfig {
    /// Vacuum wavelength.
    pub wavelength: Length,
    /// Its own images, as `data.source` names them; default: those of `data.source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// Shares of right answers at one wavelength, 0..=1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WavelengthResult {
    /// Vacuum wavelength, metres.
    pub wavelength: f64,
    /// Its images.
    pub data: String,
    /// Phase of a mask there, in parts of the commanded one.
    pub phase_scale: f64,
    /// In-silico masks on the ideal system.
    pub ideal: f64,
    /// The same on the imperfect twin.
    pub in_silico_deployed: f64,
    /// Masks of the third stage on the twin.
    pub trained: f64,
}

impl WavelengthResult {
    /// Such as `"532 nm"`.
    pub fn title(&self) -> String {
        format!("{} nm", (self.wavelength * 1e10).round() / 10.0)
    }

    /// Images and accuracies in words; `method` is the name of the third stage's.
    pub fn accuracies(&self, method: &str) -> String {
        let [ideal, deployed, trained] =
            [self.ideal, self.in_silico_deployed, self.trained].map(|share| 100.0 * share);
        format!("{}: ideal {ideal:.1} %, deployed {deployed:.1} %, {method} {trained:.1} %", self.data)
    }
}

fn wrong(key: &str, value: impl std::fmt::Display, problem: String) -> ConfigError {
    ConfigError::Value { key: key.into(), value: value.to_string(), problem }
}

impl Experiment {
    /// Refuses wavelengths that make no run.
    ///
    /// # Errors
    /// [`ConfigError::Value`]: too many of them, or one twice with the same images.
    pub fn check_wavelengths(&self) -> Result<(), ConfigError> {
        if self.wavelengths.len() > MOST {
            let problem = format!("every wavelength has an engine of its own; {MOST} at most");
            return Err(wrong("wavelengths", self.wavelengths.len(), problem));
        }
        let mut seen: Vec<&WavelengthConfig> = Vec::new();
        for one in &self.wavelengths {
            if seen.contains(&one) {
                let problem = "stands there twice with the same images; leave one out".to_owned();
                return Err(wrong("wavelengths.wavelength (m)", one.wavelength.0, problem));
            }
            seen.push(one);
        }
        Ok(())
    }

    /// The images: with several wavelengths those of each in turn, image `j` being of wavelength `j mod K`, as many of each as the
    /// smallest set has.
    ///
    /// # Errors
    /// Sets that are missing, or that cannot go together: other numbers of classes or sizes of images.
    pub fn load_data(&self, source: Option<&str>) -> Result<DataSet, RunError> {
        let limits = Limits { train: self.data.train, test: self.data.test };
        let load = |source: &str| data::load(source, limits, self.seed);
        let default = source.unwrap_or(&self.data.source);
        if self.wavelengths.is_empty() {
            return Ok(load(default)?);
        }
        self.check_wavelengths()?;
        let own = |w: &WavelengthConfig| match source {
            Some(source) => load(source),
            None => load(w.data.as_deref().unwrap_or(default)),
        };
        let sets = self.wavelengths.iter().map(own).collect::<Result<Vec<_>, _>>()?;
        Ok(interleaved(&sets)?)
    }

    /// The systems at the wavelengths of a run; `system` alone where there is one.
    fn systems(&self, system: &System) -> Result<Vec<System>, ConfigError> {
        self.wavelengths.iter().map(|w| system.at_wavelength(w.wavelength.0)).collect()
    }

    /// Compiles a system at all wavelengths, its records kept as the settings say.
    ///
    /// # Errors
    /// As `compile`, [`System::at_wavelength`] and [`Experiment::recording`].
    pub fn compile(
        &self,
        system: &System,
        compile: impl Fn(&System) -> Result<Program, ConfigError>,
    ) -> Result<Program, ConfigError> {
        let channel = |system: &System| {
            Ok::<_, ConfigError>(Channel { program: compile(system)?, phase_scale: system.phase_scale() })
        };
        let channels = self.systems(system)?.iter().map(channel).collect::<Result<_, _>>()?;
        match Program::multiplexed(channels) {
            Some(program) => self.recording(program),
            None => self.recording(compile(system)?),
        }
    }

    /// Opens the engine of a run on a device, or one for each wavelength.
    ///
    /// # Errors
    /// [`EngineError::NoDevice`].
    pub fn open(&self, device: &str, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        if self.wavelengths.is_empty() {
            return engine::open(device, threads);
        }
        let engines = self.wavelengths.iter().map(|_| engine::open(device, threads));
        Ok(Box::new(Multiplex::new(engines.collect::<Result<_, _>>()?)?))
    }

    /// Results at each wavelength; `predictions` are of ideal, deployed and trained masks. Empty where there is one wavelength.
    pub(super) fn by_wavelength(
        &self,
        labels: &[u8],
        predictions: [&[u8]; 3],
        program: &Program,
    ) -> Vec<WavelengthResult> {
        let count = self.wavelengths.len();
        let one = |(k, w): (usize, &WavelengthConfig)| {
            let accuracy = |predictions: &[u8]| {
                let own = || predictions.iter().zip(labels).skip(k).step_by(count);
                own().filter(|(p, l)| p == l).count() as f64 / own().count().max(1) as f64
            };
            let [ideal, in_silico_deployed, trained] = predictions.map(accuracy);
            WavelengthResult {
                wavelength: w.wavelength.0,
                data: w.data.clone().unwrap_or_else(|| self.data.source.clone()),
                phase_scale: program.channels[k].phase_scale,
                ideal,
                in_silico_deployed,
                trained,
            }
        };
        self.wavelengths.iter().enumerate().map(one).collect()
    }
}

/// Sets that take turns.
fn interleaved(sets: &[DataSet]) -> Result<DataSet, ConfigError> {
    let first = &sets[0];
    for other in &sets[1..] {
        let ([a, b], [c, d]) =
            ([first, other].map(|s| s.classes.len()), [first, other].map(|s| s.train.size));
        if a != b {
            let problem = format!(
                "it has {b} classes and {:?} {a}; all wavelengths have the same detectors",
                first.name
            );
            return Err(wrong("wavelengths.data", &other.name, problem));
        }
        if c != d {
            let problem = format!(
                "its images have {} x {} pixels and those of {:?} {} x {}; all wavelengths load images of one size",
                d[0], d[1], first.name, c[0], c[1]
            );
            return Err(wrong("wavelengths.data", &other.name, problem));
        }
    }
    let joined = |part: &dyn Fn(&DataSet) -> &str, between: &str| {
        let mut parts: Vec<&str> = sets.iter().map(part).collect();
        parts.dedup();
        parts.join(between)
    };
    Ok(DataSet {
        name: joined(&|s| &s.name, " + "),
        origin: joined(&|s| &s.origin, "; "),
        classes: (0..first.classes.len()).map(|c| joined(&|s| &s.classes[c], " / ")).collect(),
        train: turns(sets.iter().map(|s| &s.train)),
        test: turns(sets.iter().map(|s| &s.test)),
    })
}

/// Image `i` of each set in turn, as far as all have one.
fn turns<'a>(sets: impl Iterator<Item = &'a ImageSet> + Clone) -> ImageSet {
    let shortest = sets.clone().map(ImageSet::len).min().unwrap_or(0);
    let size = sets.clone().next().map_or([0; 2], |s| s.size);
    let pixels = size[0] * size[1];
    let mut all = ImageSet { size, pixels: Vec::new(), labels: Vec::new() };
    for i in 0..shortest {
        for set in sets.clone() {
            all.pixels.extend(&set.pixels[i * pixels..(i + 1) * pixels]);
            all.labels.push(set.labels[i]);
        }
    }
    all
}
