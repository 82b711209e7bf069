//! Background and flat frames.

use ndarray::{Array2, Zip};

use super::{Frame, MeasureError, Measurement, Role, statistics::quantile};

/// Exposures that differ by less than this, relatively, are one.
const SAME: f64 = 1e-9;
/// A pixel that sees less than this share of the mean of the flat frames, or more than its inverse, is defective.
const DEFECT: f64 = 0.1;
/// Share of defective pixels above which a flat frame is not one.
const MOST_DEFECTS: f64 = 0.01;

/// What is taken from counts so that they are proportional to the intensity.
///
/// The background of a frame is the mean of the background frames of the same exposure. Where there are none, but background
/// frames of two exposures or more, it is a straight line through these, pixel by pixel: offset and dark current. Background
/// frames of one exposure only are an offset, the same for all frames. Without background frames it is 0.
///
/// The flat frame is the mean of all flat frames, each less its background and divided by its exposure, normalised to mean 1.
#[derive(Clone, Debug)]
pub struct Corrections {
    /// Mean background frame of every exposure, ascending.
    darks: Vec<(f64, Array2<f64>)>,
    /// Mean 1; 0 where the pixel is defective.
    flat: Option<Array2<f64>>,
}

impl Corrections {
    /// Reads the background and flat frames of a measurement.
    ///
    /// # Errors
    /// A frame that cannot be read, or flat frames with too many defective pixels.
    pub fn read(measurement: &Measurement) -> Result<Self, MeasureError> {
        let mut own = Self { darks: darks(measurement)?, flat: None };
        own.flat = own.flat(measurement)?;
        Ok(own)
    }

    /// `(counts - background) / flat`, the background at `exposure`. Defective pixels get the median of their neighbours.
    pub fn apply(&self, mut counts: Array2<f64>, exposure: f64) -> Array2<f64> {
        if let Some(dark) = self.background(exposure) {
            counts -= &dark;
        }
        let Some(flat) = &self.flat else { return counts };
        Zip::from(&mut counts).and(flat).for_each(|v, &f| {
            if f > 0.0 {
                *v /= f
            }
        });
        let defective = flat.indexed_iter().filter(|(_, f)| **f == 0.0).map(|(at, _)| at);
        for at in defective {
            counts[at] = neighbours(&counts, flat, at);
        }
        counts
    }

    /// The background at an exposure; `None` without background frames.
    pub fn background(&self, exposure: f64) -> Option<Array2<f64>> {
        let exact = self.darks.iter().find(|(e, _)| (e - exposure).abs() <= SAME * exposure.abs());
        if let Some((_, dark)) = exact.or(self.darks.first().filter(|_| self.darks.len() == 1)) {
            return Some(dark.clone());
        }
        let n = self.darks.len() as f64;
        let centre = self.darks.iter().map(|(e, _)| e).sum::<f64>() / n;
        let spread: f64 = self.darks.iter().map(|(e, _)| (e - centre).powi(2)).sum();
        // Least squares: the value of the line at `exposure` is a weighted sum of the frames.
        let weight = |e: f64| 1.0 / n + (exposure - centre) * (e - centre) / spread;
        self.darks.iter().map(|(e, dark)| dark * weight(*e)).reduce(|a, b| a + b)
    }

    /// Relative sensitivity of each pixel, mean 1; 0 where it is defective. `None` without flat frames.
    pub fn sensitivity(&self) -> Option<&Array2<f64>> {
        self.flat.as_ref()
    }

    /// Number of defective pixels, which the flat frames show.
    pub fn defects(&self) -> usize {
        self.flat.as_ref().map_or(0, |f| f.iter().filter(|v| **v == 0.0).count())
    }

    fn flat(&self, measurement: &Measurement) -> Result<Option<Array2<f64>>, MeasureError> {
        let (mut sum, mut last) = (None::<Array2<f64>>, 0);
        for (number, frame) in of_role(measurement, Role::Flat) {
            let light = self.apply(measurement.counts(number)?, frame.exposure) / frame.exposure;
            sum = Some(sum.map_or_else(|| light.clone(), |s| s + &light));
            last = number;
        }
        let Some(mut flat) = sum else { return Ok(None) };
        // The median is what most pixels see, whatever the defective ones do.
        let usual = quantile(flat.iter().copied().collect(), 0.5);
        let good = |v: f64| usual > 0.0 && (DEFECT..=1.0 / DEFECT).contains(&(v / usual));
        let defects = flat.iter().filter(|v| !good(**v)).count();
        if defects as f64 > MOST_DEFECTS * flat.len() as f64 {
            let problem = format!(
                "the flat frames light {defects} of {} pixels less than a tenth or more than ten times the median; flat frames \
                 need even light on all pixels",
                flat.len()
            );
            let file = measurement.config.frames[last - 1].file.clone();
            return Err(MeasureError::Frame { file, number: last, problem });
        }
        flat.mapv_inplace(|v| if good(v) { v } else { 0.0 });
        let mean = flat.sum() / (flat.len() - defects) as f64;
        Ok(Some(flat / mean))
    }
}

impl Measurement {
    /// The counts of frame `number` (from 1), less the background and divided by the flat frame: proportional to the intensity
    /// times the exposure. Reads all background and flat frames; of many frames, [`Corrections`] reads them once.
    ///
    /// # Errors
    /// As [`Measurement::counts`] and [`Corrections::read`].
    pub fn corrected(&self, number: usize) -> Result<Array2<f64>, MeasureError> {
        let counts = self.counts(number)?;
        Ok(Corrections::read(self)?.apply(counts, self.config.frames[number - 1].exposure))
    }
}

