//! Predicted frames against the twin's own light path.

use ffm_twin::calibrate::{Calibration, Predictor, Registration, Response};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::{Engine, State};
use ffm_twin::io;
use ffm_twin::measure::{Frame, Measurement, MeasurementConfig, Shown, patterns};
use ffm_twin::optics::{Field, Length};
use ffm_twin::twin::{ErrorPass, Pair, System, SystemConfig};
use num_complex::Complex64;

const ERRORS: &str = "[all]\nbits = 8\ngamma = 1.1\ncrosstalk = 0.4\nefficiency = 0.9\nmodulator_aberration = { zernike = [[5, 0.4]] }\n\
    camera_edge = 0.9\n[layer.1]\nshift = ['30 um', '-12 um']\nroll = '0.5 deg'\n[layer.2]\naxial = '2 mm'\naperture = 0.9\n";

fn bench(dir: &std::path::Path) -> Measurement {
    let mut config = MeasurementConfig::default();
    config.optics.pixels = Pair::One(64);
    config.optics.distance = Length(0.1);
    config.optics.layers = 2;
    config.camera.pixels = Pair::One(8);
    // Points, so that nothing is averaged.
    config.camera.pitch = Pair::One(Length(0.2e-6));
    for k in 1..=2 {
        let gray = patterns::random_blocks([64, 64], 4, k);
        std::fs::write(dir.join(format!("{k}.png")), io::png_gray8(&gray).unwrap()).unwrap();
    }
    let show =
        |layers: &[usize]| layers.iter().map(|k| (k.to_string(), Shown::File(format!("{k}.png")))).collect();
    config.frames.push(Frame {
        show: show(&[1]),
        distance: Some(Length(0.08)),
        exposure: 3.0,
        ..Frame::default()
    });
    config.frames.push(Frame { show: show(&[1, 2]), ..Frame::default() });
    Measurement { dir: dir.into(), config }
}

/// The field at the end of a two-layer system (or its first layer alone), made by an engine that has the masks.
fn reference(m: &Measurement, errors: &str, layers: usize, distance: f64) -> Field {
    let mut optics = m.config.optics.clone();
    (optics.layers, optics.distance) = (layers, Length(distance));
    let mut imperfections: ffm_twin::calibrate::Imperfections = toml::from_str(errors).unwrap();
    imperfections.layer.retain(|key, _| key.parse::<usize>().unwrap() <= layers);
    let system =
        System::new(SystemConfig { optics, imperfections, ..SystemConfig::default() }, [1, 1], 0).unwrap();
    let mut engine = CpuEngine::<f64>::new(1).unwrap();
    let program = system.compile_twin(ErrorPass::Forward, &|n| engine.transform_length(n)).unwrap();
    engine.load(&program, 1).unwrap();
    let phases = (1..=layers).map(|k| {
        patterns::random_blocks([64, 64], 4, k as u64).mapv(|g| std::f32::consts::TAU * f32::from(g) / 256.0)
    });
    engine.set_state(&State::fresh(phases.collect())).unwrap();
    engine.propagate(&[Field::from_elem((64, 64), Complex64::ONE)]).unwrap().remove(0)
}

#[test]
fn a_point_like_camera_sees_the_intensity_of_the_twin() {
    let dir = tempfile::tempdir().unwrap();
    let m = bench(dir.path());
    let pitch = m.config.optics.pitch.both()[0].0;
    for (number, layers, distance, exposure) in [(1, 1, 0.08, 3.0), (2, 2, 0.1, 1.0)] {
        let field = reference(&m, ERRORS, layers, distance);
        let peak = field.iter().map(|v| v.norm_sqr()).fold(0.0, f64::max);
        for (row, col) in [(32, 32), (20, 25), (45, 28), (30, 44)] {
            let offset = [(row as f64 - 32.0) * pitch, (col as f64 - 32.0) * pitch];
            let calibration = Calibration {
                imperfections: toml::from_str(ERRORS).unwrap(),
                registration: Some(Registration { offset, ..Registration::default() }),
                response: Some(Response { gain: 50.0, offset: 7.0, blur: 0.0, electrons_per_count: None }),
                ..Calibration::default()
            };
            let engine = Box::new(CpuEngine::<f64>::new(1).unwrap());
            let mut predictor = Predictor::new(&m.config, &calibration, engine).unwrap();
            let seen = predictor.predict(&m, &[number]).unwrap().remove(0);
            let expected = field[[row, col]].norm_sqr();
            let found = seen.intensity[[4, 4]];
            assert!(
                (found - expected).abs() < 0.01 * peak,
                "frame {number}, {row} {col}: {found} {expected}"
            );
            assert!((seen.counts[[4, 4]] - (7.0 + 50.0 * exposure * found)).abs() < 1e-9);
            assert!(predictor.inside()[[4, 4]]);
        }
    }
}

