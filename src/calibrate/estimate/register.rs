//! Coarse registration: where the measured frames lie on the predicted ones, whether they are mirrored, and whether they are in
//! order.

use ndarray::{Array2, ArrayView2, Axis};
use num_complex::Complex64;

use super::EstimateError;
use crate::optics::dft;

/// The eight ways to lay a picture down: whether rows and columns are exchanged, rows reversed, columns reversed.
const TURNS: [[bool; 3]; 8] = [
    [false, false, false],
    [false, false, true],
    [false, true, false],
    [false, true, true],
    [true, false, false],
    [true, false, true],
    [true, true, false],
    [true, true, true],
];

/// Where frames lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Measured frames are predicted ones moved by so many camera pixels, `[y, x]`.
    pub(crate) shift: [f64; 2],
    /// Correlation there, 1 for equal frames.
    pub(crate) correlation: f64,
}

/// Finds the shift between predicted and measured frames, the same for all.
///
/// # Errors
/// Frames that fit much better when they are mirrored or turned.
pub(crate) fn register(predicted: &[Array2<f64>], measured: &[&Array2<f64>]) -> Result<Place, EstimateError> {
    let place = |turn: [bool; 3]| {
        let pairs = predicted.iter().zip(measured);
        let turned: Vec<_> = pairs.map(|(p, m)| (p, laid(m.view(), turn))).collect();
        let fits = turned.iter().all(|(p, m)| p.dim() == m.dim());
        fits.then(|| correlate(&turned))
    };
    let none = Place { shift: [0.0; 2], correlation: 0.0 };
    let upright = place(TURNS[0]).unwrap_or(none);
    // Upright and clear: no need to look at the others.
    if upright.correlation > 0.5 {
        return Ok(upright);
    }
    let best = TURNS[1..].iter().filter_map(|&t| place(t).map(|p| (t, p)));
    let best = best.max_by(|a, b| a.1.correlation.total_cmp(&b.1.correlation));
    match best {
        Some((turn, p)) if p.correlation > 0.4 && p.correlation > upright.correlation + 0.2 => {
            Err(EstimateError::Turned { turn, correlation: p.correlation, upright: upright.correlation })
        }
        _ => Ok(upright),
    }
}

/// A picture laid down: exchanged, then reversed.
fn laid(m: ArrayView2<'_, f64>, [exchange, rows, cols]: [bool; 3]) -> Array2<f64> {
    let mut view = if exchange { m.reversed_axes() } else { m };
    if rows {
        view.invert_axis(Axis(0));
    }
    if cols {
        view.invert_axis(Axis(1));
    }
    view.to_owned()
}

/// The highest peak of the mean cross-correlation of pairs of frames.
fn correlate(pairs: &[(&Array2<f64>, Array2<f64>)]) -> Place {
    let Some((first, _)) = pairs.first() else { return Place { shift: [0.0; 2], correlation: 0.0 } };
    let (rows, cols) = first.dim();
    // Twice the size, so that one end does not meet the other.
    let shape = [2 * rows, 2 * cols];
    let mut sum = Array2::<Complex64>::zeros((shape[0], shape[1]));
    for (p, m) in pairs {
        let (a, b) = (spectrum(p, shape), spectrum(m, shape));
        sum.zip_mut_with(&(&b * &a.mapv(|v| v.conj())), |s, v| *s += *v);
    }
    dft(&mut sum, true);
    let n = (shape[0] * shape[1]) as f64;
    let peak = sum.indexed_iter().max_by(|a, b| a.1.re.total_cmp(&b.1.re));
    let Some(((r, c), value)) = peak else { return Place { shift: [0.0; 2], correlation: 0.0 } };
    let signed = |k: usize, n: usize| if 2 * k < n { k as f64 } else { k as f64 - n as f64 };
    let shift = [signed(r, shape[0]), signed(c, shape[1])];
    // Only the parts that lie on each other can be alike.
    let shared = (1.0 - shift[0].abs() / rows as f64) * (1.0 - shift[1].abs() / cols as f64);
    Place { shift, correlation: value.re / n / pairs.len() as f64 / shared.max(0.25) }
}

/// Spectrum of a picture with mean 0 and energy 1.
fn spectrum(picture: &Array2<f64>, shape: [usize; 2]) -> Array2<Complex64> {
    let mean = picture.mean().unwrap_or(0.0);
    let norm = picture.iter().map(|v| (v - mean).powi(2)).sum::<f64>().sqrt();
    let mut padded = Array2::zeros((shape[0], shape[1]));
    if norm > 0.0 {
        picture.indexed_iter().for_each(|(at, v)| padded[at] = Complex64::new((v - mean) / norm, 0.0));
    }
    dft(&mut padded, false);
    padded
}

/// Correlation of two pictures over the pixels that count.
pub(crate) fn likeness(a: &Array2<f64>, b: &Array2<f64>, counts: &Array2<bool>) -> f64 {
    let each = || a.iter().zip(b).zip(counts).filter(|(_, used)| **used).map(|((a, b), _)| (*a, *b));
    let n = each().count().max(1) as f64;
    let (ma, mb) = each().fold((0.0, 0.0), |(x, y), (a, b)| (x + a / n, y + b / n));
    let (saa, sbb, sab) = each().fold((0.0, 0.0, 0.0), |(saa, sbb, sab), (a, b)| {
        (saa + (a - ma).powi(2), sbb + (b - mb).powi(2), sab + (a - ma) * (b - mb))
    });
    if saa > 0.0 && sbb > 0.0 { sab / (saa * sbb).sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::patterns;

    fn picture(seed: u64) -> Array2<f64> {
        patterns::random_blocks([96, 80], 3, seed).mapv(f64::from)
    }

    #[test]
    fn a_moved_picture_is_found_and_a_mirrored_one_is_named() {
        let whole = picture(1);
        let moved =
            Array2::from_shape_fn(
                (96, 80),
                |(r, c)| if r >= 5 && c < 76 { whole[[r - 5, c + 4]] } else { 0.0 },
            );
        let place = register(std::slice::from_ref(&whole), &[&moved]).unwrap();
        assert_eq!(place.shift, [5.0, -4.0]);
        let mirrored = laid(whole.view(), [false, false, true]);
        match register(&[whole], &[&mirrored]).unwrap_err() {
            EstimateError::Turned { turn, correlation, .. } => {
                assert_eq!(turn, [false, false, true]);
                assert!(correlation > 0.9, "{correlation}");
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn strangers_are_not_alike() {
        let all = Array2::from_elem((96, 80), true);
        assert!((likeness(&picture(1), &picture(1), &all) - 1.0).abs() < 1e-12);
        assert!(likeness(&picture(1), &picture(2), &all).abs() < 0.3);
        assert!(register(&[picture(1)], &[&picture(2)]).unwrap().correlation < 0.3);
    }
}
