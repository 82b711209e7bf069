//! How the light of one way is computed: upright or not, and on how many samples along a modulator pixel.
//!
//! A twin has one sample in a pixel, which holds the light within `lambda / (2 pitch)` of the axis. Pixels are squares, and send
//! light beyond that too: higher orders, weaker by `sinc`. At a distance `z` it lands `lambda z / (2 pitch)` and more away from
//! its pixel. Where a camera is so near, or so wide, that it sees this light, each pixel gets several samples: its light leaves
//! the middle one of them, and the aperture of the pixel, `sinc(a pitch f)`, is part of the transfer function for all orders that
//! the samples hold.

use std::sync::Arc;

use num_complex::Complex64;

use super::within::{self, Within};
use super::{FreeSpace, Sight, View, Way, upright};
use crate::calibrate::LayerErrors;
use crate::engine::{EngineError, Modulator};
use crate::measure::CameraSheet;
use crate::optics::{Field, Grid, Propagation, effects};
use crate::twin::{ConfigError, LayerParts, System};

/// Most samples along a pixel: the orders left out have less than 1/8 of the amplitude.
const MOST: usize = 3;

/// A way, as it is computed.
pub(crate) struct Stage<'a> {
    base: &'a System,
    upright: Option<(System, View)>,
    samples: usize,
}

impl<'a> Stage<'a> {
    /// `camera` decides whether higher orders are seen.
    pub(crate) fn new(system: &'a System, way: &Way, camera: &CameraSheet) -> Result<Self, ConfigError> {
        let upright = upright(system, way)?;
        let mut stage = Self { base: system, upright, samples: 1 };
        // Points have no orders that fade, and what a next layer makes of light within its pixels is no twin's matter.
        let lone = |s: &Self| s.upright.is_some() && s.aperture(way.layers[0]).is_some();
        if lone(&stage) {
            stage.samples = samples(stage.system(), way, camera);
        }
        Ok(stage)
    }

    /// The system whose modulators light meets.
    pub(crate) fn system(&self) -> &System {
        self.upright.as_ref().map_or(self.base, |(system, _)| system)
    }

    pub(crate) fn view(&self) -> Option<&View> {
        self.upright.as_ref().map(|(_, view)| view)
    }

    /// Samples along a modulator pixel.
    pub(crate) fn samples(&self) -> usize {
        self.samples
    }

    fn errors(&self, layer: usize) -> LayerErrors {
        self.system().errors_of(layer)
    }

    /// The camera that looks at this light, of one that looks at the twin's grid.
    pub(crate) fn sight(&self, straight: &Sight) -> Sight {
        let view = self.view().copied().unwrap_or(View::STRAIGHT);
        straight.sampled(self.samples).looking(view)
    }

    /// Where a modulator pixel lies, `[y, x]` in metres from the axis.
    pub(crate) fn place(&self, r: usize, c: usize) -> [f64; 2] {
        let grid = self.system().grid();
        let at = [grid.y(r), grid.x(c)];
        self.view().map_or(at, |view| view.lies(at))
    }

    /// The modulator of a layer while its view is changed.
    pub(crate) fn turned(&self, layer: usize, change: impl Fn(&mut View)) -> Result<Modulator, ConfigError> {
        let mut view = self.view().copied().unwrap_or(View::STRAIGHT);
        change(&mut view);
        let grid = self.system().grid();
        self.system().modulator_at(layer, &|r, c| view.lies([grid.y(r), grid.x(c)]))
    }

    /// What light meets on the way.
    pub(crate) fn layers(&self, way: &Way, space: &mut FreeSpace) -> Result<Vec<LayerParts>, ConfigError> {
        let padded = space.padded(self.system(), self.samples)?;
        if self.upright.is_none() {
            return way.parts(self.system(), padded);
        }
        let layer = way.layers[0];
        let modulator = self.turned(layer, |_| ())?;
        let mut h = self.moved(way, padded)?;
        self.open(layer, &mut h);
        Ok(vec![LayerParts { modulator, transfer: Arc::new(h), after: None }])
    }

