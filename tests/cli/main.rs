//! The program as its users meet it: the real binary in fresh folders, its messages, files and exit codes.

mod bench;
mod bits;
mod calibrate;
mod checkpoints;
mod fleet;
mod images;
mod interrupt;
mod masks;
mod methods;
mod propagate;
mod recompute;
mod settings;
mod study;
mod support;
mod tools;
mod train;
mod wavelengths;
