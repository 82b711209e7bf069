//! Off-axis holography: one frame, a tilted reference, a side-band of the spectrum.
//!
//! `|U + R|^2` with `R = r exp(i 2 pi f x)` holds `U R*` at `-f` and its conjugate at `f`, around the autocorrelation at 0
//! (Leith & Upatnieks, J. Opt. Soc. Am. 52, 1123 (1962)). Which of the two holds `U` is not in the frame: it depends on the side
//! that the reference comes from.

use ndarray::{Array2, ArrayView2};
use num_complex::Complex64;
use serde::Serialize;

use super::HolographyError;
use crate::optics::{Field, dft};

/// Cells along a side in which the spectrum's power is summed for the search.
const CELLS: usize = 96;
/// Radius of the window over the distance of its centre from the autocorrelation's: windows at `f` and `-f` stay apart, and
/// clear of the autocorrelation of a field whose band is a third of this distance.
const RADIUS: f64 = 0.5;
/// Steps of the search for the centre of a band.
const SHIFTS: usize = 60;
/// Share of the frame's fluctuations below which a place in the spectrum is no side-band.
const LEAST: f64 = 0.01;
/// Fraction of the window's radius over which its edge falls to 0.
const EDGE: f64 = 0.2;

/// Part of a spectrum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SideBand {
    /// Centre `[along y, along x]`, cycles per pixel.
    pub centre: [f64; 2],
    /// Radius, cycles per pixel.
    pub radius: f64,
}

/// A field from one frame.
#[derive(Clone, Debug)]
pub struct OffAxis {
    /// `U R*`, the carrier removed.
    pub field: Field,
    /// Where it was in the spectrum.
    pub side_band: SideBand,
    /// Share of the frame's fluctuations that the window holds.
    pub energy: f64,
}

/// Takes the field from the side-band of a frame. Without `side_band` the band is found: of the two, the one in the upper half
/// plane (`fy > 0`, or `fx > 0` on the axis); `other` takes the other one, the conjugate field.
///
/// # Errors
/// A constant frame, no side-band, or a window that leaves the spectrum.
pub fn off_axis(
    frame: ArrayView2<'_, f64>,
    side_band: Option<SideBand>,
    other: bool,
) -> Result<OffAxis, HolographyError> {
    let mean = frame.mean().unwrap_or(0.0);
    let mut spectrum = frame.mapv(|v| Complex64::new(v - mean, 0.0));
    dft(&mut spectrum, false);
    let total: f64 = spectrum.iter().map(|v| v.norm_sqr()).sum();
    if total.is_nan() || total <= f64::EPSILON * mean * mean * frame.len() as f64 {
        return Err(HolographyError::Dark { what: "frame" });
    }
    let mut band = match side_band {
        Some(band) => checked(band)?,
        None => find(&spectrum).ok_or(HolographyError::NoSideBand)?,
    };
    if other {
        band.centre = band.centre.map(|f| -f);
    }
    let shape = frame.dim();
    let mut kept = 0.0;
    spectrum.indexed_iter_mut().for_each(|(at, v)| {
        let f = frequency(at, shape);
        *v *= window(f, &band);
        kept += v.norm_sqr();
    });
    dft(&mut spectrum, true);
    let scale = 1.0 / frame.len() as f64;
    let turn = std::f64::consts::TAU;
    let field = Array2::from_shape_fn(shape, |(r, c)| {
        let carrier = turn * (band.centre[0] * r as f64 + band.centre[1] * c as f64);
        spectrum[[r, c]] * scale * Complex64::cis(-carrier)
    });
    Ok(OffAxis { field, side_band: band, energy: kept / total })
}

fn checked(band: SideBand) -> Result<SideBand, HolographyError> {
    let far = band.centre[0].hypot(band.centre[1]);
    if !(band.centre.iter().all(|f| f.abs() < 0.5) && far > 0.0) {
        let problem = "cycles per pixel from the centre: a side-band lies within 0.5 along each axis, and off the centre";
        return Err(HolographyError::Setting { name: "side-band", value: far, problem });
    }
    if !(band.radius > 0.0 && band.radius < 0.5) {
        let problem = "must be a radius above 0 and below 0.5 cycles per pixel";
        return Err(HolographyError::Setting { name: "window", value: band.radius, problem });
    }
    Ok(band)
}

