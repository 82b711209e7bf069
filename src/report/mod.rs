//! What a run has to say: a self-contained HTML page, and a table for the terminal.
//!
//! An experiment fills a [`ClassificationReport`]; [`render_classification`] turns it into one offline HTML file with
//! charts as SVG and pictures as embedded PNG, [`text_table`] and [`markdown_table`] into its short form. Markup lives
//! in `assets/templates`; the code here computes numbers and geometry.

pub mod bench;
mod boxed;
pub mod colour;
mod error;
mod format;
pub mod likeness;
mod lines;
mod matrix;
mod measure;
mod model;
mod page;
mod picture;
mod plates;
mod scores;
mod setup;
pub mod study;
mod summary;
mod table;
mod ticks;
mod validate;

pub use error::ReportError;
pub(crate) use format::{duration, grouped, percent, points, significant};
pub use measure::{measurement_table, render_measurement};
pub use model::{
    ClassificationReport, Detector, DriftPoint, Epoch, Example, Fact, Fidelity, History, Imperfection,
    LayerMasks, Optics, Output, Training,
};
pub use page::render_classification;
pub use picture::{Picture, PictureKind};
pub use table::{markdown_table, text_table};

#[cfg(test)]
mod sample;
