//! Masks as gray values of a panel, so prepared that the panel makes of them what was meant.

use std::f64::consts::TAU;

use ndarray::{Array2, ArrayView2, Axis};

use super::modulators::Panel;

/// Phases that are told apart when gray values are looked up: far finer than those of 256 gray values.
const STEPS: usize = 1 << 16;

/// How a mask gets onto a panel.
#[derive(Clone, Debug, Default)]
pub struct Preparation {
    /// Phase of each gray value, radians; default: 256 gray values are `2 pi`.
    pub phases: Option<Vec<f64>>,
    /// Factors on these phases, for the network's pixels, in the mask's place and turn.
    pub stretch: Option<Array2<f64>>,
    /// Phase that the panel adds on the network's pixels, radians: taken off the mask, in whose place and turn it is.
    pub aberration: Option<Array2<f64>>,
    /// Phase that is to be shown besides, radians, for every pixel of the panel as it is mounted: the maker's flatness correction.
    pub correction: Option<Array2<f64>>,
    /// Quarter turns from `+x` towards `+y`.
    pub turns: u32,
    /// Mirrored in x, after the turn.
    pub flip_x: bool,
    /// Mirrored in y, after the turn.
    pub flip_y: bool,
    /// Panel pixel `[row, col]` that the middle of the mask falls on; default: the panel's middle.
    pub centre: Option<[usize; 2]>,
}

/// A bitmap, and how near it comes to what was meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// Gray values of the whole panel.
    pub bitmap: Array2<u8>,
    /// First row and column of the network.
    pub corner: [usize; 2],
    /// Difference between the phase shown and the phase meant over the network, radians rms.
    pub error_rms: f64,
    /// The largest.
    pub error_max: f64,
    /// Share of the network's pixels whose phase the panel does not reach, so that the nearest end of its range is shown.
    pub unreached: f64,
}

/// A mask that does not fit.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{0}")]
pub struct Misfit(pub String);

impl Preparation {
    /// A phase mask, radians, on a panel.
    ///
    /// # Errors
    /// A mask, correction or table that does not fit the panel.
    pub fn phase(&self, mask: ArrayView2<'_, f32>, panel: &Panel) -> Result<Prepared, Misfit> {
        let mut wanted = mask.mapv(f64::from);
        if let Some(aberration) = &self.aberration {
            if aberration.dim() != wanted.dim() {
                return Err(Misfit(format!(
                    "an aberration of {:?} pixels on a mask of {:?}",
                    aberration.dim(),
                    mask.dim()
                )));
            }
            wanted -= aberration;
        }
        if let Some(stretch) = self.stretch.as_ref().filter(|s| s.dim() != wanted.dim()) {
            let problem =
                format!("phase factors of {:?} pixels on a mask of {:?}", stretch.dim(), mask.dim());
            return Err(Misfit(problem));
        }
        let stretch = self.stretch.as_ref().map(|s| self.turned(s.clone()));
        let mut turned = self.turned(wanted);
        let corner = self.corner(&turned, panel)?;
        let [rows, cols] = panel.pixels;
        let mut everywhere = Array2::<f64>::zeros((rows, cols));
        if let Some(correction) = &self.correction {
            if correction.dim() != (rows, cols) {
                let (r, c) = correction.dim();
                return Err(Misfit(format!(
                    "the flatness correction has {c} x {r} pixels, {} has {cols} x {rows}; use the one of this device",
                    panel.name
                )));
            }
            everywhere.assign(correction);
        }
        for ((r, c), v) in turned.indexed_iter_mut() {
            let at = [r + corner[0], c + corner[1]];
            everywhere[at] += *v;
            *v = everywhere[at];
        }
        let table = Inverse::new(self.phases.as_deref())?;
        let mut bitmap = everywhere.mapv(|v| table.gray(v));
        let factor = |at: (usize, usize)| stretch.as_ref().map_or(1.0, |s| s[at]);
        if stretch.is_some() {
            for ((r, c), v) in turned.indexed_iter() {
                bitmap[[r + corner[0], c + corner[1]]] = table.stretched(*v, factor((r, c)));
            }
        }
        let (mut square, mut most, mut unreached) = (0.0, 0.0_f64, 0.0);
        for ((r, c), v) in turned.indexed_iter() {
            let by = factor((r, c));
            let shown = by * table.phases[usize::from(bitmap[[r + corner[0], c + corner[1]]])];
            let error = distance(shown, *v);
            square += error * error;
            most = most.max(error);
            unreached += if error > by * table.coarse { 1.0 } else { 0.0 };
        }
        let n = turned.len() as f64;
        Ok(Prepared {
            bitmap,
            corner,
            error_rms: (square / n).sqrt(),
            error_max: most,
            unreached: unreached / n,
        })
    }