/// Signed frequency of a DFT element, cycles per pixel.
fn frequency((r, c): (usize, usize), (rows, cols): (usize, usize)) -> [f64; 2] {
    let signed = |k: usize, n: usize| if 2 * k < n { k as f64 } else { k as f64 - n as f64 };
    [signed(r, rows) / rows as f64, signed(c, cols) / cols as f64]
}

/// 1 inside, 0 outside, a raised cosine between; frequencies are periodic.
fn window(f: [f64; 2], band: &SideBand) -> f64 {
    let apart = |k: usize| {
        let d = f[k] - band.centre[k];
        d - d.round()
    };
    let d = apart(0).hypot(apart(1)) / band.radius;
    let inner = 1.0 - EDGE;
    if d <= inner {
        1.0
    } else if d >= 1.0 {
        0.0
    } else {
        0.5 + 0.5 * (std::f64::consts::PI * (d - inner) / EDGE).cos()
    }
}

/// The strongest band: where the centroid of the power within half the distance to the centre of the spectrum is the place
/// itself. The flanks of the autocorrelation have no such place, for their power grows towards the centre.
fn find(spectrum: &Field) -> Option<SideBand> {
    let power = binned(spectrum);
    let half = CELLS as isize / 2;
    // The cells beside the centre hold the illumination.
    let nearest = 2.0;
    let mut best: Option<([f64; 2], f64)> = None;
    for y in (0..half).step_by(4) {
        for x in (-half..half).step_by(4) {
            let Some((centre, energy)) = settle(&power, [y as f64, x as f64], nearest) else { continue };
            let upper = centre[0] > 0.0 || (centre[0] == 0.0 && centre[1] > 0.0);
            if upper && best.is_none_or(|(_, e)| energy > e) {
                best = Some((centre, energy));
            }
        }
    }
    let (centre, energy) = best?;
    if energy < LEAST * power.sum() {
        return None;
    }
    let centre = centre.map(|c| c / CELLS as f64);
    let centre = refine(spectrum, centre);
    // Flanks of the centre look like a band in cells, but not in full.
    if centre[0].hypot(centre[1]) * (CELLS as f64) < nearest {
        return None;
    }
    Some(SideBand { centre, radius: RADIUS * centre[0].hypot(centre[1]) })
}

/// Power in `CELLS x CELLS` cells around frequency 0, each `1 / CELLS` cycles per pixel wide.
fn binned(spectrum: &Field) -> Array2<f64> {
    let mut power = Array2::zeros((CELLS, CELLS));
    for (at, v) in spectrum.indexed_iter() {
        let f = frequency(at, spectrum.dim());
        let place = f.map(|f| ((f * CELLS as f64).round() as isize).rem_euclid(CELLS as isize) as usize);
        power[place] += v.norm_sqr();
    }
    power
}

/// Follows the centroid of the power from `start`, in cells; `None` where it runs into the centre.
fn settle(power: &Array2<f64>, start: [f64; 2], nearest: f64) -> Option<([f64; 2], f64)> {
    let mut at = start;
    for _ in 0..SHIFTS {
        let far = at[0].hypot(at[1]);
        if far < nearest {
            return None;
        }
        let (centroid, energy) = centroid(power, at, RADIUS * far);
        let moved = (centroid[0] - at[0]).hypot(centroid[1] - at[1]);
        at = centroid;
        if moved < 0.02 {
            return Some((at, energy));
        }
    }
    None
}

fn centroid(power: &Array2<f64>, at: [f64; 2], radius: f64) -> ([f64; 2], f64) {
    let (mut sum, mut y_sum, mut x_sum) = (0.0, 0.0, 0.0);
    let reach = radius.ceil() as isize;
    let n = CELLS as isize;
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let (y, x) = (at[0].round() as isize + dy, at[1].round() as isize + dx);
            let off = (y as f64 - at[0]).hypot(x as f64 - at[1]);
            // Beyond half a cycle per pixel the spectrum repeats itself, centre and all.
            if off > radius.max(0.8) || y.abs().max(x.abs()) > n / 2 {
                continue;
            }
            let p = power[[y.rem_euclid(n) as usize, x.rem_euclid(n) as usize]];
            sum += p;
            y_sum += p * y as f64;
            x_sum += p * x as f64;
        }
    }
    if sum > 0.0 { ([y_sum / sum, x_sum / sum], sum) } else { (at, 0.0) }
}

