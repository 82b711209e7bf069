//! How sharp a picture is. All figures are free of the brightness.

use ndarray::{Array2, s};

use crate::optics::Field;

/// What is measured of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Mean square of the gradient (central differences) over the mean square of the picture.
    Gradient,
    /// Mean square of the Laplacian over the mean square of the picture.
    Laplacian,
    /// Variance over the square of the mean.
    Variance,
    /// Tamura coefficient: square root of standard deviation over mean (Memmolo et al., Opt. Lett. 36, 1945 (2011)).
    Tamura,
}

impl Metric {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Gradient, Self::Laplacian, Self::Variance, Self::Tamura];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gradient => "gradient",
            Self::Laplacian => "laplacian",
            Self::Variance => "variance",
            Self::Tamura => "tamura",
        }
    }

    /// The figure of a picture of 3 x 3 pixels or more.
    pub fn of(self, picture: &Array2<f64>) -> f64 {
        let square = mean(picture.iter().map(|v| v * v));
        let average = mean(picture.iter().copied());
        let variance = (square - average * average).max(0.0);
        match self {
            Self::Gradient => gradient(picture) / square,
            Self::Laplacian => laplacian(picture) / square,
            Self::Variance => variance / (average * average),
            Self::Tamura => (variance.sqrt() / average).sqrt(),
        }
    }
}

/// Where the figure has its best value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Best {
    /// Objects that absorb, reflect or scatter: contrast is largest in focus.
    Max,
    /// Transparent objects: their amplitude has the least contrast in focus.
    Min,
}

/// The picture whose sharpness is measured: the amplitude, or with `speckle > 1` the square root of the intensity averaged over
/// `speckle x speckle` pixels, for objects whose light is speckle: that is as sharp in focus as out of it.
pub(super) fn picture(field: &Field, speckle: usize) -> Array2<f64> {
    if speckle <= 1 {
        return field.mapv(|v| v.norm());
    }
    let blocks = [field.nrows(), field.ncols()].map(|n| (n / speckle).max(1));
    Array2::from_shape_fn((blocks[0], blocks[1]), |(r, c)| {
        let rows = r * speckle..((r + 1) * speckle).min(field.nrows());
        let cols = c * speckle..((c + 1) * speckle).min(field.ncols());
        mean(field.slice(s![rows, cols]).iter().map(|v| v.norm_sqr())).sqrt()
    })
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len().max(1) as f64;
    values.sum::<f64>() / n
}

/// Mean over pixels and axes of squared central differences, one-sided at the border.
fn gradient(p: &Array2<f64>) -> f64 {
    let line = |at: usize, n: usize, value: &dyn Fn(usize) -> f64| {
        let (low, high) = (at.saturating_sub(1), (at + 1).min(n - 1));
        ((value(high) - value(low)) / (high - low) as f64).powi(2)
    };
    let (rows, cols) = p.dim();
    let both = |r: usize, c: usize| line(r, rows, &|k| p[[k, c]]) + line(c, cols, &|k| p[[r, k]]);
    mean((0..p.len()).map(|k| both(k / cols, k % cols))) / 2.0
}

fn laplacian(p: &Array2<f64>) -> f64 {
    let inner = p.windows((3, 3));
    let value = |w: ndarray::ArrayView2<'_, f64>| {
        (w[[0, 1]] + w[[2, 1]] + w[[1, 0]] + w[[1, 2]] - 4.0 * w[[1, 1]]).powi(2)
    };
    let all: Vec<f64> = inner.into_iter().map(value).collect();
    mean(all.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_complex::Complex64;

    #[test]
    fn sharp_edges_have_more_of_it_and_brightness_none() {
        let edge = |width: f64| {
            Array2::from_shape_fn((40, 50), |(r, c)| {
                1.5 + ((c as f64 - 25.0) / width).tanh() + 0.2 * ((r as f64 - 20.0) / width).tanh()
            })
        };
        for metric in Metric::ALL {
            let (sharp, soft) = (metric.of(&edge(1.0)), metric.of(&edge(6.0)));
            assert!(sharp > soft, "{}: {sharp} {soft}", metric.name());
            let bright = metric.of(&(edge(1.0) * 7.0));
            assert!((bright / sharp - 1.0).abs() < 1e-9, "{}", metric.name());
        }
        // One step of 1 per pixel along x, none along y.
        let slope = Array2::from_shape_fn((5, 6), |(_, c)| c as f64);
        assert!((gradient(&slope) - 0.5).abs() < 1e-12 && laplacian(&slope) < 1e-20);
    }

    #[test]
    fn speckle_is_averaged_as_intensity() {
        let field = Field::from_shape_fn((6, 9), |(r, c)| Complex64::new((r + c) as f64, 0.0));
        assert_eq!(picture(&field, 1)[[2, 3]], 5.0);
        let coarse = picture(&field, 3);
        assert_eq!(coarse.dim(), (2, 3));
        let expected =
            (0..3).flat_map(|r| (0..3).map(move |c| f64::from((r + c) * (r + c)))).sum::<f64>() / 9.0;
        assert!((coarse[[0, 0]] - expected.sqrt()).abs() < 1e-12);
    }
}
