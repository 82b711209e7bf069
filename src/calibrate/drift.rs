//! `[imperfections.drift]`: what moves while a bench is in use, as a function of the bench step alone.
//!
//! A bench step is a training step of the third stage. Random numbers are counter-based, so that the bench at any step is
//! recomputed from seed and step, without those before.

use serde::{Deserialize, Serialize};

use super::{Aberration, LayerErrors};
use crate::device::noise;
use crate::optics::{Angle, Length, zernike};

/// Random numbers of drift are keyed by steps from here on.
const DRIFT_STEPS: u64 = 1 << 52;
/// First word of the numbers of the modulator's and the camera's wavefront; Noll indices are below 1000.
const MODULATOR: u32 = 1000;
const CAMERA: u32 = 2000;

/// Parameters that move. What stands here is added to the errors of a layer, each layer its own way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drift {
    /// Bench steps between two states of the bench; in between it stands still.
    pub every: u64,
    /// Whether all layers move alike: one device that is used once per layer.
    pub common: bool,
    /// More bench steps at which masks are tested; they are at step 0 and after every epoch of the third stage anyway.
    pub tested_at: Vec<u64>,
    /// Highest Noll index of wavefronts that move; the first is 4.
    pub terms: usize,
    /// Camera against modulator, along x and along y; `amplitude` in a direction drawn for each layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift: Option<Motion<Length>>,
    /// Distance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axial: Option<Motion<Length>>,
    /// Rotation of the mask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll: Option<Motion<Angle>>,
    /// Phase range of the modulator, units of 2 pi.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<Motion<f64>>,
    /// Exponent of the phase response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma: Option<Motion<f64>>,
    /// Wavefront of the modulator, radians rms over the enclosing circle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modulator_aberration: Option<Motion<f64>>,
    /// Wavefront on the camera's side, likewise. One-sided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_aberration: Option<Motion<f64>>,
}

/// How one parameter moves; the two parts add.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, bound = "T: Serialize + for<'a> Deserialize<'a>")]
pub struct Motion<T> {
    /// A random walk: its rms after `steps` bench steps. It grows as the root of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walk: Option<T>,
    /// An exponential relaxation, such as a bench that warms up: where it ends. A share `1 - exp(-step / steps)` is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amplitude: Option<T>,
    /// Time constant, bench steps.
    pub steps: f64,
}

impl<T> Default for Motion<T> {
    fn default() -> Self {
        Self { walk: None, amplitude: None, steps: 1000.0 }
    }
}

impl Default for Drift {
    fn default() -> Self {
        Self {
            every: 50,
            common: false,
            tested_at: Vec::new(),
            terms: 28,
            shift: None,
            axial: None,
            roll: None,
            range: None,
            gamma: None,
            modulator_aberration: None,
            camera_aberration: None,
        }
    }
}

/// A motion in SI units: rms of the walk, end of the relaxation, time constant.
type Plain = (f64, f64, f64);

impl<T: Copy> Motion<T> {
    fn plain(&self, number: impl Fn(T) -> f64) -> Plain {
        (self.walk.map_or(0.0, &number), self.amplitude.map_or(0.0, &number), self.steps)
    }
}

/// The way of a layer up to a bench step.
struct Way {
    seed: u64,
    layer: u32,
    /// States of the bench since step 0, and steps between two.
    states: u64,
    every: f64,
}

impl Way {
    fn normal(&self, state: u64, channel: u32) -> f64 {
        let key = noise::step_key(self.seed, DRIFT_STEPS + state);
        f64::from(noise::normals(key, channel, self.layer, 0)[0])
    }

    fn walked(&self, (rms, _, steps): Plain, channel: u32) -> f64 {
        if rms == 0.0 {
            return 0.0;
        }
        let sum: f64 = (1..=self.states).map(|state| self.normal(state, channel)).sum();
        rms * (self.every / steps).sqrt() * sum
    }

    fn relaxed(&self, (_, amplitude, steps): Plain) -> f64 {
        amplitude * -(-(self.states as f64) * self.every / steps).exp_m1()
    }

