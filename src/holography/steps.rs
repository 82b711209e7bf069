//! Phase steps that nobody knows, from the frames themselves.

use std::f64::consts::{PI, TAU};

use ndarray::{Array2, Zip};
use num_complex::Complex64;

use super::HolographyError;
use crate::numeric::{eigen, inverse};
use crate::optics::{Field, dft};

/// The second component must stand out of the third, which is background or noise, by this factor in power.
const STANDS_OUT: f64 = 10.0;
/// The same without the background, where the third is noise alone.
const ABOVE_NOISE: f64 = 4.0;
/// Cells along a side in which the spectra are compared.
const CELLS: usize = 64;
/// Power of the changes from frame to frame over that of what stays, above which a part of the spectrum holds moving fringes:
/// a fifth of drift in the brightness makes 0.04 of what stands still, fringes that step over a sixth of a turn 0.2.
const MOVING: f64 = 0.1;
/// Power of changes below this share of the strongest is noise.
const FAINT: f64 = 0.02;
/// Modulations within this of each other, and brightness within that, are taken to be equal: fringes that are few leave as much
/// doubt.
const SAME_MODULATION: f64 = 0.1;
const SAME_GAIN: f64 = 0.02;

/// Rounds between fringes and steps, and the change of steps that ends them, radians.
const ROUNDS: usize = 100;
const SETTLED: f64 = 1e-6;

/// Steps, and how brightness and fringes drift.
#[derive(Clone)]
pub(super) struct Start {
    /// Radians from the first.
    pub(super) steps: Vec<f64>,
    /// Brightness of what stands still, mean 1.
    pub(super) gains: Vec<f64>,
    /// Contrast of the fringes, mean 1.
    pub(super) modulations: Vec<f64>,
}

/// `a - b`, radians, `-pi..pi`.
pub(crate) fn apart(a: f64, b: f64) -> f64 {
    (a - b + PI).rem_euclid(TAU) - PI
}

/// Steps from frames: by the fringes alone where their frequencies are their own, otherwise by the frames less their mean, which
/// supposes that neither brightness nor contrast drift.
///
/// # Errors
/// Frames that differ by no moving fringes.
pub(super) fn start(frames: &[Array2<f64>]) -> Result<Start, HolographyError> {
    match apart_from_background(frames) {
        Some(found) => Ok(found),
        None => less_mean(frames),
    }
}

