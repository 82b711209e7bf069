//! The methods that are compared: what each is, what it asks of the hardware, and what it costs there.

use serde::{Deserialize, Serialize};

use crate::twin::{ConfigError, ErrorPath, HardwareKind, SystemConfig};

/// How the gradient is obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Exact adjoint of the ideal model.
    InSilico,
    /// Fully forward mode on the (imperfect) system: data and error both travel forward, measured fields are multiplied.
    Ffm,
    /// Data through the imperfect system, error through the ideal model.
    PhysicsAware,
    /// Light that really runs backwards through the imperfect system.
    InSituBackprop,
    /// Fully forward mode with fields corrected for the measured one-sided errors.
    FfmRegistered,
    /// Exact adjoint of a model whose misalignment is drawn anew all the time.
    InSilicoRobust,
    /// Losses of two randomly perturbed forward passes.
    Spsa,
    /// Exact adjoint of the imperfect twin itself, without noise: a calibration that knows everything, once.
    InSilicoCalibrated,
}

/// Optical work of one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Passes {
    /// Fields that are loaded and illuminated.
    pub loads: u64,
    /// Fields that a camera measures.
    pub fields: u64,
    /// Measurements one after the other: in a cascade all planes are measured at once.
    pub exposures: u64,
}

impl std::ops::Add for Passes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            loads: self.loads + other.loads,
            fields: self.fields + other.fields,
            exposures: self.exposures + other.exposures,
        }
    }
}

