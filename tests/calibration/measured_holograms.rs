//! Measured holograms of pyDHM (Trujillo & Doblas, MIT): a phase-shifting set with uneven steps, and two lensless off-axis
//! holograms of rough objects. Run where the data are installed.

use std::f64::consts::TAU;
use std::path::PathBuf;

use ffm_twin::holography::{
    Best, Focus, Metric, Search, SideBand, known_steps, off_axis, refocus, unknown_steps,
};
use ffm_twin::io::read_counts;
use ffm_twin::optics::{Field, Method};
use ndarray::Array2;
use num_complex::Complex64;

/// A frame; `None` where the data are not installed.
fn frame(name: &str) -> Option<Array2<f64>> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets");
    let root = std::env::var_os("FFM_DATA").map_or(default, PathBuf::from);
    let path = root.join("holograms-pydhm").join(name);
    if !path.exists() {
        eprintln!("skipped: no {}", path.display());
        return None;
    }
    Some(read_counts(&path).expect("a frame"))
}

fn stepped() -> Option<Vec<Array2<f64>>> {
    (0..4).map(|k| frame(&format!("I{k}_Fresnel_Lens.jpg"))).collect()
}

/// Energy of a field around a frequency, by a direct sum over a coarse grid of plane waves with smooth windows: independent of
/// the transforms under test.
fn energy_around(field: &Field, centre: [f64; 2], radius: f64) -> f64 {
    let (rows, cols) = field.dim();
    let hann = |k: usize, n: usize| (std::f64::consts::PI * (k as f64 + 0.5) / n as f64).sin().powi(2);
    let waves = |f: f64, n: usize| -> Vec<Complex64> {
        (0..n).map(|k| Complex64::cis(-TAU * f * k as f64) * hann(k, n)).collect()
    };
    let reach = (radius * rows as f64) as i32;
    let mut sum = 0.0;
    for dx in -reach..=reach {
        let wave_x = waves(centre[1] + f64::from(dx) / cols as f64, cols);
        let lines: Vec<Complex64> =
            field.rows().into_iter().map(|row| row.iter().zip(&wave_x).map(|(u, w)| u * w).sum()).collect();
        for dy in -reach..=reach {
            if dx * dx + dy * dy <= reach * reach {
                let wave_y = waves(centre[0] + f64::from(dy) / rows as f64, rows);
                sum += lines.iter().zip(&wave_y).map(|(u, w)| u * w).sum::<Complex64>().norm_sqr();
            }
        }
    }
    sum
}

/// The side-band over its ghost at the opposite frequency, dB: the conjugate field that wrong steps leave behind.
fn ghost_below(field: &Field, band: &SideBand) -> f64 {
    let [y, x] = band.centre;
    let (near, far) =
        (energy_around(field, [y, x], band.radius), energy_around(field, [-y, -x], band.radius));
    (10.0 * (near / far).log10()).abs()
}

#[test]
fn uneven_steps_are_found_and_the_field_is_clean() {
    let Some(frames) = stepped() else { return };
    let found = unknown_steps(&frames).expect("a field");
    let degrees: Vec<f64> = found.steps.iter().map(|s| s.to_degrees()).collect();
    // Measured from the phase of the carrier; the sign is common to all.
    for (step, carrier) in degrees.iter().zip([0.0, 46.5, 101.1, 167.3]) {
        assert!((step - carrier).abs() < 5.0, "{degrees:?}");
    }
    let quarter: Vec<f64> = (0..4).map(|k| f64::from(k) * TAU / 4.0).collect();
    let formula = known_steps(&frames, &quarter).expect("a field");
    let band = off_axis(frames[0].view(), None, false).expect("a side-band").side_band;
    let (clean, ghosted) = (ghost_below(&found.field, &band), ghost_below(&formula.field, &band));
    eprintln!(
        "steps {degrees:.1?} deg; ghost {clean:.1} dB below the side-band (formula of 90 degree steps: {ghosted:.1} dB); \
         residual {:.3} (formula: {:.3})",
        found.residual, formula.residual
    );
    assert!(clean > 25.0 && clean > ghosted + 10.0, "{clean} dB, {ghosted} dB");
    assert!(found.residual < 0.05 && formula.residual > 0.2, "{} {}", found.residual, formula.residual);
}

fn focus(
    name: &str,
    wavelength: f64,
    pitch: f64,
    range: [f64; 2],
    settings: (Metric, usize),
) -> Option<Focus> {
    let field = off_axis(frame(name)?.view(), None, false).expect("a side-band").field;
    let search = Search {
        wavelength,
        index: 1.0,
        pitch,
        from: range[0],
        to: range[1],
        steps: 17,
        metric: settings.0,
        best: Best::Max,
        speckle: settings.1,
        method: Method::Auto,
        single_transform: true,
    };
    Some(refocus(&field, &search, &mut |_, _| {}).expect("a focus inside the range"))
}

/// How much sharper than at `z` a hologram is in its focus.
fn gain_over(found: &Focus, z: f64) -> f64 {
    let value = |z: f64| {
        let nearest = found.curve.iter().min_by(|a, b| (a.0 - z).abs().total_cmp(&(b.0 - z).abs()));
        nearest.map_or(0.0, |p| p.1)
    };
    value(found.distance) / value(z)
}

/// The example scripts that come with the holograms state 0.45 m and 0.30 m. At these the objects are blurred; every measure
/// of sharpness puts them a third and a half further, where the horse has an eye and the die has its pips. What is asserted
/// is what the light says: two measures agree, and the stated distances are out of focus.
#[test]
fn rough_objects_have_one_focus() {
    let cases = [
        ("horse.bmp", 633e-9, 5e-6, [0.35, 0.85], 0.45, 0.603),
        ("die_1.jpg", 632.8e-9, 7e-6, [0.2, 0.65], 0.30, 0.443),
    ];
    for (name, wavelength, pitch, range, stated, expected) in cases {
        let by = |settings| focus(name, wavelength, pitch, range, settings);
        let Some(gradient) = by((Metric::Gradient, 8)) else { return };
        let Some(laplacian) = by((Metric::Laplacian, 8)) else { return };
        eprintln!(
            "{name}: {:.4} +- {:.4} m (gradient), {:.4} m (Laplacian); stated {stated} m; {:.2} times as sharp as there",
            gradient.distance,
            gradient.uncertainty,
            laplacian.distance,
            gain_over(&gradient, stated)
        );
        for found in [&gradient, &laplacian] {
            assert!((found.distance / expected - 1.0).abs() < 0.05, "{name}: {}", found.distance);
        }
        assert!(gain_over(&gradient, stated) > 1.3, "{name}");
    }
}
