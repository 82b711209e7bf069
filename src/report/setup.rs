//! The tables of the optical system and of what is wrong with the twin.

use super::format::{metres, significant};
use super::{Fact, Imperfection, Optics};

/// The lines of the table of the optical system.
pub(super) fn optics(optics: &Optics) -> Vec<Fact> {
    let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
    let [dy, dx] = optics.pitch;
    let [rows, cols] = optics.shape;
    let pitch = if dy == dx { metres(dx) } else { format!("{} × {} (y × x)", metres(dy), metres(dx)) };
    let size = format!("{rows} × {cols} px, {} × {}", metres(rows as f64 * dy), metres(cols as f64 * dx));
    let mut facts = vec![
        fact("Wavelength", metres(optics.wavelength)),
        fact("Pixel pitch", pitch),
        fact("Aperture (y × x)", size),
        fact("Transform with padding", format!("{} × {}", optics.padded[0], optics.padded[1])),
        fact("Free-space distances", distances(&optics.distances)),
        fact("Propagation", optics.method.clone()),
    ];
    facts.extend(optics.more.iter().cloned());
    facts
}

/// Distances in order, or their number and value where they are equal.
fn distances(distances: &[f64]) -> String {
    match distances {
        [first, _, ..] if distances.iter().all(|d| d == first) => {
            format!("{} × {}", distances.len(), metres(*first))
        }
        _ => distances.iter().map(|&d| metres(d)).collect::<Vec<_>>().join(", "),
    }
}

/// The table of imperfections: one column per layer.
pub(super) struct Imperfections {
    pub(super) layers: Vec<usize>,
    /// Name, unit, values.
    pub(super) rows: Vec<(String, String, Vec<String>)>,
}

impl Imperfections {
    pub(super) fn new(list: &[Imperfection]) -> Self {
        let layers = list.iter().map(|i| i.values.len()).max().unwrap_or(0);
        let value = |v: &Option<f64>| v.map_or("–".to_owned(), |v| significant(v, 3));
        let row = |i: &Imperfection| {
            let mut values: Vec<_> = i.values.iter().map(value).collect();
            if values.len() != 1 {
                values.resize(layers, value(&None));
            }
            (i.name.clone(), i.unit.clone(), values)
        };
        Self { layers: (1..=layers).collect(), rows: list.iter().map(row).collect() }
    }

    /// Columns the last value of a row spans: a single value holds for all layers.
    pub(super) fn span(&self, values: &[String]) -> usize {
        1 + self.layers.len().saturating_sub(values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_short_when_equal() {
        assert_eq!(distances(&[0.388, 0.388]), "2 × 388 mm");
        assert_eq!(distances(&[0.388]), "388 mm");
        assert_eq!(distances(&[0.1, 0.2]), "100 mm, 200 mm");
    }

    #[test]
    fn short_rows_are_filled_and_single_values_span() {
        let row = |values: &[f64]| Imperfection {
            name: String::new(),
            unit: String::new(),
            values: values.iter().map(|&v| Some(v)).collect(),
        };
        let table = Imperfections::new(&[row(&[1.0, 2.0, 3.0]), row(&[1.0, 2.0]), row(&[1.5])]);
        assert_eq!(table.layers, [1, 2, 3]);
        assert_eq!(table.rows[1].2, ["1", "2", "–"]);
        assert_eq!((table.span(&table.rows[1].2), table.span(&table.rows[2].2)), (1, 3));
    }
}
