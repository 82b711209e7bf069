//! The parts of one layer by themselves, for what looks at a light path piece by piece.

use std::sync::Arc;

use super::compile::{ErrorPass, Lengths};
use super::errors::ConfigError;
use super::hops::Shelf;
use super::modulator::{self, Draw, Kind};
use super::system::System;
use crate::calibrate::LayerErrors;
use crate::engine::Modulator;
use crate::optics::{Field, zernike};

/// What light meets in one layer (from 1) of the imperfect system, in this order.
#[derive(Clone, Debug)]
pub struct LayerParts {
    /// From commands to the complex mask.
    pub modulator: Modulator,
    /// `H[fy, fx]` on the padded grid, DFT order.
    pub transfer: Arc<Field>,
    /// Factor on the camera's side; `None`: 1.
    pub after: Option<Arc<Field>>,
}

impl System {
    /// The lengths `[rows, cols]` of the transforms.
    ///
    /// # Errors
    /// No transform of the length needed.
    pub fn padded_lengths(&self, lengths: Lengths<'_>) -> Result<[usize; 2], ConfigError> {
        self.padded(lengths)
    }

    /// The modulator of a layer (from 1) with other errors than its own.
    ///
    /// # Errors
    /// Errors out of range.
    pub fn modulator_with(&self, layer: usize, errors: &LayerErrors) -> Result<Modulator, ConfigError> {
        let draw = Draw { seed: self.seed, layer };
        let wavelength = self.config.optics.wavelength.0 / self.config.optics.index;
        Ok(modulator::modulator(errors, &self.grid, wavelength, draw)?.scaled(self.phase_scale))
    }

    /// The modulator of a layer (from 1) with its pixels at other places than the grid's, `[y, x]` in metres: aberration,
    /// illumination and tilt are those of the places.
    ///
    /// # Errors
    /// Errors out of range.
    pub fn modulator_at(
        &self,
        layer: usize,
        place: &(dyn Fn(usize, usize) -> [f64; 2] + Sync),
    ) -> Result<Modulator, ConfigError> {
        let draw = Draw { seed: self.seed, layer };
        let wavelength = self.config.optics.wavelength.0 / self.config.optics.index;
        let modulator = modulator::modulator_at(&self.errors_of(layer), &self.grid, wavelength, draw, place)?;
        Ok(modulator.scaled(self.phase_scale))
    }

    /// Phase on the camera's side of a layer (from 1) as `(Noll index, rad rms)` terms over the circle that holds the grid; drawn
    /// parts are among them.
    ///
    /// # Errors
    /// A draw without terms.
    pub fn camera_terms(&self, layer: usize) -> Result<Vec<(usize, f64)>, ConfigError> {
        let Some(a) = self.errors_of(layer).camera_aberration else { return Ok(Vec::new()) };
        let mut terms = a.zernike;
        if a.rms > 0.0 {
            let stream = Kind::Camera as u64 * 1000 + if a.common { 0 } else { layer as u64 };
            terms.extend(zernike::random_terms(&self.grid, a.rms, a.terms, self.seed, stream)?);
        }
        Ok(terms)
    }

    /// A layer (from 1), as [`System::compile_twin`] has it at bench step 0.
    ///
    /// # Errors
    /// As [`System::compile_twin`].
    pub fn parts(&self, layer: usize, padded: [usize; 2]) -> Result<LayerParts, ConfigError> {
        let e = self.errors_of(layer);
        let modulator = self.modulator_with(layer, &e)?;
        let mut shelf = Shelf::new(self, (self.seed, false), padded);
        let hop = shelf.hop(&e, self.distances[layer - 1], layer, ErrorPass::Forward)?;
        Ok(LayerParts { modulator, transfer: shelf.transfers[hop.transfer].clone(), after: hop.after })
    }
}
