//! Experiments: one file per kind; settings in, run folder out.

mod merge;

pub use merge::{SettingsError, read_text, settings};
