//! Frames as a function of the parameters, and their derivatives.

use std::collections::BTreeMap;

use ndarray::Array2;

use super::EstimateError;
use super::flight::Flight;
use super::inclined::Inclined;
use super::parameters::{Knob, Parameter};
use super::tangents::turn;
use crate::calibrate::predict::{self, Fine, FreeSpace, Sight, Stage, Way};
use crate::calibrate::{Calibration, Registration};
use crate::engine::Engine;
use crate::measure::{Measurement, MeasurementConfig};
use crate::optics::Grid;

/// Fields of so many bytes are in flight together.
const FLIGHT_BYTES: usize = 512 << 20;

/// A frame that the model is fitted to or compared with.
pub(crate) struct FrameData {
    /// Its number, from 1.
    pub(crate) number: usize,
    pub(crate) exposure: f64,
    /// Counts.
    pub(crate) counts: Array2<f64>,
    /// Commands of the layers of its way.
    pub(super) commands: Vec<Array2<f32>>,
    pub(crate) way: Way,
}

impl FrameData {
    pub(crate) fn read(m: &Measurement, number: usize) -> Result<Self, EstimateError> {
        let counts = m.counts(number)?;
        Ok(Self { counts, ..Self::planned(m, number)? })
    }

    /// A frame that is not recorded yet: no counts.
    pub(crate) fn planned(m: &Measurement, number: usize) -> Result<Self, EstimateError> {
        let way = Way::of(m, number)?;
        let commands =
            way.layers.iter().map(|&l| predict::commands(m, number, l)).collect::<Result<_, _>>()?;
        let counts = Array2::zeros((0, 0));
        Ok(Self { number, exposure: m.config.frames[number - 1].exposure, counts, commands, way })
    }
}

/// The forward model.
pub(crate) struct Model {
    pub(crate) config: MeasurementConfig,
    pub(crate) parameters: Vec<Parameter>,
    base: Calibration,
    grid: Grid,
    pub(super) space: FreeSpace,
    pub(super) inclined: Inclined,
}

/// A predicted frame and its derivatives by all parameters, camera pixels.
pub(crate) struct Linear {
    pub(crate) counts: Array2<f64>,
    pub(crate) columns: Vec<Array2<f32>>,
}

impl Model {
    pub(crate) fn new(
        config: &MeasurementConfig,
        base: &Calibration,
        engine: Box<dyn Engine>,
    ) -> Result<Self, EstimateError> {
        let system = predict::system(config, base)?;
        let space = FreeSpace::new(&system, engine)?;
        let mut base = base.clone();
        // Presets resolved; a layer that is estimated has all of its errors itself.
        base.imperfections =
            crate::calibrate::resolve(&base.imperfections).map_err(crate::twin::ConfigError::from)?;
        for layer in 1..=config.optics.layers {
            base.imperfections.layer.insert(layer.to_string(), system.errors_of(layer));
        }
        Ok(Self {
            config: config.clone(),
            parameters: Vec::new(),
            base,
            grid: *system.grid(),
            space,
            inclined: Inclined::default(),
        })
    }

    pub(crate) fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Where all parameters start.
    pub(crate) fn start(&self) -> Vec<f64> {
        self.parameters.iter().map(|p| p.value(&self.base, &self.grid)).collect()
    }

    /// The calibration with these values.
    pub(crate) fn calibration(&self, x: &[f64]) -> Calibration {
        let mut c = self.base.clone();
        self.parameters.iter().zip(x).for_each(|(p, v)| p.put(&mut c, *v, &self.grid));
        c
    }

    fn sight(&self, c: &Calibration, turn: impl FnOnce(&mut Registration, &mut f64)) -> Sight {
        let mut registration = c.registration.unwrap_or_default();
        let mut variance = c.response.map_or(0.0, |r| r.blur * r.blur);
        turn(&mut registration, &mut variance);
        Sight::new(&self.grid, &self.config.camera, registration, variance)
    }

