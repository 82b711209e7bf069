//! Free-space hops with what is wrong with them, for light and for the error; transfer functions that are alike are made once.

use std::sync::Arc;

use num_complex::Complex64;

use super::compile::ErrorPass;
use super::errors::{ConfigError, value};
use super::modulator::{self, Draw, Kind};
use super::system::System;
use crate::calibrate::LayerErrors;
use crate::engine::{ErrorHop, Hop, Modulator};
use crate::optics::{Field, Grid, effects, reversed, zernike};

/// Transfer functions, each distinct one once.
pub(super) struct Shelf<'a> {
    system: &'a System,
    /// Of random draws.
    seed: u64,
    /// Whether hops that are alike keep transfer functions of their own, because they will not stay alike.
    apart: bool,
    padded: [usize; 2],
    /// What there is so far.
    pub(super) transfers: Vec<Arc<Field>>,
    keys: Vec<TransferKey>,
}

/// What makes transfer functions differ.
#[derive(Clone, PartialEq)]
struct TransferKey {
    distance: f64,
    shift: [f64; 2],
    /// Side of the square that a pixel's light leaves, pitches.
    aperture: f64,
    pupil: Vec<(usize, f64)>,
    transposed: bool,
    /// Tells apart what must not be shared; 0 where sharing is right.
    place: usize,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(system: &'a System, (seed, apart): (u64, bool), padded: [usize; 2]) -> Self {
        Self { system, seed, apart, padded, transfers: Vec::new(), keys: Vec::new() }
    }

    /// A hop of a layer (from 1; 0 is in front of the first) over a distance in metres, without its mask.
    pub(super) fn hop(
        &mut self,
        e: &LayerErrors,
        distance: f64,
        layer: usize,
        pass: ErrorPass,
    ) -> Result<Hop, ConfigError> {
        let place = |error: usize| if self.apart { 2 * layer + 1 + error } else { 0 };
        let (here, back) = (place(0), place(1));
        let key = TransferKey {
            distance: distance + e.axial.map_or(0.0, |a| a.0),
            shift: e.shift.map_or([0.0; 2], |s| s.map(|l| l.0)),
            aperture: e.aperture.unwrap_or(0.0),
            pupil: self.pupil(e, layer)?,
            transposed: false,
            place: here,
        };
        let transfer = self.transfer(&key)?;
        let draw = Draw { seed: self.seed, layer };
        let grid = self.system.grid();
        let after = modulator::side(e.camera_aberration.as_ref(), e.camera_edge, grid, draw, Kind::Camera)?
            .map(Arc::new);
        let error = match pass {
            ErrorPass::Forward => ErrorHop { transfer, before: None, after: after.clone() },
            ErrorPass::Transposed => {
                // An even transfer function is its own transpose; only a shift or an odd aberration makes another one.
                let even = key.shift == [0.0; 2] && key.pupil.is_empty() && !self.apart;
                let transfer = match even {
                    true => transfer,
                    false => self.transfer(&TransferKey { transposed: true, place: back, ..key })?,
                };
                ErrorHop { transfer, before: after.clone(), after: None }
            }
            // What is loaded was shifted back twice and given the camera's factor, so that the hop becomes its transpose, seen
            // through that factor once more; `corrected` takes it off the measured field. Both were measured at bench step 0.
            ErrorPass::Registered(known) => {
                let was = self.system.registered_errors(layer)?;
                let moved = was.shift.map_or([0.0; 2], |s| [0, 1].map(|k| key.shift[k] - s[k].0));
                let transfer = self.transfer(&TransferKey {
                    shift: [0, 1].map(|k| key.shift[k] - 2.0 * moved[k] + 2.0 * known.shift),
                    transposed: true,
                    place: back,
                    ..key
                })?;
                let measured = match self.system.drift().is_some_and(|d| d.camera_aberration.is_some()) {
                    true => modulator::side(
                        was.camera_aberration.as_ref(),
                        was.camera_edge,
                        grid,
                        draw,
                        Kind::Camera,
                    )?
                    .map(Arc::new),
                    false => after.clone(),
                };
                let before = self.measured_side(measured.as_ref(), known.aberration, layer)?;
                ErrorHop { transfer, before, after: after.clone() }
            }
            ErrorPass::Model => {
                let ideal = TransferKey {
                    distance,
                    shift: [0.0; 2],
                    aperture: 0.0,
                    pupil: Vec::new(),
                    transposed: false,
                    place: back,
                };
                ErrorHop { transfer: self.transfer(&ideal)?, before: None, after: None }
            }
        };
        Ok(Hop { mask: None, transfer, after, activation: None, error })
    }

    /// The camera's factor as it was measured.
    fn measured_side(
        &self,
        true_side: Option<&Arc<Field>>,
        rms: f64,
        layer: usize,
    ) -> Result<Option<Arc<Field>>, ConfigError> {
        if rms == 0.0 {
            return Ok(true_side.cloned());
        }
        let grid = self.system.grid();
        let stream = Kind::Registration as u64 * 1000 + layer as u64;
        let wrong = zernike::random_wavefront(grid, rms, 28, self.seed, stream)?.mapv(Complex64::cis);
        Ok(Some(Arc::new(true_side.map_or_else(|| wrong.clone(), |side| &wrong * side.as_ref()))))
    }

    fn pupil(&self, e: &LayerErrors, layer: usize) -> Result<Vec<(usize, f64)>, ConfigError> {
        let Some(a) = &e.pupil_aberration else { return Ok(Vec::new()) };
        if a.rms != 0.0 {
            let key = format!("imperfections (layer {layer}).pupil_aberration.rms");
            return Err(value(key, a.rms, "give Zernike terms; random draws are for the two pixel planes"));
        }
        Ok(a.zernike.clone())
    }

    fn transfer(&mut self, key: &TransferKey) -> Result<usize, ConfigError> {
        if let Some(at) = self.keys.iter().position(|k| k == key) {
            return Ok(at);
        }
        let Grid { dy, dx, .. } = *self.system.grid();
        let (mut h, _) = self.system.space(key.distance).transfer(self.padded, dy, dx)?;
        if key.shift != [0.0; 2] {
            effects::shift(&mut h, dy, dx, key.shift[0], key.shift[1]);
        }
        if key.aperture != 0.0 {
            effects::pixel_aperture(&mut h, key.aperture);
        }
        effects::pupil_aberration(&mut h, dy, dx, &key.pupil)?;
        if key.transposed {
            h = reversed(&h);
        }
        self.transfers.push(Arc::new(h));
        self.keys.push(key.clone());
        Ok(self.transfers.len() - 1)
    }
}

/// The mask with the camera's factor taken off the measured error: the factor as it was measured, which the loaded error has.
pub(super) fn corrected(mask: &Modulator, hop: &Hop) -> Modulator {
    let Some(known) = &hop.error.before else { return mask.clone() };
    let inverse = known.mapv(|a| a.inv());
    let factor = mask.factor.as_ref().map_or_else(|| inverse.clone(), |f| f.as_ref() * &inverse);
    Modulator { factor: Some(Arc::new(factor)), ..mask.clone() }
}
