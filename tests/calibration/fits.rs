//! The twin fitted to frames that it predicted itself, with noise; independent frames are the virtual laboratory's.

use std::path::Path;

use ffm_twin::calibrate::estimate::{Choice, EstimateError, Outcome, estimate};
use ffm_twin::calibrate::{Calibration, Predictor, Response};
use ffm_twin::device::noise;
use ffm_twin::engine::Engine;
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::gpu::{GpuEngine, GpuOptions, KernelCache};
use ffm_twin::io;
use ffm_twin::measure::{Frame, Measurement, MeasurementConfig, Role, Shown, patterns};
use ffm_twin::optics::Length;
use ffm_twin::twin::Pair;
use ndarray::Array2;

const TRUTH: &str = "[layer.1]\nbits = 8\nshift = ['83 um', '-41 um']\naxial = '3 mm'\nroll = '0.12 deg'\nmagnification = 1.002\n\
    range = 0.94\ngamma = 1.08\nfill_factor = 0.93\naperture = 0.8\n\
    modulator_aberration = { zernike = [[5, 0.4], [6, -0.3], [7, 0.2], [8, 0.15], [9, -0.25], [10, 0.1], [11, 0.2]] }\n\
    illumination = { centre = ['0.2 mm', '-0.1 mm'], waist = ['1.3 mm', '1.5 mm'] }";
/// With four, few tiles stand behind the sandwich, and the blur comes out 4.1 of its standard deviations away.
const FRAMES: usize = 6;

/// A bench of 64 x 64 pixels whose frames the truth made.
fn bench(dir: &Path, truth: &str) -> Measurement {
    seen_by(dir, truth, &|counts, key| recorded(counts, key))
}

/// The same with another camera: what it makes of the counts without noise, and of a number that draws the noise.
pub(crate) fn seen_by(
    dir: &Path,
    truth: &str,
    camera: &dyn Fn(&Array2<f64>, u32) -> Array2<u16>,
) -> Measurement {
    let mut config = MeasurementConfig { name: "bench".into(), ..MeasurementConfig::default() };
    config.optics.pixels = Pair::One(64);
    config.optics.layers = 1;
    config.camera.pixels = Pair::One(120);
    for k in 1..=FRAMES + 1 {
        let gray = patterns::random_blocks([64, 64], [2, 4, 8, 3][k % 4], k as u64);
        std::fs::write(dir.join(format!("p{k}.png")), io::png_gray8(&gray).unwrap()).unwrap();
        config.frames.push(Frame {
            file: format!("f{k}.png"),
            role: if k > FRAMES { Role::Test } else { Role::Fit },
            show: [("1".to_owned(), Shown::File(format!("p{k}.png")))].into(),
            ..Frame::default()
        });
    }
    let m = Measurement { dir: dir.into(), config };
    let truth = Calibration {
        imperfections: toml::from_str(truth).unwrap(),
        response: Some(Response { gain: 500.0, offset: 64.0, blur: 0.4, electrons_per_count: None }),
        ..Calibration::default()
    };
    let engine = Box::new(CpuEngine::<f64>::new(1).unwrap());
    let numbers: Vec<usize> = (1..=FRAMES + 1).collect();
    let frames = Predictor::new(&m.config, &truth, engine).unwrap().predict(&m, &numbers).unwrap();
    for (number, frame) in numbers.iter().zip(frames) {
        write(&m, *number, &camera(&frame.counts, *number as u32));
    }
    m
}

/// Shot noise of 2.5 electrons a count, read noise of 3, a 12-bit converter.
pub(crate) fn recorded(counts: &Array2<f64>, key: u32) -> Array2<u16> {
    let mut pixel = 0;
    counts.mapv(|v| {
        pixel += 1;
        let normal = f64::from(noise::normals([key, 9], pixel, 0, 0)[0]);
        let variance = (v - 64.0).max(0.0) * 2.5 + 9.0;
        (v + normal * variance.sqrt() / 2.5).round().clamp(0.0, 4095.0) as u16
    })
}

pub(crate) fn write(m: &Measurement, number: usize, counts: &Array2<u16>) {
    let (rows, cols) = counts.dim();
    let raw: Vec<u16> = counts.iter().copied().collect();
    let picture = image::ImageBuffer::<image::Luma<u16>, _>::from_raw(cols as u32, rows as u32, raw).unwrap();
    picture.save(m.dir.join(&m.config.frames[number - 1].file)).unwrap();
}

