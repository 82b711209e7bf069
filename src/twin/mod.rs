//! The optical system: ideal or imperfect layers, compiled to a program of arrays that an engine runs.

mod compile;
mod config;
mod detectors;
mod errors;
mod limits;
mod memory;
mod modulator;
mod pair;

pub use compile::{ErrorPass, Lengths, Misalignment, Registration, System};
pub use config::{
    DetectorConfig, EncodingConfig, ErrorPath, HardwareConfig, HardwareKind, InputConfig, Layout, LossConfig,
    OpticsConfig, SourceConfig, SystemConfig,
};
pub use detectors::Region;
pub use errors::ConfigError;
pub use pair::Pair;