/// A line of the table of methods.
#[derive(Clone, Debug, Serialize)]
pub struct MethodFacts {
    /// Value of `train.method`; `in-silico` leaves out the third stage of a run, the first being that already.
    pub name: &'static str,
    /// In words.
    pub title: &'static str,
    /// The gradient, in the symbols of `docs/physics.md`.
    pub equation: &'static str,
    /// Where it was published.
    pub source: &'static str,
    /// What it needs.
    pub needs: &'static str,
    /// Optical work of a sample and update, `layers` layers, with `reload` hardware.
    pub reload: Passes,
    /// The same in a `cascade`; `None` where it cannot be done.
    pub cascade: Option<Passes>,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 8] = [
        Self::InSilico,
        Self::Ffm,
        Self::PhysicsAware,
        Self::InSituBackprop,
        Self::FfmRegistered,
        Self::InSilicoRobust,
        Self::Spsa,
        Self::InSilicoCalibrated,
    ];

    /// The name in configuration and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::InSilico => "in-silico",
            Self::Ffm => "ffm",
            Self::PhysicsAware => "physics-aware",
            Self::InSituBackprop => "in-situ-backprop",
            Self::FfmRegistered => "ffm-registered",
            Self::InSilicoRobust => "in-silico-robust",
            Self::Spsa => "spsa",
            Self::InSilicoCalibrated => "in-silico-calibrated",
        }
    }

    /// The name at the head of a column.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ffm => "FFM",
            Self::FfmRegistered => "FFM registered",
            Self::InSituBackprop => "in-situ backprop",
            Self::InSilicoRobust => "robust in silico",
            Self::Spsa => "SPSA",
            Self::InSilicoCalibrated => "calibrated",
            Self::InSilico | Self::PhysicsAware => self.name(),
        }
    }

    /// In words, as after "trained by".
    pub fn title(self) -> &'static str {
        match self {
            Self::InSilico => "the exact adjoint of the ideal model",
            Self::Ffm => "fully forward mode",
            Self::PhysicsAware => "physics-aware training",
            Self::InSituBackprop => "in-situ backpropagation",
            Self::FfmRegistered => "registered fully forward mode",
            Self::InSilicoRobust => "in-silico training under random misalignment",
            Self::Spsa => "simultaneous perturbation",
            Self::InSilicoCalibrated => "in-silico training on the calibrated twin",
        }
    }

    /// Whether the imperfect system takes part in training.
    pub fn is_physical(self) -> bool {
        !matches!(self, Self::InSilico | Self::InSilicoRobust | Self::InSilicoCalibrated)
    }

    fn equation(self) -> &'static str {
        match self {
            Self::InSilico => "-2 Im(E V), model: E_l = T e_l, e_l-1 = M E_l, V = M U",
            Self::Ffm => "-2 Im(E V), measured: E_l = A T e_l, e_l-1 = M~ E_l, V = M~ U",
            Self::PhysicsAware => {
                "-2 Im(E V), U and g measured, E_l = T e_l, e_l-1 = M E_l, V = M U in the model"
            }
            Self::InSituBackprop => "-2 Im(E V), measured: E_l = T^T A e_l, e_l-1 = M~ E_l, V = M~ U",
            Self::FfmRegistered => {
                "-2 Im(E V), measured: E_l = A^-1 [A T S^-2 A e_l], e_l-1 = M~ E_l, V = M~ U"
            }
            Self::InSilicoRobust => "as in-silico, T and M of a random draw",
            Self::InSilicoCalibrated => "as in-silico, A, T and M~ of the calibrated twin",
            Self::Spsa => "(L(phi + c D) - L(phi - c D)) / (2 c) D, D = +1 or -1 at random",
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::InSilico | Self::InSilicoCalibrated => "Lin et al., Science 361, 1004 (2018)",
            Self::Ffm | Self::FfmRegistered => "Xue et al., Nature 632, 280 (2024)",
            Self::PhysicsAware => "Wright et al., Nature 601, 549 (2022)",
            Self::InSituBackprop => {
                "Zhou et al., Photonics Research 8, 940 (2020); Pai et al., Science 380, 398 (2023)"
            }
            Self::InSilicoRobust => "Mengu et al., Nanophotonics 9, 4207 (2020)",
            Self::Spsa => "Spall, IEEE Trans. Autom. Control 37, 332 (1992)",
        }
    }

    fn needs(self) -> &'static str {
        match self {
            Self::InSilico => "a model",
            Self::Ffm => "symmetric hops, complex fields measured and loaded",
            Self::PhysicsAware => "a model, complex fields measured",
            Self::InSituBackprop => "a source on the camera's side and a camera on the modulator's",
            Self::FfmRegistered => "as ffm, and a measured registration",
            Self::InSilicoRobust => "a model, limits of misalignment",
            Self::Spsa => "losses only",
            Self::InSilicoCalibrated => "a model, and every imperfection measured without error",
        }
    }

    /// Optical work of a sample and update.
    pub fn passes(self, layers: usize, kind: HardwareKind) -> Passes {
        let l = layers as u64;
        let one = match kind {
            HardwareKind::Reload => Passes { loads: l, fields: l, exposures: l },
            HardwareKind::Cascade => Passes { loads: 1, fields: l, exposures: 1 },
        };
        // The perturbed passes of a cascade are read at its end only.
        let blind = match kind {
            HardwareKind::Reload => one,
            HardwareKind::Cascade => Passes { fields: 1, ..one },
        };
        match self {
            Self::InSilico | Self::InSilicoRobust | Self::InSilicoCalibrated => Passes::default(),
            Self::PhysicsAware => one,
            Self::Ffm | Self::InSituBackprop | Self::FfmRegistered => one + one,
            Self::Spsa => blind + blind,
        }
    }

    /// Optical work of a test image.
    pub fn inference(layers: usize, kind: HardwareKind) -> Passes {
        match kind {
            HardwareKind::Reload => Self::PhysicsAware.passes(layers, kind),
            HardwareKind::Cascade => Passes { loads: 1, fields: 1, exposures: 1 },
        }
    }

    /// The line of the table for a network of `layers` layers.
    pub fn facts(self, layers: usize) -> MethodFacts {
        let possible = !matches!(self, Self::Ffm | Self::FfmRegistered);
        MethodFacts {
            name: self.name(),
            title: self.title(),
            equation: self.equation(),
            source: self.source(),
            needs: self.needs(),
            reload: self.passes(layers, HardwareKind::Reload),
            cascade: possible.then(|| self.passes(layers, HardwareKind::Cascade)),
        }
    }

    /// Refuses a method that a system cannot do.
    ///
    /// # Errors
    /// [`ConfigError::Value`] with the reason and what would make it possible.
    pub fn check(self, system: &SystemConfig) -> Result<(), ConfigError> {
        let hardware = &system.hardware;
        let refuse = |problem: &str| {
            let (key, value) = ("train.method".into(), self.name().into());
            Err(ConfigError::Value { key, value, problem: problem.into() })
        };
        match self {
            Self::Ffm | Self::FfmRegistered if hardware.kind == HardwareKind::Cascade => refuse(
                "error light that runs forward through masks in a row meets the first mask first, where the gradient needs the \
                 last; that is the same only in a device that is its own mirror image, which separately trained masks are not. \
                 Use hardware.kind = \"reload\", or method = \"in-situ-backprop\" or \"physics-aware\"",
            ),
            Self::FfmRegistered if hardware.error_path == ErrorPath::Through => refuse(
                "error light that passes the modulator's static errors is not registered by a correction of the camera's side; \
                 calibrate how fields are loaded and set hardware.error_path = \"bypass\"",
            ),
            Self::InSituBackprop if !hardware.bidirectional => refuse(
                "light has to run backwards, from a source and modulator on the camera's side to a camera on the modulator's, \
                 and this hardware has a camera on one side only; set hardware.bidirectional = true if yours has both",
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_are_counted_by_hand() {
        let of = |m: Method, kind| {
            let p = m.passes(4, kind);
            (p.loads, p.fields, p.exposures)
        };
        use HardwareKind::{Cascade, Reload};
        assert_eq!(of(Method::InSilicoRobust, Reload), (0, 0, 0));
        assert_eq!(of(Method::PhysicsAware, Reload), (4, 4, 4));
        assert_eq!(of(Method::Ffm, Reload), (8, 8, 8));
        assert_eq!(of(Method::InSituBackprop, Cascade), (2, 8, 2));
        assert_eq!(of(Method::Spsa, Reload), (8, 8, 8));
        assert_eq!(of(Method::Spsa, Cascade), (2, 2, 2));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_a_way_out() {
        let mut system = SystemConfig::default();
        let message = |m: Method, s: &SystemConfig| m.check(s).unwrap_err().to_string();
        assert!(message(Method::InSituBackprop, &system).contains("hardware.bidirectional = true"));
        system.hardware.bidirectional = true;
        assert!(Method::ALL.iter().all(|m| m.check(&system).is_ok()));
        system.hardware.error_path = ErrorPath::Through;
        assert!(message(Method::FfmRegistered, &system).contains("error_path = \"bypass\""));
        assert!(Method::Ffm.check(&system).is_ok());
        system.hardware.kind = HardwareKind::Cascade;
        for method in Method::ALL {
            let refused = matches!(method, Method::Ffm | Method::FfmRegistered);
            assert_eq!(method.check(&system).is_err(), refused, "{method:?}");
        }
        assert!(message(Method::Ffm, &system).contains("train.method = ffm: error light"));
    }

    #[test]
    fn names_are_those_of_the_file() {
        for method in Method::ALL {
            assert_eq!(serde_json::to_value(method).unwrap(), method.name());
            assert_eq!(method.facts(4).cascade.is_some(), method.check_cascade());
        }
    }

    impl Method {
        fn check_cascade(self) -> bool {
            let mut system = SystemConfig::default();
            (system.hardware.kind, system.hardware.bidirectional) = (HardwareKind::Cascade, true);
            self.check(&system).is_ok()
        }
    }
}