pub(crate) fn fit(m: &Measurement, choice: &Choice) -> Result<Outcome, EstimateError> {
    let engine = Box::new(CpuEngine::<f32>::new(2).unwrap());
    estimate(m, &Calibration::default(), choice, engine, &mut |_| ())
}

pub(crate) fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

#[test]
fn twenty_three_parameters_come_back_within_their_uncertainties() {
    let dir = tempfile::tempdir().unwrap();
    let m = bench(dir.path(), TRUTH);
    let outcome = fit(&m, &Choice::default()).unwrap();
    let c = &outcome.calibration;
    // Key, truth, how near it must come.
    let expected = [
        ("imperfections.layer.1.shift.x", 83e-6, 0.05 * 12.5e-6),
        ("imperfections.layer.1.shift.y", -41e-6, 0.05 * 12.5e-6),
        ("imperfections.layer.1.axial", 3e-3, 0.2e-3),
        ("imperfections.layer.1.roll", 0.12_f64.to_radians(), 0.02_f64.to_radians()),
        ("imperfections.layer.1.magnification", 1.002, 2e-4),
        ("imperfections.layer.1.illumination.centre.x", 0.2e-3, 5e-6),
        ("imperfections.layer.1.illumination.waist.y", 1.5e-3, 1e-5),
        ("imperfections.layer.1.fill_factor", 0.93, 2e-3),
        ("imperfections.layer.1.range", 0.94, 2e-3),
        ("imperfections.layer.1.gamma", 1.08, 4e-3),
        ("imperfections.layer.1.aperture", 0.8, 0.12),
        ("imperfections.layer.1.modulator_aberration.zernike.5", 0.4, 0.02),
        ("imperfections.layer.1.modulator_aberration.zernike.8", 0.15, 0.02),
        ("imperfections.layer.1.modulator_aberration.zernike.11", 0.2, 0.02),
        ("response.gain", 500.0, 5.0),
        ("response.offset", 64.0, 1.0),
        ("response.blur", 0.4, 0.03),
    ];
    assert_eq!(c.estimates.len(), 23);
    for (key, truth, near) in expected {
        let e = c.estimates.iter().find(|e| e.key == key).unwrap_or_else(|| panic!("no {key}"));
        let off = (e.value - truth).abs();
        assert!(off < near && off < 4.0 * e.sigma, "{key}: {} +- {}, true is {truth}", e.value, e.sigma);
        assert!(e.sigma < near, "{key}: {}", e.sigma);
    }
    let fit = c.fit.as_ref().unwrap();
    assert!((0.9..1.15).contains(&fit.chi_square), "{fit:?}");
    let tested = outcome.tested.unwrap();
    assert!(tested.before < 0.7 && tested.after > 0.97, "{tested:?}");
    assert!(c.unclear.is_empty(), "{:?}", c.unclear);
    // The file reads back, and the twin that it describes is the fitted one.
    let path = dir.path().join("calibration.toml");
    c.write(&path).unwrap();
    let read = Calibration::read(&path).unwrap();
    assert_eq!(&read, c);
}

#[test]
fn a_tilt_and_a_shift_at_one_distance_are_not_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let m = bench(dir.path(), "[layer.1]\nbits = 8\nshift = ['30 um', '-20 um']");
    let choice = Choice {
        free: names(&["tilt"]),
        fix: names(&["illumination", "fill_factor", "gamma", "aperture", "modulator_aberration"]),
        ..Choice::default()
    };
    let c = fit(&m, &choice).unwrap().calibration;
    let about = |axis: &str| {
        c.unclear.iter().any(|u| {
            let has = |name: &str| u.keys.contains(&format!("imperfections.layer.1.{name}.{axis}"));
            has("tilt") && has("shift") && u.advice.contains("second distance")
        })
    };
    assert!(about("x") && about("y"), "{:?}", c.unclear);
    for e in &c.estimates {
        assert!(!e.key.contains("tilt"), "a confident tilt: {e:?}");
        // The shift may be as wrong as the tilt is unknown.
        assert!(!e.key.contains("shift") || e.sigma > 1e-4, "a confident shift: {e:?}");
    }
}

