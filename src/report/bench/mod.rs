//! What a benchmark has to say: tables for the terminal, and a self-contained HTML page with charts.

mod model;
mod page;
mod table;

pub use model::{BenchCase, BenchDevice, BenchReport, PassLine, Profile, Timing, Work};
pub use page::render_bench;
pub use table::bench_tables;

#[cfg(test)]
mod sample;
