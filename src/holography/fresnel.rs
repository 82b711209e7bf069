//! The single-transform Fresnel integral, for distances where light leaves any grid that could hold it with one pitch.

use std::f64::consts::PI;

use num_complex::Complex64;

use super::HolographyError;
use crate::optics::{Field, OpticsError, dft};

/// A field after the single-transform Fresnel integral.
#[derive(Clone, Debug)]
pub struct Fresnel {
    /// The field, its centre at `(rows / 2, cols / 2)`; the energy is that of the input.
    pub field: Field,
    /// Pixel pitch `[along y, along x]`: `lambda |z| / (n pitch)`, metres.
    pub pitch: [f64; 2],
}

/// `U'(X) = exp(i pi X^2 / lambda z) FT[U(x) exp(i pi x^2 / lambda z)](X / lambda z)` (Goodman, *Introduction to Fourier Optics*,
/// eq. 4-17), without the constant factor and the quadratic phase in front, which no intensity shows.
///
/// It samples well from `n pitch^2 / lambda` on, where convolution begins to need padding; an object keeps its place and size
/// in pixels whatever the distance.
///
/// # Errors
/// A wavelength or pitch that is not positive, a distance of 0 or below that limit.
pub fn fresnel(
    field: &Field,
    wavelength: f64,
    pitch: f64,
    distance: f64,
) -> Result<Fresnel, HolographyError> {
    for (name, value) in [("wavelength", wavelength), ("pitch", pitch)] {
        if !(value.is_finite() && value > 0.0) {
            return Err(OpticsError::NotPositive { name, value }.into());
        }
    }
    let (rows, cols) = field.dim();
    let least = nearest([rows, cols], wavelength, pitch);
    if !(distance.is_finite() && distance.abs() >= least) {
        let problem =
            "is nearer than one transform samples well (pixels pitch^2 / wavelength); use convolution";
        return Err(HolographyError::Setting { name: "distance", value: distance, problem });
    }
    let curvature = PI / (wavelength * distance);
    // exp(-2 pi i x X) of the forward transform is that of z > 0; alternating signs put frequency 0 into the centre.
    let mut out = field.clone();
    out.indexed_iter_mut().for_each(|((r, c), v)| {
        let (y, x) = (r as f64 - (rows / 2) as f64, c as f64 - (cols / 2) as f64);
        *v *= Complex64::cis(curvature * pitch * pitch * (y * y + x * x));
    });
    dft(&mut out, distance < 0.0);
    let scale = 1.0 / (field.len() as f64).sqrt();
    let centred = Field::from_shape_fn((rows, cols), |(r, c)| {
        out[[(r + rows - rows / 2) % rows, (c + cols - cols / 2) % cols]] * scale
    });
    let pitch = [rows, cols].map(|n| wavelength * distance.abs() / (n as f64 * pitch));
    Ok(Fresnel { field: centred, pitch })
}

/// The distance from which one transform samples well, metres.
pub(super) fn nearest(shape: [usize; 2], wavelength: f64, pitch: f64) -> f64 {
    shape[0].max(shape[1]) as f64 * pitch * pitch / wavelength
}