    /// Camera pixels that the twin knows.
    pub(crate) fn inside(&self, x: &[f64]) -> Array2<bool> {
        let c = self.calibration(x);
        let layers = 1..=self.config.optics.layers;
        self.sight(&c, |_, _| ()).inside_all(layers.map(|l| c.imperfections.of(l)))
    }

    /// Finds what happens within the pixels at `x`; from then on it belongs to these frames, wherever they are evaluated. It is
    /// some percent, costs as much as two frames, and hardly changes while a search comes to rest.
    pub(crate) fn incline(
        &mut self,
        frames: &[FrameData],
        which: &[usize],
        x: &[f64],
    ) -> Result<(), EstimateError> {
        let system = predict::system(&self.config, &self.calibration(x))?;
        for (way, members) in by_way(frames, which) {
            let stage = Stage::new(&system, way, &self.config.camera)?;
            let layers = stage.layers(way, &mut self.space)?;
            let within = stage.within(way, &layers, &mut self.space)?;
            let bytes = 2 * 16 * self.grid.len() * stage.samples().pow(2);
            for group in members.chunks((FLIGHT_BYTES / bytes).clamp(1, 8)) {
                let data: Vec<&FrameData> = group.iter().map(|&at| &frames[which[at]]).collect();
                self.inclined.find(&mut self.space, &stage, (&layers, within.as_ref()), &data)?;
            }
        }
        Ok(())
    }

    /// Takes that away again.
    pub(crate) fn level(&mut self) {
        self.inclined = Inclined::default();
    }

