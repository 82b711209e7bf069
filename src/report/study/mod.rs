//! What a study of many runs has to say: tables for the terminal and for Markdown, charts, a self-contained HTML page.

mod model;
mod page;
mod table;

pub use model::{Chart, Curve, Plate, Point, StudyReport, Table};
pub(in crate::report) use page::{ChartView, chart_view};
pub use page::{chart_svg, render_study};
pub use table::{study_markdown, study_text};

#[cfg(test)]
mod sample;
