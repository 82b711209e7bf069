//! Responses of modulators and cameras, from the virtual laboratory and from measured data.

use std::f64::consts::TAU;
use std::path::PathBuf;

use ffm_twin::calibrate::gray_phases;
use ffm_twin::calibrate::response::{Levels, Order, PhaseTable, ResponseError, camera, from_order, sweeps};
use ffm_twin::lab::{Extent, Recorded};

use crate::support::{BENCH, observe};

fn recorded(truth: &str, extent: Extent) -> (tempfile::TempDir, Recorded) {
    let dir = tempfile::tempdir().unwrap();
    let found = observe(dir.path(), BENCH, truth, 3, extent);
    (dir, found)
}

const SWEEP: Extent = Extent { fit: 1, test: 0, sweep: 18, transfer: 0, reference: 0 };

fn rms(errors: &[f64]) -> f64 {
    (errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64).sqrt()
}

#[test]
fn the_sweep_of_a_misaligned_bench_gives_its_phases() {
    let truth = "[imperfections.all]\nrange = 0.93\ngamma = 1.12\nfill_factor = 0.93\nroll = '0.3 deg'\nshift = ['40 um', '0 um']\n\
                 modulator_aberration = { rms = 0.5 }\n[camera]\nblur = 0.4\n";
    let (_dir, lab) = recorded(truth, SWEEP);
    let tables = sweeps(&lab.measurement, [1, 1]).unwrap();
    assert_eq!((tables.len(), tables[0].layer), (1, 1));
    let table = &tables[0].table;
    let expected = gray_phases(&lab.truth.imperfections.of(1));
    let errors: Vec<f64> =
        table.gray.iter().zip(&table.phase).map(|(g, p)| p - expected[*g as usize]).collect();
    let law = table.power().unwrap();
    eprintln!("rms {:.4} rad, {law:?}", rms(&errors));
    assert!(rms(&errors) < 0.03, "{errors:?}");
    assert!((law.range - 0.93).abs() < 0.005 && (law.gamma - 1.12).abs() < 0.01, "{law:?}");
    assert_eq!(table.lut().unwrap().len(), 257);
    assert_eq!(sweeps(&lab.measurement, [1, 2]).unwrap().len(), 2);
}

#[test]
fn a_sweep_that_is_over_exposed_or_missing_is_refused() {
    let (_dir, lab) = recorded("[camera]\nphotons = 40000.0\n", SWEEP);
    let message = |r: Result<_, ResponseError>| match r {
        Ok(()) => String::new(),
        Err(e) => e.to_string(),
    };
    let told = message(sweeps(&lab.measurement, [1, 1]).map(|_| ()));
    assert!(told.contains("sweep-") && told.contains("saturated"), "{told}");
    let told = message(camera(&lab.measurement).map(|_| ()));
    assert!(told.contains("photon-transfer"), "{told}");
    let mut none = lab.measurement.clone();
    none.config.frames.truncate(1);
    assert!(message(sweeps(&none, [1, 1]).map(|_| ())).contains("role = \"sweep\""));
}

#[test]
fn pairs_of_flat_frames_give_the_camera() {
    let camera_sheet =
        "[camera]\nelectrons_per_count = 2.9\nread_noise = 7.0\noffset = 80.0\nuneven = 0.01\n";
    let extent = Extent { fit: 1, test: 0, sweep: 0, transfer: 14, reference: 0 };
    let (_dir, lab) = recorded(camera_sheet, extent);
    let found = camera(&lab.measurement).unwrap();
    eprintln!("{found:?}");
    for (e, truth) in [(found.electrons_per_count, 2.9), (found.read_noise, 7.0), (found.offset, 80.0)] {
        assert!((e.value - truth).abs() < 4.0 * e.sigma + 0.02, "{e:?} {truth}");
    }
    assert!((found.saturation.unwrap()[1] / 10_500.0 - 1.0).abs() < 0.02 && !found.converter_ends);
    // A camera that reads a full well 3 % too low bends its counts.
    let (_dir, bent) = recorded(&format!("{camera_sheet}nonlinearity = 0.03\n"), extent);
    let bent = camera(&bent.measurement).unwrap();
    assert!(bent.nonlinearity > 4.0 * found.nonlinearity && bent.nonlinearity > 2e-3, "{bent:?}");
}

/// Rows `gray, value` of a file of the measured modulator.
fn column(name: &str) -> Option<Vec<(f64, f64)>> {
    let data =
        std::env::var_os("FFM_DATA").map_or_else(|| PathBuf::from("../shared/datasets"), PathBuf::from);
    let path = data.join("slm-lut-meadowlark5721-532nm").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("{} is not there; this test needs it", path.display());
        return None;
    };
    let row = |line: &str| {
        let (a, b) = line.split_once(',')?;
        Some((a.trim().parse().ok()?, b.trim().parse().ok()?))
    };
    Some(text.lines().filter_map(row).collect())
}

/// Differences to a column of phases in units of 2 pi.
fn differences(table: &PhaseTable, column: &[(f64, f64)]) -> Vec<f64> {
    table.gray.iter().zip(&table.phase).map(|(g, p)| p - TAU * column[*g as usize].1).collect()
}

#[test]
fn a_measured_modulator_has_the_phases_that_its_authors_found() {
    let (Some(light), Some(phase), Some(smooth)) = (
        column("NormalizedMeasurements.csv"),
        column("PhaseMeasurements.csv"),
        column("PhaseFitMeasurements.csv"),
    ) else {
        return;
    };
    // The columns end at the gray value of 2 pi; behind it they hold zeros.
    let end = phase.iter().rposition(|(_, p)| *p > 0.0).unwrap() + 1;
    let known = from_order(&light[..end], Order::First, Levels::Known(0.0, 1.0)).unwrap();
    let free = from_order(&light[..end], Order::First, Levels::Measured).unwrap();
    for (name, table) in [("known levels", &known), ("own levels", &free)] {
        let [a, b] = [&phase, &smooth].map(|column| rms(&differences(table, column)));
        eprintln!(
            "{name}: {end} gray values; rms {a:.4} rad from the authors' phases, {b:.4} rad from their smooth curve"
        );
        assert!(a < 0.05 && b < 0.05, "{name}: {a} {b}");
    }
    assert!(known.lut().unwrap_err().to_string().contains("0 to 255"));
}

#[test]
fn the_measured_modulator_is_linear_with_its_own_table() {
    let Some(raw) = column("Raw0.csv") else { return };
    // Sums over the order's region as the camera gave them, with the modulator's table in place: 2 pi at gray 255.
    let table = from_order(&raw, Order::First, Levels::Measured).unwrap();
    let straight: Vec<f64> = table.gray.iter().zip(&table.phase).map(|(g, p)| p - TAU * g / 255.0).collect();
    eprintln!("range {:.3} x 2 pi, {:.3} rad rms from a straight line", table.range(), rms(&straight));
    assert!((table.range() - 1.0).abs() < 0.06, "{}", table.range());
    assert!(rms(&straight) < 0.5, "{}", rms(&straight));
}
