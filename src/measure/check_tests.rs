//! One fault at a time, in a measurement that is good without it.

use ndarray::Array2;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::io;
use crate::optics::{Angle, Length};
use crate::twin::Pair;

const SHAPE: [usize; 2] = [48, 64];

/// Always the same speckle of about four pixels, brightest near `peak` above the dark, with read noise of `seed`.
fn speckle(peak: f64, seed: u64) -> Array2<f64> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let waves: Vec<[f64; 3]> = (0..40)
        .map(|_| {
            let mut draw = |scale: f64| scale * (f64::from(rng.random::<f32>()) - 0.5);
            [draw(1.5), draw(1.5), draw(6.3)]
        })
        .collect();
    let intensity = Array2::from_shape_fn((SHAPE[0], SHAPE[1]), |(r, c)| {
        let phases = waves.iter().map(|w| w[0] * r as f64 + w[1] * c as f64 + w[2]);
        let (re, im) = phases.fold((0.0, 0.0), |(re, im), p| (re + p.cos(), im + p.sin()));
        re * re + im * im
    });
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let top = intensity.iter().copied().fold(0.0, f64::max);
    intensity.mapv(|v| (100.0 + peak * v / top + 3.0 * f64::from(rng.random::<f32>())).round())
}

fn dark(seed: u64) -> Array2<f64> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((SHAPE[0], SHAPE[1]), || {
        (100.0 + 3.0 * f64::from(rng.random::<f32>())).round()
    })
}

/// A background, and three frames of one pattern at exposures 1, 2, 3.
fn good() -> (tempfile::TempDir, Measurement) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = MeasurementConfig::default();
    config.camera.pixels = Pair::Two(SHAPE);
    config.frames.push(Frame { file: "dark.npy".into(), role: Role::Background, ..Frame::default() });
    for k in 1..=3 {
        let show = [("1".to_owned(), Shown::Gray(9))].into();
        let exposure = f64::from(k);
        config.frames.push(Frame { file: format!("f{k}.npy"), show, exposure, ..Frame::default() });
    }
    let m = Measurement { dir: dir.path().into(), config };
    put(&m, 1, &dark(50));
    (1..=3).for_each(|k| put(&m, k + 1, &speckle(1000.0 * k as f64, k as u64)));
    (dir, m)
}

fn put(m: &Measurement, number: usize, counts: &Array2<f64>) {
    let path = m.dir.join(&m.config.frames[number - 1].file);
    io::write_real(&path, counts.mapv(|v| v as f32).view()).unwrap();
}

/// Insists on exactly one problem.
fn only(m: &Measurement, frame: Option<usize>, severity: Severity, kind: Kind, says: &[&str]) {
    let check = m.check();
    assert_eq!(check.problems.len(), 1, "{:#?}", check.problems);
    let p = &check.problems[0];
    assert_eq!((p.frame, p.severity, p.kind), (frame, severity, kind), "{p}");
    assert!(says.iter().all(|s| p.to_string().contains(s)), "{p}");
    assert_eq!(check.usable(), severity == Severity::Warning);
    assert_eq!(check.require_usable().is_ok(), check.usable());
}

#[test]
fn a_good_measurement_has_no_problems() {
    let (_dir, m) = good();
    let check = m.check();
    assert_eq!(check.problems, []);
    assert!((check.dark - 101.5).abs() < 0.1 && check.top == 4095.0);
    let s = check.frames[3].statistics.as_ref().unwrap();
    assert!(s.bright > 2000.0 && s.signal_to_noise > 5.0, "{s:?}");
    assert_eq!(check.frames[3].thumbnail.as_ref().unwrap().dim(), (48, 64));
}

#[test]
fn too_much_or_too_little_light() {
    let (_dir, m) = good();
    put(&m, 4, &speckle(9000.0, 9).mapv(|v| v.min(4095.0)));
    only(
        &m,
        Some(4),
        Severity::Error,
        Kind::Saturated,
        &["f3.npy (frame 4)", "saturated", "4095", "record it again"],
    );
    let (_dir, m) = good();
    let mut hot = speckle(3000.0, 9);
    hot[[3, 3]] = 4095.0;
    put(&m, 4, &hot);
    only(&m, Some(4), Severity::Warning, Kind::Saturated, &["0.0326 %"]);
    let (_dir, m) = good();
    put(&m, 2, &dark(7));
    only(&m, Some(2), Severity::Error, Kind::UnderExposed, &["f1.npy", "expose longer"]);
    put(&m, 2, &speckle(250.0, 8));
    only(&m, Some(2), Severity::Warning, Kind::UnderExposed, &["times the exposure"]);
    let (_dir, m) = good();
    put(&m, 3, &speckle(9000.0, 9));
    only(&m, Some(3), Severity::Error, Kind::Range, &["camera.bits", "0 to 4095"]);
    let (_dir, m) = good();
    put(&m, 1, &(dark(1) + 3000.0));
    let kinds: Vec<_> = m.check().problems.iter().map(|p| (p.frame, p.kind)).collect();
    assert!(kinds.contains(&(Some(1), Kind::Correction)), "{kinds:?}");
}

