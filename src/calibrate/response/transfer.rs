//! The photon-transfer curve: shot noise is its own ruler, so the variance of counts against their mean tells how many electrons
//! a count is (Janesick, *Photon Transfer*, SPIE 2007; EMVA Standard 1288).
//!
//! `variance = (read noise / K)^2 + (mean - offset) / K + 1 / 12` in counts, `K` electrons a count, the last term of rounding. The
//! variance is half that of the difference of two frames, in which differences between pixels drop out.

use ndarray::Array2;

use super::error::{ResponseError, unfit};
use super::linear::{Line, line};

/// A pair of evenly lit frames of one exposure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlatPair {
    /// Exposure.
    pub exposure: f64,
    /// Mean counts.
    pub mean: f64,
    /// Variance of the counts of a pixel from frame to frame, counts squared.
    pub variance: f64,
    /// Pixels.
    pub pixels: usize,
    /// Share of pixels that read the largest count.
    pub full: f64,
}

/// A number and one standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimated {
    /// The number.
    pub value: f64,
    /// Its standard deviation.
    pub sigma: f64,
}

/// What the curve tells of a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct PhotonTransfer {
    /// Photo-electrons per count.
    pub electrons_per_count: Estimated,
    /// Read noise, electrons rms.
    pub read_noise: Estimated,
    /// Counts in the dark.
    pub offset: Estimated,
    /// Counts at which pixels are full, and those as electrons, where the pairs go so far.
    pub saturation: Option<[f64; 2]>,
    /// Whether it is the converter that ends there, at its largest count; otherwise it is the pixels' well.
    pub converter_ends: bool,
    /// Largest deviation of mean counts from a straight line over the exposure, in parts of the range that was used.
    pub nonlinearity: f64,
    /// Mean square deviation of variances from the model in units of their expected scatter.
    pub chi_square: f64,
    /// Pairs that were used.
    pub used: usize,
}

/// Differences beyond this many standard deviations are of pixels that are out of order.
const OUTLIER: f64 = 6.0;
/// Deviations from the line that still have their full weight, standard deviations.
const HUBER: f64 = 2.5;
/// Pairs above this part of the saturation are left out.
const USABLE: f64 = 0.85;

impl FlatPair {
    /// Of two frames; `largest` is the largest count of the converter.
    ///
    /// # Errors
    /// Frames of different sizes.
    pub fn of(exposure: f64, a: &Array2<f64>, b: &Array2<f64>, largest: f64) -> Result<Self, ResponseError> {
        if a.dim() != b.dim() || a.len() < 100 {
            return Err(unfit(format!(
                "a pair of {:?} and {:?} pixels; frames of one size are needed",
                a.dim(),
                b.dim()
            )));
        }
        let n = a.len() as f64;
        let full = a.iter().zip(b).filter(|(a, b)| **a >= largest || **b >= largest).count() as f64 / n;
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        // Pixels out of order are few: the spread settles in some rounds.
        let mut limit = f64::INFINITY;
        let (mut variance, mut kept) = (0.0, differences.len());
        for _ in 0..10 {
            let good = differences.iter().filter(|d| d.abs() <= limit);
            kept = good.clone().count();
            let mean = good.clone().sum::<f64>() / kept as f64;
            variance = good.map(|d| (d - mean).powi(2)).sum::<f64>() / (kept.max(2) - 1) as f64;
            let next = mean.abs() + OUTLIER * variance.sqrt();
            if next >= limit || variance == 0.0 {
                break;
            }
            limit = next;
        }
        let mean = (a.sum() + b.sum()) / (2.0 * n);
        Ok(Self { exposure, mean, variance: 0.5 * variance, pixels: kept, full })
    }
}

