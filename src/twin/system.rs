//! A validated optical system: its description, and what is asked of it before it is compiled.

use super::config::{SourceConfig, SystemConfig};
use super::detectors::{self, Region};
use super::errors::{ConfigError, positive, value};
use super::limits;
use super::loss::LossConfig;
use crate::calibrate::{self, CameraConfig, Drift, Imperfections, LayerErrors};
use crate::optics::{Grid, Length};

/// A validated optical system.
#[derive(Clone, Debug)]
pub struct System {
    pub(super) config: SystemConfig,
    pub(super) errors: Imperfections,
    pub(super) grid: Grid,
    pub(super) image: [usize; 2],
    pub(super) regions: Vec<Region>,
    pub(super) seed: u64,
    /// Free space after each mask, metres.
    pub(super) distances: Vec<f64>,
    /// Phase of a mask in parts of the commanded one.
    pub(super) phase_scale: f64,
}

impl System {
    /// Validates a description for images of `image` pixels. `seed` draws the random imperfections unless
    /// `imperfections.seed` is given.
    ///
    /// # Errors
    /// Impossible values, each with its key.
    pub fn new(config: SystemConfig, image: [usize; 2], seed: u64) -> Result<Self, ConfigError> {
        let o = &config.optics;
        positive("optics.wavelength (m)", o.wavelength.0)?;
        positive("optics.index", o.index)?;
        let [rows, cols] = o.pixels.both();
        let [dy, dx] = o.pitch.both().map(|l| l.0);
        positive("optics.pitch (m)", dy)?;
        positive("optics.pitch (m)", dx)?;
        if !(8..=16_384).contains(&rows) || !(8..=16_384).contains(&cols) {
            return Err(value("optics.pixels", format!("[{rows}, {cols}]"), "must be 8 to 16384 a side"));
        }
        if o.layers == 0 || o.layers > 1000 {
            return Err(value("optics.layers", o.layers, "must be 1 to 1000"));
        }
        if let Some(bits) = o.bits.filter(|b| !(1..=16).contains(b)) {
            return Err(value("optics.bits", bits, "must be 1 to 16; leave it out for continuous phases"));
        }
        positive("optics.distance (m)", o.distance.0)?;
        if !(o.input_distance.0.is_finite() && o.input_distance.0 >= 0.0) {
            return Err(value("optics.input_distance (m)", o.input_distance.0, "must be 0 or positive"));
        }
        if !(o.padding.is_finite() && (1.0..=8.0).contains(&o.padding)) {
            return Err(value(
                "optics.padding",
                o.padding,
                "must be 1 (periodic) to 8; 2 makes convolution linear",
            ));
        }
        let grid = Grid::new(rows, cols, dy, dx)?;
        let regions = detectors::regions(&config.detectors, [rows, cols])?;
        let errors = calibrate::resolve(&config.imperfections)?;
        let seed = errors.seed.unwrap_or(seed);
        let distances = vec![config.optics.distance.0; config.optics.layers];
        let system = Self { config, errors, grid, image, regions, seed, distances, phase_scale: 1.0 };
        system.window()?;
        system.check_errors()?;
        Ok(system)
    }

    fn check_errors(&self) -> Result<(), ConfigError> {
        let layers = self.config.optics.layers;
        for number in self.errors.layer.keys() {
            // The number must be written as it is looked up: "02" or "+2" would be no layer's.
            let meant =
                number.parse().ok().filter(|n: &usize| (1..=layers).contains(n) && n.to_string() == *number);
            if meant.is_none() {
                return Err(value("imperfections.layer", number, format!("there are layers 1 to {layers}")));
            }
        }
        for number in 1..=layers {
            limits::check(&self.errors.of(number), number, &self.grid, self.distances[number - 1])?;
        }
        self.config.masks.check(layers)?;
        self.check_drift(self.errors.drift.as_ref())?;
        self.config.activation.compile()?;
        positive("input.phase_range (rad)", self.config.input.phase_range.0)?;
        if let SourceConfig::Gaussian { waist } = self.config.source {
            positive("source.waist (m)", waist.0)?;
        }
        match self.config.loss {
            LossConfig::CrossEntropy { scale, efficiency, smoothing, margin } => {
                positive("loss.scale", scale)?;
                if !(efficiency.is_finite() && efficiency >= 0.0) {
                    return Err(value("loss.efficiency", efficiency, "must be 0 (no term) or positive"));
                }
                if !(0.0..1.0).contains(&smoothing) {
                    return Err(value("loss.smoothing", smoothing, "must be 0 (none) or more, and below 1"));
                }
                if !(0.0..=2.0).contains(&margin) {
                    // Scores differ by 2 at most.
                    return Err(value("loss.margin", margin, "must be 0 (none) to 2"));
                }
            }
            LossConfig::Mse { target } => positive("loss.target", target)?,
        }
        if let Some(c) = &self.errors.camera {
            positive("imperfections.camera.photons", c.photons)?;
            positive("imperfections.camera.quantum_efficiency", c.quantum_efficiency)?;
            positive("imperfections.camera.reference", c.reference)?;
            positive("imperfections.camera.full_well", c.full_well)?;
            for (key, v) in [("read_noise", c.read_noise), ("pedestal", c.pedestal)] {
                if !(v.is_finite() && v >= 0.0) {
                    return Err(value(
                        format!("imperfections.camera.{key}"),
                        v,
                        "must be 0 or more electrons",
                    ));
                }
            }
            if c.adc_bits > 24 {
                return Err(value(
                    "imperfections.camera.adc_bits",
                    c.adc_bits,
                    "must be 0 (no quantisation) to 24",
                ));
            }
        }
        Ok(())
    }

