//! Files: every write goes to a temporary name first, every read checks what it reads.

mod atomic;
mod counts;
mod environment;
mod error;
mod npy;
mod picture;
mod records;
mod rundir;
mod settings;
pub mod tensors;
mod unpack;

pub use atomic::{check_writable, write_atomic};
pub use counts::read_counts;
pub use environment::{COMMIT, environment_json, system};
pub use error::IoError;
pub use npy::{read_field, read_real, write_field, write_real};
pub use picture::{amplitude_bitmap, modulator_bitmap, png_gray8, read_gray};
pub use records::Records;
pub use rundir::RunDir;
pub use settings::{SettingsError, read_text, settings};
