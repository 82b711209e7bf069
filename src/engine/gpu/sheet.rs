//! The sheet: all small numbers of a sample, as words; twin of `shaders/shared/sheet.wgsl`.

use ndarray::Array2;

use crate::engine::Inference;

use super::geometry::Geometry;

const IMAGE: usize = 0;
const LABEL: usize = 1;
const START_RMS: usize = 2;
const LOSS: usize = 4;
const PREDICTION: usize = 5;
const ENERGIES: usize = 8;

/// Sizes of sheets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sheets {
    regions: usize,
    classes: usize,
    pixels: usize,
}

impl Sheets {
    pub(super) fn new(geometry: &Geometry) -> Self {
        Self { regions: geometry.regions, classes: geometry.classes, pixels: geometry.pixels() }
    }

    /// Words of a sample.
    pub(super) fn words(&self) -> usize {
        ENERGIES + 2 * self.regions + self.classes
    }

    /// Sheets of a batch before it runs: image numbers and labels, all else zero.
    pub(super) fn fresh(&self, indices: &[u32], labels: &[u8]) -> Vec<u32> {
        let mut words = vec![0; indices.len() * self.words()];
        for (sheet, &index) in words.chunks_mut(self.words()).zip(indices) {
            sheet[IMAGE] = index;
            sheet[LABEL] = u32::from(labels[index as usize]);
        }
        words
    }

    /// Rms of the start field of a sample.
    pub(super) fn start_rms(&self, words: &[u32], sample: usize) -> f64 {
        f64::from(f32::from_bits(words[sample * self.words() + START_RMS]))
    }

    /// What sheets say after a data pass.
    pub(super) fn inference(&self, words: &[u32]) -> Inference {
        let sheets: Vec<_> = words.chunks(self.words()).collect();
        let number = |b: usize, entry: usize| f64::from(f32::from_bits(sheets[b][entry]));
        let scores = ENERGIES + 2 * self.regions;
        Inference {
            energies: Array2::from_shape_fn((sheets.len(), self.regions), |(b, r)| number(b, ENERGIES + r)),
            input_energies: (0..sheets.len())
                .map(|b| self.start_rms(words, b).powi(2) * self.pixels as f64)
                .collect(),
            scores: Array2::from_shape_fn((sheets.len(), self.classes), |(b, c)| number(b, scores + c)),
            losses: (0..sheets.len()).map(|b| number(b, LOSS)).collect(),
            predictions: sheets.iter().map(|sheet| sheet[PREDICTION] as u8).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shader_has_the_same_places() {
        let text = include_str!("../../../shaders/shared/sheet.wgsl");
        let places = [
            ("IMAGE", IMAGE),
            ("LABEL", LABEL),
            ("START_RMS", START_RMS),
            ("LOSS", LOSS),
            ("PREDICTION", PREDICTION),
            ("ENERGIES", ENERGIES),
        ];
        for (name, place) in places {
            assert!(text.contains(&format!("const SHEET_{name}: u32 = {place}u;")), "{name}");
        }
    }
}
