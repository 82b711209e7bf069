//! A program's arrays in the form the kernels read.

use bytemuck::cast_slice;
use ndarray::Array2;
use num_complex::Complex32;

use crate::engine::{EngineError, ImageSet, Input, Readout};
use crate::optics::Field;

use super::geometry::Geometry;

/// Longest run whose energy one thread sums: short chains keep `f32` sums accurate.
const LONGEST_RUN: usize = 32;

/// What a buffer holds after loading.
pub(super) enum Contents<'a> {
    /// Zeros.
    Zero,
    /// So many ones, to begin with: what is there later stays when another program takes its place.
    Ones(usize),
    /// A complex array of the size of the field, row-major.
    Pixels(&'a Field),
    /// A transfer function, blocked, with the `1 / (Mr Mc)` of the inverse transform folded in.
    Transfer(&'a Field),
    /// The source, then the interpolation taps of rows and columns.
    Source(&'a Input),
    /// Words as they are.
    Words(Vec<u32>),
    /// Floats as they are.
    Floats(Vec<f32>),
    /// Pairs as they are.
    Pairs(Vec<[f32; 2]>),
}

impl Contents<'_> {
    /// The bytes, or none for zeros.
    pub(super) fn bytes(&self, geometry: &Geometry) -> Option<Vec<u8>> {
        let bytes = match self {
            Self::Zero => return None,
            Self::Ones(count) => cast_slice(&vec![1.0_f32; *count]).to_vec(),
            Self::Pixels(field) => cast_slice(&narrow(field)).to_vec(),
            Self::Transfer(field) => cast_slice(&blocked(field, geometry)).to_vec(),
            Self::Source(input) => {
                let mut values = narrow(&input.source);
                for axis in [0, 1] {
                    values.extend(taps(input, axis, geometry.shape[axis]));
                }
                cast_slice(&values).to_vec()
            }
            Self::Words(words) => cast_slice(words).to_vec(),
            Self::Floats(floats) => cast_slice(floats).to_vec(),
            Self::Pairs(pairs) => cast_slice(pairs).to_vec(),
        };
        Some(bytes)
    }
}

/// A field in `f32`, row-major.
pub(super) fn narrow(field: &Field) -> Vec<Complex32> {
    field.iter().map(|z| Complex32::new(z.re as f32, z.im as f32)).collect()
}

fn blocked(transfer: &Field, geometry: &Geometry) -> Vec<Complex32> {
    let scale = 1.0 / transfer.len() as f64;
    let mut out = vec![Complex32::default(); geometry.transfer()];
    for ((row, col), z) in transfer.indexed_iter() {
        let z = z * scale;
        out[geometry.work_index(row, col)] = Complex32::new(z.re as f32, z.im as f32);
    }
    out
}

/// First image pixel and fraction for every pixel along an axis, computed in `f64`; -1 outside the window.
fn taps(input: &Input, axis: usize, pixels: usize) -> impl Iterator<Item = Complex32> {
    let (size, origin, window) = (input.image[axis], input.origin[axis], input.window[axis]);
    (0..pixels).map(move |pixel| {
        if pixel < origin || pixel >= origin + window {
            return Complex32::new(-1.0, 0.0);
        }
        let place = ((pixel - origin) as f64 + 0.5) * size as f64 / window as f64 - 0.5;
        let place = place.clamp(0.0, (size - 1) as f64);
        Complex32::new(place.floor() as f32, place.fract() as f32)
    })
}

/// The detector map as horizontal runs of pixels of one region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs {
    /// Number of runs.
    pub(super) count: usize,
    /// First run of every row, then two words a run: row, first column | length << 16.
    pub(super) runs: Vec<u32>,
    /// First entry of every region, then run numbers by region.
    pub(super) regions: Vec<u32>,
}

impl Runs {
    /// The runs of a readout's map.
    ///
    /// # Errors
    /// A region number above the number of regions.
    pub(super) fn new(readout: &Readout) -> Result<Self, EngineError> {
        let mut heads = vec![0];
        let mut bodies = Vec::new();
        let mut members = vec![Vec::new(); readout.regions];
        let mut count = 0_u32;
        for (row, line) in readout.map.rows().into_iter().enumerate() {
            let mut col = 0;
            while col < line.len() {
                let region = usize::from(line[col]);
                let same = line.iter().skip(col).take_while(|&&r| usize::from(r) == region).count();
                let length = same.min(LONGEST_RUN);
                if region > readout.regions {
                    return Err(EngineError::Shape {
                        what: format!("detector map at row {row}, column {col}"),
                        expected: format!("a region up to {}", readout.regions),
                        actual: region.to_string(),
                    });
                }
                if region > 0 {
                    members[region - 1].push(count);
                    bodies.extend([row as u32, col as u32 | (length as u32) << 16]);
                    count += 1;
                }
                col += length;
            }
            heads.push(count);
        }
        let mut first = vec![0_u32];
        first.extend(members.iter().scan(0, |sum, runs| {
            *sum += runs.len() as u32;
            Some(*sum)
        }));
        Ok(Self {
            count: count as usize,
            runs: [heads, bodies].concat(),
            regions: [first, members.concat()].concat(),
        })
    }
}

/// Region of every pixel as words.
pub(super) fn map_words(map: &Array2<u16>) -> Vec<u32> {
    map.iter().map(|&region| u32::from(region)).collect()
}

/// Images with every image on whole words.
pub(super) fn image_bytes(images: &ImageSet) -> Vec<u8> {
    let size = images.size[0] * images.size[1];
    let stride = size.next_multiple_of(4).max(4);
    let mut bytes = vec![0; stride * images.len().max(1)];
    if size > 0 {
        for (image, place) in images.pixels.chunks(size).zip(bytes.chunks_mut(stride)) {
            place[..image.len()].copy_from_slice(image);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::{Loss, Scoring};

    fn readout(map: Array2<u16>, regions: usize) -> Readout {
        Readout {
            map: Arc::new(map),
            regions,
            classes: regions,
            scoring: Scoring::Normalised,
            loss: Loss::CrossEntropy { scale: 1.0, efficiency: 0.0, smoothing: 0.0, margin: 0.0 },
        }
    }

    #[test]
    fn runs_cover_every_pixel_of_every_region_once() {
        let map = Array2::from_shape_fn((7, 90), |(r, c)| ((r * 31 + c / 5 * 7) % 4) as u16);
        let runs = Runs::new(&readout(map.clone(), 3)).expect("regions are within bounds");
        let mut covered = Array2::<u16>::zeros((7, 90));
        for region in 0..3 {
            for k in runs.regions[region]..runs.regions[region + 1] {
                let run = runs.regions[4 + k as usize] as usize;
                let (row, span) = (runs.runs[8 + 2 * run], runs.runs[9 + 2 * run]);
                assert!(run as u32 >= runs.runs[row as usize] && (run as u32) < runs.runs[row as usize + 1]);
                for col in (span & 0xffff)..(span & 0xffff) + (span >> 16) {
                    covered[[row as usize, col as usize]] += region as u16 + 1;
                }
            }
        }
        assert_eq!(covered, map);
        assert!(Runs::new(&readout(map, 2)).is_err());
    }
}
