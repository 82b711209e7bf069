//! Free-space propagation `U' = T U`: transfer functions on a padded grid, and a plain `f64` propagator.
//!
//! | method | `H` | for |
//! |---|---|---|
//! | angular spectrum | `exp(i z kz)`, `kz = sqrt(k^2 - kx^2 - ky^2)`, evanescent waves decay | short distances |
//! | band-limited | the same, zero where its phase is undersampled (Matsushima & Shimobaba 2009, eq. 21) | near the limit |
//! | Rayleigh-Sommerfeld | DFT of the sampled impulse response | long distances |
//! | Fresnel, either form | paraxial versions of the first and third | comparison with work that uses them |
//!
//! Sampling (Voelz, *Computational Fourier Optics*, SPIE 2011, section 5.4): a transfer function is sampled well while
//! `|z| <= M d^2 / lambda`, an impulse response from there on, `M` being the padded length and `d` the pitch. The band
//! limit of the second method makes any distance possible, at the price of high frequencies.

mod kernels;
mod plain;

pub(crate) use plain::dft;
pub use plain::{propagate, reversed};

use serde::{Deserialize, Serialize};

use super::{Field, OpticsError};

/// How free space is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Angular spectrum up to its sampling limit, Rayleigh-Sommerfeld from its own on, band-limited between the two
    /// (they differ where the padded grid is not as wide as high).
    Auto,
    /// Exact transfer function.
    AngularSpectrum,
    /// Exact transfer function within the band that is sampled well.
    BandLimited,
    /// Exact impulse response.
    RayleighSommerfeld,
    /// Paraxial transfer function.
    FresnelTransfer,
    /// Paraxial impulse response.
    FresnelImpulse,
}

impl Method {
    /// The name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::AngularSpectrum => "angular-spectrum",
            Self::BandLimited => "band-limited",
            Self::RayleighSommerfeld => "rayleigh-sommerfeld",
            Self::FresnelTransfer => "fresnel-transfer",
            Self::FresnelImpulse => "fresnel-impulse",
        }
    }

    /// Whether it samples a transfer function (good up to a distance) rather than an impulse response (good from it on).
    fn samples_frequencies(self) -> bool {
        matches!(self, Self::AngularSpectrum | Self::FresnelTransfer)
    }
}

impl std::str::FromStr for Method {
    type Err = OpticsError;

    fn from_str(text: &str) -> Result<Self, OpticsError> {
        let all = [
            Self::Auto,
            Self::AngularSpectrum,
            Self::BandLimited,
            Self::RayleighSommerfeld,
            Self::FresnelTransfer,
            Self::FresnelImpulse,
        ];
        all.into_iter().find(|m| m.name() == text).ok_or_else(|| OpticsError::UnknownMethod {
            text: text.into(),
            names: all.map(Self::name).join(", "),
        })
    }
}

/// A stretch of free space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Propagation {
    /// Vacuum wavelength, metres.
    pub wavelength: f64,
    /// Refractive index.
    pub index: f64,
    /// Distance, metres; negative goes back.
    pub distance: f64,
    /// Method.
    pub method: Method,
    /// Go on where the method undersamples.
    pub allow_undersampled: bool,
}

impl Propagation {
    /// Wavelength in the medium, metres.
    pub fn lambda(&self) -> f64 {
        self.wavelength / self.index
    }

    /// The distance `min(My dy^2, Mx dx^2) / lambda` up to which a transfer function is sampled well, and the distance
    /// `max(..) / lambda` from which an impulse response is, for padded lengths `[My, Mx]`; metres.
    pub fn bounds(&self, padded: [usize; 2], dy: f64, dx: f64) -> (f64, f64) {
        let y = padded[0] as f64 * dy * dy / self.lambda();
        let x = padded[1] as f64 * dx * dx / self.lambda();
        (y.min(x), y.max(x))
    }

    /// The method that `auto` stands for on this grid; others stay.
    ///
    /// # Errors
    /// [`OpticsError::Undersampled`] when a chosen method does not sample its kernel well and that is not allowed.
    pub fn resolve(&self, padded: [usize; 2], dy: f64, dx: f64) -> Result<Method, OpticsError> {
        let (up_to, from) = self.bounds(padded, dy, dx);
        let z = self.distance.abs();
        match self.method {
            Method::Auto if z <= up_to => Ok(Method::AngularSpectrum),
            Method::Auto if z >= from => Ok(Method::RayleighSommerfeld),
            // One axis is too short for the transfer function, the other too long for the impulse response.
            Method::Auto => Ok(Method::BandLimited),
            Method::BandLimited => Ok(Method::BandLimited),
            chosen => {
                let good = if chosen.samples_frequencies() { z <= up_to } else { z >= from };
                if good || self.allow_undersampled {
                    return Ok(chosen);
                }
                Err(OpticsError::Undersampled { method: chosen.name(), distance: self.distance, up_to, from })
            }
        }
    }

    /// `H[fy, fx]` in DFT order on `padded = [My, Mx]` points of pitch `dy`, `dx` (metres), and the method used.
    /// The `1 / (My Mx)` of the inverse transform is not in it.
    ///
    /// # Errors
    /// Values that are not physical, or undersampling as in [`Propagation::resolve`].
    pub fn transfer(&self, padded: [usize; 2], dy: f64, dx: f64) -> Result<(Field, Method), OpticsError> {
        self.check()?;
        let method = self.resolve(padded, dy, dx)?;
        let grid =
            kernels::Sampling { padded, pitch: [dy, dx], lambda: self.lambda(), distance: self.distance };
        let h = match method {
            Method::Auto | Method::AngularSpectrum => kernels::angular_spectrum(&grid),
            Method::BandLimited => kernels::band_limited(&grid),
            Method::RayleighSommerfeld => kernels::rayleigh_sommerfeld(&grid),
            Method::FresnelTransfer => kernels::fresnel_transfer(&grid),
            Method::FresnelImpulse => kernels::fresnel_impulse(&grid),
        };
        Ok((h, method))
    }

    fn check(&self) -> Result<(), OpticsError> {
        for (name, value) in [("wavelength", self.wavelength), ("refractive index", self.index)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(OpticsError::NotPositive { name, value });
            }
        }
        match self.distance.is_finite() {
            true => Ok(()),
            false => Err(OpticsError::NotPositive { name: "distance", value: self.distance }),
        }
    }
}