fn of_role(measurement: &Measurement, role: Role) -> impl Iterator<Item = (usize, &Frame)> {
    measurement.config.frames.iter().enumerate().map(|(k, f)| (k + 1, f)).filter(move |(_, f)| f.role == role)
}

fn darks(measurement: &Measurement) -> Result<Vec<(f64, Array2<f64>)>, MeasureError> {
    let mut sums: Vec<(f64, Array2<f64>, f64)> = Vec::new();
    for (number, frame) in of_role(measurement, Role::Background) {
        let counts = measurement.counts(number)?;
        match sums.iter_mut().find(|(e, ..)| (e - frame.exposure).abs() <= SAME * e.abs()) {
            Some((_, sum, n)) => {
                *sum += &counts;
                *n += 1.0;
            }
            None => sums.push((frame.exposure, counts, 1.0)),
        }
    }
    sums.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(sums.into_iter().map(|(e, sum, n)| (e, sum / n)).collect())
}

/// Median of the pixels around `at` that are not defective.
fn neighbours(counts: &Array2<f64>, flat: &Array2<f64>, (r, c): (usize, usize)) -> f64 {
    let rows = r.saturating_sub(1)..(r + 2).min(counts.nrows());
    let around = rows.flat_map(|y| (c.saturating_sub(1)..(c + 2).min(counts.ncols())).map(move |x| [y, x]));
    quantile(around.filter(|at| flat[*at] > 0.0).map(|at| counts[at]).collect(), 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io;
    use crate::measure::MeasurementConfig;
    use crate::twin::Pair;

    const SHAPE: (usize, usize) = (20, 24);

    fn bench(frames: &[(&str, Role, f64, Array2<f64>)]) -> (tempfile::TempDir, Measurement) {
        let dir = tempfile::tempdir().unwrap();
        let mut config = MeasurementConfig::default();
        config.camera.pixels = Pair::Two([SHAPE.0, SHAPE.1]);
        for (file, role, exposure, counts) in frames {
            io::write_real(&dir.path().join(file), counts.mapv(|v| v as f32).view()).unwrap();
            let frame = Frame { file: (*file).into(), role: *role, exposure: *exposure, ..Frame::default() };
            config.frames.push(frame);
        }
        let measurement = Measurement { dir: dir.path().into(), config };
        (dir, measurement)
    }

    fn scene() -> Array2<f64> {
        Array2::from_shape_fn(SHAPE, |(r, c)| 100.0 + (3 * r + 2 * c) as f64)
    }

    fn sensitivity() -> Array2<f64> {
        let raw = Array2::from_shape_fn(SHAPE, |(r, c)| 1.0 + 0.01 * r as f64 - 0.005 * c as f64);
        let mean = raw.sum() / raw.len() as f64;
        raw / mean
    }

    /// Offset and dark current of a pixel.
    fn dark(exposure: f64) -> Array2<f64> {
        Array2::from_shape_fn(SHAPE, |(r, c)| 64.0 + (r % 3) as f64 + exposure * (2.0 + (c % 2) as f64))
    }

    fn close(a: &Array2<f64>, b: &Array2<f64>) {
        // Files hold single precision of a few hundred counts.
        let worst = (a - b).iter().fold(0.0_f64, |w, d| w.max(d.abs()));
        assert!(worst < 2e-4, "{worst}");
    }

    #[test]
    fn background_and_flat_are_taken_out() {
        let light = |e: f64| &dark(e) + &(&scene() * &sensitivity() * e);
        let (_dir, m) = bench(&[
            ("b1.npy", Role::Background, 1.0, dark(1.0) + 1.0),
            ("b2.npy", Role::Background, 1.0, dark(1.0) - 1.0),
            ("b3.npy", Role::Background, 4.0, dark(4.0)),
            ("flat.npy", Role::Flat, 4.0, dark(4.0) + 300.0 * sensitivity()),
            ("f1.npy", Role::Fit, 1.0, light(1.0)),
            ("f2.npy", Role::Fit, 2.0, light(2.0)),
        ]);
        close(&m.corrected(5).unwrap(), &scene());
        close(&m.corrected(6).unwrap(), &(2.0 * scene()));
    }

    #[test]
    fn one_background_exposure_is_an_offset_and_none_is_nothing() {
        let (_dir, m) = bench(&[
            ("b.npy", Role::Background, 1.0, dark(0.0)),
            ("f.npy", Role::Fit, 3.0, dark(0.0) + scene()),
        ]);
        close(&m.corrected(2).unwrap(), &scene());
        let (_dir, m) = bench(&[("f.npy", Role::Fit, 3.0, scene())]);
        close(&m.corrected(1).unwrap(), &scene());
    }

    #[test]
    fn dead_pixels_are_filled_and_bad_flats_refused() {
        let (mut flat, mut light) = (300.0 * sensitivity(), &scene() * &sensitivity());
        (flat[[7, 9]], light[[7, 9]]) = (0.0, 0.0);
        let (_dir, m) =
            bench(&[("flat.npy", Role::Flat, 1.0, flat.clone()), ("f.npy", Role::Fit, 1.0, light)]);
        assert_eq!(Corrections::read(&m).unwrap().defects(), 1);
        let filled = m.corrected(2).unwrap()[[7, 9]];
        assert!((filled - scene()[[7, 9]]).abs() < 4.0, "{filled}");
        flat.slice_mut(ndarray::s![..4, ..]).fill(1.0);
        let (_dir, m) = bench(&[("flat.npy", Role::Flat, 1.0, flat)]);
        let message = m.corrected(1).unwrap_err().to_string();
        assert!(message.contains("flat.npy (frame 1)") && message.contains("97 of 480"), "{message}");
    }
}
