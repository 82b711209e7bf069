//! The virtual laboratory, predicted frames, fits, and really measured optics. One program, because each builds the generic engine anew.

mod fits;
mod lab;
mod measured_caustic;
mod measured_field;
mod measured_holograms;
mod predict;
mod range_map;
mod response;
mod support;
mod table;
mod uneven;
mod wavefront;
