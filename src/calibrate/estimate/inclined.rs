//! What happens within the pixels, added to frames, while a search leaves it as it is.

use std::collections::BTreeMap;

use ndarray::{Array2, Zip};
use num_complex::{Complex32, Complex64};
use rayon::prelude::*;

use super::EstimateError;
use super::model::FrameData;
use crate::calibrate::predict::{self, FreeSpace, Stage, Within};
use crate::engine::cpu;
use crate::optics::Field;
use crate::twin::LayerParts;

/// Light that is added to that of frames, by their numbers; without the phase of the free space behind the modulator, which turns
/// all the way round within a wavelength.
#[derive(Default)]
pub(super) struct Inclined {
    light: BTreeMap<usize, Array2<Complex32>>,
}

impl Inclined {
    /// Finds it for frames of one way.
    pub(super) fn find(
        &mut self,
        space: &mut FreeSpace,
        stage: &Stage<'_>,
        (layers, within): (&[LayerParts], Option<&Within>),
        frames: &[&FrameData],
    ) -> Result<(), EstimateError> {
        let (Some(within), [parts]) = (within, layers) else {
            frames.iter().for_each(|frame| _ = self.light.remove(&frame.number));
            return Ok(());
        };
        let start = predict::plane(stage.system());
        let leaving = |frame: &&FrameData| &start * &cpu::mask(&parts.modulator, &frame.commands[0]);
        let fields: Vec<Field> = frames.par_iter().map(leaving).collect();
        for (frame, more) in frames.iter().zip(stage.beside(space, &fields, within)?) {
            let back = stage.plane_phase(&frame.way).conj();
            let even = |v: &Complex64| {
                let v = v * back;
                Complex32::new(v.re as f32, v.im as f32)
            };
            self.light.insert(frame.number, more.map(even));
        }
        Ok(())
    }

    /// Adds it to the light of a frame; not where that has come to have other samples.
    pub(super) fn add(&self, frame: &FrameData, stage: &Stage<'_>, field: &mut Field) {
        if let Some(more) = self.light.get(&frame.number).filter(|more| more.dim() == field.dim()) {
            let phase = stage.plane_phase(&frame.way);
            Zip::from(field)
                .and(more)
                .for_each(|f, m| *f += phase * Complex64::new(m.re.into(), m.im.into()));
        }
    }
}