#[test]
fn a_point_like_camera_with_a_reference_sees_the_field_of_the_twin() {
    let dir = tempfile::tempdir().unwrap();
    let mut m = bench(dir.path());
    m.config.frames.iter_mut().for_each(|f| f.reference = true);
    let pitch = m.config.optics.pitch.both()[0].0;
    let aberration = "camera_edge = 0.9\ncamera_aberration = { zernike = [[5, 1.5], [7, -0.9], [8, 1.2]] }";
    let errors = ERRORS.replace("camera_edge = 0.9", aberration);
    // What is between two layers is none of the camera's, and stays where it is.
    for (number, layers, distance) in [(1, 1, 0.08), (2, 2, 0.1)] {
        let field = reference(&m, &errors, layers, distance);
        let peak = field.iter().map(|v| v.norm()).fold(0.0, f64::max);
        for (row, col) in [(32, 32), (20, 25), (45, 28), (30, 44)] {
            let offset = [(row as f64 - 32.0) * pitch, (col as f64 - 32.0) * pitch];
            let calibration = Calibration {
                imperfections: toml::from_str(&errors).unwrap(),
                registration: Some(Registration { offset, ..Registration::default() }),
                ..Calibration::default()
            };
            let engine = Box::new(CpuEngine::<f64>::new(1).unwrap());
            let mut predictor = Predictor::new(&m.config, &calibration, engine).unwrap();
            let found = predictor.fields(&m, &[number]).unwrap().remove(0)[[4, 4]];
            let off = (found - field[[row, col]]).norm();
            assert!(off < 0.01 * peak, "frame {number}, {row} {col}: {found} {}", field[[row, col]]);
        }
    }
}

#[test]
fn the_cameras_wavefront_is_in_fields_where_pixels_look_and_not_in_counts() {
    let dir = tempfile::tempdir().unwrap();
    let m = bench(dir.path());
    // One layer that is kept upright: its light is looked at turned, scaled and shifted, the camera's wavefront is not.
    let errors = "[layer.1]\nroll = '3 deg'\nmagnification = 1.02\nshift = ['200 um', '-100 um']\n";
    let offset = [250e-6, -310e-6];
    let predictor = |more: &str| {
        let calibration = Calibration {
            imperfections: toml::from_str(&format!("{errors}{more}")).unwrap(),
            registration: Some(Registration { offset, ..Registration::default() }),
            ..Calibration::default()
        };
        Predictor::new(&m.config, &calibration, Box::new(CpuEngine::<f64>::new(1).unwrap())).unwrap()
    };
    let aberration = "camera_aberration = { zernike = [[2, 0.8], [5, 1.1], [7, -0.6]] }";
    let (mut without, mut with) = (predictor(""), predictor(aberration));
    assert_eq!(without.predict(&m, &[1]).unwrap()[0].counts, with.predict(&m, &[1]).unwrap()[0].counts);
    let [a, b] = [&mut without, &mut with].map(|p| p.fields(&m, &[1]).unwrap().remove(0)[[4, 4]]);
    let side = 64.0 * m.config.optics.pitch.both()[0].0;
    let [y, x] = offset.map(|l| l / (0.5_f64.sqrt() * side));
    let (rho, theta) = (y.hypot(x), y.atan2(x));
    let term = |c: f64, n, m| c * ffm_twin::optics::zernike::value(n, m, rho, theta);
    let psi = term(0.8, 1, 1) + term(1.1, 2, -2) + term(-0.6, 3, -1);
    assert!((b / a - Complex64::cis(psi)).norm() < 1e-9, "{} {psi}", (b / a).arg());
}

#[test]
fn what_cannot_be_predicted_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let m = bench(dir.path());
    let mut cases: Vec<(Frame, &str)> = Vec::new();
    let good = m.config.frames[0].clone();
    cases.push((Frame { reference: true, ..good.clone() }, "reference"));
    cases.push((Frame { show: [("3".to_owned(), Shown::Gray(0))].into(), ..good.clone() }, "show.3"));
    cases.push((Frame { show: Default::default(), ..good.clone() }, "shows nothing"));
    cases.push((Frame { distance: Some(Length(-1.0)), ..good.clone() }, "must be positive"));
    cases.push((
        Frame { show: [("1".to_owned(), Shown::File("none.png".into()))].into(), ..good },
        "none.png",
    ));
    for (frame, expected) in cases {
        let mut wrong = m.clone();
        wrong.config.frames[0] = frame;
        let engine = Box::new(CpuEngine::<f32>::new(1).unwrap());
        let mut predictor = Predictor::new(&wrong.config, &Calibration::default(), engine).unwrap();
        let message = predictor.predict(&wrong, &[1]).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let engine = Box::new(CpuEngine::<f32>::new(1).unwrap());
    let mut predictor = Predictor::new(&m.config, &Calibration::default(), engine).unwrap();
    assert!(predictor.predict(&m, &[0]).unwrap_err().to_string().contains("there is no frame 0"));
}
