//! `ffm-twin`: a digital twin of optical neural networks, trained by fully forward mode learning.
//!
//! Rooms, each depending only on those below it:
//!
//! | room | what it holds |
//! |---|---|
//! | [`cli`] | arguments, progress, exit codes; the only place that prints |
//! | [`experiment`] | one file per kind of experiment: config in, run folder out |
//! | [`report`] | the self-contained HTML report |
//! | [`lab`] | the virtual laboratory: measurements of a hidden truth |
//! | [`train`] | methods, optimisers, schedules, checkpoints |
//! | [`calibrate`] | imperfections of a set-up and how they are drawn and injected |
//! | [`measure`] | measured frames and what was shown when they were recorded |
//! | [`holography`] | fields from frames: phase shifting, off-axis, refocusing |
//! | [`twin`] | the optical system, compiled to arrays |
//! | [`engine`] | runs compiled systems on batches, on the CPU or the GPU |
//! | [`optics`], [`device`] | formulas in `f64`: propagation, sources, Zernike; modulators and cameras |
//! | [`data`], [`io`], [`metrics`] | data sets; files; SSIM, accuracy, cosines |
//!
//! Symbols, signs and equations are fixed in `docs/physics.md`.

pub mod calibrate;
pub mod cli;
pub mod data;
pub mod device;
pub mod engine;
pub mod experiment;
pub mod holography;
pub mod io;
pub mod lab;
pub mod measure;
pub mod metrics;
mod numeric;
pub mod optics;
pub mod report;
pub mod train;
pub mod twin;
