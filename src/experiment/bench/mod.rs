//! Benchmark: how fast devices propagate fields and train networks, over sizes, batches, layers and padding.

mod cases;
mod measure;
mod profile;

pub use cases::Settings;
pub use measure::{Measured, ROUNDS, Watch, bench};
pub use profile::profile;