#[test]
fn frames_that_are_mirrored_out_of_order_or_strange_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let m = bench(dir.path(), "[layer.1]\nbits = 8\nshift = ['30 um', '-20 um']");
    let mut mirrored = m.clone();
    mirrored.config.camera.flip_x = true;
    let message = fit(&mirrored, &Choice::default()).unwrap_err().to_string();
    assert!(message.contains("camera.flip_x"), "{message}");

    let mut swapped = m.clone();
    let second = swapped.config.frames[1].file.clone();
    swapped.config.frames[1].file = std::mem::replace(&mut swapped.config.frames[2].file, second);
    let message = fit(&swapped, &Choice::default()).unwrap_err().to_string();
    assert!(
        message.contains("not in order") && message.contains("frame 2") && message.contains("frame 3"),
        "{message}"
    );

    let mut strange = m.clone();
    strange.config.optics.distance = Length(0.2);
    let message = fit(&strange, &Choice::default()).unwrap_err().to_string();
    assert!(
        message.contains("wavelength, pitch or distance") || message.contains("not in order"),
        "{message}"
    );
}

#[test]
fn frames_that_say_nothing_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let m = bench(dir.path(), "[layer.1]\nbits = 8");
    for (value, expected) in [(4095, "saturated"), (64, "too dark")] {
        write(&m, 2, &Array2::from_elem((120, 120), value));
        let message = fit(&m, &Choice::default()).unwrap_err().to_string();
        assert!(message.contains("f2.png") && message.contains(expected), "{message}");
    }
    let choice = Choice { free: names(&["shfit"]), ..Choice::default() };
    write(&m, 2, &recorded(&Array2::from_elem((120, 120), 900.0), 1));
    let message = fit(&m, &choice).unwrap_err().to_string();
    assert!(message.contains("shfit") && message.contains("shift"), "{message}");
    let mut none = m.clone();
    none.config.frames.retain(|f| f.role == Role::Test);
    assert!(fit(&none, &Choice::default()).unwrap_err().to_string().contains("role \"fit\""));
}

#[test]
fn a_twin_that_meets_frames_badly_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let m = bench(dir.path(), "[layer.1]\nbits = 8\nshift = ['30 um', '-20 um']\nrange = 0.9\ngamma = 1.1");
    let mut fix = names(&["fill_factor", "illumination", "aperture", "modulator_aberration"]);
    let found = fit(&m, &Choice { fix: fix.clone(), ..Choice::default() }).unwrap();
    let good = found.calibration.fit.unwrap();
    assert!((0.9..1.15).contains(&good.chi_square), "{good:?}");
    // An error that the twin is forbidden to have: the frames still look alike, but no number would be right.
    fix.extend(names(&["range", "gamma"]));
    let error = fit(&m, &Choice { fix, ..Choice::default() }).unwrap_err();
    let EstimateError::Poor { what } = &error else { panic!("{error}") };
    let number = |after: &str| -> f64 {
        let rest = what.split_once(after).unwrap_or_else(|| panic!("{what}")).1;
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    assert!(number("SSIM") > 0.8 && number("rms,").powi(2) > 20.0, "{what}");
    assert!(error.to_string().contains("another modulator response"), "{error}");
}

#[test]
fn a_graphics_processor_finds_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let m = bench(dir.path(), TRUTH);
    let choice = Choice { fix: names(&["illumination", "aperture"]), zernike: 6, ..Choice::default() };
    let options = GpuOptions { kernel_cache: KernelCache::Off, ..GpuOptions::default() };
    let gpu = Box::new(GpuEngine::with_options(options).unwrap_or_else(|e| panic!("{e}")));
    let start = Calibration { imperfections: toml::from_str(TRUTH).unwrap(), ..Calibration::default() };
    let from =
        |engine: Box<dyn Engine>| estimate(&m, &start, &choice, engine, &mut |_| ()).unwrap().calibration;
    let (found, expected) = (from(gpu), from(Box::new(CpuEngine::<f32>::new(2).unwrap())));
    assert_eq!((found.estimates.len(), expected.estimates.len()), (13, 13));
    for (a, b) in found.estimates.iter().zip(&expected.estimates) {
        assert_eq!(a.key, b.key);
        // Rounding of f32 in the light, against noise: all 23 parameters of this bench come as near as 1e-4 of sigma.
        assert!(
            (a.value - b.value).abs() < 0.01 * b.sigma,
            "{}: {} for {} +- {}",
            a.key,
            a.value,
            b.value,
            b.sigma
        );
        assert!((a.sigma / b.sigma - 1.0).abs() < 0.01, "{}: sigma {} for {}", a.key, a.sigma, b.sigma);
    }
}