    /// An amplitude mask, transmissions 0 to 1, on a panel whose gray values are proportional to them; dark around it.
    ///
    /// # Errors
    /// A mask that does not fit the panel.
    pub fn amplitude(&self, mask: ArrayView2<'_, f32>, panel: &Panel) -> Result<Array2<u8>, Misfit> {
        let turned = self.turned(mask.mapv(|a| f64::from(a.clamp(0.0, 1.0))));
        let corner = self.corner(&turned, panel)?;
        let mut bitmap = Array2::zeros((panel.pixels[0], panel.pixels[1]));
        for ((r, c), v) in turned.indexed_iter() {
            bitmap[[r + corner[0], c + corner[1]]] = (v * 255.0).round() as u8;
        }
        Ok(bitmap)
    }

    fn turned(&self, mut mask: Array2<f64>) -> Array2<f64> {
        for _ in 0..self.turns % 4 {
            // What was at +x comes to +y, that at +y to -x: rows run down.
            mask.swap_axes(0, 1);
            mask.invert_axis(Axis(1));
        }
        for (flip, axis) in [(self.flip_y, 0), (self.flip_x, 1)] {
            if flip {
                mask.invert_axis(Axis(axis));
            }
        }
        mask.as_standard_layout().into_owned()
    }

    /// First row and column of a mask on the panel: the middle pixel of one falls on the middle pixel of the other.
    fn corner(&self, mask: &Array2<f64>, panel: &Panel) -> Result<[usize; 2], Misfit> {
        let centre = self.centre.unwrap_or(panel.pixels.map(|n| n / 2));
        let sides = [mask.nrows(), mask.ncols()];
        let first = [0, 1]
            .map(|k| centre[k].checked_sub(sides[k] / 2).filter(|first| first + sides[k] <= panel.pixels[k]));
        match first {
            [Some(row), Some(col)] => Ok([row, col]),
            _ => Err(Misfit(format!(
                "a mask of {} x {} pixels about pixel ({}, {}) does not fit on the {} x {} of {}; move --centre, or use a larger \
                 device",
                sides[1], sides[0], centre[1], centre[0], panel.pixels[1], panel.pixels[0], panel.name
            ))),
        }
    }
}

/// How far two phases are apart on the circle, radians.
fn distance(a: f64, b: f64) -> f64 {
    let d = (a - b).rem_euclid(TAU);
    d.min(TAU - d)
}

/// From phase to the gray value that comes nearest.
struct Inverse {
    phases: Vec<f64>,
    gray: Vec<u8>,
    /// Half the widest step between phases that lie next to each other: errors above it are of phases out of reach.
    coarse: f64,
}