/// Centroid at full resolution, cycles per pixel.
fn refine(spectrum: &Field, start: [f64; 2]) -> [f64; 2] {
    let mut at = start;
    for _ in 0..3 {
        let radius = RADIUS * at[0].hypot(at[1]);
        let (mut sum, mut moment) = (0.0, [0.0; 2]);
        for (index, v) in spectrum.indexed_iter() {
            let f = frequency(index, spectrum.dim());
            let d = [f[0] - at[0], f[1] - at[1]];
            if d[0].hypot(d[1]) < radius {
                let p = v.norm_sqr();
                sum += p;
                moment = [moment[0] + p * d[0], moment[1] + p * d[1]];
            }
        }
        if sum > 0.0 {
            at = [at[0] + moment[0] / sum, at[1] + moment[1] / sum];
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    const SHAPE: (usize, usize) = (192, 240);
    const CARRIER: [f64; 2] = [0.17, -0.113];

    /// A lens with a hole, smooth on the scale of the carrier.
    fn object() -> Field {
        Field::from_shape_fn(SHAPE, |(r, c)| {
            let (y, x) = (r as f64 - 90.0, c as f64 - 130.0);
            let hole = 1.0 - 0.6 * (-((x - 40.0).powi(2) + y * y) / 400.0).exp();
            Complex64::from_polar(hole, 4.0 * (-(x * x + y * y) / 2500.0).exp())
        })
    }

    fn hologram(noise: f64) -> Array2<f64> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
        let mut frame = Array2::zeros(SHAPE);
        for ((at, v), u) in frame.indexed_iter_mut().zip(&object()) {
            let phase = -std::f64::consts::TAU * (CARRIER[0] * at.0 as f64 + CARRIER[1] * at.1 as f64);
            let reference = Complex64::from_polar(1.4, phase);
            *v = 500.0 * (u + reference).norm_sqr() + noise * (f64::from(rng.random::<f32>()) - 0.5);
        }
        frame
    }

    /// Share of the energy that two fields have in common, up to a tilt of the reference.
    fn overlap(a: &Field, b: &Field) -> f64 {
        let (a, _) = crate::holography::flatten(&(a * &b.mapv(|v| v.conj())), false).unwrap();
        let energy = a.iter().map(|v| v.norm()).sum::<f64>();
        a.sum().norm() / energy
    }

    #[test]
    fn the_side_band_is_found_and_holds_the_field() {
        let found = off_axis(hologram(40.0).view(), None, false).unwrap();
        let off = [0, 1].map(|k| found.side_band.centre[k] - CARRIER[k]);
        assert!(off[0].hypot(off[1]) < 0.004, "{:?}", found.side_band);
        assert!(overlap(&found.field, &object()) > 0.99, "{}", overlap(&found.field, &object()));
        let other = off_axis(hologram(40.0).view(), None, true).unwrap();
        assert!((&other.field.mapv(|v| v.conj()) - &found.field).iter().all(|d| d.norm() < 1e-9));
        assert!(
            found.energy > 0.2 && found.energy < 0.5,
            "two side-bands share the fringes: {}",
            found.energy
        );
    }

    #[test]
    fn a_given_side_band_is_used() {
        let band = SideBand { centre: CARRIER, radius: 0.08 };
        let found = off_axis(hologram(0.0).view(), Some(band), false).unwrap();
        assert_eq!(found.side_band, band);
        // 500 times the reference's amplitude; away from the border, where the transform wraps.
        let inner = ndarray::s![30..160, 30..210];
        let worst =
            (&found.field / 700.0 - object()).slice(inner).iter().map(|v| v.norm()).fold(0.0, f64::max);
        assert!(worst < 0.05, "{worst}");
        for (centre, radius) in [([0.6, 0.0], 0.1), ([0.0, 0.0], 0.1), ([0.1, 0.1], 0.0)] {
            let wrong = off_axis(hologram(0.0).view(), Some(SideBand { centre, radius }), false);
            assert!(matches!(wrong, Err(HolographyError::Setting { .. })));
        }
    }

    #[test]
    fn frames_that_are_no_holograms_are_refused() {
        let constant = Array2::from_elem((64, 64), 7.0);
        assert_eq!(
            off_axis(constant.view(), None, false).unwrap_err(),
            HolographyError::Dark { what: "frame" }
        );
        let blob = Array2::from_shape_fn((128, 128), |(r, c)| {
            900.0 * (-((r as f64 - 60.0).powi(2) + (c as f64 - 70.0).powi(2)) / 800.0).exp()
        });
        assert_eq!(off_axis(blob.view(), None, false).unwrap_err(), HolographyError::NoSideBand);
    }
}
