//! The GPU engine: wgpu compute shaders. The only place that names wgpu.
//!
//! A training step is one submission of fused passes over arrays that stay on the device:
//!
//! | pass | what it does |
//! |---|---|
//! | `row_first` | encode the image, times mask, FFT along x |
//! | `column` | FFT along y, times `H`, inverse FFT along y; once a hop |
//! | `row_middle` | inverse FFT along x, camera, record `U_l`, times mask, FFT along x |
//! | `row_last` | inverse FFT along x, camera, record `U_L`, detector sums |
//! | `loss`, `tally` | scores, loss, weights of the error source; running sums |
//! | `error_first` | `g = (dL/dI) conj(U_L)`, FFT along x |
//! | `error_row` | inverse FFT along x, camera, gradient, `e = M E`, FFT along x |
//! | `update`, `command`, `blur`, `mask` | gradient to phases, phases to masks |
//!
//! The texts are in `shaders/`, one file a pass; [`Kernel`] joins them with the line FFT written for a length.

mod adapters;
mod batch;
mod cache;
mod context;
mod engine;
mod faults;
mod fft;
mod geometry;
mod inventory;
mod kernel;
mod layout;
mod params;
mod pass;
mod plan;
mod profile;
mod radices;
mod run;
mod schedule;
mod sheet;
mod template;
mod timing;
mod traffic;
mod upload;
mod validate;

#[cfg(test)]
mod tests;

pub(crate) use adapters::best_first;
pub use adapters::{AdapterSummary, Selection, adapters};
pub use cache::KernelCache;
pub use engine::{GpuEngine, GpuOptions};
pub use kernel::{Kernel, Stage, dump};
pub use plan::{LineOrder, NoPlan, Plan, WorkgroupLimits};
pub use profile::{PassTime, Profile};
pub use template::{Access, Binding};
pub use traffic::PassTraffic;
