//! A Gaussian spot on a tilted background, fitted to a frame.

use ndarray::ArrayView2;

use super::CausticError;
use super::least_squares::{Normal, minimise};

/// Most points of a frame that are fitted; larger frames are thinned out evenly.
const POINTS: usize = 120_000;

/// `peak exp(-2 (u^2 / w_u^2 + v^2 / w_v^2)) + background`; lengths in pixels, `(row, column)` in this order.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Spot {
    /// Centre.
    pub centre: [f64; 2],
    /// Radii where the intensity has fallen to `1 / e^2` along the major and the minor axis.
    pub radii: [f64; 2],
    /// Direction of the major axis from the columns' direction towards larger rows, radians.
    pub angle: f64,
    /// Height above the background, counts.
    pub peak: f64,
    /// Background: counts at the centre, and their slopes along rows and columns.
    pub background: [f64; 3],
    /// Pixels at or above the saturation that were left out.
    pub saturated: usize,
}

impl Spot {
    /// Radius of the round spot of the same area, `sqrt(w_u w_v)`.
    pub fn radius(&self) -> f64 {
        (self.radii[0] * self.radii[1]).sqrt()
    }

    /// The background at a pixel.
    pub fn background_at(&self, row: usize, col: usize) -> f64 {
        let [level, by, bx] = self.background;
        level + by * (row as f64 - self.centre[0]) + bx * (col as f64 - self.centre[1])
    }

    /// Sum of the counts of the spot.
    pub fn power(&self) -> f64 {
        0.5 * std::f64::consts::PI * self.radii[0] * self.radii[1] * self.peak
    }
}

/// Fits a spot; pixels at or above `saturation` say nothing and are left out.
///
/// # Errors
/// A frame without a spot, one that is cut off, or too many saturated pixels.
pub fn gaussian_spot(frame: ArrayView2<'_, f64>, saturation: f64) -> Result<Spot, CausticError> {
    let none = |problem: &str| CausticError::NoBeam { problem: problem.into() };
    let (rows, cols) = frame.dim();
    if rows.min(cols) < 8 {
        return Err(none("the frame has less than 8 pixels a side"));
    }
    let start = coarse(frame).ok_or_else(|| none("the frame is even; was the beam blocked?"))?;
    let step = (frame.len() as f64 / POINTS as f64).sqrt().ceil().max(1.0) as usize;
    let [cy, cx] = [start[1], start[2]];
    let normal = |p: &[f64; 9]| {
        let mut normal = Normal::new();
        for r in (0..rows).step_by(step) {
            for c in (0..cols).step_by(step) {
                let value = frame[[r, c]];
                if value >= saturation {
                    continue;
                }
                let [peak, y0, x0, a, b, d, level, by, bx] = *p;
                let (y, x) = (r as f64 - y0, c as f64 - x0);
                let shape = (-2.0 * (a * y * y + 2.0 * b * y * x + d * x * x)).exp();
                let height = peak * shape;
                let (fy, fx) = (r as f64 - cy, c as f64 - cx);
                let model = height + level + by * fy + bx * fx;
                let derivatives = [
                    shape,
                    4.0 * height * (a * y + b * x),
                    4.0 * height * (b * y + d * x),
                    -2.0 * height * y * y,
                    -4.0 * height * y * x,
                    -2.0 * height * x * x,
                    1.0,
                    fy,
                    fx,
                ];
                normal.add(model - value, &derivatives);
            }
        }
        normal
    };
    let found = minimise(start, normal).ok_or_else(|| none("no spot of Gaussian shape fits the frame"))?;
    let [peak, y0, x0, a, b, d, level, by, bx] = found.parameters;
    // Eigenvalues of the quadratic form are the inverse squares of the radii.
    let (mean, half) = (0.5 * (a + d), (0.5 * (a - d)).hypot(b));
    if !(mean - half > 0.0 && peak > 0.0) {
        return Err(none("what fits the frame is no spot"));
    }
    let radii = [(mean - half).powf(-0.5), (mean + half).powf(-0.5)];
    let inside = |v: f64, n: usize| v > 0.0 && v < n as f64;
    if !(inside(y0, rows) && inside(x0, cols)) || 2.0 * radii[0] > rows.max(cols) as f64 {
        return Err(none(
            "the spot is larger than the frame, or outside; move the camera or use a larger one",
        ));
    }
    let saturated = frame.iter().filter(|v| **v >= saturation).count();
    if saturated as f64 > 0.25 * radii[0] * radii[1] {
        let problem = format!("{saturated} pixels are saturated; expose shorter, or put in a filter");
        return Err(CausticError::NoBeam { problem });
    }
    Ok(Spot {
        centre: [y0, x0],
        radii,
        // The major axis is the direction of the smaller eigenvalue.
        angle: 0.5 * (-2.0 * b).atan2(a - d),
        peak,
        background: [level + by * (y0 - cy) + bx * (x0 - cx), by, bx],
        saturated,
    })
}

