//! A made-up report for the tests of this room.

use std::f64::consts::TAU;

use super::{
    ClassificationReport, Detector, DriftPoint, Epoch, Example, Fact, Fidelity, Imperfection, LayerMasks,
    Optics, Output, Picture, PictureKind, Training,
};
use crate::metrics::{Confusion, GradientCosine};
use crate::train::{BenchCost, Method};

const NAMES: [&str; 10] = [
    "<T-shirt & top>",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];
const SIDE: usize = 200;

/// A whole report with every optional part, and text that needs escaping.
pub(super) fn sample() -> ClassificationReport {
    ClassificationReport {
        title: "Fashion-MNIST through four phase masks & \"air\"".into(),
        run: "fashion-4x200-<seed 7>".into(),
        date: "25 November 2026, 14:03 UTC".into(),
        command: "ffm train experiment.toml --set twin.seed=7 --out 'runs/fashion <a&b>'".into(),
        seed: 7,
        device: "NVIDIA H100 80GB HBM3 (gpu, f32, vulkan)".into(),
        version: "ffm-twin 0.1.0".into(),
        data: "Fashion-MNIST: 60,000 training and 10,000 test images".into(),
        class_names: NAMES.map(String::from).to_vec(),
        ideal: confusion(0.14, 1),
        deployed: confusion(0.71, 2),
        ffm: confusion(0.155, 3),
        light: [0.3124, 0.2871, 0.305],
        in_silico_training: training(0.854, 8, 191.4, 25_071.0),
        ffm_training: training(0.845, 6, 148.0, 24_322.0),
        method: "FFM".into(),
        method_title: Method::Ffm.title().into(),
        bench: BenchCost {
            seconds: 141_480.0,
            training_seconds: 120_000.0,
            loads: 1_200_000,
            frames: 4_800_000,
            energy: 1143.0,
            compute_seconds: 148.0,
        },
        methods: Method::ALL.iter().map(|m| m.facts(4)).collect(),
        gradient: Some(GradientCosine {
            total: Some(0.9782),
            layers: [0.969, 0.981, 0.987, 0.994].map(Some).into(),
        }),
        fidelity: Some(Fidelity { deployed: 0.4127, ffm: 0.6873, samples: 1000 }),
        drift: (0..5).map(drift).collect(),
        masks: (0..4)
            .map(|l| LayerMasks { name: format!("Layer {}", l + 1), ideal: mask(l, 0.0), ffm: mask(l, 0.9) })
            .collect(),
        detectors: (0..10).map(detector).collect(),
        examples: [(3, 0, 4), (18, 5, 7), (42, 8, 8)]
            .map(|(i, truth, wrong)| example(i, truth, wrong))
            .to_vec(),
        optics: optics(),
        imperfections: imperfections(),
        config: "[system]\nwavelength = \"532 nm\"\npitch = \"8 um\"\n# <script>alert('&')</script>\n".into(),
    }
}

/// The bench drifts by and by.
fn drift(k: u64) -> DriftPoint {
    let falls = |from: f64| from * (-0.2 * k as f64).exp();
    DriftPoint {
        step: 300 * k,
        in_silico: falls(0.29),
        calibrated: falls(0.85),
        trained: (k > 0).then_some(0.845),
    }
}

/// A thousand samples a class, of which a share of about `error` goes astray, mostly to similar classes.
fn confusion(error: f64, seed: usize) -> Confusion {
    let (mut truth, mut guess) = (Vec::new(), Vec::new());
    for i in 0..10_000_usize {
        let class = i % 10;
        let draw = (i * 7919 + seed * 104_729) % 1000;
        let astray = (draw as f64) < 1000.0 * error * (0.6 + 0.8 * ((class * 3 + seed) % 10) as f64 / 9.0);
        let other = [2, 6, 4, 3, 6, 0][(i / 10 + draw / 3) % 6];
        truth.push(class as u8);
        guess.push(if astray { other } else { class as u8 });
    }
    Confusion::new(&truth, &guess, 10).expect("classes below ten")
}

fn training(reached: f64, epochs: usize, seconds: f64, samples_per_second: f64) -> Training {
    let epoch = |n: usize| {
        let left = (-0.8 * n as f64).exp();
        Epoch {
            epoch: n as f64,
            train_loss: 0.41 + 1.6 * left,
            train_accuracy: reached + 0.012 - 0.35 * left,
            test_loss: Some(0.46 + 1.5 * left),
            test_accuracy: Some(reached - 0.33 * left),
            validation_loss: Some(0.45 + 1.5 * left),
            validation_accuracy: Some(reached - 0.32 * left),
        }
    };
    Training {
        seconds,
        samples_per_second,
        history: (1..=epochs).map(epoch).collect(),
        best_epoch: epochs - 1,
        kept_epoch: epochs,
        ended: "all epochs were done".into(),
    }
}

