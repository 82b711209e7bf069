//! The `[loss]` table.

use serde::{Deserialize, Serialize};

/// Inverse temperature where none is given.
const SCALE: f64 = 20.0;
/// Target intensity where none is given.
const TARGET: f64 = 5.0;

/// `[loss]`: what is minimised. Without a kind it is cross-entropy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", try_from = "Table")]
pub enum LossConfig {
    /// Softmax cross-entropy of scaled detector scores.
    CrossEntropy {
        /// Inverse temperature.
        scale: f64,
        /// Weight of the share of the input's light that misses the detectors; 0: no such term.
        efficiency: f64,
        /// Share of the target that all classes have alike; 0: the label has it all.
        smoothing: f64,
        /// What the label's score must be ahead of the others; 0: nothing.
        margin: f64,
    },
    /// Mean squared error to a bright region of the label. The target is an absolute intensity, so that light that misses the
    /// detectors is an error already.
    Mse {
        /// Target intensity in the label's region, in units of the mean input intensity.
        target: f64,
    },
}

impl Default for LossConfig {
    fn default() -> Self {
        Self::CrossEntropy { scale: SCALE, efficiency: 0.0, smoothing: 0.0, margin: 0.0 }
    }
}

/// The table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    kind: Kind,
    scale: Option<f64>,
    efficiency: Option<f64>,
    smoothing: Option<f64>,
    margin: Option<f64>,
    target: Option<f64>,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[default]
    CrossEntropy,
    Mse,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "cross-entropy",
            Self::Mse => "mse",
        }
    }
}

impl TryFrom<Table> for LossConfig {
    type Error = String;

    fn try_from(t: Table) -> Result<Self, String> {
        let given = [
            ("scale", t.scale, Kind::CrossEntropy),
            ("efficiency", t.efficiency, Kind::CrossEntropy),
            ("smoothing", t.smoothing, Kind::CrossEntropy),
            ("margin", t.margin, Kind::CrossEntropy),
            ("target", t.target, Kind::Mse),
        ];
        if let Some((key, _, kind)) = given.into_iter().find(|(_, v, kind)| v.is_some() && *kind != t.kind) {
            let (needs, has) = (kind.name(), t.kind.name());
            return Err(format!("`{key}` belongs to kind = {needs:?}, but the kind is {has:?}"));
        }
        Ok(match t.kind {
            Kind::CrossEntropy => Self::CrossEntropy {
                scale: t.scale.unwrap_or(SCALE),
                efficiency: t.efficiency.unwrap_or(0.0),
                smoothing: t.smoothing.unwrap_or(0.0),
                margin: t.margin.unwrap_or(0.0),
            },
            Kind::Mse => Self::Mse { target: t.target.unwrap_or(TARGET) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LossConfig, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn every_key_is_read_and_reads_back() {
        for (text, expected) in [
            ("", LossConfig::default()),
            (
                "scale = 8.0",
                LossConfig::CrossEntropy { scale: 8.0, efficiency: 0.0, smoothing: 0.0, margin: 0.0 },
            ),
            (
                "kind = 'cross-entropy'\nefficiency = 0.3\nsmoothing = 0.1\nmargin = 0.2",
                LossConfig::CrossEntropy { scale: 20.0, efficiency: 0.3, smoothing: 0.1, margin: 0.2 },
            ),
            ("kind = 'mse'", LossConfig::Mse { target: 5.0 }),
            ("kind = 'mse'\ntarget = 2", LossConfig::Mse { target: 2.0 }),
        ] {
            let found = read(text).unwrap();
            assert_eq!(found, expected, "{text}");
            assert_eq!(read(&toml::to_string(&found).unwrap()).unwrap(), expected);
        }
    }

    #[test]
    fn keys_of_the_other_kind_and_unknown_ones_are_named() {
        for (text, says) in [
            ("target = 3", "`target` belongs to kind = \"mse\", but the kind is \"cross-entropy\""),
            ("kind = 'mse'\nefficiency = 0.1", "`efficiency` belongs to kind = \"cross-entropy\""),
            ("kind = 'hinge'", "hinge"),
            ("scal = 3", "scale"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(says), "{text}: {message}");
        }
    }
}
