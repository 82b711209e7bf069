//! What a data set looks like.

use std::fmt;

use serde::Serialize;

use super::{DataError, Limits, load};
use crate::engine::ImageSet;

/// A data set in figures.
#[derive(Clone, Debug, Serialize)]
pub struct Info {
    /// Name.
    pub name: String,
    /// Where it came from.
    pub origin: String,
    /// Rows and columns of an image.
    pub size: [usize; 2],
    /// Class names.
    pub classes: Vec<String>,
    /// Training images.
    pub train: SplitInfo,
    /// Test images.
    pub test: SplitInfo,
}

/// One split in figures.
#[derive(Clone, Debug, Serialize)]
pub struct SplitInfo {
    /// Images.
    pub images: usize,
    /// Images of every class.
    pub per_class: Vec<usize>,
    /// Mean gray value, 0..=255.
    pub mean: f64,
    /// Standard deviation of the gray values.
    pub deviation: f64,
}

/// Loads a data set and counts.
///
/// # Errors
/// As [`load`].
pub fn info(source: &str) -> Result<Info, DataError> {
    let set = load(source, Limits::default(), 1)?;
    let (train, test) = (split(&set.train, set.classes.len()), split(&set.test, set.classes.len()));
    Ok(Info { name: set.name, origin: set.origin, size: set.train.size, classes: set.classes, train, test })
}

fn split(set: &ImageSet, classes: usize) -> SplitInfo {
    let n = set.pixels.len().max(1) as f64;
    let mean = set.pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / n;
    let square = set.pixels.iter().map(|&p| f64::from(p) * f64::from(p)).sum::<f64>() / n;
    let count = |c: usize| set.labels.iter().filter(|&&l| usize::from(l) == c).count();
    SplitInfo {
        images: set.len(),
        per_class: (0..classes).map(count).collect(),
        mean,
        deviation: (square - mean * mean).max(0.0).sqrt(),
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} x {} pixels, {} classes ({})",
            self.name,
            self.size[0],
            self.size[1],
            self.classes.len(),
            self.origin
        )?;
        for (name, s) in [("train", &self.train), ("test", &self.test)] {
            writeln!(f, "  {name:6} {:>6} images, gray {:.1} ± {:.1}", s.images, s.mean, s.deviation)?;
        }
        write!(f, "  class            train   test")?;
        for (c, class) in self.classes.iter().enumerate() {
            write!(f, "\n  {class:14} {:>7} {:>6}", self.train.per_class[c], self.test.per_class[c])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_set_is_balanced() {
        let found = info("strokes").unwrap();
        assert_eq!((found.train.images, found.test.images), (8000, 2000));
        assert!(found.train.per_class.iter().all(|&n| n == 800));
        assert!(found.to_string().contains("28 x 28 pixels, 10 classes"));
    }
}