fn picture(rows: usize, cols: usize, kind: PictureKind, value: impl Fn(f64, f64) -> f64) -> Picture {
    let at = |i: usize| value((i / cols) as f64 / rows as f64, (i % cols) as f64 / cols as f64) as f32;
    Picture { rows, cols, values: (0..rows * cols).map(at).collect(), kind }
}

fn mask(layer: usize, bend: f64) -> Picture {
    let l = layer as f64 + 1.0;
    picture(SIDE, SIDE, PictureKind::Phase, |y, x| {
        let (y, x) = (y - 0.5, x - 0.5);
        40.0 * l * (x * x + y * y) + 3.0 * (9.0 * x + l).sin() * (7.0 * y - bend).cos() + bend * TAU * x * y
    })
}

fn detector(class: usize) -> Detector {
    let (line, place, count) = match class {
        0..3 => (0, class, 3),
        3..7 => (1, class - 3, 4),
        _ => (2, class - 7, 3),
    };
    let col = (place * 2 + 1) * SIDE / (2 * count) - 12;
    Detector { class, row: 28 + 60 * line, col, rows: 24, cols: 24, negative: false }
}

fn example(index: usize, truth: usize, wrong: usize) -> Example {
    let input = picture(28, 28, PictureKind::Amplitude, |y, x| {
        let body = if (x - 0.5).abs() < 0.22 + 0.1 * (9.0 * y + truth as f64).sin() { 1.0 } else { 0.0 };
        if (0.1..0.9).contains(&y) { body * (0.6 + 0.4 * (20.0 * y).sin().abs()) } else { 0.0 }
    });
    let scores = |winner: usize, second: usize, lead: f64| {
        (0..10)
            .map(|c| {
                if c == winner {
                    lead
                } else if c == second {
                    0.6 * lead
                } else {
                    0.04
                }
            })
            .collect::<Vec<_>>()
    };
    let output = |winner: usize, second: usize, lead: f64| {
        let scores = scores(winner, second, lead);
        Output { picture: light(&scores), predicted: winner, scores }
    };
    Example {
        index,
        truth,
        input,
        ideal: output(truth, wrong, 0.55),
        deployed: output(wrong, truth, 0.21),
        ffm: output(truth, wrong, 0.48),
    }
}

/// Spots on the detectors in a speckled background.
fn light(scores: &[f64]) -> Picture {
    picture(SIDE, SIDE, PictureKind::Intensity, |y, x| {
        let speckle = 0.05 * ((61.0 * x + 13.0 * y).sin() * (47.0 * y - 29.0 * x * y).cos() + 1.0);
        let spot = |(class, score): (usize, &f64)| {
            let d = detector(class);
            let (cy, cx) = ((d.row as f64 + 12.0) / SIDE as f64, (d.col as f64 + 12.0) / SIDE as f64);
            score * (-((x - cx).powi(2) + (y - cy).powi(2)) / 0.0018).exp()
        };
        speckle + scores.iter().enumerate().map(spot).sum::<f64>()
    })
}

fn optics() -> Optics {
    let fact = |name: &str, value: &str| Fact { name: name.into(), value: value.into() };
    Optics {
        wavelength: 532e-9,
        pitch: [8e-6, 8e-6],
        shape: [400, 400],
        padded: [800, 800],
        distances: vec![0.388; 4],
        method: "Rayleigh–Sommerfeld impulse response (chosen by auto)".into(),
        more: vec![
            fact("Hardware", "reload: one modulator and one camera, used once a layer"),
            fact("Input", "amplitude, 28 × 28 px shown on 200 × 200 px"),
            fact("Camera", "4-step phase shifting, 10⁴ electrons, 12 bit"),
        ],
    }
}

fn imperfections() -> Vec<Imperfection> {
    let each = |name: &str, unit: &str, values: &[f64]| Imperfection {
        name: name.into(),
        unit: unit.into(),
        values: values.iter().map(|&v| Some(v)).collect(),
    };
    vec![
        each("aberration of the modulator", "rad rms", &[0.68, 0.71, 0.7, 0.73]),
        each("lateral shift x", "µm", &[3.1, -2.4, 0.8, 5.2]),
        each("axial error", "mm", &[1.2, -0.4, 0.0, 2.1]),
        Imperfection {
            name: "zero-order leak".into(),
            unit: String::new(),
            values: vec![Some(0.09), None, None, None],
        },
        each("look-up table gamma", "", &[1.1]),
    ]
}
