//! GPU
mod adapters;
mod context;
mod fft;
mod geometry;
mod kernel;
mod params;
mod plan;
mod template;
pub use adapters::{AdapterSummary, Selection, adapters};
pub use kernel::{Kernel, Stage, dump};
pub use plan::{LineOrder, Plan, WorkgroupLimits};
pub use template::{Access, Binding};
#[cfg(test)]
mod tests;