/// Steps by principal components (Vargas et al., Opt. Lett. 36, 1326 (2011)), of those frequencies only in which the frames
/// change: there the background is not, so that the frames are points `m_n (cos d_n, sin d_n)` in the plane of the two strongest
/// components, and neither a drift of the brightness nor of the contrast moves their angles. `None` where background and
/// fringes share their frequencies.
fn apart_from_background(frames: &[Array2<f64>]) -> Option<Start> {
    let n = frames.len();
    let spectra: Vec<Field> = frames
        .iter()
        .map(|frame| {
            let mut spectrum = frame.mapv(Complex64::from);
            dft(&mut spectrum, false);
            spectrum
        })
        .collect();
    let mean = spectra.iter().fold(Field::zeros(spectra[0].dim()), |sum, s| sum + s) / n as f64;
    let cell = |(r, c): (usize, usize)| {
        let place = |k: usize, n: usize| (k * CELLS + n / 2) / n % CELLS;
        [place(r, mean.nrows()), place(c, mean.ncols())]
    };
    let (mut changes, mut rest) =
        (Array2::<f64>::zeros((CELLS, CELLS)), Array2::<f64>::zeros((CELLS, CELLS)));
    for (at, m) in mean.indexed_iter() {
        changes[cell(at)] += spectra.iter().map(|s| (s[at] - m).norm_sqr()).sum::<f64>();
        rest[cell(at)] += n as f64 * m.norm_sqr();
    }
    let faint = FAINT * changes.iter().copied().fold(0.0, f64::max);
    let moving = |at: [usize; 2]| changes[at] > MOVING * rest[at];
    let mut covariance = Array2::<f64>::zeros((n, n));
    let (mut still, mut shares) = (0.0, vec![0.0; n]);
    for (at, m) in mean.indexed_iter() {
        let place = cell(at);
        if !moving(place) {
            still += m.norm_sqr();
            shares.iter_mut().zip(&spectra).for_each(|(g, s)| *g += (s[at] * m.conj()).re);
        } else if changes[place] >= faint {
            for ((i, j), v) in covariance.indexed_iter_mut() {
                *v += (spectra[i][at] * spectra[j][at].conj()).re;
            }
        }
    }
    let components = eigen(&covariance);
    let [first, second] = [0, 1].map(|k| components.values[k]);
    let noise = components.values[2].max(0.0);
    if second.is_nan() || second <= STANDS_OUT * noise.max(f64::EPSILON * first) {
        return None;
    }
    // Noise adds to every component alike.
    let length = [first, second].map(|v| (v - noise).sqrt());
    let points: Vec<[f64; 2]> =
        (0..n).map(|k| [0, 1].map(|c| length[c] * components.vectors[[k, c]])).collect();
    let gains = if still > 0.0 { shares.iter().map(|g| g / still).collect() } else { vec![1.0; n] };
    Some(Start {
        steps: from_first(points.iter().map(|p| p[1].atan2(p[0])).collect()),
        gains: unless_equal(gains, SAME_GAIN),
        modulations: unless_equal(points.iter().map(|p| p[0].hypot(p[1])).collect(), SAME_MODULATION),
    })
}

/// Steps by the components of the frames less their mean: points on a circle around a centre that is not the origin. Then in turns
/// the fringes by the steps and the steps by the fringes (Wang & Han, Opt. Lett. 29, 1671 (2004)).
fn less_mean(frames: &[Array2<f64>]) -> Result<Start, HolographyError> {
    let n = frames.len();
    let sum = frames.iter().fold(Array2::<f64>::zeros(frames[0].dim()), |sum, f| sum + f);
    let mean = sum / n as f64;
    let rest: Vec<Array2<f64>> = frames.iter().map(|f| f - &mean).collect();
    let dot = |a: &Array2<f64>, b: &Array2<f64>| Zip::from(a).and(b).fold(0.0, |sum, a, b| sum + a * b);
    let components = eigen(&Array2::from_shape_fn((n, n), |(i, j)| dot(&rest[i], &rest[j])));
    let [first, second] = [0, 1].map(|k| components.values[k]);
    // The mean took one component; of three frames none is left to be noise.
    let noise = if n > 3 { components.values[2] } else { 0.0 }.max(f64::EPSILON * n as f64 * first);
    if second.is_nan() || second <= ABOVE_NOISE * noise {
        let ratio = (second.max(0.0) / noise.max(f64::MIN_POSITIVE)).sqrt();
        return Err(HolographyError::NoFringes { ratio });
    }
    let points: Vec<[f64; 2]> =
        (0..n).map(|k| [0, 1].map(|c| components.values[c].sqrt() * components.vectors[[k, c]])).collect();
    let centre = circle(&points).ok_or(HolographyError::NoFringes { ratio: 0.0 })?;
    let angles = points.iter().map(|p| (p[1] - centre[1]).atan2(p[0] - centre[0])).collect();
    let mut start = Start { steps: from_first(angles), gains: vec![1.0; n], modulations: vec![1.0; n] };
    for _ in 0..ROUNDS {
        let fringes = super::phase_shift::solve(frames, start.clone())?.field;
        let found = by_fringes(frames, &fringes);
        let change = found.iter().zip(&start.steps).map(|(a, b)| apart(*a, *b).abs()).fold(0.0, f64::max);
        start.steps = found;
        if change < SETTLED {
            break;
        }
    }
    Ok(start)
}

