//! The two engines against plain formulas and against each other. One program, because each builds the generic engine anew.

#[path = "../common/mod.rs"]
mod common;

mod activation;
mod cpu;
mod fleet;
mod gpu;
mod gpu_cache;
mod gpu_profile;
mod gpu_traffic;
mod lost;
mod masks;
mod recompute;
mod store;
