//! A turned and scaled modulator without resampling: it stays upright, and the camera looks at its light turned and scaled.
//!
//! Interpolating a mask between its pixels blurs them, which no real modulator does. In Fresnel's approximation it is not needed:
//! a mask `M(R(-roll) x / m)` makes, `z` behind it, `U(R(-roll) x / m)`, where `U` is the light of `M(x)` at `z / m^2` (put
//! `xi = m R(roll) u` into the diffraction integral; Goodman, *Introduction to Fourier Optics*, section 4.2). Beyond Fresnel
//! the two differ by `k z theta^4 (m^2 - 1) / 8` radians at diffraction angle `theta`.

use crate::calibrate::LayerErrors;
use crate::optics::{Angle, Length};
use crate::twin::{ConfigError, System};

use super::Way;
use super::fields::without_camera_side;

/// How a camera's place becomes a place behind the upright modulator: `R(-roll) (p - shift) / magnification + origin`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) roll: f64,
    pub(crate) magnification: f64,
    /// Metres along x and y.
    pub(crate) shift: [f64; 2],
    /// Where the axis of the modulator lies on the grid, metres along x and y: the twin still moves its light, so that the grid
    /// holds what the camera sees.
    pub(crate) origin: [f64; 2],
}

impl View {
    /// Looks at the plane as it is.
    pub(crate) const STRAIGHT: Self =
        Self { roll: 0.0, magnification: 1.0, shift: [0.0; 2], origin: [0.0; 2] };

    /// Of a layer that is the only one on its way; `None` where something on the camera's side would have to be turned as well.
    /// Its phase is none of it: intensities do not know it, and fields get it where the camera's pixels look.
    pub(crate) fn of(e: &LayerErrors) -> Option<Self> {
        let camera_side = e.pupil_aberration.is_some() || e.camera_edge.is_some();
        let magnification = e.magnification.unwrap_or(1.0);
        // What is no magnification is left to the twin's own checks.
        if camera_side || !(0.5..=2.0).contains(&magnification) {
            return None;
        }
        let roll = e.roll.map_or(0.0, |a| a.0);
        let shift = e.shift.map_or([0.0; 2], |s| s.map(|l| l.0));
        let view = Self { roll, magnification, shift, origin: [0.0; 2] };
        Some(Self { origin: view.turned(shift), ..view })
    }

    /// `R(-roll) (x, y) / magnification`.
    pub(crate) fn turned(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let (sin, cos) = self.roll.sin_cos();
        [cos * x + sin * y, cos * y - sin * x].map(|l| l / self.magnification)
    }

    /// Where a place `[y, x]` of the upright modulator really lies: `magnification R(roll) (x, y)`.
    pub(crate) fn lies(&self, [y, x]: [f64; 2]) -> [f64; 2] {
        let (sin, cos) = self.roll.sin_cos();
        [sin * x + cos * y, cos * x - sin * y].map(|l| l * self.magnification)
    }

    /// A place `[y, x]`, metres.
    pub(crate) fn place(&self, [y, x]: [f64; 2]) -> [f64; 2] {
        let [x, y] = self.turned([x - self.shift[0], y - self.shift[1]]);
        [y + self.origin[1], x + self.origin[0]]
    }
}