/// The steps at which every frame is best explained by fringes `F = 2 r U`: least squares of the cosine, the sine and the
/// background, which is what an even reference and the field itself make, `r^2 + |F|^2 / (4 r^2)`. Taken to be even, the
/// background of speckle, whose brightness goes with its fringes here and there, would turn the steps.
fn by_fringes(frames: &[Array2<f64>], fringes: &Field) -> Vec<f64> {
    let rows = |v: &Complex64| [1.0, v.re, v.im, v.norm_sqr()];
    let mut normal = [[0.0; 4]; 4];
    for v in fringes {
        let row = rows(v);
        for (i, line) in normal.iter_mut().enumerate() {
            line.iter_mut().zip(row).for_each(|(n, r)| *n += row[i] * r);
        }
    }
    // The background of a field of even brightness is even.
    let inverse = inverse(&normal).or_else(|| {
        let even = inverse(&std::array::from_fn::<_, 3, _>(|i| std::array::from_fn(|j| normal[i][j])))?;
        Some(std::array::from_fn(|i| std::array::from_fn(|j| if i < 3 && j < 3 { even[i][j] } else { 0.0 })))
    });
    // The fringes are not constant: their equations have been solved.
    let Some(inverse) = inverse else { return vec![0.0; frames.len()] };
    let angle = |frame: &Array2<f64>| {
        let mut right = [0.0; 4];
        Zip::from(frame).and(fringes).for_each(|i, v| {
            right.iter_mut().zip(rows(v)).for_each(|(sum, r)| *sum += i * r);
        });
        let part = |k: usize| (0..4).map(|j| inverse[k][j] * right[j]).sum::<f64>();
        part(2).atan2(part(1))
    };
    from_first(frames.iter().map(angle).collect())
}

/// Centre of the circle through points: `x^2 + y^2 = 2 a x + 2 b y + c` by least squares (Kasa 1976).
fn circle(points: &[[f64; 2]]) -> Option<[f64; 2]> {
    let size = points.iter().map(|p| p[0].abs().max(p[1].abs())).fold(0.0, f64::max);
    let (mut normal, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
    for p in points {
        let [x, y] = p.map(|v| v / size);
        let row = [2.0 * x, 2.0 * y, 1.0];
        for ((value, line), weight) in right.iter_mut().zip(&mut normal).zip(row) {
            *value += weight * (x * x + y * y);
            line.iter_mut().zip(row).for_each(|(n, r)| *n += weight * r);
        }
    }
    let inverse = inverse(&normal)?;
    let part = |k: usize| size * (0..3).map(|j| inverse[k][j] * right[j]).sum::<f64>();
    Some([part(0), part(1)])
}

/// Values over their mean; ones where none is further than `doubt` from it.
fn unless_equal(values: Vec<f64>, doubt: f64) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let relative: Vec<f64> = values.iter().map(|v| v / mean).collect();
    if relative.iter().all(|v| (v - 1.0).abs() < doubt) { vec![1.0; values.len()] } else { relative }
}

/// Angles from the first, the second one up.
fn from_first(angles: Vec<f64>) -> Vec<f64> {
    let first = angles[0];
    let turned: Vec<f64> = angles.iter().map(|a| apart(*a, first)).collect();
    let sign = if turned[1] < 0.0 { -1.0 } else { 1.0 };
    turned.iter().map(|a| 0.0 + sign * a).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_goes_through_its_points() {
        let points: Vec<[f64; 2]> =
            [0.1, 0.7, 2.0].iter().map(|a: &f64| [3.0 + 2.0 * a.cos(), -1.0 + 2.0 * a.sin()]).collect();
        let centre = circle(&points).unwrap();
        assert!((centre[0] - 3.0).abs() < 1e-9 && (centre[1] + 1.0).abs() < 1e-9, "{centre:?}");
        assert!(circle(&[[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]).is_none());
    }
}
