//! The wavefront on the camera's side: from reference sets that the virtual laboratory records.

use std::path::Path;

use ffm_twin::calibrate::estimate::wavefront::{self, References};
use ffm_twin::calibrate::estimate::{Choice, EstimateError, Outcome, estimate};
use ffm_twin::calibrate::{Calibration, Estimate};
use ffm_twin::engine::Engine;
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::lab::Extent;
use ffm_twin::measure::{Measurement, Role, Shown};

use crate::support::{BENCH, observe};

/// What is hidden: of the modulator, of the camera, of the reference beam, whose steps are 10 degrees off.
const TRUTH: &str = "[imperfections.layer.1]\nbits = 8\nshift = ['40 um', '-25 um']\naxial = '2 mm'\nroll = '0.1 deg'\nrange = 0.95\n\
    fill_factor = 0.94\nmodulator_aberration = { zernike = [[5, 0.3], [7, -0.2], [8, 0.25]] }\n\
    camera_aberration = { zernike = [[4, 0.3], [5, 0.3], [6, -0.3], [7, 0.25], [8, 0.3], [9, -0.35], [10, 0.3], [11, 0.3]] }\n\
    [illumination]\nwaist = '1.2 mm'\n[camera]\npixels = 128\npitch = '12.5 um'\nblur = 0.4\n";
const CAMERA: [(usize, f64); 8] =
    [(4, 0.3), (5, 0.3), (6, -0.3), (7, 0.25), (8, 0.3), (9, -0.35), (10, 0.3), (11, 0.3)];
const TILTED: &str = "[reference]\ntilt = ['2 mrad', '-1.3 mrad']\nradius = '3 m'\n";

/// Frames to fit to and three sets of a reference, of which the last is kept back.
fn recorded(dir: &Path, reference: &str) -> Measurement {
    let extent = Extent { fit: 9, test: 2, sweep: 0, transfer: 0, reference: 3 };
    let mut m = observe(dir, BENCH, &format!("{TRUTH}{reference}"), 5, extent).measurement;
    for frame in m.config.frames.iter_mut().filter(|f| f.set.as_deref() == Some("steps-3")) {
        frame.role = Role::Test;
    }
    m
}

fn engine() -> Box<dyn Engine> {
    Box::new(CpuEngine::<f32>::new(2).unwrap())
}

fn fit(m: &Measurement, choice: &Choice) -> Outcome {
    estimate(m, &Calibration::default(), choice, engine(), &mut |_| ()).unwrap()
}

fn with_fields(m: &Measurement, choice: &Choice, outcome: &Outcome) -> Result<Outcome, EstimateError> {
    let references = References::read(m, choice)?.expect("sets");
    let mut outcome = outcome.clone();
    wavefront::estimate(m, &references, choice, &mut outcome, engine(), &mut |_| ())?;
    Ok(outcome)
}

fn of(outcome: &Outcome, j: usize) -> Option<&Estimate> {
    let key = format!("imperfections.layer.1.camera_aberration.zernike.{j}");
    outcome.calibration.estimates.iter().find(|e| e.key == key)
}

/// Rms of what terms from Noll `first` on are off; each must be within three standard deviations.
fn off(outcome: &Outcome, first: usize) -> f64 {
    let mut square = 0.0;
    let mut wrong = Vec::new();
    let terms: Vec<_> = CAMERA.iter().filter(|(j, _)| *j >= first).collect();
    for (j, truth) in &terms {
        let e = of(outcome, *j).unwrap_or_else(|| panic!("no Noll {j}"));
        let off = e.value - truth;
        eprintln!("Noll {j}: {:.4} +- {:.4}, true is {truth}: {:.2} sigma", e.value, e.sigma, off / e.sigma);
        square += off * off;
        if off.abs() > 3.0 * e.sigma {
            wrong.push(*j);
        }
    }
    assert!(wrong.is_empty(), "beyond three standard deviations: Noll {wrong:?}");
    (square / terms.len() as f64).sqrt()
}

