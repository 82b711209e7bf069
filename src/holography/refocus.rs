//! The distance at which a field is sharp.

use ndarray::{Array2, s};
use num_complex::Complex64;

use super::sharpness::{Best, Metric, picture};
use super::{HolographyError, fresnel};
use crate::engine::next_fast_length;
use crate::optics::{Field, Method, Propagation, dft};

/// Golden-section steps; each leaves 0.618 of the bracket.
const GOLDEN: usize = 16;
/// Share of the curve's height that counts as equally sharp.
const ALIKE: f64 = 0.01;

/// Where and how to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// Vacuum wavelength, metres.
    pub wavelength: f64,
    /// Refractive index.
    pub index: f64,
    /// Pixel pitch, metres.
    pub pitch: f64,
    /// First distance, metres; negative is back towards the source.
    pub from: f64,
    /// Last distance, metres.
    pub to: f64,
    /// Distances of the coarse search.
    pub steps: usize,
    /// What is measured.
    pub metric: Metric,
    /// Which value is best.
    pub best: Best,
    /// Pixels along a side over which intensities are averaged before their sharpness is measured; 1: the amplitude as it is.
    pub speckle: usize,
    /// How light is propagated.
    pub method: Method,
    /// One Fresnel transform instead of convolution: for lensless holograms at distances that no padding reaches.
    pub single_transform: bool,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Focus {
    /// The best distance, metres.
    pub distance: f64,
    /// Within this of it the sharpness changes by less than a hundredth of its range over the curve: how well the search can
    /// tell, not how well the metric suits the object.
    pub uncertainty: f64,
    /// Distance and sharpness, by distance.
    pub curve: Vec<(f64, f64)>,
    /// The field at the best distance.
    pub field: Field,
    /// Its pixel pitch `[along y, along x]`, metres.
    pub pitch: [f64; 2],
}

/// Searches the best distance: evenly spaced distances first, then by golden section around the best of them. `tick` is told
/// every distance that was looked at, of how many.
///
/// # Errors
/// Settings without use, a dark field, a propagation that is not possible, or a best value at the end of the range.
pub fn refocus(
    field: &Field,
    search: &Search,
    tick: &mut dyn FnMut(usize, usize),
) -> Result<Focus, HolographyError> {
    check(field, search)?;
    let light = Light::new(field, search);
    let total = search.steps + GOLDEN;
    let mut curve: Vec<(f64, f64)> = Vec::new();
    let mut look = |z: f64| -> Result<f64, HolographyError> {
        let sharpness = search.metric.of(&picture(&light.at(z)?.0, search.speckle));
        if !sharpness.is_finite() {
            return Err(HolographyError::Dark { what: "field" });
        }
        curve.push((z, sharpness));
        tick(curve.len(), total);
        Ok(if search.best == Best::Max { sharpness } else { -sharpness })
    };
    let step = (search.to - search.from) / (search.steps - 1) as f64;
    let coarse: Result<Vec<f64>, _> =
        (0..search.steps).map(|k| look(search.from + step * k as f64)).collect();
    let coarse = coarse?;
    let best = (0..coarse.len()).max_by(|a, b| coarse[*a].total_cmp(&coarse[*b])).unwrap_or(0);
    if best == 0 || best + 1 == coarse.len() {
        return Err(HolographyError::AtEnd { at: search.from + step * best as f64 });
    }
    let centre = search.from + step * best as f64;
    let distance = golden([centre - step, centre + step], &mut look)?;
    let range = coarse.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        - coarse.iter().copied().fold(f64::INFINITY, f64::min);
    // A parabola through the best of the coarse distances and its neighbours.
    let bend = (2.0 * coarse[best] - coarse[best - 1] - coarse[best + 1]) / (step * step);
    let bracket = step.abs() * 0.618_f64.powi(GOLDEN as i32);
    let flat = (2.0 * ALIKE * range / bend).sqrt();
    let uncertainty = if flat.is_finite() { flat.max(bracket).min(step.abs()) } else { step.abs() };
    curve.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (field, pitch) = light.at(distance)?;
    Ok(Focus { distance, uncertainty, curve, field, pitch })
}