    /// The same masks, and the same things wrong with them, in light of another vacuum wavelength (metres). Aberrations are
    /// lengths: their radians go with the inverse of the wavelength. Loading of fields and cameras is taken to be calibrated
    /// at every wavelength.
    ///
    /// # Errors
    /// A wavelength that is not positive, or at which nothing is known of the masks' material.
    pub fn at_wavelength(&self, wavelength: f64) -> Result<Self, ConfigError> {
        positive("wavelengths.wavelength (m)", wavelength)?;
        let o = &self.config.optics;
        let phase_scale = o.material.phase_scale(o.wavelength.0, wavelength, o.index)?;
        let mut system = self.clone();
        system.phase_scale = phase_scale;
        system.config.optics.wavelength = Length(wavelength);
        let ratio = o.wavelength.0 / wavelength;
        let Imperfections { all, layer, .. } = &mut system.errors;
        std::iter::once(all).chain(layer.values_mut()).for_each(|e| e.scale_aberrations(ratio));
        Ok(system)
    }

    /// Phase of a mask in parts of the phase that is commanded: 1, but for a system of [`System::at_wavelength`].
    pub fn phase_scale(&self) -> f64 {
        self.phase_scale
    }

    /// The grid of a layer.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The description.
    pub fn config(&self) -> &SystemConfig {
        &self.config
    }

    /// What is wrong with a layer (from 1), presets resolved.
    pub fn errors_of(&self, layer: usize) -> LayerErrors {
        self.errors.of(layer)
    }

    /// Free space after each mask, metres.
    pub fn distances(&self) -> &[f64] {
        &self.distances
    }

    /// The same system with other distances after its masks, metres.
    ///
    /// # Errors
    /// Distances that are not positive, or not one per layer.
    pub fn with_distances(&self, distances: &[f64]) -> Result<Self, ConfigError> {
        let layers = self.config.optics.layers;
        if distances.len() != layers {
            return Err(value("optics.layers", layers, format!("{} distances were given", distances.len())));
        }
        distances.iter().try_for_each(|&z| positive("a distance (m)", z))?;
        let other = Self { distances: distances.to_vec(), ..self.clone() };
        other.check_errors()?;
        Ok(other)
    }

    /// What moves on the bench, if anything does.
    pub fn drift(&self) -> Option<&Drift> {
        self.errors.drift.as_ref()
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// The camera of the twin, if it has one.
    pub fn camera(&self) -> Option<&CameraConfig> {
        self.errors.camera.as_ref()
    }

    /// Detector regions, in the order of classes (differential: positive, negative, ...).
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    pub(super) fn window(&self) -> Result<([usize; 2], [usize; 2]), ConfigError> {
        let [rows, cols] = self.grid.shape();
        let side = rows.min(cols) * 3 / 4;
        let size = self.config.input.size.map_or([side, side], |s| s.both());
        if size[0] == 0 || size[1] == 0 || size[0] > rows || size[1] > cols {
            let text = format!("[{}, {}]", size[0], size[1]);
            return Err(value(
                "input.size",
                text,
                format!("the image must fit the grid of {rows} x {cols} pixels"),
            ));
        }
        if self.image[0] > rows || self.image[1] > cols {
            let text = format!("[{rows}, {cols}]");
            let problem = format!(
                "images of {} x {} pixels are larger than the grid; raise it",
                self.image[0], self.image[1]
            );
            return Err(value("optics.pixels", text, problem));
        }
        Ok(([(rows - size[0]) / 2, (cols - size[1]) / 2], size))
    }
}