#[test]
fn the_cameras_wavefront_comes_back_whatever_the_reference() {
    let dir = tempfile::tempdir().unwrap();
    let mut m = recorded(dir.path(), TILTED);
    let choice = Choice::default();
    let intensities = fit(&m, &choice);
    let outcome = with_fields(&m, &choice, &intensities).unwrap();
    eprintln!("{:?} {:?}", outcome.fields, outcome.calibration.fields);
    let rms = off(&outcome, 5);
    assert!(rms < 0.02, "{rms}");
    // Tilt and curvature of the reference are not the camera's.
    for j in [2, 3, 4] {
        assert!(of(&outcome, j).is_none());
        let key = format!("imperfections.layer.1.camera_aberration.zernike.{j}");
        assert!(outcome.calibration.unclear.iter().any(|u| u.keys.contains(&key)), "{j}");
    }
    // An unseen field is met with it, and clearly worse without: what is missing is five times as much.
    let tested = outcome.fields.unwrap().tested.unwrap();
    assert!(tested.after > 0.98 && 1.0 - tested.before > 5.0 * (1.0 - tested.after), "{tested:?}");
    // The file has it, and reads back.
    let terms = outcome.calibration.imperfections.of(1).camera_aberration.unwrap().zernike;
    assert_eq!(terms.iter().map(|(j, _)| *j).collect::<Vec<_>>(), (5..=11).collect::<Vec<_>>());
    let path = dir.path().join("calibration.toml");
    outcome.calibration.write(&path).unwrap();
    assert_eq!(Calibration::read(&path).unwrap(), outcome.calibration);

    // Fields of what was not shown.
    let of_set = |m: &Measurement| {
        m.config.frames.iter().position(|f| f.set.as_deref() == Some("steps-1")).expect("a set")
    };
    let first = of_set(&m);
    for frame in &mut m.config.frames[first..first + 4] {
        frame.show = [("1".to_owned(), Shown::File("patterns/test-001.png".into()))].into();
    }
    let message = with_fields(&m, &choice, &intensities).unwrap_err().to_string();
    assert!(message.contains("\"steps-1\"") && message.contains("--fix camera_aberration"), "{message}");
}

#[test]
fn a_flat_reference_tells_defocus_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let mut m = recorded(dir.path(), "");
    m.config.camera.flat_reference = true;
    let choice = Choice::default();
    let outcome = with_fields(&m, &choice, &fit(&m, &choice)).unwrap();
    eprintln!("{:?} {:?}", outcome.fields, outcome.calibration.fields);
    let rms = off(&outcome, 4);
    assert!(rms < 0.02, "{rms}");
    for j in [2, 3] {
        let tilt = of(&outcome, j).expect("a tilt");
        assert!(tilt.value.abs() < 3.0 * tilt.sigma, "{tilt:?}");
    }
    let tested = outcome.fields.unwrap().tested.unwrap();
    assert!(tested.after > 0.98 && tested.before < tested.after - 0.1, "{tested:?}");
    assert!(!outcome.calibration.unclear.iter().any(|u| u.advice.contains("camera_aberration")));
}

#[test]
fn fields_are_left_out_where_they_are_not_wanted_and_missed_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut m = Measurement { dir: dir.path().into(), config: Default::default() };
    let name = || vec!["camera_aberration".to_owned()];
    let asked = Choice { free: name(), ..Choice::default() };
    assert!(References::read(&m, &Choice::default()).unwrap().is_none());
    let message = References::read(&m, &asked).unwrap_err().to_string();
    assert!(message.contains("camera_aberration") && message.contains("reference = true"), "{message}");
    m.config.frames.push(ffm_twin::measure::Frame {
        file: "none.png".into(),
        reference: true,
        ..Default::default()
    });
    assert!(References::read(&m, &Choice { fix: name(), ..Choice::default() }).unwrap().is_none());
    assert!(References::read(&m, &Choice::default()).unwrap_err().to_string().contains("none.png"));
}
