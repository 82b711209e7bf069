//! How single devices answer: the phase of a modulator's gray values, and what a camera's counts mean.
//!
//! | from | by |
//! |---|---|
//! | intensity of a diffraction order of a binary grating | [`from_order`]: `sin^2(phase / 2)`, unfolded |
//! | fringes of two regions that interfere | [`from_fringes`]: the phase of their carrier |
//! | whole frames of a sweep, at whatever distance | [`from_frames`]: phase steps that are not known, solved for with the field |
//! | pairs of evenly lit frames | [`photon_transfer`] |

mod cubics;
mod curve;
mod error;
mod frames;
mod fringes;
mod linear;
mod measured;
mod order;
mod table;
mod transfer;

pub(crate) use cubics::cubic;
pub use error::ResponseError;
pub use frames::from_frames;
pub use fringes::from_fringes;
pub use measured::{LayerTable, camera, sweeps};
pub use order::{Levels, Order, from_order};
pub use table::{How, PhaseTable, Power};
pub use transfer::{Estimated, FlatPair, PhotonTransfer, photon_transfer};
