//! Systems, methods and whole training runs. One program, because each builds the generic engine anew.

#[path = "../common/mod.rs"]
mod common;

mod bits;
mod distances;
mod drift;
mod methods;
mod runs;
mod twin;
mod wavelengths;
