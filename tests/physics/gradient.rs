//! The gradient that forward light measures, with nothing but `f64` propagation: exact for symmetric hops, not otherwise.

use ffm_twin::optics::{Field, Grid, Method, effects, propagate, reversed};
use ndarray::Array2;
use num_complex::Complex64;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::special::sinc;
use crate::support::{LAMBDA, random_field, space, transfer};

/// Central differences: step 1e-4 rad leaves 1e-8 of curvature and 1e-11 of rounding.
const DIFFERENCES: f64 = 1e-7;
const STEP: f64 = 1e-4;

/// Masks and equal hops in a row; the loss is the energy on the upper left quarter of the last plane.
struct Layers {
    input: Field,
    phases: Vec<Array2<f64>>,
    transfer: Field,
}

impl Layers {
    fn new(grid: &Grid, layers: usize, z: f64, shift: f64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut phase =
            || Array2::from_shape_fn((grid.rows, grid.cols), |_| std::f64::consts::TAU * rng.random::<f64>());
        let mut h = transfer(grid, 2, &space(z, Method::Auto));
        effects::shift(&mut h, grid.dy, grid.dx, shift, 0.0);
        Self { input: random_field(grid, 6), phases: (0..layers).map(|_| phase()).collect(), transfer: h }
    }

    fn watched(&self, (row, col): (usize, usize)) -> bool {
        2 * row < self.input.nrows() && 2 * col < self.input.ncols()
    }

    /// `M_l U_{l-1}` of every layer, and `U_L`.
    fn forward(&self) -> (Vec<Field>, Field) {
        let mut field = self.input.clone();
        let mut modulated = Vec::new();
        for phase in &self.phases {
            modulated.push(field * phase.mapv(Complex64::cis));
            field = propagate(&modulated[modulated.len() - 1], &self.transfer);
        }
        (modulated, field)
    }

    fn loss(&self) -> f64 {
        self.forward().1.indexed_iter().filter(|(at, _)| self.watched(*at)).map(|(_, v)| v.norm_sqr()).sum()
    }

    /// `-2 Im(E_l V_l)`, with the error `g = conj(U)` sent through hops of transfer function `back`.
    fn gradient(&self, back: &Field) -> Vec<Array2<f64>> {
        let (modulated, last) = self.forward();
        let mut error =
            Field::from_shape_fn(
                last.dim(),
                |at| if self.watched(at) { last[at].conj() } else { 0.0.into() },
            );
        let mut gradients: Vec<_> = std::iter::zip(&self.phases, modulated)
            .rev()
            .map(|(phase, v)| {
                let arrived = propagate(&error, back);
                error = &arrived * &phase.mapv(Complex64::cis);
                (arrived * v).mapv(|p| -2.0 * p.im)
            })
            .collect();
        gradients.reverse();
        gradients
    }

    /// Largest difference of a gradient from central differences at some pixels, relative to its largest value there.
    fn off(&mut self, gradient: &[Array2<f64>]) -> f64 {
        let (mut worst, mut largest) = (0.0_f64, 0.0_f64);
        for (layer, expected) in gradient.iter().enumerate() {
            for at in [(0, 0), (3, 5), (7, 11), (9, 2), (11, 12)] {
                let mut moved = |by: f64| {
                    self.phases[layer][at] += by;
                    let loss = self.loss();
                    self.phases[layer][at] -= by;
                    loss
                };
                let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                worst = worst.max((slope - expected[at]).abs());
                largest = largest.max(slope.abs());
            }
        }
        worst / largest
    }
}

fn small(shift: f64) -> Layers {
    Layers::new(&Grid::new(12, 13, 9e-6, 8e-6).unwrap(), 3, 2e-3, shift)
}

fn cosine(a: &[Array2<f64>], b: &[Array2<f64>]) -> f64 {
    let dot =
        |a: &[Array2<f64>], b: &[Array2<f64>]| std::iter::zip(a, b).map(|(a, b)| (a * b).sum()).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn forward_light_measures_the_exact_gradient_of_symmetric_layers() {
    let mut layers = small(0.0);
    let gradient = layers.gradient(&layers.transfer);
    let off = layers.off(&gradient);
    assert!(off < DIFFERENCES, "{off}");
    // The conjugate of the error is what a sign mistake would send.
    let wrong = layers.gradient(&layers.transfer.mapv(|v| v.conj()));
    assert!(layers.off(&wrong) > 0.1);
}

#[test]
fn after_a_shift_only_the_transposed_hop_gives_the_gradient() {
    let mut layers = small(3e-6);
    let forward = layers.gradient(&layers.transfer);
    assert!(layers.off(&forward) > 0.05);
    let transposed = layers.gradient(&reversed(&layers.transfer));
    let off = layers.off(&transposed);
    assert!(off < DIFFERENCES, "{off}");
}

#[test]
fn a_camera_shift_costs_the_gradient_the_correlation_of_its_fields() {
    let (grid, z) = (Grid::square(128, 32e-6).unwrap(), 0.388);
    let window = grid.cols as f64 * grid.dx;
    // The two gradients see the error field at places 2 s apart. Light from x' to x has frequency (x - x') / (lambda z);
    // with both ends spread over a window W the field correlates by sinc^2(2 s W / lambda z). Left out: the loss looks at
    // half the window, the pixels cut the outermost frequencies.
    const CORRELATION: f64 = 0.05;
    for shift in [0.0, 3e-6, 8e-6, 16e-6, 32e-6] {
        let layers = Layers::new(&grid, 4, z, shift);
        let cosine =
            cosine(&layers.gradient(&layers.transfer), &layers.gradient(&reversed(&layers.transfer)));
        let expected = sinc(2.0 * shift * window / (LAMBDA * z)).powi(2);
        assert!((cosine - expected).abs() < CORRELATION, "{shift}: {cosine}, not {expected}");
    }
}
