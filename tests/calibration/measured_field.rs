//! A measured complex field (HL60 cell, shearing interferometry) and the distances that another program finds for it: nrefocus
//! (P. Mueller, BSD-3), from its own tests. Run where the data are installed.

use std::io::Read;
use std::path::PathBuf;

use ffm_twin::holography::{Best, Metric, Search, refocus};
use ffm_twin::optics::{Field, Method};
use num_complex::Complex64;

const SIDE: usize = 112;

/// The field; `None` where the data are not installed.
fn cell() -> Option<Field> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets");
    let root = std::env::var_os("FFM_DATA").map_or(default, PathBuf::from);
    let path = root.join("field-hl60-nrefocus/HL60_field.zip");
    let Ok(file) = std::fs::File::open(&path) else {
        eprintln!("skipped: no {}", path.display());
        return None;
    };
    let mut archive = zip::ZipArchive::new(file).expect("a zip file");
    let mut numbers = |name: &str| -> Vec<f64> {
        let mut text = String::new();
        archive.by_name(name).expect("a member").read_to_string(&mut text).expect("text");
        text.split_whitespace().map(|n| n.parse().expect("a number")).collect()
    };
    let (real, imaginary) = (numbers("HL60_real.txt"), numbers("HL60_imag.txt"));
    let values = real.into_iter().zip(imaginary).map(|(re, im)| Complex64::new(re, im)).collect();
    Some(Field::from_shape_vec((SIDE, SIDE), values).expect("its shape"))
}

/// The other program finds -8.781e-7 m by the mean square of the gradient of the amplitude in water (index 1.3333), searching
/// +-5 um; it pads by a ramp to the border's mean, we by that mean.
#[test]
fn a_living_cell_is_found_in_focus() {
    let Some(field) = cell() else { return };
    let search = Search {
        wavelength: 647e-9,
        index: 1.3333,
        pitch: 0.139e-6,
        from: -5e-6,
        to: 5e-6,
        steps: 41,
        metric: Metric::Gradient,
        best: Best::Min,
        speckle: 1,
        method: Method::Auto,
        single_transform: false,
    };
    let found = refocus(&field, &search, &mut |_, _| {}).expect("a focus");
    eprintln!("in focus at {:.4e} +- {:.1e} m, expected -8.781e-7 m", found.distance, found.uncertainty);
    assert!((found.distance + 8.781e-7).abs() < 5e-8, "{:e}", found.distance);
}
