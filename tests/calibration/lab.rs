//! The virtual laboratory against formulas, and against the twin that is told the truth.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ffm_twin::calibrate::{Calibration, Predictor};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::{Engine, State};
use ffm_twin::lab::{Asked, Extent, LabError, Recorded, Truth, record};
use ffm_twin::optics::Field;
use ffm_twin::twin::{ErrorPass, System, SystemConfig};
use ndarray::Array2;
use num_complex::Complex64;

use crate::support::record_all;

/// A camera without noise to speak of.
const QUIET: &str = "bits = 16\nfull_well = 1e10\nread_noise = 0.0\noffset = 0.0\n";

fn config(more: &str) -> SystemConfig {
    let text = format!("[optics]\npixels = 64\npitch = '25 um'\nlayers = 1\ndistance = '0.2 m'\n{more}");
    toml::from_str(&text).unwrap()
}

fn run(system: &SystemConfig, truth: &str, extent: Extent, dir: &Path, plan: Option<&Path>) -> Recorded {
    record_all(dir, system, truth, 3, (extent, plan))
}

const ONE: Extent = Extent { fit: 1, test: 0, sweep: 0, transfer: 0, reference: 0 };

/// One frame: gray 0 or a pattern, in intensities of a source of amplitude 1.
fn intensity(recorded: &Recorded, number: usize) -> Array2<f64> {
    let response = recorded.truth.response().unwrap();
    let exposure = recorded.measurement.config.frames[number - 1].exposure;
    recorded.measurement.counts(number).unwrap().mapv(|v| (v - response.offset) / response.gain / exposure)
}

fn correlation(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let mean = |m: &Array2<f64>| m.sum() / m.len() as f64;
    let (x, y) = (a - mean(a), b - mean(b));
    (&x * &y).sum() / ((&x * &x).sum() * (&y * &y).sum()).sqrt()
}

#[test]
fn a_gaussian_beam_arrives_where_and_as_wide_as_it_should() {
    let plan = tempfile::tempdir().unwrap();
    let text = "[optics]\npixels = 64\npitch = '25 um'\nlayers = 1\ndistance = '0.2 m'\n[[frames]]\nshow = { 1 = 0 }";
    std::fs::write(plan.path().join("measurement.toml"), text).unwrap();
    let truth = format!(
        "[imperfections.all]\nshift = ['30 um', '-45 um']\naxial = '20 mm'\ntilt = ['0.3 mrad', '0.1 mrad']\n\
         [illumination]\ncentre = ['60 um', '25 um']\nwaist = '0.25 mm'\n[camera]\npixels = [40, 48]\npitch = '20 um'\n{QUIET}\
         [camera.registration]\nmatrix = [[1.1, 0.05], [0.0, 0.95]]\noffset = [2e-5, -3e-5]\ndistortion = 3e4\n"
    );
    let dir = tempfile::tempdir().unwrap();
    let recorded = run(&config(""), &truth, ONE, dir.path(), Some(plan.path()));
    let seen = intensity(&recorded, 1);
    let (z, w0, lambda) = (0.22_f64, 0.25e-3_f64, 532e-9_f64);
    let z0 = std::f64::consts::PI * w0 * w0 / lambda;
    let w2 = w0 * w0 * (1.0 + (z / z0).powi(2));
    // Centre: where the beam hits, the shift, and the tilt over the distance.
    let (x0, y0) = (60e-6 + 30e-6 + 0.3e-3 * z, 25e-6 - 45e-6 + 0.1e-3 * z);
    let registration = recorded.truth.camera.registration;
    let expected = Array2::from_shape_fn((40, 48), |(r, c)| {
        let mean_over = |k: usize| ((k / 5) as f64 / 5.0 - 0.4, (k % 5) as f64 / 5.0 - 0.4);
        let one = |k: usize| {
            let (a, b) = mean_over(k);
            let [y, x] = registration.map([(r as f64 + a - 20.0) * 20e-6, (c as f64 + b - 24.0) * 20e-6]);
            w0 * w0 / w2 * (-2.0 * ((x - x0).powi(2) + (y - y0).powi(2)) / w2).exp()
        };
        (0..25).map(one).sum::<f64>() / 25.0
    });
    let worst = seen.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1.5e-3 * w0 * w0 / w2, "{worst}");
}

/// Intensities of a twin that is told `imperfections`, pixel by pixel, for the pattern of frame 1.
fn twin(system: &SystemConfig, imperfections: &str, recorded: &Recorded) -> Array2<f64> {
    let mut config = system.clone();
    config.imperfections = toml::from_str(imperfections).unwrap();
    let mut engine = CpuEngine::<f64>::new(1).unwrap();
    let twin = System::new(config, [28, 28], 3).unwrap();
    let lengths = |n| engine.transform_length(n);
    let program = twin.compile_twin(ErrorPass::Forward, &lengths).unwrap();
    let gray = recorded.measurement.shown(1, 1).unwrap().unwrap();
    engine.load(&program, 1).unwrap();
    engine
        .set_state(&State::fresh(vec![gray.mapv(|g| f32::from(g) / 256.0 * std::f32::consts::TAU)]))
        .unwrap();
    let lit = Field::from_elem((64, 64), Complex64::ONE);
    engine.propagate(&[lit]).unwrap()[0].mapv(|u| u.norm_sqr())
}