    /// Counts of frames.
    pub(crate) fn evaluate(
        &mut self,
        frames: &[FrameData],
        which: &[usize],
        x: &[f64],
    ) -> Result<Vec<Array2<f64>>, EstimateError> {
        let mut found: Vec<Option<Array2<f64>>> = which.iter().map(|_| None).collect();
        self.run(frames, which, (x, None), |at, linear| found[at] = Some(linear.counts))?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Counts of frames and their derivatives by the parameters that are `derived` (0 by others), frame by frame; `visit` is told
    /// the position in `which`.
    pub(crate) fn linearise(
        &mut self,
        frames: &[FrameData],
        which: &[usize],
        (x, derived): (&[f64], &[bool]),
        visit: impl FnMut(usize, Linear),
    ) -> Result<(), EstimateError> {
        self.run(frames, which, (x, Some(derived)), visit)
    }

    fn run(
        &mut self,
        frames: &[FrameData],
        which: &[usize],
        (x, derived): (&[f64], Option<&[bool]>),
        mut visit: impl FnMut(usize, Linear),
    ) -> Result<(), EstimateError> {
        let calibration = self.calibration(x);
        let system = predict::system(&self.config, &calibration)?;
        let straight = self.sight(&calibration, |_, _| ());
        let bytes = 16 * self.grid.len() * (derived.map_or(0, <[bool]>::len) + 2);
        for (way, members) in by_way(frames, which) {
            let stage = Stage::new(&system, way, &self.config.camera)?;
            let sight = stage.sight(&straight);
            let layers = stage.layers(way, &mut self.space)?;
            let (mut changes, mut camera) = (Vec::new(), Vec::new());
            if let Some(derived) = derived {
                changes = self.changes(way, &layers, &stage, (x, derived))?;
                camera = self.camera_sights(way, &calibration, &sight, &stage, (x, derived));
            }
            let bytes = bytes * stage.samples().pow(2);
            for group in members.chunks((FLIGHT_BYTES / bytes).clamp(1, 8)) {
                let data: Vec<&FrameData> = group.iter().map(|&at| &frames[which[at]]).collect();
                let flights = self.fly(&layers, &changes, &data, &stage)?;
                for ((flight, &at), frame) in flights.into_iter().zip(group).zip(&data) {
                    let fine = sight.fine(&flight.field);
                    visit(at, self.seen(&flight, &fine, &sight, &camera, frame, &calibration, derived));
                }
            }
        }
        Ok(())
    }

    /// Views of the camera on either side of every parameter that moves it: number, the two views, distance between them.
    fn camera_sights(
        &self,
        way: &Way,
        c: &Calibration,
        sight: &Sight,
        stage: &Stage<'_>,
        (x, derived): (&[f64], &[bool]),
    ) -> Vec<(usize, [Sight; 2], f64)> {
        let look = |sight: Sight| stage.sight(&sight);
        let mut all = Vec::new();
        for (n, (p, &v)) in self.parameters.iter().zip(x).enumerate().filter(|(n, _)| derived[*n]) {
            let step = p.scale;
            if let Some(view) = stage.view().filter(|_| way.layers.contains(&p.layer)) {
                let moved = |d: f64| {
                    let mut turned = *view;
                    turn(&mut turned, p.knob, d);
                    (turned != *view).then(|| sight.glancing(turned))
                };
                // Speckles bend within the step that other differences are taken over.
                let small = 0.25 * step;
                if let (Some(more), Some(less)) = (moved(small), moved(-small)) {
                    all.push((n, [more, less], 2.0 * small));
                    continue;
                }
            }
            let sides = match p.knob {
                Knob::Blur => {
                    let down = step.min(v);
                    all.push((
                        n,
                        [step, -down].map(|d| look(self.sight(c, |_, variance| *variance += d))),
                        step + down,
                    ));
                    continue;
                }
                Knob::Distortion | Knob::Shear | Knob::Aspect => [1.0, -1.0].map(|sign| {
                    let mut moved = c.clone();
                    p.put(&mut moved, v + sign * step, &self.grid);
                    look(self.sight(&moved, |_, _| ()))
                }),
                _ => continue,
            };
            all.push((n, sides, 2.0 * step));
        }
        all
    }

    /// What the camera makes of the light of one frame.
    #[expect(clippy::too_many_arguments, reason = "everything that a camera's counts depend on")]
    fn seen(
        &self,
        flight: &Flight,
        fine: &Fine,
        sight: &Sight,
        camera: &[(usize, [Sight; 2], f64)],
        frame: &FrameData,
        calibration: &Calibration,
        derived: Option<&[bool]>,
    ) -> Linear {
        let (gain, offset) = calibration.response.map_or((1.0, 0.0), |r| (r.gain, r.offset));
        let scale = gain * frame.exposure;
        let smooth = sight.smooth(fine);
        let intensity = sight.read(&smooth);
        let mut columns = Vec::new();
        if let Some(derived) = derived {
            columns = vec![Array2::zeros(intensity.raw_dim()); self.parameters.len()];
            let mut add = |n: usize, change: Array2<f64>, by: f64| {
                columns[n].zip_mut_with(&change, |sum, v| *sum += (by * v) as f32);
            };
            for (n, t) in &flight.tangents {
                add(*n, sight.change(fine, &sight.fine(t)), scale);
            }
            for (n, [more, less], apart) in camera {
                // Only what changes the smoothing needs it done again.
                let seen = |side: &Sight| match self.parameters[*n].knob {
                    Knob::Blur => side.intensity(fine),
                    _ => side.read(&smooth),
                };
                add(*n, seen(more) - seen(less), scale / apart);
            }
            for (n, p) in self.parameters.iter().enumerate().filter(|(n, _)| derived[*n]) {
                let column = &mut columns[n];
                match p.knob {
                    Knob::Gain => *column = intensity.mapv(|v| (v * frame.exposure) as f32),
                    Knob::Offset => column.fill(1.0),
                    _ => {}
                }
            }
        }
        Linear { counts: intensity.mapv(|v| offset + scale * v), columns }
    }
}

/// Places in `which` of the frames of each way.
fn by_way<'a>(frames: &'a [FrameData], which: &[usize]) -> BTreeMap<&'a Way, Vec<usize>> {
    let mut ways: BTreeMap<&Way, Vec<usize>> = BTreeMap::new();
    for (at, &frame) in which.iter().enumerate() {
        ways.entry(&frames[frame].way).or_default().push(at);
    }
    ways
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