    /// What happens within the pixels of the modulator, where it is upright and they are no points; `layers` are those of the way.
    pub(crate) fn within(
        &self,
        way: &Way,
        layers: &[LayerParts],
        space: &mut FreeSpace,
    ) -> Result<Option<Within>, ConfigError> {
        let (Some((system, view)), [parts]) = (&self.upright, layers) else { return Ok(None) };
        let (layer, modulator) = (way.layers[0], &parts.modulator);
        let Some(side) = self.aperture(layer) else { return Ok(None) };
        let h = self.moved(way, space.padded(system, self.samples)?)?;
        let size = [side, self.samples as f64];
        let slopes = modulator.factor.as_ref().map(|factor| {
            let [x, y] = within::slopes(system, layer, view, factor)?;
            let along = |slope, k| (slope, Arc::new(within::moment(&h, size, k)));
            Ok::<_, ConfigError>([along(x, 0), along(y, 1)])
        });
        let leak = Complex64::from(modulator.leak);
        let gaps = (modulator.leak != 0.0).then(|| {
            let light = match &modulator.factor {
                Some(factor) => factor.mapv(|v| v * leak),
                None => Field::from_elem((system.grid().rows, system.grid().cols), leak),
            };
            (light, Arc::new(within::frame(&h, size)))
        });
        let found = Within { slopes: slopes.transpose()?, gaps };
        Ok((found.slopes.is_some() || found.gaps.is_some()).then_some(found))
    }

    /// Free space behind the last layer of a way, without the aperture of pixels.
    fn moved(&self, way: &Way, padded: [usize; 2]) -> Result<Field, ConfigError> {
        let [dy, dx] = self.pitch();
        let (mut h, _) = self.space(self.hop(way)).transfer(padded, dy, dx)?;
        self.misplace(way.layers[0], &mut h)?;
        Ok(h)
    }

    /// Light behind a modulator through the space behind it, to what follows on it.
    pub(crate) fn carry(
        &self,
        space: &mut FreeSpace,
        fields: Vec<Field>,
        parts: &LayerParts,
        within: Option<&Within>,
    ) -> Result<Vec<Field>, EngineError> {
        let beside = within.map(|w| self.beside(space, &fields, w)).transpose()?;
        let wide: Vec<_> = fields.into_iter().map(|field| self.spread(field)).collect();
        let mut carried = space.carry(&wide, &parts.transfer)?;
        if let Some(beside) = beside {
            carried.iter_mut().zip(&beside).for_each(|(field, more)| *field += more);
        }
        if let Some(after) = &parts.after {
            carried.iter_mut().for_each(|field| *field *= after.as_ref());
        }
        Ok(carried)
    }

    /// What happens within the pixels, added to light that leaves a modulator, behind the space that follows.
    pub(crate) fn beside(
        &self,
        space: &mut FreeSpace,
        fields: &[Field],
        within: &Within,
    ) -> Result<Vec<Field>, EngineError> {
        let mut all: Option<Vec<Field>> = None;
        for (slope, moment) in within.slopes.iter().flatten() {
            let sloped: Vec<_> = fields.iter().map(|field| self.spread(field * slope)).collect();
            let more = space.carry(&sloped, moment)?;
            match &mut all {
                Some(all) => all.iter_mut().zip(&more).for_each(|(field, more)| *field += more),
                None => all = Some(more),
            }
        }
        let Some((light, frame)) = &within.gaps else { return Ok(all.unwrap_or_default()) };
        let gaps = space.carry(&[self.spread(light.clone())], frame)?.remove(0);
        Ok(match all {
            Some(all) => all.into_iter().map(|field| field + &gaps).collect(),
            None => vec![gaps; fields.len()],
        })
    }

