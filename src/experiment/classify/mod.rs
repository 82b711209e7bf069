//! Classification: train in silico, deploy on the imperfect twin, train there by fully forward mode, compare.

mod analysis;
mod document;
mod drift;
mod files;
mod stages;
mod summary;

pub use stages::{Classification, Ended, Retested, Watch, classify, error_pass, retest};
pub use summary::{Course, Likeness, Shares, Summary, Trainings};
