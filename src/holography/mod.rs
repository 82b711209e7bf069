//! From frames to complex fields: phase shifting, off-axis holography, removal of the reference's tilt and curvature, and the
//! search for the distance at which a field is sharp.

mod error;
mod flatten;
mod fresnel;
mod off_axis;
mod phase_shift;
mod refocus;
mod sharpness;
mod steps;

pub use error::HolographyError;
pub use flatten::{Ramp, flatten};
pub use fresnel::{Fresnel, fresnel};
pub use off_axis::{OffAxis, SideBand, off_axis};
pub use phase_shift::{PhaseShifted, known_steps, unknown_steps};
pub use refocus::{Focus, Search, refocus};
pub use sharpness::{Best, Metric};
pub(crate) use steps::apart;
