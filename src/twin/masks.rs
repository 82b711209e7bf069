//! `[masks]`: what is trained of every layer, and what it starts from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::errors::{ConfigError, value};
use crate::engine::MaskKind;

/// `[masks]`: phase masks, all trained, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MasksConfig {
    /// What the masks set: `phase`, `amplitude` or `complex`.
    pub kind: MaskKind,
    /// Layers that differ, by number from 1: `[masks.layer.2]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub layer: BTreeMap<String, LayerMask>,
}

/// `[masks.layer.N]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerMask {
    /// What this mask sets; default: `masks.kind`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<MaskKind>,
    /// Whether it is trained. If not, it stays as it starts.
    pub trainable: bool,
    /// Phases it starts from: an .npy file, radians, of the layer's size; default: as `train.start` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Amplitude transmissions it starts from: the same, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amplitude_file: Option<String>,
}

impl Default for LayerMask {
    fn default() -> Self {
        Self { kind: None, trainable: true, file: None, amplitude_file: None }
    }
}

impl MasksConfig {
    /// The settings of a layer (from 1).
    pub fn of(&self, number: usize) -> LayerMask {
        self.layer.get(&number.to_string()).cloned().unwrap_or_default()
    }

    /// What the mask of a layer (from 1) sets.
    pub fn kind_of(&self, number: usize) -> MaskKind {
        self.of(number).kind.unwrap_or(self.kind)
    }

    /// Refuses settings of layers that are not there, files of what a mask does not set, and masks that are all frozen.
    pub(super) fn check(&self, layers: usize) -> Result<(), ConfigError> {
        for (number, layer) in &self.layer {
            // The number must be written as it is looked up: "02" or "+2" would be no layer's.
            let meant = |n: &usize| (1..=layers).contains(n) && n.to_string() == *number;
            let Some(n) = number.parse().ok().filter(meant) else {
                return Err(value("masks.layer", number, format!("there are layers 1 to {layers}")));
            };
            let kind = self.kind_of(n);
            for (key, file, has) in [
                ("file", &layer.file, kind.has_phase()),
                ("amplitude_file", &layer.amplitude_file, kind.has_amplitude()),
            ] {
                if let Some(file) = file.as_ref().filter(|_| !has) {
                    let key = format!("masks.layer.{n}.{key}");
                    let problem = match kind {
                        MaskKind::Phase => {
                            "the mask sets phases only; leave it out, or use kind = \"complex\""
                        }
                        _ => "the mask sets amplitudes only; use amplitude_file, or kind = \"complex\"",
                    };
                    return Err(value(key, file, problem));
                }
            }
        }
        match (1..=layers).any(|n| self.of(n).trainable) {
            true => Ok(()),
            false => {
                let problem = "no layer is left to be trained; leave one trainable at least";
                Err(value("masks.layer.*.trainable", false, problem))
            }
        }
    }
}
