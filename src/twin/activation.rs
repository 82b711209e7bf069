//! `[activation]`: what stands between two layers.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::errors::{ConfigError, value};
use crate::engine::{Activation, ActivationKind};
use crate::optics::Angle;

/// `[activation]`: the optoelectronic unit behind every layer but the last; formulas in [`Activation`]. Amplitudes are in
/// units of the rms of the loaded field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "kebab-case")]
pub enum ActivationConfig {
    /// The field passes on as it is.
    #[default]
    None,
    /// The intensity becomes the amplitude, the phase is lost.
    Intensity {
        /// Amplitude gain.
        #[serde(default = "one")]
        gain: f64,
    },
    /// A saturable absorber.
    Saturable {
        /// Amplitude gain.
        #[serde(default = "one")]
        gain: f64,
        /// Optical depth in the dark.
        #[serde(default = "default_depth")]
        depth: f64,
        /// Intensity at which the depth is half as large.
        #[serde(default = "one")]
        saturation: f64,
    },
    /// The amplitude less a threshold, the phase is kept.
    Relu {
        /// Amplitude gain.
        #[serde(default = "one")]
        gain: f64,
        /// Amplitude.
        #[serde(default = "default_threshold")]
        threshold: f64,
    },
    /// An interferometer driven by a part of the light (Williamson et al. 2020).
    ElectroOptic {
        /// Amplitude gain.
        #[serde(default = "one")]
        gain: f64,
        /// Share of the power that is detected.
        #[serde(default = "default_tap")]
        tap: f64,
        /// Phase for unit intensity.
        #[serde(default = "default_response")]
        response: Angle,
        /// Phase without light.
        #[serde(default = "default_bias")]
        bias: Angle,
    },
}

fn one() -> f64 {
    1.0
}

fn default_depth() -> f64 {
    2.0
}

fn default_threshold() -> f64 {
    0.5
}

fn default_tap() -> f64 {
    0.1
}

fn default_response() -> Angle {
    Angle(0.05 * PI)
}

fn default_bias() -> Angle {
    Angle(PI)
}

impl ActivationConfig {
    /// The activation in the engine's terms.
    ///
    /// # Errors
    /// Numbers out of range, with their key.
    pub(super) fn compile(&self) -> Result<Option<Activation>, ConfigError> {
        let (kind, gain) = match *self {
            Self::None => return Ok(None),
            Self::Intensity { gain } => (ActivationKind::Intensity, gain),
            Self::Saturable { gain, depth, saturation } => {
                (ActivationKind::Saturable { depth, saturation }, gain)
            }
            Self::Relu { gain, threshold } => (ActivationKind::Relu { threshold }, gain),
            Self::ElectroOptic { gain, tap, response, bias } => {
                (ActivationKind::ElectroOptic { tap, response: response.0, bias: bias.0 }, gain)
            }
        };
        let activation = Activation { kind, gain };
        match activation.out_of_range() {
            None => Ok(Some(activation)),
            Some((name, number, range)) => {
                Err(value(format!("activation.{name}"), number, format!("must be {range}")))
            }
        }
    }

    /// What it does, in a line.
    pub fn describe(&self) -> String {
        let (text, gain) = match *self {
            Self::None => return "none: linear".into(),
            Self::Intensity { gain } => ("intensity to amplitude".to_owned(), gain),
            Self::Saturable { gain, depth, saturation } => {
                (format!("saturable absorber, depth {depth}, saturation {saturation}"), gain)
            }
            Self::Relu { gain, threshold } => (format!("amplitude above {threshold}"), gain),
            Self::ElectroOptic { gain, tap, response, bias } => {
                let [response, bias] = [response.0, bias.0].map(|v| v / PI);
                (format!("electro-optic, tap {tap}, response {response:.3} π, bias {bias:.3} π"), gain)
            }
        };
        format!("{text}, gain {gain}, behind every layer but the last")
    }
}