#[test]
fn signs_and_orders_are_those_of_the_twin() {
    // Block sides of more than a pixel keep light near the axis, where the pixels' own diffraction is weak.
    let errors = "[all]\nshift = ['20 um', '-35 um']\naxial = '6 mm'\nroll = '0.8 deg'\nmagnification = 1.015\n\
                  tilt = ['0.2 mrad', '-0.1 mrad']\nrange = 0.9\ngamma = 1.15\nfill_factor = 0.9\nmodulator_edge = 0.7\n\
                  camera_edge = 0.8\nmodulator_aberration = { zernike = [[4, 0.4], [7, 0.5]], rms = 0.5, terms = 12 }\n\
                  pupil_aberration = { zernike = [[8, 2.0]] }\n";
    let system = config("");
    let dir = tempfile::tempdir().unwrap();
    let truth =
        format!("[imperfections]\n{}\n[camera]\n{QUIET}", errors.replace("[all]", "[imperfections.all]"));
    let recorded = run(&system, &truth, ONE, dir.path(), None);
    let seen = intensity(&recorded, 1);
    let told = correlation(&seen, &twin(&system, errors, &recorded));
    let nominal = correlation(&seen, &twin(&system, "", &recorded));
    eprintln!("told {told:.4}, nominal {nominal:.4}");
    assert!(told > 0.97 && nominal < 0.6, "{told} {nominal}");
    // Each sign by itself: turned round, it fits worse.
    for (right, wrong) in [
        ("'20 um', '-35 um'", "'-20 um', '-35 um'"),
        ("'20 um', '-35 um'", "'20 um', '35 um'"),
        ("'6 mm'", "'-6 mm'"),
        ("'0.8 deg'", "'-0.8 deg'"),
        ("1.015", "0.985"),
        ("'0.2 mrad', '-0.1", "'-0.2 mrad', '-0.1"),
        ("[7, 0.5]", "[7, -0.5]"),
        ("[8, 2.0]", "[8, -2.0]"),
        ("gamma = 1.15", "gamma = 0.87"),
        ("rms = 0.5", "rms = 0.0"),
    ] {
        let other = correlation(&seen, &twin(&system, &errors.replace(right, wrong), &recorded));
        eprintln!("{wrong}: {other:.4}");
        assert!(other < told - 0.004, "{wrong}: {other} {told}");
    }
}

/// So near that the first orders of the pixels reach the camera.
#[test]
fn a_near_camera_sees_the_higher_orders_that_the_twin_predicts() {
    let text = "[optics]\npixels = 64\npitch = '40 um'\nlayers = 1\ndistance = '0.194 m'";
    let system: SystemConfig = toml::from_str(text).unwrap();
    let errors = "shift = ['12 um', '-7 um']\naxial = '2 mm'\nroll = '0.1 deg'\nmagnification = 1.001\nfill_factor = 0.9\n\
                  modulator_aberration = { zernike = [[5, 0.3], [8, -0.3]] }";
    let dir = tempfile::tempdir().unwrap();
    let truth = format!("[imperfections.all]\n{errors}\n[illumination]\nwaist = '2.6 mm'\n[camera]\n{QUIET}");
    let recorded = run(&system, &truth, ONE, dir.path(), None);
    let seen = intensity(&recorded, 1);
    let peak = seen.iter().copied().fold(0.0, f64::max);
    let off = |aperture: f64| {
        let light = "illumination = { centre = ['0 um', '0 um'], waist = ['2.6 mm', '2.6 mm'] }";
        let imperfections =
            toml::from_str(&format!("[all]\n{errors}\n{light}\naperture = {aperture}")).unwrap();
        let calibration = Calibration { imperfections, ..Calibration::default() };
        let engine = Box::new(CpuEngine::<f64>::new(1).unwrap());
        let mut twin = Predictor::new(&recorded.measurement.config, &calibration, engine).unwrap();
        let inside = twin.inside();
        let predicted = twin.predict(&recorded.measurement, &[1]).unwrap().remove(0).intensity;
        let known = inside.iter().filter(|used| **used).count();
        assert!(known > 1000, "{known}");
        let squares = predicted.iter().zip(&seen).zip(&inside).filter(|(_, used)| **used);
        (squares.map(|((p, s), _)| (p - s).powi(2)).sum::<f64>() / known as f64).sqrt() / peak
    };
    // Without the aperture pixels are points, whose orders a twin does not know.
    let (squares, points) = (off(0.9_f64.sqrt()), off(0.0));
    println!(
        "twin and laboratory differ by {squares:.6} of the peak, without the pixels' aperture by {points:.5}"
    );
    assert!(squares < 2e-4 && points > 1e-2, "{squares} {points}");
}

