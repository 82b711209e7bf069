//! A phase range that differs over the modulator, from frames of the virtual laboratory.

use ffm_twin::calibrate::estimate::{Choice, estimate};
use ffm_twin::calibrate::{Calibration, RangeMap};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::lab::Extent;

use crate::fits::names;
use crate::support::{BENCH, observe};

/// The liquid crystal is thicker at the right, and thinnest at the lower left.
const MAP: [[f64; 3]; 3] = [[0.95, 0.97, 1.0], [0.94, 0.96, 0.99], [0.91, 0.94, 0.98]];

fn truth() -> String {
    format!(
        "[imperfections.layer.1]\nbits = 8\nshift = ['40 um', '-25 um']\naxial = '2 mm'\nroll = '0.1 deg'\ngamma = 1.05\n\
         fill_factor = 0.94\nrange_map = {MAP:?}\nmodulator_aberration = {{ zernike = [[5, 0.3], [7, -0.2]] }}\n\
         [illumination]\nwaist = '1.2 mm'\n[camera]\npixels = 128\npitch = '12.5 um'\nblur = 0.4\n"
    )
}

#[test]
fn the_range_of_every_place_comes_back_from_ordinary_frames() {
    let dir = tempfile::tempdir().unwrap();
    let extent = Extent { fit: 12, test: 3, sweep: 0, transfer: 0, reference: 0 };
    let recorded = observe(dir.path(), BENCH, &truth(), 5, extent);
    let fitted = |choice: &Choice, base: &Calibration| {
        let engine = Box::new(CpuEngine::<f32>::new(2).unwrap());
        estimate(&recorded.measurement, base, choice, engine, &mut |_| ()).unwrap()
    };
    let mapped =
        fitted(&Choice { free: names(&["range_map"]), ..Choice::default() }, &Calibration::default());
    let found = &mapped.calibration;
    assert!(found.estimates.iter().all(|e| !e.key.ends_with(".range")), "one range beside the map");
    for (r, c) in (0..3).flat_map(|r| (0..3).map(move |c| (r, c))) {
        let key = format!("imperfections.layer.1.range_map.{}.{}", r + 1, c + 1);
        let e = found.estimates.iter().find(|e| e.key == key).unwrap_or_else(|| panic!("no {key}"));
        let off = e.value - MAP[r][c];
        eprintln!("{key}: {:.5} +- {:.5}, {:.2} sigma off", e.value, e.sigma, off / e.sigma);
        assert!(
            off.abs() < 3e-3 && off.abs() < 4.0 * e.sigma && e.sigma < 3e-3,
            "{key}: {e:?}, {}",
            MAP[r][c]
        );
    }
    // One number for the whole panel does not do.
    let even = fitted(&Choice::default(), &Calibration::default());
    let chi = |o: &ffm_twin::calibrate::estimate::Outcome| o.calibration.fit.as_ref().unwrap().chi_square;
    eprintln!("chi-square {:.3} with a map, {:.3} without", chi(&mapped), chi(&even));
    assert!(chi(&mapped) < 1.1 && chi(&even) > 1.3 * chi(&mapped));

    // A map that is known has as many places as it has, and is kept where nobody asks for it.
    let mut base = found.clone();
    let given = RangeMap(vec![vec![0.95, 0.98]]);
    base.imperfections.layer.entry("1".into()).or_default().range_map = Some(given.clone());
    let fix = names(&[
        "shift",
        "axial",
        "roll",
        "magnification",
        "tilt",
        "illumination",
        "fill_factor",
        "gamma",
        "aperture",
        "modulator_aberration",
        "gain",
        "offset",
        "blur",
    ]);
    let coarse = fitted(
        &Choice { free: names(&["range_map"]), fix: fix.clone(), zernike: 11, ..Choice::default() },
        &base,
    );
    let keys: Vec<&str> = coarse.calibration.estimates.iter().map(|e| e.key.as_str()).collect();
    assert_eq!(keys, ["imperfections.layer.1.range_map.1.1", "imperfections.layer.1.range_map.1.2"]);
    let kept = fitted(&Choice { free: Vec::new(), fix, zernike: 11, ..Choice::default() }, &base);
    assert_eq!(kept.calibration.imperfections.of(1).range_map, Some(given));
}
