//! Images with labels: the built-in pen strokes, MNIST and its kin, folders of pictures.

mod catalog;
mod error;
mod fetch;
mod folder;
mod idx;
mod info;
mod manifest;
mod strokes;

pub use catalog::{DataSet, Known, Limits, known, load};
pub use error::DataError;
pub use fetch::{Fetched, fetch};
pub use info::{Info, info};