#[test]
fn a_revealed_truth_gives_the_same_frames_on_any_number_of_threads() {
    let truth = "[imperfections.all]\ncrosstalk = 0.2\nroll = '0.2 deg'\nmodulator_aberration = { rms = 0.5 }\n\
                 camera_aberration = { rms = 0.2, terms = 10, common = true }\n[camera]\nblur = 0.5\nuneven = 0.01\n";
    let extent = Extent { fit: 3, test: 1, sweep: 2, transfer: 2, reference: 1 };
    let system = config("");
    let at = |threads: usize, truth: &str, dir: &Path| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&system, truth, extent, dir, None))
    };
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = at(1, truth, a.path());
    let revealed = std::fs::read_to_string(a.path().join("truth.toml")).unwrap();
    let second = at(3, &revealed, b.path());
    assert_eq!(first.truth, second.truth);
    let frames = &first.measurement.config.frames;
    assert_eq!(frames.len(), 3 + 1 + 4 + 4 + 4 + 2 + 4);
    for frame in frames {
        let read = |dir: &Path| std::fs::read(dir.join(&frame.file)).unwrap();
        assert!(read(a.path()) == read(b.path()), "{}", frame.file);
    }
    assert_eq!(first.truth.frames.len(), 4);
    let right = std::f64::consts::FRAC_PI_2;
    assert!(first.truth.frames[1].step.0 != right && (first.truth.frames[1].step.0 - right).abs() < 0.8);
}

#[test]
fn masks_in_a_row_pass_the_light_on() {
    // A prism on each of two layers: what the first sends aside, the second sends back, after one distance.
    let system = config("[hardware]\nkind = 'cascade'");
    let mut two = system.clone();
    two.optics.layers = 2;
    let plan = tempfile::tempdir().unwrap();
    let ramp = |turns: f64| {
        ffm_twin::io::png_gray8(&ffm_twin::measure::patterns::phase_ramp([64, 64], [0.0, turns])).unwrap()
    };
    std::fs::write(plan.path().join("a.png"), ramp(4.0)).unwrap();
    std::fs::write(plan.path().join("b.png"), ramp(-4.0)).unwrap();
    let text = "[optics]\npixels = 64\npitch = '25 um'\nlayers = 2\ndistance = '0.2 m'\n\
                [[frames]]\nshow = { 1 = 'a.png', 2 = 'b.png' }\n[[frames]]\nshow = { 1 = 'a.png' }";
    std::fs::write(plan.path().join("measurement.toml"), text).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let truth = format!(
        "[illumination]\nwaist = '0.25 mm'\n[imperfections.layer.1]\nshift = ['30 um', '0 um']\n[camera]\n{QUIET}"
    );
    let recorded = run(&two, &truth, ONE, dir.path(), Some(plan.path()));
    let centre = |number: usize| {
        let seen = intensity(&recorded, number);
        seen.indexed_iter().map(|((_, c), v)| v * (c as f64 - 32.0) * 25e-6).sum::<f64>() / seen.sum()
    };
    // Four turns over 1.6 mm: an angle of 4 lambda / 1.6 mm; 0.266 mm after 0.2 m. The last few microns are light that
    // leaves the field of the camera.
    let aside = 4.0 * 532e-9 / 1.6e-3 * 0.2;
    for number in [1, 2] {
        assert!((centre(number) - aside - 30e-6).abs() < 12e-6, "{number}: {}", centre(number));
    }
}

#[test]
fn a_stopped_laboratory_leaves_whole_sets_or_nothing() {
    let truth: Truth = toml::from_str("[camera]\nuneven = 0.01").unwrap();
    let system = config("");
    let extent = Extent { fit: 3, test: 1, sweep: 0, transfer: 1, reference: 2 };
    let after = |frames: usize, dir: &Path| {
        let stop = AtomicBool::new(frames == 0);
        let asked = Asked {
            name: "test",
            system: &system,
            truth: &truth,
            seed: 3,
            fine: 3,
            plan: None,
            extent,
            stop: &stop,
        };
        record(&asked, dir, &dir.join("truth.toml"), &mut |done, _| {
            stop.store(done >= frames, Ordering::SeqCst)
        })
    };
    let dir = tempfile::tempdir().unwrap();
    let message = after(0, dir.path()).unwrap_err();
    assert!(matches!(message, LabError::Stopped), "{message}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    // Three frames to fit to, one to test on, then two sets of four: a set that is cut short is left out.
    for (stop, left) in [(1, 1), (4, 4), (7, 4), (8, 8)] {
        let dir = tempfile::tempdir().unwrap();
        let found = after(stop, dir.path()).unwrap();
        let frames = found.measurement.config.frames.len();
        assert_eq!((frames, found.planned), (left, 3 + 1 + 8 + 4 + 4 + 2), "{stop}");
        let read = ffm_twin::measure::Measurement::open(dir.path()).unwrap();
        assert_eq!(read.config, found.measurement.config);
        let check = read.check();
        assert!(check.usable(), "{stop}: {:?}", check.problems);
    }
}
