//! The data set that needs no file: ten digits drawn with a pen, each time a little differently.
//!
//! A digit is a few strokes on the unit square. A sample bends them by a smooth random warp, turns, shears, scales and
//! moves them, and draws them with a round pen of random width and blackness, antialiased.

use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::engine::ImageSet;

/// Side of an image, pixels.
const SIDE: usize = 28;
/// Pieces of a curve between two of its points.
const PIECES: usize = 6;
/// Test images use streams from here on, so that no training image is ever among them.
const TEST_STREAMS: u64 = 1 << 40;

/// Default numbers of images.
pub(super) const TRAIN: usize = 8000;
pub(super) const TEST: usize = 2000;

type Point = [f64; 2];

/// A stroke: points joined by straight lines or by a smooth curve.
struct Stroke {
    smooth: bool,
    points: &'static [Point],
}

const fn line(points: &'static [Point]) -> Stroke {
    Stroke { smooth: false, points }
}

const fn curve(points: &'static [Point]) -> Stroke {
    Stroke { smooth: true, points }
}

/// The ten digits; x to the right, y down.
static DIGITS: [&[Stroke]; 10] = [
    &[curve(&[
        [0.50, 0.08],
        [0.26, 0.28],
        [0.25, 0.68],
        [0.50, 0.92],
        [0.75, 0.68],
        [0.74, 0.28],
        [0.50, 0.08],
    ])],
    &[line(&[[0.34, 0.28], [0.54, 0.10], [0.54, 0.92]])],
    &[
        curve(&[[0.25, 0.30], [0.36, 0.12], [0.62, 0.11], [0.74, 0.30], [0.58, 0.55], [0.24, 0.88]]),
        line(&[[0.24, 0.88], [0.78, 0.88]]),
    ],
    &[
        curve(&[[0.26, 0.18], [0.48, 0.08], [0.70, 0.20], [0.64, 0.40], [0.44, 0.47]]),
        curve(&[[0.44, 0.47], [0.70, 0.54], [0.76, 0.74], [0.54, 0.92], [0.24, 0.84]]),
    ],
    &[line(&[[0.60, 0.10], [0.22, 0.62], [0.80, 0.62]]), line(&[[0.61, 0.40], [0.61, 0.92]])],
    &[
        line(&[[0.72, 0.11], [0.34, 0.11], [0.30, 0.46]]),
        curve(&[[0.30, 0.46], [0.56, 0.41], [0.76, 0.62], [0.60, 0.88], [0.25, 0.86]]),
    ],
    &[curve(&[
        [0.66, 0.09],
        [0.40, 0.30],
        [0.27, 0.62],
        [0.42, 0.91],
        [0.70, 0.82],
        [0.68, 0.58],
        [0.46, 0.53],
        [0.29, 0.68],
    ])],
    &[line(&[[0.22, 0.12], [0.78, 0.12], [0.42, 0.92]])],
    &[curve(&[
        [0.50, 0.48],
        [0.29, 0.32],
        [0.44, 0.10],
        [0.66, 0.14],
        [0.68, 0.34],
        [0.50, 0.48],
        [0.27, 0.66],
        [0.38, 0.91],
        [0.66, 0.90],
        [0.73, 0.68],
        [0.50, 0.48],
    ])],
    &[curve(&[
        [0.71, 0.32],
        [0.54, 0.48],
        [0.32, 0.42],
        [0.32, 0.18],
        [0.54, 0.09],
        [0.71, 0.24],
        [0.70, 0.52],
        [0.56, 0.92],
    ])],
];

/// Draws both splits.
pub(super) fn strokes(seed: u64, train: usize, test: usize) -> (ImageSet, ImageSet) {
    (set(seed, 0, train), set(seed, TEST_STREAMS, test))
}

fn set(seed: u64, first_stream: u64, n: usize) -> ImageSet {
    let mut pixels = vec![0; n * SIDE * SIDE];
    pixels.par_chunks_mut(SIDE * SIDE).enumerate().for_each(|(k, image)| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(first_stream + k as u64);
        draw(DIGITS[k % 10], &mut Hand { rng }, image);
    });
    ImageSet { size: [SIDE, SIDE], pixels, labels: (0..n).map(|k| (k % 10) as u8).collect() }
}

/// The hand that draws: random numbers in ranges.
struct Hand {
    rng: ChaCha8Rng,
}

impl Hand {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.rng.random::<f64>()
    }
}

/// Where a point of the unit square lands on the image, pixels.
struct Placement {
    waves: [[f64; 4]; 4],
    matrix: [[f64; 2]; 2],
    centre: Point,
}

impl Placement {
    fn random(hand: &mut Hand) -> Self {
        // A warp of up to four per cent by waves about as long as the digit: strokes bend, joints stay joined.
        let wave = |hand: &mut Hand| {
            [
                hand.between(-0.045, 0.045),
                hand.between(-0.9, 0.9),
                hand.between(-0.9, 0.9),
                hand.between(0.0, 1.0),
            ]
        };
        let waves = [wave(hand), wave(hand), wave(hand), wave(hand)];
        let (sin, cos) = hand.between(-0.33, 0.33).sin_cos();
        let shear = hand.between(-0.3, 0.3);
        let size = hand.between(15.0, 22.0);
        let (wide, high) = (size * hand.between(0.8, 1.15), size);
        let matrix = [[wide * cos, high * (shear * cos - sin)], [wide * sin, high * (shear * sin + cos)]];
        let middle = 0.5 * (SIDE as f64 - 1.0);
        let centre = [middle + hand.between(-3.0, 3.0), middle + hand.between(-3.0, 3.0)];
        Self { waves, matrix, centre }
    }