/// The curve through pairs; `dark` has mean and variance of counts without light, where they were recorded.
///
/// # Errors
/// Too few pairs below saturation, or pairs of one light level.
pub fn photon_transfer(pairs: &[FlatPair], dark: Option<FlatPair>) -> Result<PhotonTransfer, ResponseError> {
    let mut all = pairs.to_vec();
    all.sort_by(|a, b| a.mean.total_cmp(&b.mean));
    let (saturation, converter_ends) = saturation(&all);
    let lowest = dark.or(all.first().copied()).map_or(0.0, |p| p.mean);
    let good: Vec<FlatPair> = all
        .iter()
        .copied()
        .filter(|p| p.full < 1e-4 && saturation.is_none_or(|s| p.mean - lowest < USABLE * (s - lowest)))
        .collect();
    let span = good.last().map_or(0.0, |p| p.mean) - good.first().map_or(0.0, |p| p.mean);
    if good.len() < 4 {
        return Err(unfit(format!(
            "{} of {} pairs of evenly lit frames are below saturation; record 4 or more, from dark to nearly full",
            good.len(),
            pairs.len()
        )));
    }
    let noise = good.first().map_or(0.0, |p| p.variance).sqrt();
    if span <= 10.0 * noise.max(1.0) {
        let exposures = good.iter().map(|p| p.exposure);
        let [shortest, longest] = [exposures.clone().fold(f64::MAX, f64::min), exposures.fold(0.0, f64::max)];
        let counts = good[0].mean;
        return Err(unfit(if longest > 1.5 * shortest {
            format!(
                "the counts do not follow the exposure: {counts:.0} at {shortest} and at {longest}; the pixels are full, or the \
                 light is not on the camera"
            )
        } else {
            format!(
                "the evenly lit frames all have {counts:.0} counts; record them at exposures from dark to nearly full"
            )
        }));
    }
    // Counts against exposure: their origin is the offset, and what bends is not linear.
    let straight = line(good.iter().map(|p| (p.exposure, p.mean, p.pixels as f64 / p.variance.max(0.1))))
        .ok_or_else(|| {
            unfit("all pairs have one exposure; vary it, so that counts can be told from the offset")
        })?;
    let bend = |p: &FlatPair| (p.mean - straight.a - straight.b * p.exposure).abs() / span;
    let nonlinearity = good.iter().map(bend).fold(0.0, f64::max);
    let offset = match dark {
        Some(d) => Estimated { value: d.mean, sigma: (d.variance / d.pixels as f64).sqrt() },
        None => Estimated { value: straight.a, sigma: straight.var[0].sqrt() },
    };
    let (fit, chi_square) = curve(&good, offset.value, dark)?;
    let scale = chi_square.max(1.0);
    // variance = a + b (mean - offset)
    let k = 1.0 / fit.b;
    let read = (fit.a - 1.0 / 12.0).max(0.0).sqrt() * k;
    // read^2 = (a - 1/12) / b^2
    let by_a = if read > 0.0 { 0.5 * k * k / read } else { 0.0 };
    let by_b = -read * k;
    let spread = by_a * by_a * fit.var[0] + by_b * by_b * fit.var[1] + 2.0 * by_a * by_b * fit.var[2];
    Ok(PhotonTransfer {
        electrons_per_count: Estimated { value: k, sigma: k * k * (scale * fit.var[1]).sqrt() },
        read_noise: Estimated { value: read, sigma: (scale * spread.max(0.0)).sqrt() },
        offset,
        saturation: saturation.map(|s| [s, (s - offset.value) * k]),
        converter_ends,
        nonlinearity,
        chi_square,
        used: good.len(),
    })
}

/// Mean counts beyond which pixels are full: the variance breaks down. Whether the converter ends there.
fn saturation(sorted: &[FlatPair]) -> (Option<f64>, bool) {
    let noisiest = sorted.iter().map(|p| p.variance).fold(0.0, f64::max);
    let Some(peak) = sorted.iter().position(|p| p.variance == noisiest) else { return (None, false) };
    let beyond = &sorted[peak..];
    let full = beyond.iter().find(|p| p.full > 0.01 || p.variance < 0.5 * noisiest);
    match full {
        None => (None, false),
        // The last of them are all full.
        Some(_) => (sorted.last().map(|p| p.mean), sorted.last().is_some_and(|p| p.full > 0.5)),
    }
}

