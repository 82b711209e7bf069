//! The program as its users meet it: the real binary in fresh folders, its messages, files and exit codes.

mod bench;
mod bits;
mod calibrate;
mod calibration;
mod checkpoints;
mod export;
mod fields;
mod fields_twin;
mod fleet;
mod images;
mod interrupt;
mod lab;
mod masks;
mod measure;
mod methods;
mod propagate;
mod recompute;
mod report;
mod settings;
mod study;
mod support;
mod tools;
mod train;
mod wavelengths;