    fn place(&self, p: Point) -> Point {
        let bend = |w: &[f64; 4]| w[0] * (TAU * (w[1] * p[0] + w[2] * p[1] + w[3])).sin();
        let x = p[0] - 0.5 + bend(&self.waves[0]) + bend(&self.waves[1]);
        let y = p[1] - 0.5 + bend(&self.waves[2]) + bend(&self.waves[3]);
        [0, 1].map(|k| self.centre[k] + self.matrix[k][0] * x + self.matrix[k][1] * y)
    }
}

fn draw(digit: &[Stroke], hand: &mut Hand, image: &mut [u8]) {
    let placement = Placement::random(hand);
    let radius = 0.5 * hand.between(1.6, 3.2);
    let black = hand.between(0.65, 1.0);
    let mut ink = [0.0_f64; SIDE * SIDE];
    for stroke in digit {
        let path: Vec<Point> = flatten(stroke).into_iter().map(|p| placement.place(p)).collect();
        for ends in path.windows(2) {
            segment(ends[0], ends[1], radius, &mut ink);
        }
    }
    for (pixel, ink) in image.iter_mut().zip(ink) {
        *pixel = (255.0 * black * ink).round() as u8;
    }
}

/// A stroke as short straight pieces; curves are Catmull-Rom splines through their points.
fn flatten(stroke: &Stroke) -> Vec<Point> {
    let p = stroke.points;
    let last = p.len() - 1;
    let mut path = vec![p[0]];
    for k in 0..last {
        let (before, after) = (p[k.saturating_sub(1)], p[(k + 2).min(last)]);
        for i in 1..=PIECES {
            let t = i as f64 / PIECES as f64;
            path.push([0, 1].map(|a| {
                let (p0, p1, p2, p3) = (before[a], p[k][a], p[k + 1][a], after[a]);
                if !stroke.smooth {
                    return p1 + (p2 - p1) * t;
                }
                let (b, c) = (p2 - p0, 2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3);
                0.5 * (2.0 * p1 + b * t + c * t * t + (3.0 * p1 - p0 - 3.0 * p2 + p3) * t * t * t)
            }));
        }
    }
    path
}

/// Draws a piece of line: ink falls from 1 to 0 over the pixel that the pen's edge crosses.
fn segment(a: Point, b: Point, radius: f64, ink: &mut [f64]) {
    let reach = radius + 1.0;
    let range = |k: usize| {
        let low = (a[k].min(b[k]) - reach).floor().clamp(0.0, SIDE as f64) as usize;
        let high = (a[k].max(b[k]) + reach).ceil().clamp(-1.0, SIDE as f64 - 1.0) + 1.0;
        low..high as usize
    };
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length2 = (dx * dx + dy * dy).max(1e-12);
    for y in range(1) {
        for x in range(0) {
            let (px, py) = (x as f64 - a[0], y as f64 - a[1]);
            let t = ((px * dx + py * dy) / length2).clamp(0.0, 1.0);
            let distance = (px - t * dx).hypot(py - t * dy);
            let here = &mut ink[y * SIDE + x];
            *here = here.max((radius + 0.5 - distance).clamp(0.0, 1.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accuracy of the nearest class mean.
    fn nearest_mean(train: &ImageSet, test: &ImageSet) -> f64 {
        let n = SIDE * SIDE;
        let mut means = vec![vec![0.0; n]; 10];
        for (k, image) in train.pixels.chunks(n).enumerate() {
            for (m, &p) in means[usize::from(train.labels[k])].iter_mut().zip(image) {
                *m += f64::from(p) * 10.0 / train.len() as f64;
            }
        }
        let distance = |m: &[f64], image: &[u8]| {
            m.iter().zip(image).map(|(m, &p)| (m - f64::from(p)).powi(2)).sum::<f64>()
        };
        let guess = |image: &[u8]| {
            (0..10).min_by(|&a, &b| distance(&means[a], image).total_cmp(&distance(&means[b], image)))
        };
        let right =
            test.pixels.chunks(n).zip(&test.labels).filter(|(i, l)| guess(i) == Some(usize::from(**l)));
        right.count() as f64 / test.len() as f64
    }

    #[test]
    fn classes_can_be_told_apart_but_not_by_their_means_alone() {
        let (train, test) = strokes(1, 2000, 500);
        let accuracy = nearest_mean(&train, &test);
        println!("nearest class mean: {accuracy}");
        assert!((0.4..0.85).contains(&accuracy), "{accuracy}");
    }

    #[test]
    fn a_seed_draws_one_set() {
        let (train, test) = strokes(3, 200, 100);
        assert_eq!((train.clone(), test.clone()), strokes(3, 200, 100));
        assert_ne!(train, strokes(4, 200, 100).0);
        assert_eq!(strokes(3, 50, 0).0.pixels[..], train.pixels[..50 * SIDE * SIDE], "more images only add");
        let n = SIDE * SIDE;
        assert!(test.pixels.chunks(n).all(|t| train.pixels.chunks(n).all(|i| i != t)), "test images are new");
        assert!((0..10).all(|c| train.labels.iter().filter(|&&l| l == c).count() == 20));
    }

    #[test]
    fn images_are_pen_strokes() {
        let (train, _) = strokes(1, 100, 0);
        for image in train.pixels.chunks(SIDE * SIDE) {
            let (ink, peak) = (image.iter().filter(|p| **p > 60).count(), image.iter().max());
            assert!((20..300).contains(&ink) && peak.is_some_and(|p| *p > 120), "{ink} {peak:?}");
        }
    }
}
