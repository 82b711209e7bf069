//! Predicted complex fields, as a camera with a reference beam measures them.

use ndarray::Array2;
use num_complex::Complex64;

use super::{PredictError, Predictor, Way};
use crate::calibrate::{Aberration, LayerErrors};
use crate::measure::Measurement;
use crate::optics::{Field, zernike};
use crate::twin::{ConfigError, System};

impl Predictor {
    /// The complex fields of the listed frames (numbers from 1), in their order; whether their reference beam is on does not
    /// matter. `[rows, cols]` of the camera: the mean over each pixel, smoothed, times `exp(i psi)` where the pixel looks, with
    /// the `camera_aberration` psi of the last layer that is shown.
    ///
    /// # Errors
    /// As [`Predictor::predict`], but for reference beams.
    pub fn fields(&mut self, m: &Measurement, numbers: &[usize]) -> Result<Vec<Field>, PredictError> {
        let ways = numbers.iter().map(|&n| Way::through(m, n)).collect::<Result<Vec<_>, _>>()?;
        let last: Vec<usize> = ways.iter().filter_map(|w| w.layers.last().copied()).collect();
        let mut seen = vec![Field::default((0, 0)); numbers.len()];
        self.look(m, numbers, ways, |at, sight, light| seen[at] = sight.amplitude(light))?;
        for (field, layer) in seen.iter_mut().zip(last) {
            let terms = self.system.camera_terms(layer)?;
            if !terms.is_empty() {
                *field *= &self.wavefront(&terms)?.mapv(Complex64::cis);
            }
        }
        Ok(seen)
    }

    /// Zernike terms `(Noll index, rad rms)` over the circle about the twin's grid, where the camera's pixels look. `[rows, cols]`
    /// of the camera, radians.
    pub(crate) fn wavefront(&self, terms: &[(usize, f64)]) -> Result<Array2<f64>, ConfigError> {
        let radius = zernike::enclosing_radius(self.system.grid());
        let orders = terms
            .iter()
            .map(|&(j, c)| Ok((zernike::noll(j)?, c)))
            .collect::<Result<Vec<_>, ConfigError>>()?;
        let [rows, cols] = self.camera.pixels.both();
        Ok(Array2::from_shape_fn((rows, cols), |(r, c)| {
            let [y, x] = self.sight.looks(r, c).map(|l| l / radius);
            let (rho, theta) = (y.hypot(x), y.atan2(x));
            orders.iter().map(|&((n, m), c)| c * zernike::value(n, m, rho, theta)).sum()
        }))
    }
}

/// The system without the phase on the camera's side of the last layer of a way.
pub(super) fn bare(system: &System, way: &Way) -> Result<System, ConfigError> {
    let Some(&layer) = way.layers.last() else { return Ok(system.clone()) };
    let errors = system.errors_of(layer);
    if errors.camera_aberration.is_none() {
        return Ok(system.clone());
    }
    let mut config = system.config().clone();
    config.imperfections.layer.insert(layer.to_string(), without_camera_side(errors));
    System::new(config, [1, 1], 0)
}

/// Errors of a layer without the phase on the camera's side, also where all layers have one.
pub(super) fn without_camera_side(mut errors: LayerErrors) -> LayerErrors {
    errors.camera_aberration = errors.camera_aberration.map(|_| Aberration::default());
    errors
}