/// The system with the only layer of a way upright, and how its camera sees it. `None` where the way has several layers or
/// [`View::of`] has none: then masks are resampled.
///
/// Aberration, illumination and tilt, which do not move with the mask, are those of the places where its pixels lie
/// ([`View::lies`]). The aperture of a pixel turns and scales with it.
pub(crate) fn upright(system: &System, way: &Way) -> Result<Option<(System, View)>, ConfigError> {
    let &[layer] = way.layers.as_slice() else { return Ok(None) };
    let mut e = without_camera_side(system.errors_of(layer));
    let Some(view) = View::of(&e) else { return Ok(None) };
    let axial = e.axial.map_or(0.0, |a| a.0);
    let distance = (way.distance() + axial) / view.magnification.powi(2);
    (e.roll, e.magnification) = (Some(Angle(0.0)), Some(1.0));
    e.axial = Some(Length(distance - way.distance()));
    e.shift = Some(view.origin.map(Length));
    let mut config = system.config().clone();
    config.imperfections.layer.insert(layer.to_string(), e);
    // As `super::system` makes it: no image is loaded.
    Ok(Some((System::new(config, [1, 1], 0)?, view)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::predict::{FreeSpace, Sight, Stage, plane};
    use crate::calibrate::{Calibration, Registration};
    use crate::engine::{cpu, cpu::CpuEngine};
    use crate::measure::{CameraSheet, Frame, Measurement, MeasurementConfig, Shown};
    use crate::twin::Pair;
    use ndarray::Array2;

    const N: usize = 96;
    const PITCH: f64 = 20e-6;

    fn measurement() -> Measurement {
        let mut config = MeasurementConfig::default();
        config.optics.pixels = Pair::One(N);
        config.optics.pitch = Pair::One(Length(PITCH));
        config.optics.distance = Length(0.15);
        config.camera =
            CameraSheet { pixels: Pair::One(120), pitch: Pair::One(Length(10e-6)), ..CameraSheet::default() };
        config.frames = vec![Frame { show: [("1".to_owned(), Shown::Gray(0))].into(), ..Frame::default() }];
        Measurement { dir: ".".into(), config }
    }

    fn system(m: &Measurement, errors: &str) -> System {
        let imperfections = toml::from_str(errors).unwrap();
        super::super::system(&m.config, &Calibration { imperfections, ..Calibration::default() }).unwrap()
    }

    /// What the camera sees of a smooth pattern behind the layer: upright, or resampled as the twin does.
    fn seen(m: &Measurement, system: &System, stage: Option<&Stage<'_>>) -> Array2<f64> {
        let pattern = Array2::from_shape_fn((N, N), |(r, c)| {
            let (y, x) = (r as f32 - 41.0, c as f32 - 55.0);
            3.0 + 1.5 * (0.11 * x - 0.05 * y).sin() + 1.2 * (0.12 * y + 0.03 * x).cos()
        });
        let mut space = FreeSpace::new(system, Box::new(CpuEngine::<f64>::new(1).unwrap())).unwrap();
        let way = Way::of(m, 1).unwrap();
        let padded = space.padded(system, 1).unwrap();
        let layers =
            stage.map_or_else(|| way.parts(system, padded).unwrap(), |s| s.layers(&way, &mut space).unwrap());
        let parts = &layers[0];
        let field = plane(system) * cpu::mask(&parts.modulator, &pattern);
        let field = space.carry(&[field], &parts.transfer).unwrap().remove(0);
        let straight = Sight::new(system.grid(), &m.config.camera, Registration::default(), 0.1);
        let sight = stage.map_or_else(|| straight.clone(), |s| s.sight(&straight));
        sight.intensity(&sight.fine(&field))
    }

    /// A mask that is smooth may be resampled: then both ways see the same, with light, tilt and aberrations that do not turn.
    #[test]
    fn a_smooth_mask_is_seen_as_if_it_were_resampled() {
        let m = measurement();
        // The beam ends before the mask does.
        let errors = |roll: f64, mag: f64| {
            format!(
                "[all]\nroll = '{roll} deg'\nmagnification = {mag}\nshift = ['90 um', '-60 um']\naxial = '2 mm'\n\
                 tilt = ['1 mrad', '-2 mrad']\nmodulator_aberration = {{ zernike = [[5, 1.5], [8, -1.0]] }}\n\
                 illumination = {{ centre = ['60 um', '-90 um'], waist = ['400 um', '250 um'] }}"
            )
        };
        let (roll, mag) = (20.0, 1.1);
        let resampled = seen(&m, &system(&m, &errors(roll, mag)), None);
        let rms = |a: &Array2<f64>| (a.iter().map(|v| v * v).sum::<f64>() / a.len() as f64).sqrt();
        let off = |roll: f64, scaled: f64| {
            let turned = system(&m, &errors(roll, scaled));
            let stage = Stage::new(&turned, &Way::of(&m, 1).unwrap(), &m.config.camera).unwrap();
            assert!(stage.view().is_some());
            rms(&(&seen(&m, stage.system(), Some(&stage)) - &resampled)) / rms(&resampled)
        };
        // What is left is the blur of bilinear sampling, some (0.13 rad per pixel)^2 / 8 at each of these waves.
        let [right, turned, larger] = [off(roll, mag), off(-roll, mag), off(roll, 1.0 / mag)];
        assert!(right < 8e-3 && turned > 0.1 && larger > 0.1, "{right} {turned} {larger}");
    }
}