/// Height, centre, quadratic form and background from the pixels above a third of the height; `None` of an even frame.
fn coarse(frame: ArrayView2<'_, f64>) -> Option<[f64; 9]> {
    let mut sorted: Vec<f64> = frame.iter().copied().step_by(7).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let level = sorted[sorted.len() / 2];
    // Not the single brightest pixel, which may be broken.
    let peak = sorted[sorted.len() - 1 - sorted.len() / 1000] - level;
    if peak <= 0.0 {
        return None;
    }
    let [mut sum, mut y, mut x] = [0.0; 3];
    let bright = || frame.indexed_iter().map(|(at, v)| (at, v - level)).filter(|(_, v)| *v > peak / 3.0);
    for ((r, c), v) in bright() {
        sum += v;
        y += v * r as f64;
        x += v * c as f64;
    }
    let (y, x) = (y / sum, x / sum);
    // Area above a third of the height: pi w^2 ln(3) / 2.
    let area = bright().count() as f64;
    let form = std::f64::consts::PI * 3.0_f64.ln() / 2.0 / area;
    Some([peak, y, x, form, 0.0, form, level, 0.0, 0.0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// An elliptic spot, turned by `angle`, on a slope.
    fn frame(angle: f64) -> Array2<f64> {
        let (sin, cos) = angle.sin_cos();
        Array2::from_shape_fn((90, 120), |(r, c)| {
            let (y, x) = (r as f64 - 41.3, c as f64 - 66.8);
            let (u, v) = (x * cos + y * sin, y * cos - x * sin);
            200.0 * (-2.0 * (u * u / 400.0 + v * v / 144.0)).exp() + 12.0 + 0.05 * y - 0.02 * x
        })
    }

    #[test]
    fn a_spot_is_found_with_all_its_parameters() {
        for angle in [0.3, -0.9, 0.0] {
            let spot = gaussian_spot(frame(angle).view(), f64::INFINITY).expect("a spot");
            let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-5, "{a} {b} at {angle}");
            near(spot.centre[0], 41.3);
            near(spot.centre[1], 66.8);
            near(spot.radii[0], 20.0);
            near(spot.radii[1], 12.0);
            near(spot.angle, angle);
            near(spot.peak, 200.0);
            near(spot.background[0], 12.0);
            near(spot.background_at(51, 67) - spot.background_at(41, 67), 0.5);
        }
    }

    #[test]
    fn saturated_pixels_do_not_move_it() {
        let clipped = frame(0.3).mapv(|v| v.min(200.0));
        let spot = gaussian_spot(clipped.view(), 200.0).expect("a spot");
        assert!(spot.saturated > 10 && (spot.radii[0] - 20.0).abs() < 1e-4, "{spot:?}");
        let burnt = frame(0.3).mapv(|v| v.min(60.0));
        assert!(gaussian_spot(burnt.view(), 60.0).unwrap_err().to_string().contains("saturated"));
    }

    #[test]
    fn frames_without_a_spot_are_refused() {
        let even = Array2::from_elem((40, 40), 3.0);
        assert!(gaussian_spot(even.view(), 255.0).unwrap_err().to_string().contains("blocked"));
        let slope = Array2::from_shape_fn((40, 40), |(r, _)| r as f64);
        assert!(gaussian_spot(slope.view(), 255.0).is_err());
    }
}
