//! The physics that the optics room must show: operators, beams, diffraction patterns, sampling, digits of a phase.
//!
//! Every test compares with a closed form, an identity, or numbers of another program. `docs/physics.md` lists which
//! test shows which property.

mod beams;
mod diffraction;
mod double_double;
mod golden;
mod gradient;
mod methods;
mod operators;
mod precision;
mod special;
mod support;
