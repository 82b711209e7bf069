//! Light and its derivatives on the way through the layers: tangent fields, carried exactly through the rest of the light path,
//! which is linear.

use std::sync::Arc;

use rayon::prelude::*;

use super::EstimateError;
use super::model::{FrameData, Model};
use super::parameters::{Knob, Parameter};
use super::tangents::{MaskChange, transfer_change};
use crate::calibrate::predict::{self, Stage, Way};
use crate::engine::cpu;
use crate::optics::Field;
use crate::twin::LayerParts;

/// Light of one frame.
pub(super) struct Flight {
    pub(super) field: Field,
    /// Number of the parameter, and the derivative by it.
    pub(super) tangents: Vec<(usize, Field)>,
}

impl Flight {
    /// Light behind a modulator, on all samples.
    fn spread(&mut self, stage: &Stage<'_>) {
        let wide = |light: &mut Field| *light = stage.spread(std::mem::take(light));
        wide(&mut self.field);
        self.tangents.iter_mut().for_each(|(_, t)| wide(t));
    }
}

/// Changes of one layer, each with the number of its parameter.
#[derive(Default)]
pub(super) struct Changes {
    masks: Vec<(usize, MaskChange)>,
    transfers: Vec<(usize, Arc<Field>)>,
}

impl Model {
    /// Changes of every layer of a way by its parameters.
    pub(super) fn changes(
        &self,
        way: &Way,
        layers: &[LayerParts],
        stage: &Stage<'_>,
        (x, derived): (&[f64], &[bool]),
    ) -> Result<Vec<Changes>, EstimateError> {
        let mut found = Vec::new();
        for (k, (&layer, parts)) in way.layers.iter().zip(layers).enumerate() {
            let last = k + 1 == way.layers.len();
            let distance = if last { way.distance() } else { self.config.optics.distance.0 };
            let one = |(n, (p, &v)): (usize, (&Parameter, &f64))| -> Result<_, EstimateError> {
                let mask = MaskChange::of(p, v, stage)?;
                // A modulator that is scaled, and stays upright, is seen from elsewhere.
                let scaled = p.knob == Knob::Magnification && stage.view().is_some();
                if mask.is_some() && !scaled {
                    return Ok((n, mask, None));
                }
                Ok((n, mask, transfer_change(p, v, parts, stage, distance)?))
            };
            let all = self.parameters.iter().zip(x).enumerate();
            let own: Vec<_> = all.filter(|(n, (p, _))| p.layer == layer && derived[*n]).collect();
            let each: Vec<_> = own.into_par_iter().map(one).collect::<Result<_, _>>()?;
            let mut changes = Changes::default();
            for (n, mask, transfer) in each {
                changes.masks.extend(mask.map(|mask| (n, mask)));
                changes.transfers.extend(transfer.map(|h| (n, h)));
            }
            found.push(changes);
        }
        Ok(found)
    }

    /// Light and tangents of frames of one way.
    pub(super) fn fly(
        &mut self,
        layers: &[LayerParts],
        changes: &[Changes],
        frames: &[&FrameData],
        stage: &Stage<'_>,
    ) -> Result<Vec<Flight>, EstimateError> {
        let start = predict::plane(stage.system());
        let mut flights: Vec<Flight> =
            frames.iter().map(|_| Flight { field: start.clone(), tangents: Vec::new() }).collect();
        for (k, parts) in layers.iter().enumerate() {
            flights.par_iter_mut().zip(frames).for_each(|(flight, frame)| {
                let commands = &frame.commands[k];
                let mask = cpu::mask(&parts.modulator, commands);
                flight.tangents.iter_mut().for_each(|(_, t)| *t *= &mask);
                for (n, change) in changes.get(k).map_or(&[][..], |c| &c.masks) {
                    let d = change.apply(&mask, &parts.modulator, commands) * &flight.field;
                    flight.tangents.push((*n, d));
                }
                flight.field *= &mask;
                flight.spread(stage);
            });
            let mut fresh: Vec<Vec<(usize, Field)>> = flights.iter().map(|_| Vec::new()).collect();
            if let Some(changes) = changes.get(k).filter(|c| !c.transfers.is_empty()) {
                let fields: Vec<Field> = flights.iter().map(|f| f.field.clone()).collect();
                for (n, h) in &changes.transfers {
                    let carried = self.space.carry(&fields, h)?;
                    fresh.iter_mut().zip(carried).for_each(|(list, field)| list.push((*n, field)));
                }
            }
            let mut all = Vec::new();
            let mut numbers = Vec::new();
            for flight in flights.drain(..) {
                all.push(flight.field);
                numbers.push(flight.tangents.iter().map(|(n, _)| *n).collect::<Vec<_>>());
                all.extend(flight.tangents.into_iter().map(|(_, t)| t));
            }
            let mut carried = self.space.carry(&all, &parts.transfer)?.into_iter();
            for (numbers, fresh) in numbers.into_iter().zip(fresh) {
                let Some(field) = carried.next() else { break };
                let mut tangents: Vec<_> = numbers.into_iter().zip(carried.by_ref()).collect();
                tangents.extend(fresh);
                flights.push(Flight { field, tangents });
            }
            if let Some(after) = &parts.after {
                for flight in &mut flights {
                    flight.field *= after.as_ref();
                    flight.tangents.iter_mut().for_each(|(_, t)| *t *= after.as_ref());
                }
            }
        }
        for (flight, frame) in flights.iter_mut().zip(frames) {
            self.inclined.add(frame, stage, &mut flight.field);
        }
        Ok(flights)
    }
}
