//! The caustic of a beam: its radius plane by plane, and from that waist, position, divergence and beam quality.
//!
//! * radius of a plane: [`gaussian_spot`] (least squares, with a tilted background) and [`second_moments`] (ISO 11146);
//! * [`fit`]: `W(z) = w0 sqrt(1 + ((z - z0) M^2 lambda / (pi w0^2))^2)` with its covariance;
//! * [`Beam::frame`]: what a camera sees of the fitted beam. A Gaussian Schell-model beam has this caustic and keeps a Gaussian
//!   profile (Friberg & Sudol, Opt. Commun. 41, 383 (1982)), whatever its `M^2`.

mod hyperbola;
mod least_squares;
mod moments;
mod spot;

pub use hyperbola::{Beam, Caustic, fit};
pub use moments::second_moments;
pub use spot::{Spot, gaussian_spot};

/// A caustic that cannot be found.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CausticError {
    /// A frame without a beam.
    #[error("no beam: {problem}")]
    NoBeam {
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Planes from which no caustic follows.
    #[error("caustic: {problem}")]
    Planes {
        /// What is wrong, and what to do.
        problem: String,
    },
}
