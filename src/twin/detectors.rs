//! Where the detectors are.

use ndarray::Array2;

use super::config::{DetectorConfig, Layout};
use super::errors::{ConfigError, value};

/// A rectangular detector region, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First row.
    pub row: usize,
    /// First column.
    pub col: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
}

impl Region {
    fn overlaps(&self, other: &Self) -> bool {
        let apart = |a: usize, n: usize, b: usize, m: usize| a + n <= b || b + m <= a;
        !apart(self.row, self.rows, other.row, other.rows)
            && !apart(self.col, self.cols, other.col, other.cols)
    }
}

/// The regions of a layout on `rows x cols` pixels: one per class, or two (positive, negative) with differential detection.
///
/// # Errors
/// Regions that leave the grid, overlap, or do not match the classes.
pub(super) fn regions(config: &DetectorConfig, shape: [usize; 2]) -> Result<Vec<Region>, ConfigError> {
    if !(2..=255).contains(&config.count()) {
        return Err(value("detectors.classes", config.count(), "must be 2 to 255"));
    }
    let count = config.count() * if config.layout == Layout::Differential { 2 } else { 1 };
    let regions = match &config.regions {
        Some(given) if given.len() != count => {
            return Err(value(
                "detectors.regions",
                format!("{} regions", given.len()),
                format!("{} classes with this layout need {count}", config.count()),
            ));
        }
        Some(given) => given.iter().map(|&[row, col, rows, cols]| Region { row, col, rows, cols }).collect(),
        None => arrange(config, shape)?,
    };
    check(&regions, shape)?;
    Ok(regions)
}

fn check(regions: &[Region], [rows, cols]: [usize; 2]) -> Result<(), ConfigError> {
    let show = |r: &Region| format!("[{}, {}, {}, {}]", r.row, r.col, r.rows, r.cols);
    for (k, r) in regions.iter().enumerate() {
        if r.rows == 0 || r.cols == 0 || r.row + r.rows > rows || r.col + r.cols > cols {
            return Err(value(
                "detectors",
                show(r),
                format!(
                    "region {} leaves the grid of {rows} x {cols} pixels or is empty; move or shrink it",
                    k + 1
                ),
            ));
        }
        if let Some(other) = regions[..k].iter().position(|o| o.overlaps(r)) {
            return Err(value(
                "detectors",
                show(r),
                format!("region {} overlaps region {}; lower detectors.size", k + 1, other + 1),
            ));
        }
    }
    Ok(())
}

/// Rows of squares: ten stand as 3, 4, 3; other numbers as evenly as they go.
fn arrange(config: &DetectorConfig, [rows, cols]: [usize; 2]) -> Result<Vec<Region>, ConfigError> {
    let pairs = config.layout == Layout::Differential;
    let side = config.size.unwrap_or(rows.min(cols) / if pairs { 12 } else { 10 });
    if side == 0 {
        return Err(value("detectors.size", side, "must be at least 1 pixel"));
    }
    let counts = row_counts(config.count());
    let mut regions = Vec::new();
    let corner = |centre: usize, length: usize, limit: usize| {
        let start = centre.checked_sub(length / 2).filter(|s| s + length <= limit);
        start.ok_or_else(|| {
            value("detectors.size", side, format!("squares of {side} pixels do not fit {rows} x {cols}"))
        })
    };
    for (r, &count) in counts.iter().enumerate() {
        let row = corner((r + 1) * rows / (counts.len() + 1), side, rows)?;
        for c in 0..count {
            let centre = (c + 1) * cols / (count + 1);
            if pairs {
                let col = corner(centre, 2 * side, cols)?;
                regions.extend([0, side].map(|d| Region { row, col: col + d, rows: side, cols: side }));
            } else {
                regions.push(Region { row, col: corner(centre, side, cols)?, rows: side, cols: side });
            }
        }
    }
    Ok(regions)
}

fn row_counts(classes: usize) -> Vec<usize> {
    if classes == 10 {
        return vec![3, 4, 3];
    }
    let lines = (classes as f64).sqrt().round().max(1.0) as usize;
    (0..lines).map(|r| classes / lines + usize::from(r < classes % lines)).collect()
}

/// Region number + 1 of every pixel.
pub(super) fn map(regions: &[Region], [rows, cols]: [usize; 2]) -> Array2<u16> {
    let mut map = Array2::zeros((rows, cols));
    for (k, r) in regions.iter().enumerate() {
        map.slice_mut(ndarray::s![r.row..r.row + r.rows, r.col..r.col + r.cols]).fill(k as u16 + 1);
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_classes_stand_in_rows_of_three_four_three() {
        let found = regions(&DetectorConfig::default(), [100, 100]).unwrap();
        assert_eq!(found.len(), 10);
        assert_eq!(found[0], Region { row: 20, col: 20, rows: 10, cols: 10 });
        assert_eq!(found[3], Region { row: 45, col: 15, rows: 10, cols: 10 });
        assert_eq!(map(&found, [100, 100]).iter().filter(|&&m| m > 0).count(), 1000);
    }

    #[test]
    fn other_layouts_fit() {
        for classes in [2, 3, 5, 7, 10, 16] {
            for layout in [Layout::Squares, Layout::Differential] {
                let found = regions(
                    &DetectorConfig { classes: Some(classes), layout, ..DetectorConfig::default() },
                    [96, 128],
                )
                .unwrap();
                assert_eq!(found.len(), if layout == Layout::Squares { classes } else { 2 * classes });
            }
        }
    }

    #[test]
    fn impossible_regions_are_named() {
        let message = |config: DetectorConfig| regions(&config, [64, 64]).unwrap_err().to_string();
        let base = DetectorConfig { classes: Some(2), ..DetectorConfig::default() };
        let outside = DetectorConfig { regions: Some(vec![[0, 0, 8, 8], [60, 0, 8, 8]]), ..base.clone() };
        assert!(message(outside).contains("region 2 leaves the grid of 64 x 64"));
        let overlapping = DetectorConfig { regions: Some(vec![[0, 0, 8, 8], [4, 4, 8, 8]]), ..base.clone() };
        assert!(message(overlapping).contains("region 2 overlaps region 1"));
        let few = DetectorConfig { regions: Some(vec![[0, 0, 8, 8]]), ..base.clone() };
        assert!(message(few).contains("need 2"));
        assert!(
            message(DetectorConfig { size: Some(40), ..DetectorConfig::default() })
                .contains("detectors.size")
        );
        assert!(message(DetectorConfig { classes: Some(0), ..base }).contains("detectors.classes = 0"));
    }
}
