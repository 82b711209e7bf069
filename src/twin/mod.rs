//! The optical system: ideal or imperfect layers, compiled to a program of arrays that an engine runs.

mod activation;
mod compile;
mod config;
mod detectors;
mod drift;
mod errors;
mod hops;
mod limits;
mod loss;
mod masks;
mod memory;
mod modulator;
mod pair;
mod pieces;
pub mod plausible;
mod system;

pub use activation::ActivationConfig;
pub use compile::{ErrorPass, Lengths, Misalignment, Registration};
pub use config::{
    DetectorConfig, EncodingConfig, ErrorPath, HardwareConfig, HardwareKind, InputConfig, Layout,
    OpticsConfig, SourceConfig, SystemConfig,
};
pub use detectors::Region;
pub use errors::ConfigError;
pub(crate) use limits::check as check_layer;
pub use loss::LossConfig;
pub use masks::{LayerMask, MasksConfig};
pub use pair::Pair;
pub use pieces::LayerParts;
pub use system::System;
