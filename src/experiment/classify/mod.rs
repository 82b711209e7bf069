//! Classification: train in silico, deploy on the imperfect twin, train there by fully forward mode, compare.

mod analysis;
mod document;
mod drift;
mod files;
mod stages;
mod starts;
mod summary;

pub(crate) use files::best_name;
pub use stages::{Classification, Ended, Retested, Watch, classify, error_pass, retest};
pub use starts::start_state;
pub use summary::{Course, Likeness, Shares, Summary, Trainings};
