//! Frames beside what is held against them: figures, pictures, maps of similarity, cuts.

mod compare;
mod model;
mod page;
mod table;

pub use compare::{compare, compare_field};
pub use model::{Figures, LikenessReport, Rival, Sample};
pub use page::render_likeness;
pub use table::{likeness_csv, likeness_text, totals};

#[cfg(test)]
mod tests;