/// The place of the largest value between two others.
fn golden(
    [mut low, mut high]: [f64; 2],
    look: &mut dyn FnMut(f64) -> Result<f64, HolographyError>,
) -> Result<f64, HolographyError> {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let inner = |low: f64, high: f64| [high - ratio * (high - low), low + ratio * (high - low)];
    let [mut a, mut b] = inner(low, high);
    let (mut at_a, mut at_b) = (look(a)?, look(b)?);
    for _ in 2..GOLDEN {
        if at_a >= at_b {
            (high, b, at_b) = (b, a, at_a);
            a = inner(low, high)[0];
            at_a = look(a)?;
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = inner(low, high)[1];
            at_b = look(b)?;
        }
    }
    Ok(if at_a >= at_b { a } else { b })
}

fn check(field: &Field, search: &Search) -> Result<(), HolographyError> {
    let wrong = |name, value, problem| Err(HolographyError::Setting { name, value, problem });
    if !(search.from.is_finite() && search.to.is_finite() && search.from < search.to) {
        return wrong("from", search.from, "must be less than to, and both finite");
    }
    if search.steps < 3 {
        return wrong("steps", search.steps as f64, "must be 3 or more");
    }
    if !(search.pitch.is_finite() && search.pitch > 0.0) {
        return wrong("pitch", search.pitch, "must be a positive length");
    }
    let least = field.nrows().min(field.ncols()) / search.speckle.max(1);
    if least < 4 {
        return wrong("speckle", search.speckle as f64, "leaves less than 4 x 4 pixels to measure");
    }
    let light: f64 = field.iter().map(|v| v.norm_sqr()).sum();
    if !(light.is_finite() && light > 0.0) {
        return Err(HolographyError::Dark { what: "field" });
    }
    Ok(())
}

/// A field, made ready to be propagated often.
enum Light<'a> {
    /// The transform of the padded field less its border's mean, and that mean: a bright surrounding goes on beyond the window
    /// as a plane wave, instead of ending there.
    Convolved {
        spectrum: Field,
        around: Complex64,
        shape: (usize, usize),
        search: &'a Search,
    },
    Transformed {
        field: &'a Field,
        search: &'a Search,
    },
}

impl<'a> Light<'a> {
    fn new(field: &'a Field, search: &'a Search) -> Self {
        if search.single_transform {
            return Self::Transformed { field, search };
        }
        let (rows, cols) = field.dim();
        let border = |(r, c): &(usize, usize)| *r == 0 || *c == 0 || r + 1 == rows || c + 1 == cols;
        let edge: Vec<_> = field.indexed_iter().filter(|(at, _)| border(at)).map(|(_, v)| *v).collect();
        let around = edge.iter().sum::<Complex64>() / edge.len().max(1) as f64;
        let mut spectrum = Array2::zeros((next_fast_length(2 * rows), next_fast_length(2 * cols)));
        spectrum.slice_mut(s![..rows, ..cols]).assign(&field.mapv(|v| v - around));
        dft(&mut spectrum, false);
        Self::Convolved { spectrum, around, shape: (rows, cols), search }
    }