    /// Free space behind the last layer of a way, metres.
    fn hop(&self, way: &Way) -> f64 {
        let axial = way.layers.last().and_then(|&layer| self.errors(layer).axial);
        way.distance() + axial.map_or(0.0, |a| a.0)
    }

    /// The phase factor that a plane wave gains there.
    pub(crate) fn plane_phase(&self, way: &Way) -> Complex64 {
        let space = self.space(self.hop(way));
        Complex64::cis(std::f64::consts::TAU * (space.distance * space.index / space.wavelength).fract())
    }

    /// Free space of `distance` metres.
    pub(crate) fn space(&self, distance: f64) -> Propagation {
        let o = &self.system().config().optics;
        Propagation {
            wavelength: o.wavelength.0,
            index: o.index,
            distance,
            method: o.propagation,
            allow_undersampled: o.allow_undersampled,
        }
    }

    /// Puts the shift, the aperture and the aberration of the pupil of a layer on a transfer function.
    pub(crate) fn spoil(&self, layer: usize, h: &mut Field) -> Result<(), ConfigError> {
        self.misplace(layer, h)?;
        self.open(layer, h);
        Ok(())
    }

    fn misplace(&self, layer: usize, h: &mut Field) -> Result<(), ConfigError> {
        let ([dy, dx], e) = (self.pitch(), self.errors(layer));
        if let Some([x, y]) = e.shift {
            effects::shift(h, dy, dx, x.0, y.0);
        }
        if let Some(a) = &e.pupil_aberration {
            effects::pupil_aberration(h, dy, dx, &a.zernike)?;
        }
        Ok(())
    }

    fn open(&self, layer: usize, h: &mut Field) {
        if let Some(side) = self.aperture(layer) {
            effects::pixel_aperture(h, side * self.samples as f64);
        }
    }

    /// Side of a pixel that is no point, pitches.
    fn aperture(&self, layer: usize) -> Option<f64> {
        self.errors(layer).aperture.filter(|a| *a != 0.0)
    }

    /// Distance of the samples along y and x, metres.
    pub(crate) fn pitch(&self) -> [f64; 2] {
        let Grid { dy, dx, .. } = *self.system().grid();
        [dy, dx].map(|d| d / self.samples as f64)
    }

    /// Light that leaves a modulator, on all samples.
    pub(crate) fn spread(&self, light: Field) -> Field {
        let s = self.samples;
        if s == 1 {
            return light;
        }
        let (rows, cols) = light.dim();
        let mut wide = Field::zeros((s * rows, s * cols));
        // One sample stands for the area of all.
        let area = (s * s) as f64;
        for ((r, c), v) in light.indexed_iter() {
            wide[[fine(r, rows, s), fine(c, cols, s)]] = Complex64::new(area, 0.0) * v;
        }
        wide
    }
}

/// The sample in the middle of pixel `k` of `n`: both axes pass through index `length / 2`.
fn fine(k: usize, n: usize, samples: usize) -> usize {
    samples * n / 2 + samples * k - samples * (n / 2)
}

/// Samples along a pixel that hold all the light that the camera sees.
fn samples(system: &System, way: &Way, camera: &CameraSheet) -> usize {
    let (grid, o) = (system.grid(), &system.config().optics);
    let wave = o.wavelength.0 / o.index * way.distance();
    let (pixels, pitch) = (camera.pixels.both(), camera.pitch.both().map(|l| l.0));
    let along = |k: usize, n: usize, d: f64| {
        let half = 0.5 * n as f64 * d;
        let seen = (0.5 * pixels[k] as f64 * pitch[k]).min(half);
        // The end of the band casts fringes as wide as Fresnel's first zones.
        let reach = half + seen + 2.0 * wave.sqrt();
        (reach * 2.0 * d / wave).ceil().clamp(1.0, MOST as f64) as usize
    };
    along(0, grid.rows, grid.dy).max(along(1, grid.cols, grid.dx))
}
