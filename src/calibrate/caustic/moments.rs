//! Beam radius by second moments, as ISO 11146 defines it.

use ndarray::ArrayView2;

use super::Spot;
use super::least_squares::Normal;
use crate::numeric::inverse;

/// The background is fitted outside an ellipse of so many radii.
const CLEAR: f64 = 2.5;
/// Sides of the aperture in diameters (ISO 11146-1).
const APERTURE: f64 = 3.0;

/// Radii `2 sigma` along rows and columns, pixels, from a Gaussian spot as start.
///
/// 1. A quadratic surface is fitted to the pixels outside an ellipse of 2.5 radii and subtracted: even light of a room and
///    reflections would else dominate the moments, which weigh pixels by the square of their distance.
/// 2. Centroid and second moments are taken inside an aperture of 3 diameters around the centroid.
/// 3. Both are repeated with the new radii until they stay within a tenth of a pixel.
///
/// `None` where that does not come to rest, as with stray light that is no smooth surface.
pub fn second_moments(frame: ArrayView2<'_, f64>, start: &Spot) -> Option<[f64; 2]> {
    let (rows, cols) = frame.dim();
    let mut centre = start.centre;
    let mut radii = [start.radius(); 2];
    for _ in 0..40 {
        let surface = background(frame, centre, radii)?;
        let (mut sum, mut first, mut second) = (0.0, [0.0; 2], [0.0; 2]);
        let side = |k: usize, n: usize| {
            let half = APERTURE * radii[k];
            let low = (centre[k] - half).max(0.0).ceil() as usize;
            low..((centre[k] + half).max(0.0).floor() as usize + 1).min(n)
        };
        for r in side(0, rows) {
            for c in side(1, cols) {
                let light = frame[[r, c]] - evaluate(&surface, terms(r, c, rows, cols));
                let at = [r as f64 - centre[0], c as f64 - centre[1]];
                sum += light;
                for k in 0..2 {
                    first[k] += light * at[k];
                    second[k] += light * at[k] * at[k];
                }
            }
        }
        let mean = first.map(|v| v / sum);
        let next = [0, 1].map(|k| 2.0 * (second[k] / sum - mean[k] * mean[k]).sqrt());
        if !next.iter().all(|v| v.is_finite() && *v > 0.0) {
            return None;
        }
        let rest = (0..2).all(|k| (next[k] - radii[k]).abs() < 0.1);
        centre = [centre[0] + mean[0], centre[1] + mean[1]];
        radii = next;
        if rest {
            return Some(radii);
        }
    }
    None
}

/// Coefficients of the surface outside the beam.
fn background(frame: ArrayView2<'_, f64>, centre: [f64; 2], radii: [f64; 2]) -> Option<[f64; 6]> {
    let (rows, cols) = frame.dim();
    let mut normal = Normal::<6>::new();
    for (k, ((r, c), value)) in frame.indexed_iter().enumerate() {
        let (y, x) = ((r as f64 - centre[0]) / radii[0], (c as f64 - centre[1]) / radii[1]);
        if k % 5 == 0 && y * y + x * x > CLEAR * CLEAR {
            normal.add(*value, &terms(r, c, rows, cols));
        }
    }
    let inverse = inverse(&normal.curvature)?;
    Some(std::array::from_fn(|i| (0..6).map(|j| inverse[i][j] * normal.slope[j]).sum()))
}

fn terms(r: usize, c: usize, rows: usize, cols: usize) -> [f64; 6] {
    let (y, x) = (r as f64 / rows as f64 - 0.5, c as f64 / cols as f64 - 0.5);
    [1.0, y, x, y * y, y * x, x * x]
}

fn evaluate(surface: &[f64; 6], terms: [f64; 6]) -> f64 {
    surface.iter().zip(terms).map(|(a, t)| a * t).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::caustic::gaussian_spot;
    use ndarray::Array2;

    #[test]
    fn moments_of_a_gaussian_are_its_radii_on_any_smooth_background() {
        let frame = Array2::from_shape_fn((160, 200), |(r, c)| {
            let (y, x) = (r as f64 - 77.0, c as f64 - 105.0);
            let stray = 30.0 + 0.1 * y - 0.05 * x + 1e-3 * x * x - 5e-4 * x * y;
            150.0 * (-2.0 * (y * y / 81.0 + x * x / 196.0)).exp() + stray
        });
        let spot = gaussian_spot(frame.view(), f64::INFINITY).expect("a spot");
        let [y, x] = second_moments(frame.view(), &spot).expect("at rest");
        // What the aperture cuts off and the ellipse leaves to the background.
        assert!((y - 9.0).abs() < 0.05 && (x - 14.0).abs() < 0.05, "{y} {x}");
    }
}