#[test]
fn wrong_sizes_and_missing_files() {
    let (_dir, m) = good();
    put(&m, 3, &Array2::from_elem((20, 64), 900.0));
    only(&m, Some(3), Severity::Error, Kind::Size, &["20 x 64 pixels, but camera.pixels says 48 x 64"]);
    std::fs::remove_file(m.dir.join("f2.npy")).unwrap();
    only(&m, Some(3), Severity::Error, Kind::Missing, &["cannot read", "f2.npy"]);
    let (_dir, mut m) = good();
    m.config.frames[1].show = [("1".to_owned(), Shown::File("none.png".into()))].into();
    only(&m, Some(2), Severity::Error, Kind::Missing, &["pattern none.png"]);
    let small = Array2::<u8>::zeros((16, 16));
    std::fs::write(m.dir.join("none.png"), io::png_gray8(&small).unwrap()).unwrap();
    only(&m, Some(2), Severity::Error, Kind::Size, &["16 x 16", "optics.pixels says 128 x 128"]);
}

#[test]
fn frames_in_the_wrong_order_or_twice() {
    let (_dir, m) = good();
    put(&m, 3, &speckle(3000.0, 12));
    put(&m, 4, &speckle(2000.0, 13));
    let found = m.check().problems;
    assert!(found.len() == 1 && found[0].kind == Kind::Order, "{found:#?}");
    assert!(
        found[0].message.contains("f2.npy (frame 3)") && found[0].message.contains("order"),
        "{}",
        found[0]
    );
    let (_dir, mut m) = good();
    put(&m, 4, &speckle(2000.0, 2));
    only(&m, Some(4), Severity::Error, Kind::Duplicate, &["exactly those of f2.npy (frame 3)"]);
    let (_dir, mut other) = good();
    other.config.frames[3].file = "f2.npy".into();
    only(&other, Some(4), Severity::Error, Kind::Duplicate, &["frame 3 is the same file"]);
    m.config.frames[3] = Frame { file: "f3.npy".into(), ..m.config.frames[2].clone() };
    only(&m, Some(4), Severity::Warning, Kind::Duplicate, &["f2.npy (frame 3)"]);
}

fn stepped(degrees: &[Option<f64>]) -> (tempfile::TempDir, Measurement) {
    let (dir, mut m) = good();
    m.config.frames.truncate(1);
    for (k, step) in degrees.iter().enumerate() {
        m.config.frames.push(Frame {
            file: format!("s{k}.npy"),
            reference: true,
            step: step.map(|d| Angle(d.to_radians())),
            set: Some("a".into()),
            ..Frame::default()
        });
        put(&m, k + 2, &speckle(2000.0, 20 + k as u64));
    }
    (dir, m)
}

#[test]
fn phase_steps_are_told_apart() {
    let (_dir, m) = stepped(&[Some(0.0), Some(120.0), Some(360.0)]);
    let found: Vec<_> = m.check().problems.iter().map(ToString::to_string).collect();
    assert!(
        found.iter().any(|t| t.contains("s2.npy (frame 4)") && t.contains("that of frame 2")),
        "{found:?}"
    );
    let (_dir, m) = stepped(&[Some(0.0), None, Some(240.0)]);
    only(&m, Some(3), Severity::Error, Kind::Missing, &["step of every frame, or of none"]);
    let (_dir, m) = stepped(&[None, None]);
    only(&m, Some(3), Severity::Error, Kind::Missing, &["two frames", "three or more"]);
}

#[test]
fn frames_that_contradict_their_steps() {
    let degrees = [0.0_f64, 90.0, 180.0, 270.0];
    let fringes = |d: f64, seed: u64| {
        let noise = dark(seed);
        Array2::from_shape_fn((SHAPE[0], SHAPE[1]), |(r, c)| {
            let phase = 0.8 * r as f64 + 1.1 * c as f64 - d.to_radians();
            (1000.0 + 700.0 * phase.cos()).round() + noise[[r, c]]
        })
    };
    for (order, good) in [([0, 1, 2, 3], true), ([0, 2, 1, 3], false)] {
        let (_dir, m) = stepped(&degrees.map(Some));
        (0..4).for_each(|k| put(&m, k + 2, &fringes(degrees[order[k]], 30 + k as u64)));
        match good {
            true => assert_eq!(m.check().problems, []),
            false => only(&m, Some(2), Severity::Error, Kind::Order, &["(or all negative)", "in order?"]),
        }
    }
}

#[test]
fn descriptions_that_cannot_be_meant() {
    type Edit = fn(&mut MeasurementConfig);
    let cases: [(Edit, Option<usize>, Kind, &str); 7] = [
        (|c| c.optics.wavelength = Length(532e-6), None, Kind::Unit, "did you mean 532 nm?"),
        (|c| c.optics.pitch = Pair::One(Length(25e-3)), None, Kind::Unit, "did you mean 25 um?"),
        (|c| c.camera.pitch = Pair::One(Length(12.5e-9)), None, Kind::Unit, "did you mean 12.5 um?"),
        (|c| c.frames[1].exposure = -1.0, Some(2), Kind::Description, "exposure = -1"),
        (|c| c.frames[1].distance = Some(Length(-0.1)), Some(2), Kind::Description, "before the layer"),
        (
            |c| c.frames[1].show = [("7".to_owned(), Shown::Gray(1))].into(),
            Some(2),
            Kind::Description,
            "optics.layers = 4",
        ),
        (|c| c.frames[1].step = Some(Angle(1.0)), Some(2), Kind::Description, "no reference beam"),
    ];
    for (edit, frame, kind, says) in cases {
        let (_dir, mut m) = good();
        edit(&mut m.config);
        only(&m, frame, Severity::Error, kind, &[says]);
    }
    let (_dir, mut m) = good();
    m.config.frames.clear();
    only(&m, None, Severity::Error, Kind::Description, &["there are no [[frames]]"]);
}
