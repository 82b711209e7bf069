//! Why no field comes of these frames.

/// Frames or fields that cannot be used.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HolographyError {
    /// Too few frames for the unknowns of a pixel.
    #[error(
        "{frames} frames: background, cosine and sine of a pixel are three unknowns; record three phase steps or more"
    )]
    TooFew {
        /// Frames there are.
        frames: usize,
    },
    /// Frames of several sizes, or as many steps as there are not frames.
    #[error("frames and steps do not go together: {problem}")]
    Shape {
        /// What differs.
        problem: String,
    },
    /// Phase steps that are too alike.
    #[error(
        "the phase steps {degrees} (degrees) are too alike: noise would grow {growth:.0} times; spread them over a full turn"
    )]
    Alike {
        /// The steps.
        degrees: String,
        /// Condition number of the equations.
        growth: f64,
    },
    /// The frames do not show one moving fringe pattern.
    #[error(
        "the frames differ by no moving fringes: their second component is {ratio:.2} of the noise; is the reference on, and does \
         its phase move?"
    )]
    NoFringes {
        /// Second component over noise.
        ratio: f64,
    },
    /// No side-band in the spectrum.
    #[error(
        "no side-band away from the centre of the spectrum; is the frame a hologram with a tilted reference? --side-band Y,X sets \
         its centre by hand"
    )]
    NoSideBand,
    /// A setting that has no use.
    #[error("{name} = {value} {problem}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        problem: &'static str,
    },
    /// Nothing there.
    #[error("the {what} is dark or constant")]
    Dark {
        /// Which array.
        what: &'static str,
    },
    /// No maximum inside the range.
    #[error("the sharpness is best at the end of the range, {at} m; search further on that side")]
    AtEnd {
        /// The end, metres.
        at: f64,
    },
    /// A propagation that is not possible.
    #[error(transparent)]
    Optics(#[from] crate::optics::OpticsError),
}