    /// The field at a distance, and its pitch.
    fn at(&self, distance: f64) -> Result<(Field, [f64; 2]), HolographyError> {
        match self {
            Self::Transformed { field, search } => {
                let lambda = search.wavelength / search.index;
                let found = fresnel(field, lambda, search.pitch, distance)?;
                Ok((found.field, found.pitch))
            }
            Self::Convolved { spectrum, around, shape, search } => {
                let space = Propagation {
                    wavelength: search.wavelength,
                    index: search.index,
                    distance,
                    method: search.method,
                    allow_undersampled: false,
                };
                let padded = [spectrum.nrows(), spectrum.ncols()];
                let (mut h, _) = space.transfer(padded, search.pitch, search.pitch)?;
                h *= spectrum;
                dft(&mut h, true);
                let scale = 1.0 / h.len() as f64;
                let wave =
                    *around * Complex64::cis(std::f64::consts::TAU * (distance / space.lambda()).fract());
                let field = h.slice(s![..shape.0, ..shape.1]).mapv(|v| v * scale + wave);
                Ok((field, [search.pitch; 2]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(from: f64, to: f64) -> Search {
        Search {
            wavelength: 633e-9,
            index: 1.0,
            pitch: 5e-6,
            from,
            to,
            steps: 21,
            metric: Metric::Gradient,
            best: Best::Max,
            speckle: 1,
            method: Method::Auto,
            single_transform: false,
        }
    }

    /// Bars and a disc, `background` around them.
    fn object(background: f64) -> Field {
        Field::from_shape_fn((96, 120), |(r, c)| {
            let disc = (r as f64 - 40.0).hypot(c as f64 - 80.0) < 14.0;
            let bars = (20..50).contains(&c) && (30..70).contains(&r) && (r / 5) % 2 == 0;
            Complex64::from(if disc || bars { 1.0 } else { background })
        })
    }

    fn defocused(object: &Field, distance: f64) -> Field {
        Light::new(object, &search(-1.0, 1.0)).at(distance).unwrap().0
    }

    #[test]
    fn the_way_back_is_found_by_every_metric() {
        let far = defocused(&object(0.1), 3e-3);
        for metric in Metric::ALL {
            let found = refocus(&far, &Search { metric, ..search(-6e-3, 0.0) }, &mut |_, _| {}).unwrap();
            assert!((found.distance + 3e-3).abs() < 6e-5, "{}: {}", metric.name(), found.distance);
            assert!(found.uncertainty < 3.1e-4 && found.uncertainty > 0.0);
            assert_eq!(found.curve.len(), 21 + GOLDEN);
            assert!(found.curve.windows(2).all(|w| w[0].0 <= w[1].0));
        }
    }

    #[test]
    fn transparent_objects_have_least_contrast_in_focus() {
        let phase = object(0.0).mapv(|v| Complex64::cis(0.8 * v.re));
        let far = defocused(&phase, 2e-3);
        let found =
            refocus(&far, &Search { best: Best::Min, ..search(-4e-3, -0.5e-3) }, &mut |_, _| {}).unwrap();
        assert!((found.distance + 2e-3).abs() < 6e-5, "{}", found.distance);
        let left =
            found.field.iter().zip(&phase).map(|(a, b)| (a.norm() - b.norm()).abs()).fold(0.0, f64::max);
        assert!(left < 0.5, "{left}");
    }

    #[test]
    fn one_transform_agrees_with_convolution() {
        // Narrow and smooth, so that neither grid loses light: a window of one transform is periodic.
        let n = 128;
        let aperture = Field::from_shape_fn((n, n), |(r, c)| {
            let (y, x) = (r as f64 - 60.0, c as f64 - 66.0);
            Complex64::from((-(y * y / 50.0 + x * x / 30.0)).exp())
        });
        let z = fresnel::nearest([n, n], 633e-9, 5e-6);
        let one = fresnel::fresnel(&aperture, 633e-9, 5e-6, z).unwrap();
        // At this distance the output pitch is the input's.
        assert!((one.pitch[0] / 5e-6 - 1.0).abs() < 1e-12);
        let two = Light::new(&aperture, &search(-1.0, 1.0)).at(z).unwrap().0;
        let scale = two.iter().map(|v| v.norm()).fold(0.0, f64::max);
        let off = one.field.iter().zip(&two).map(|(a, b)| (a.norm() - b.norm()).abs()).fold(0.0, f64::max);
        assert!(off < 1e-4 * scale, "{off} of {scale}");
        assert!(
            fresnel::fresnel(&aperture, 633e-9, 5e-6, 0.5 * z).unwrap_err().to_string().contains("nearer")
        );
    }

    #[test]
    fn useless_searches_are_refused() {
        let far = defocused(&object(0.1), 3e-3);
        let run = |s: Search| refocus(&far, &s, &mut |_, _| {}).unwrap_err().to_string();
        assert!(run(search(-2e-3, -1e-3)).contains("end of the range"));
        assert!(run(search(1e-3, -1e-3)).contains("less than to"));
        assert!(run(Search { steps: 2, ..search(-6e-3, 0.0) }).contains("steps = 2"));
        assert!(run(Search { pitch: 0.0, ..search(-6e-3, 0.0) }).contains("pitch = 0"));
        assert!(run(Search { speckle: 40, ..search(-6e-3, 0.0) }).contains("speckle = 40"));
        assert!(run(Search { wavelength: -1.0, ..search(-6e-3, 0.0) }).contains("wavelength"));
        let dark = refocus(&Field::zeros((9, 9)), &search(-1.0, 0.0), &mut |_, _| {});
        assert_eq!(dark.unwrap_err(), HolographyError::Dark { what: "field" });
    }
}
