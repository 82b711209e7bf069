//! Classification: train in silico, deploy on the imperfect twin, train there by fully forward mode, compare.

mod analysis;
mod document;
mod drift;
mod files;
mod programs;
mod retest;
mod saved;
mod stages;
mod starts;
mod summary;

pub(crate) use files::best_name;
pub use programs::error_pass;
pub use retest::{Retested, retest, retest_elsewhere};
pub(crate) use saved::{load_best, load_checkpoint};
pub use stages::{Classification, Ended, Watch, classify};
pub use starts::start_state;
pub use summary::{Course, Likeness, Shares, Summary, Trainings};
