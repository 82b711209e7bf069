//! A response that no power law explains, from a gray sweep and ordinary frames of the virtual laboratory.

use ffm_twin::calibrate::estimate::{Choice, Outcome, estimate};
use ffm_twin::calibrate::{Calibration, devices, gray_phases};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::lab::Extent;

use crate::fits::names;
use crate::support::{BENCH, observe};

/// 5.8 rad at gray 256, steep at both ends.
fn truth() -> String {
    let lut: Vec<f64> =
        (0..=256).map(|g| f64::from(g) / 256.0).map(|t| 5.8 * t + 0.45 * (6.0 * t).sin()).collect();
    format!(
        "[imperfections.layer.1]\nbits = 8\nshift = ['40 um', '-25 um']\naxial = '2 mm'\nroll = '0.1 deg'\nlut = {lut:?}\n\
         fill_factor = 0.94\nmodulator_aberration = {{ zernike = [[5, 0.3], [7, -0.2]] }}\n\
         [illumination]\nwaist = '1.2 mm'\n[camera]\npixels = 128\npitch = '12.5 um'\nblur = 0.4\n"
    )
}

#[test]
fn frames_say_more_of_a_table_than_the_sweep_did() {
    let dir = tempfile::tempdir().unwrap();
    let truth = truth();
    let extent = Extent { fit: 8, test: 1, sweep: 33, transfer: 0, reference: 0 };
    let lab = observe(dir.path(), BENCH, &truth, 5, extent);
    let mut known = devices(&lab.measurement).unwrap();
    // As a weak laser and a short exposure would have it.
    let table = &mut known.tables[0].1;
    for (k, (phase, sigma)) in (0..).zip(table.phase.iter_mut().zip(&mut table.sigma)).skip(1) {
        *phase += 0.028 * 2.0_f64.sqrt() * (2.3 * f64::from(k * k)).sin();
        *sigma = 0.028;
    }
    let mut base = Calibration::default();
    known.respond(&mut base).unwrap();
    let fitted = |choice: &Choice| {
        let engine = Box::new(CpuEngine::<f32>::new(2).unwrap());
        estimate(&lab.measurement, &base, choice, engine, &mut |_| ()).unwrap()
    };
    let mut choice = Choice { zernike: 7, ..Choice::default() };
    known.choose(&mut choice, 1);
    let free = fitted(&choice);
    let kept = fitted(&Choice { fix: names(&["lut"]), ..choice.clone() });

    let expected = gray_phases(&lab.truth.imperfections.of(1));
    // Rms over the gray values, up to 255.
    let error = |c: &Calibration| {
        let errors =
            gray_phases(&c.imperfections.of(1)).into_iter().zip(&expected).map(|(a, b)| (a - b).powi(2));
        (errors.sum::<f64>() / 256.0).sqrt()
    };
    let off = |o: &Outcome, name: &str, truth: f64| {
        let key = format!("imperfections.layer.1.{name}");
        let e = o.calibration.estimates.iter().find(|e| e.key == key).unwrap_or_else(|| panic!("no {key}"));
        eprintln!("{key}: {:.6} +- {:.6}, {:.2} sigma off", e.value, e.sigma, (e.value - truth) / e.sigma);
        (e.value - truth) / e.sigma
    };
    let [swept, fit, held] = [&base, &free.calibration, &kept.calibration].map(error);
    eprintln!("phases: {swept:.5} rad rms off by the sweep, {fit:.5} by the fit, {held:.5} held");
    assert_eq!(swept, held);
    for (name, truth) in [("fill_factor", 0.94), ("axial", 2e-3), ("shift.x", 40e-6), ("magnification", 1.0)]
    {
        off(&kept, name, truth);
        assert!(off(&free, name, truth).abs() < 4.0, "{name}");
    }
    for gray in [64, 128, 192] {
        assert!(off(&free, &format!("lut.{gray}"), expected[gray]).abs() < 4.0, "{gray}");
    }
    assert!(fit < 0.2 * swept && fit < 3e-3, "{fit} {swept}");
    let chi = |o: &Outcome| o.calibration.fit.as_ref().unwrap().chi_square;
    eprintln!("chi-square {:.3} free, {:.3} held", chi(&free), chi(&kept));
    assert!((0.9..1.15).contains(&chi(&free)) && chi(&kept) > chi(&free));

    // Names that this bench has nothing for.
    let engine = Box::new(CpuEngine::<f32>::new(2).unwrap());
    let told =
        estimate(&lab.measurement, &base, &Choice { free: names(&["gamma"]), ..choice }, engine, &mut |_| ());
    assert!(told.unwrap_err().to_string().contains("--free lut"));
    let engine = Box::new(CpuEngine::<f32>::new(2).unwrap());
    let asked = Choice { free: names(&["lut"]), ..Choice::default() };
    let told = estimate(&lab.measurement, &Calibration::default(), &asked, engine, &mut |_| ());
    assert!(told.unwrap_err().to_string().contains("gray sweep"));
}