    fn moved(&self, motion: Plain, channel: u32) -> f64 {
        self.walked(motion, channel) + self.relaxed(motion)
    }

    fn shift(&self, motion: Plain) -> [f64; 2] {
        let [x, y] = [1, 2].map(|channel| self.normal(0, channel));
        let (far, length) = (self.relaxed(motion), x.hypot(y));
        [self.walked(motion, 1) + far * x / length, self.walked(motion, 2) + far * y / length]
    }

    /// Zernike terms that fall as `1/n`, as in [`zernike::random_wavefront`].
    fn wavefront(&self, motion: Plain, terms: usize, first: u32) -> Vec<(usize, f64)> {
        let orders: Vec<_> = (4..=terms).filter_map(|j| Some((j, zernike::noll(j).ok()?.0 as f64))).collect();
        let norm = orders.iter().map(|(_, n)| 1.0 / (n * n)).sum::<f64>().sqrt();
        let (rms, amplitude, steps) = motion;
        let far = self.relaxed((0.0, amplitude, steps));
        let drawn: Vec<f64> = orders.iter().map(|(j, n)| self.normal(0, first + *j as u32) / n).collect();
        let length = drawn.iter().map(|c| c * c).sum::<f64>().sqrt();
        let one = |(&(j, n), c): (&(usize, f64), &f64)| {
            (j, self.walked((rms / (n * norm), 0.0, steps), first + j as u32) + far * c / length)
        };
        orders.iter().zip(&drawn).map(one).collect()
    }
}

impl Drift {
    /// Every motion under its key, in SI units.
    pub(crate) fn motions(&self) -> Vec<(&'static str, f64, f64, f64)> {
        let number = |v: f64| v;
        let all = [
            ("shift", self.shift.map(|m| m.plain(|l| l.0))),
            ("axial", self.axial.map(|m| m.plain(|l| l.0))),
            ("roll", self.roll.map(|m| m.plain(|a| a.0))),
            ("range", self.range.map(|m| m.plain(number))),
            ("gamma", self.gamma.map(|m| m.plain(number))),
            ("modulator_aberration", self.modulator_aberration.map(|m| m.plain(number))),
            ("camera_aberration", self.camera_aberration.map(|m| m.plain(number))),
        ];
        all.into_iter().filter_map(|(key, m)| m.map(|(walk, end, steps)| (key, walk, end, steps))).collect()
    }

    /// The state of the bench that a step falls into, from 0.
    pub fn state(&self, step: u64) -> u64 {
        step / self.every.max(1)
    }

    /// Whether hops differ from layer to layer once the bench has moved.
    pub fn moves_hops(&self) -> bool {
        self.shift.is_some() || self.axial.is_some()
    }