/// The line of variances over mean counts, outliers weighing less.
fn curve(good: &[FlatPair], offset: f64, dark: Option<FlatPair>) -> Result<(Line, f64), ResponseError> {
    let points: Vec<FlatPair> = good.iter().copied().chain(dark).collect();
    let mut model: Vec<f64> = points.iter().map(|p| p.variance.max(0.05)).collect();
    let mut trust = vec![1.0; points.len()];
    let mut found = None;
    for _ in 0..30 {
        // The variance of a variance.
        let weight = |k: usize| trust[k] * points[k].pixels as f64 / (2.0 * model[k] * model[k]);
        let data = points.iter().enumerate().map(|(k, p)| (p.mean - offset, p.variance, weight(k)));
        let fit = line(data).filter(|l| l.b > 0.0).ok_or_else(|| {
            unfit("the variance does not grow with the light: are these counts, and pairs of the same light?")
        })?;
        let mut square = 0.0;
        let scatter: Vec<f64> = points
            .iter()
            .map(|p| {
                let expected = (fit.a + fit.b * (p.mean - offset)).max(0.05);
                (p.variance - expected) / expected / (2.0 / p.pixels as f64).sqrt()
            })
            .collect();
        let mut sizes: Vec<f64> = scatter.iter().map(|s| s.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let usual = (sizes[sizes.len() / 2] / 0.6745).max(1.0);
        for (k, s) in scatter.iter().enumerate() {
            trust[k] = (HUBER * usual / s.abs().max(1e-9)).min(1.0);
            square += trust[k] * s * s;
            model[k] = (fit.a + fit.b * (points[k].mean - offset)).max(0.05);
        }
        found = Some((fit, square / (points.len() - 2) as f64));
    }
    found.ok_or_else(|| unfit("no curve"))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Normal, Poisson};

    use super::*;

    /// A camera of 2.4 electrons a count, 6 electrons of read noise, 100 counts of offset.
    fn pair(rng: &mut ChaCha8Rng, level: f64, well: f64) -> FlatPair {
        let read = Normal::new(0.0, 6.0).unwrap();
        let mut frame = || {
            Array2::from_shape_fn((100, 120), |(r, c)| {
                // Pixels differ by some per cent, and one is out of order.
                let own = 1.0 + 0.02 * ((r * 7 + c * 13) % 11) as f64 / 5.0;
                let light = Poisson::new((level * own).max(1e-9)).unwrap().sample(rng).min(well);
                let hot = if (r, c) == (3, 4) { 3000.0 * rand::RngExt::random::<f64>(rng) } else { 0.0 };
                (100.0 + (light + hot + read.sample(rng)) / 2.4).round().clamp(0.0, 4095.0)
            })
        };
        let (a, b) = (frame(), frame());
        FlatPair::of(level / 1000.0, &a, &b, 4095.0).unwrap()
    }

    #[test]
    fn a_camera_is_found_in_its_noise() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let pairs: Vec<FlatPair> =
            (0..12).map(|k| pair(&mut rng, 20.0 + 900.0 * f64::from(k), 8000.0)).collect();
        let dark = pair(&mut rng, 0.0, 8000.0);
        for dark in [Some(dark), None] {
            let found = photon_transfer(&pairs, dark).unwrap();
            let near = |e: Estimated, v: f64| {
                (e.value - v).abs() < 4.0 * e.sigma && e.sigma < 0.05 * v.abs().max(6.0)
            };
            assert!(near(found.electrons_per_count, 2.4), "{found:?}");
            assert!(near(found.read_noise, 6.0), "{found:?}");
            assert!((found.offset.value - 100.0).abs() < 0.3, "{found:?}");
            let [counts, electrons] = found.saturation.unwrap();
            assert!(
                (electrons / 8000.0 - 1.0).abs() < 0.03 && (counts - 100.0 - 8000.0 / 2.4).abs() < 5.0,
                "{found:?}"
            );
            assert!(
                !found.converter_ends && found.nonlinearity < 1e-3 && found.chi_square < 3.0,
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_converter_that_ends_first_is_told_from_a_full_well() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let pairs: Vec<FlatPair> =
            (0..12).map(|k| pair(&mut rng, 20.0 + 1100.0 * f64::from(k), 1e6)).collect();
        let found = photon_transfer(&pairs, None).unwrap();
        assert!(found.converter_ends && found.saturation.unwrap()[0] == 4095.0, "{found:?}");
        assert!((found.electrons_per_count.value / 2.4 - 1.0).abs() < 0.02, "{found:?}");
    }

    #[test]
    fn pairs_that_tell_nothing_are_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(10);
        let message = |levels: &[f64], rng: &mut ChaCha8Rng| {
            let pairs: Vec<FlatPair> = levels.iter().map(|l| pair(rng, *l, 8000.0)).collect();
            photon_transfer(&pairs, None).unwrap_err().to_string()
        };
        assert!(message(&[100.0, 500.0, 900.0], &mut rng).contains("3 of 3 pairs"));
        assert!(message(&[1e4, 2e4, 3e4, 4e4, 5e4], &mut rng).contains("do not follow the exposure"));
        assert!(message(&[500.0; 6], &mut rng).contains("exposures from dark"));
    }
}