impl Inverse {
    fn new(phases: Option<&[f64]>) -> Result<Self, Misfit> {
        let phases =
            phases.map_or_else(|| (0..256).map(|g| TAU * f64::from(g) / 256.0).collect(), <[f64]>::to_vec);
        if phases.len() != 256 || phases.iter().any(|p| !p.is_finite()) {
            return Err(Misfit(format!(
                "a table of {} phases; 256 finite ones are needed, one a gray value",
                phases.len()
            )));
        }
        let nearest = |step: usize| {
            let wanted = TAU * step as f64 / STEPS as f64;
            // Of equals the smallest gray value: `min_by` takes the first.
            let best =
                (0..256).min_by(|&a, &b| distance(phases[a], wanted).total_cmp(&distance(phases[b], wanted)));
            best.unwrap_or(0) as u8
        };
        let gray = (0..STEPS).map(nearest).collect();
        let widest = phases.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max);
        // A whole range without a gap has no phase out of reach, however coarse its last step.
        Ok(Self { coarse: 0.5 * widest + TAU / STEPS as f64, gray, phases })
    }

    fn gray(&self, phase: f64) -> u8 {
        let step = (phase / TAU).rem_euclid(1.0) * STEPS as f64;
        self.gray[step.round() as usize % STEPS]
    }

    /// Where a pixel makes `factor` times the phase of the table.
    fn stretched(&self, phase: f64, factor: f64) -> u8 {
        let off = |gray: usize| distance(factor * self.phases[gray], phase);
        (0..256).min_by(|&a, &b| off(a).total_cmp(&off(b))).unwrap_or(0) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device whose phase goes with a power of the gray value.
    fn power(range: f64, gamma: f64) -> Vec<f64> {
        (0..256).map(|g| TAU * range * (f64::from(g) / 256.0).powf(gamma)).collect()
    }

    fn panel() -> Panel {
        Panel { name: "test".into(), pixels: [20, 30], pitch: None }
    }

    fn mask() -> Array2<f32> {
        Array2::from_shape_fn((8, 10), |(r, c)| (r * 10 + c) as f32 * 0.31 - 4.0)
    }

    #[test]
    fn a_modulator_makes_of_the_bitmap_what_was_meant() {
        let response = power(1.2, 1.3);
        let aberration =
            Array2::from_shape_fn((8, 10), |(r, c)| (r as f64 - 3.0) * 0.4 + c as f64 * c as f64 * 0.05);
        let correction = Array2::from_shape_fn((20, 30), |(r, c)| (r * c) as f64 * 0.02);
        let preparation = Preparation {
            phases: Some(response.clone()),
            aberration: Some(aberration.clone()),
            correction: Some(correction.clone()),
            ..Preparation::default()
        };
        let made = preparation.phase(mask().view(), &panel()).unwrap();
        assert_eq!((made.bitmap.dim(), made.corner, made.unreached), ((20, 30), [6, 10], 0.0));
        let mut worst = 0.0_f64;
        for ((r, c), meant) in mask().indexed_iter() {
            let at = [r + 6, c + 10];
            // The panel is bent so that its correction makes it flat, and has an aberration besides.
            let shown = response[usize::from(made.bitmap[at])] - correction[at] + aberration[[r, c]];
            worst = worst.max(distance(shown, f64::from(*meant)));
        }
        let step = response.windows(2).map(|w| w[1] - w[0]).fold(0.0, f64::max);
        assert!(worst <= 0.5 * step + 1e-4 && (worst - made.error_max).abs() < 1e-9, "{worst} {step}");
    }

    #[test]
    fn without_a_table_bitmaps_are_those_of_a_run_folder() {
        let made = Preparation::default().phase(mask().view(), &panel()).unwrap();
        let plain = crate::io::modulator_bitmap(mask().view());
        let differ = plain.indexed_iter().filter(|((r, c), v)| made.bitmap[[r + 6, c + 10]] != **v).count();
        assert_eq!(differ, 0);
        assert_eq!(made.bitmap[[0, 0]], 0);
        assert!(made.error_max <= TAU / 512.0 + 1e-4 && made.error_rms > 0.0);
    }

    #[test]
    fn every_place_gets_the_gray_value_that_it_needs() {
        let response = power(1.3, 1.2);
        let stretch = Array2::from_shape_fn((8, 10), |(r, c)| 0.9 + 0.02 * r as f64 + 0.01 * c as f64);
        let one = |turns: u32, stretch: Option<Array2<f64>>| {
            let own =
                Preparation { phases: Some(response.clone()), stretch, turns, ..Preparation::default() };
            own.phase(mask().view(), &panel()).unwrap()
        };
        let made = one(0, Some(stretch.clone()));
        let error = |at: [usize; 2], r: usize, c: usize, made: &Prepared| {
            let shown = stretch[[r, c]] * response[usize::from(made.bitmap[at])];
            distance(shown, f64::from(mask()[[r, c]]))
        };
        let straight =
            mask().indexed_iter().map(|((r, c), _)| error([r + 6, c + 10], r, c, &made)).fold(0.0, f64::max);
        assert!(
            straight < 0.03 && (straight - made.error_max).abs() < 1e-9 && made.unreached == 0.0,
            "{straight}"
        );
        // Turned by a quarter: (r, c) comes to (c, rows - 1 - r).
        let turned = one(1, Some(stretch.clone()));
        let [top, left] = turned.corner;
        for ((r, c), _) in mask().indexed_iter() {
            assert!(error([top + c, left + 7 - r], r, c, &turned) < 0.03, "{r} {c}");
        }
        let even = one(0, None);
        assert!(error([13, 19], 7, 9, &even) > 0.1);
        let wrong = Preparation { stretch: Some(Array2::ones((3, 3))), ..Preparation::default() };
        assert!(wrong.phase(mask().view(), &panel()).unwrap_err().to_string().contains("factors"));
    }

    #[test]
    fn phases_out_of_reach_take_the_nearest_end() {
        let phases = power(0.8, 1.0);
        let one = Preparation { phases: Some(phases), ..Preparation::default() };
        let wanted = ndarray::arr2(&[[TAU as f32 * 0.85, TAU as f32 * 0.95, 1.0, 0.0]]);
        let made = one.phase(wanted.view(), &panel()).unwrap();
        let row: Vec<u8> = (0..4).map(|c| made.bitmap[[10, 13 + c]]).collect();
        assert_eq!((row[0], row[1], row[3]), (255, 0, 0));
        assert_eq!(made.unreached, 0.5);
    }

    #[test]
    fn turns_and_flips_move_pixels_as_light_would() {
        let one = |preparation: Preparation| {
            let mut mask = Array2::<f32>::zeros((3, 5));
            mask[[1, 4]] = 1.0;
            let bitmap = preparation.amplitude(mask.view(), &panel()).unwrap();
            bitmap.indexed_iter().find(|(_, v)| **v == 255).map(|((r, c), _)| [r as i32 - 10, c as i32 - 15])
        };
        assert_eq!(one(Preparation::default()), Some([0, 2]));
        // From +x towards +y: down.
        assert_eq!(one(Preparation { turns: 1, ..Preparation::default() }), Some([2, 0]));
        assert_eq!(one(Preparation { turns: 2, ..Preparation::default() }), Some([0, -2]));
        assert_eq!(one(Preparation { flip_x: true, ..Preparation::default() }), Some([0, -2]));
        assert_eq!(one(Preparation { turns: 3, flip_y: true, ..Preparation::default() }), Some([2, 0]));
        assert_eq!(one(Preparation { centre: Some([5, 6]), ..Preparation::default() }), Some([-5, -7]));
        let outside = Preparation { centre: Some([0, 6]), ..Preparation::default() };
        let message = outside.phase(mask().view(), &panel()).unwrap_err().to_string();
        assert!(message.contains("--centre"), "{message}");
    }
}