    /// The errors of a layer (from 1) at a bench step. What moves is there at step 0 as well, if only as a zero, so that
    /// systems of all steps have the same structure. Range and gamma come as `(range, gamma)` when one of them moves.
    pub fn at(
        &self,
        base: LayerErrors,
        layer: usize,
        step: u64,
        seed: u64,
    ) -> (LayerErrors, Option<[f64; 2]>) {
        let layer = if self.common { 0 } else { layer as u32 };
        let way = Way { seed, layer, states: self.state(step), every: self.every as f64 };
        let mut now = base;
        if let Some(m) = &self.shift {
            let (moved, was) = (way.shift(m.plain(|l| l.0)), now.shift.unwrap_or_default());
            now.shift = Some([0, 1].map(|k| Length(was[k].0 + moved[k])));
        }
        if let Some(m) = &self.axial {
            now.axial = Some(Length(now.axial.map_or(0.0, |a| a.0) + way.moved(m.plain(|l| l.0), 3)));
        }
        if let Some(m) = &self.roll {
            let angle = now.roll.map_or(0.0, |a| a.0) + way.moved(m.plain(|a| a.0), 4);
            now.roll = Some(Angle(if angle == 0.0 { f64::MIN_POSITIVE } else { angle }));
        }
        let number = |m: &Option<Motion<f64>>, channel| m.map_or(0.0, |m| way.moved(m.plain(|v| v), channel));
        let response = (self.range.is_some() || self.gamma.is_some()).then(|| {
            let (range, gamma) = (now.range.unwrap_or(1.0), now.gamma.unwrap_or(1.0));
            [range + number(&self.range, 5), gamma + number(&self.gamma, 6)]
        });
        let sides = [
            (&self.modulator_aberration, &mut now.modulator_aberration, MODULATOR),
            (&self.camera_aberration, &mut now.camera_aberration, CAMERA),
        ];
        for (motion, side, first) in sides {
            if let Some(m) = motion {
                let was = side.get_or_insert_with(Aberration::default);
                was.zernike.extend(way.wavefront(m.plain(|v| v), self.terms, first));
            }
        }
        (now, response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(drift: &Drift, layer: usize, step: u64, seed: u64) -> LayerErrors {
        drift.at(LayerErrors::default(), layer, step, seed).0
    }

    #[test]
    fn a_walk_has_its_rms_after_its_steps_whatever_the_grid() {
        for every in [10, 50] {
            let motion = Motion { walk: Some(Length(1e-6)), steps: 200.0, ..Motion::default() };
            let drift = Drift { every, shift: Some(motion), ..Drift::default() };
            let rms = |step| {
                let n = 2000;
                let squares =
                    (0..n).map(|seed| at(&drift, 1, step, seed).shift.unwrap_or_default()[0].0.powi(2));
                (squares.sum::<f64>() / n as f64).sqrt()
            };
            // 2000 walks: the rms is known to 1.6 % (one standard error).
            assert!((rms(200) / 1e-6 - 1.0).abs() < 0.06, "{}", rms(200));
            assert!((rms(800) / 2e-6 - 1.0).abs() < 0.06, "{}", rms(800));
            assert_eq!(rms(0), 0.0);
        }
    }

    #[test]
    fn a_walk_goes_on_from_where_it_was_and_stands_still_in_between() {
        let motion = Motion { walk: Some(Length(1e-3)), steps: 10.0, ..Motion::default() };
        let drift = Drift { every: 10, axial: Some(motion), ..Drift::default() };
        let axial = |layer, step| at(&drift, layer, step, 3).axial.map_or(f64::NAN, |a| a.0);
        assert_eq!(axial(1, 10), axial(1, 19));
        let moves: Vec<f64> = (0..50).map(|k| axial(1, 10 * k + 10) - axial(1, 10 * k)).collect();
        let rms = (moves.iter().map(|m| m * m).sum::<f64>() / 50.0).sqrt();
        assert!((rms / 1e-3 - 1.0).abs() < 0.3, "{rms}");
        assert_ne!(axial(1, 10), axial(2, 10));
        let common = Drift { common: true, ..drift.clone() };
        assert_eq!(at(&common, 1, 10, 3), at(&common, 2, 10, 3));
    }

    #[test]
    fn a_relaxation_ends_at_its_amplitude() {
        let text = "every = 1\nshift = { amplitude = '8 um', steps = 100 }\nrange = { amplitude = -0.2, steps = 100 }\n\
                    modulator_aberration = { amplitude = 0.5, steps = 100 }";
        let drift: Drift = toml::from_str(text).unwrap();
        let base = LayerErrors { range: Some(0.9), ..LayerErrors::default() };
        let far = |step| {
            let (e, response) = drift.at(base.clone(), 2, step, 1);
            let [x, y] = e.shift.unwrap_or_default();
            let rms =
                e.modulator_aberration.unwrap_or_default().zernike.iter().map(|z| z.1 * z.1).sum::<f64>();
            [x.0.hypot(y.0) / 8e-6, (0.9 - response.unwrap_or_default()[0]) / 0.2, rms.sqrt() / 0.5]
        };
        for (step, share) in [(0, 0.0), (100, 1.0 - (-1.0_f64).exp()), (4000, 1.0)] {
            assert!(far(step).iter().all(|v| (v - share).abs() < 1e-12), "{:?}", far(step));
        }
    }
}
