//! How far calibrations are from the truth, and whether their uncertainties say so: benches drawn at random, recorded by the virtual
//! laboratory, calibrated, and compared with what was hidden.
//!
//! ```text
//! cargo run --release --example coverage [-- DRAWS [PIXELS [PITCH_UM]]]
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use ffm_twin::calibrate::estimate::{self, Choice};
use ffm_twin::calibrate::{Aberration, LayerErrors};
use ffm_twin::engine::open;
use ffm_twin::experiment::{Experiment, settings};
use ffm_twin::lab::{Asked, Extent, Truth, record};
use ffm_twin::optics::{Angle, Length};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Noll terms of the hidden wavefronts.
const TERMS: std::ops::RangeInclusive<usize> = 4..=11;
/// Nobody stops the laboratory.
static NEVER: AtomicBool = AtomicBool::new(false);

fn main() -> anyhow::Result<()> {
    let numbers: Vec<f64> = std::env::args().skip(1).map(|a| a.parse()).collect::<Result<_, _>>()?;
    let number = |k: usize, default: f64| numbers.get(k).copied().unwrap_or(default);
    let (draws, pixels, pitch) = (number(0, 50.0) as u64, number(1, 64.0), number(2, 40.0));
    let text = format!(
        "[optics]\nlayers = 1\npixels = {pixels}\npitch = '{pitch} um'\ndistance = '0.388 m'\n[imperfections]\npreset = 'none'"
    );
    let system = settings::<Experiment>(&text, "the example", &[])?.system();
    let choice = Choice { zernike: *TERMS.end(), ..Choice::default() };
    let folder = tempfile::tempdir()?;
    let plan = folder.path().join("plan");
    let extent = estimate::Extent { frames: 12, seed: 1 };
    estimate::plan("coverage", &system.optics, extent, &choice, &plan, open("cpu", 0)?)?;

    // Errors and standard deviations of every parameter.
    let mut found: BTreeMap<String, Vec<[f64; 2]>> = BTreeMap::new();
    let mut likeness = Vec::new();
    for seed in 1..=draws {
        let truth = hidden(seed);
        let none = Extent { fit: 0, test: 0, sweep: 0, transfer: 0, reference: 0 };
        let asked = Asked {
            name: "coverage",
            system: &system,
            truth: &truth,
            seed,
            fine: 5,
            plan: Some(&plan),
            extent: none,
            stop: &NEVER,
        };
        let dir = folder.path().join(format!("bench-{seed}"));
        let recorded =
            record(&asked, &dir, &folder.path().join(format!("truth-{seed}.toml")), &mut |_, _| {})?;
        match estimate::estimate(
            &recorded.measurement,
            &Default::default(),
            &choice,
            open("cpu", 0)?,
            &mut |_| {},
        ) {
            Err(e) => println!("draw {seed}: {e}"),
            Ok(outcome) => {
                likeness.extend(outcome.tested.map(|s| [s.before, s.after]));
                for e in &outcome.calibration.estimates {
                    if let Some(exact) = exact(&recorded.truth, &e.key) {
                        found.entry(e.key.clone()).or_default().push([e.value - exact, e.sigma]);
                    }
                }
            }
        }
    }

    println!("| parameter | rms error | mean sigma | within 2 sigma / % |\n|---|---:|---:|---:|");
    let (mut inside, mut all) = (0, 0);
    for (key, pairs) in &found {
        let n = pairs.len() as f64;
        let rms = (pairs.iter().map(|p| p[0] * p[0]).sum::<f64>() / n).sqrt();
        let sigma = pairs.iter().map(|p| p[1]).sum::<f64>() / n;
        let within = pairs.iter().filter(|p| p[0].abs() <= 2.0 * p[1]).count();
        (inside, all) = (inside + within, all + pairs.len());
        println!("| {key} | {rms:.3e} | {sigma:.3e} | {:.0} |", 100.0 * within as f64 / n);
    }
    let mean = |k: usize| likeness.iter().map(|s| s[k]).sum::<f64>() / likeness.len() as f64;
    println!(
        "{} of {draws} draws calibrated; {:.1} % of all within 2 sigma; SSIM of unseen frames {:.3} before, {:.4} after",
        likeness.len(),
        100.0 * inside as f64 / all.max(1) as f64,
        mean(0),
        mean(1)
    );
    Ok(())
}

/// A bench that nobody knows.
fn hidden(seed: u64) -> Truth {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = |sigma: f64| {
        let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
        sigma * (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    let errors = LayerErrors {
        shift: Some([Length(normal(10e-6)), Length(normal(10e-6))]),
        axial: Some(Length(normal(2e-3))),
        roll: Some(Angle(normal(0.1_f64.to_radians()))),
        magnification: Some(1.0 + normal(1e-3)),
        bits: Some(8),
        range: Some(0.94 + normal(0.02)),
        gamma: Some(1.06 + normal(0.04)),
        fill_factor: Some(0.93 + normal(0.01)),
        modulator_aberration: Some(Aberration {
            zernike: TERMS.map(|j| (j, normal(0.25))).collect(),
            ..Aberration::default()
        }),
        ..LayerErrors::default()
    };
    let mut truth = Truth::default();
    truth.imperfections.layer.insert("1".into(), errors);
    truth.illumination.centre = [Length(normal(100e-6)), Length(normal(100e-6))];
    truth.illumination.waist = Some(Length(2.6e-3 + normal(0.1e-3)));
    truth
}

/// The hidden number behind a key of a calibration; `None` where the laboratory has no such thing.
fn exact(truth: &Truth, key: &str) -> Option<f64> {
    let e = truth.imperfections.of(1);
    if let Some(j) = key.rsplit("zernike.").next().and_then(|j| j.parse::<usize>().ok()) {
        return e.modulator_aberration?.zernike.iter().find(|(k, _)| *k == j).map(|(_, c)| *c);
    }
    match key.strip_prefix("imperfections.layer.1.").unwrap_or(key) {
        "shift.x" => Some(e.shift?[0].0),
        "shift.y" => Some(e.shift?[1].0),
        "axial" => Some(e.axial?.0),
        "roll" => Some(e.roll?.0),
        "magnification" => e.magnification,
        "tilt.x" | "tilt.y" => Some(0.0),
        "range" => e.range,
        "gamma" => e.gamma,
        "fill_factor" => e.fill_factor,
        "illumination.centre.x" => Some(truth.illumination.centre[0].0),
        "illumination.centre.y" => Some(truth.illumination.centre[1].0),
        "illumination.waist.x" | "illumination.waist.y" => Some(truth.illumination.waist?.0),
        _ => None,
    }
}
