//! Kinds of masks, frozen masks and masks from files, from settings to the run folder.

use std::path::Path;

use ffm_twin::io::{read_real, write_real};
use ndarray::Array2;

use crate::support::{CPU, ffm, folder, text, tiny, tiny_args};

/// Layer 1 complex, layer 2 frozen: the phases of a file.
const FROZEN: [&str; 6] = [
    "--set",
    "masks.kind=complex",
    "--set",
    "masks.layer.2={kind='phase',trainable=false,file='plate.npy'}",
    "--set",
    "data.train=64",
];

/// A phase plate with no symmetry.
fn plate(side: usize) -> Array2<f32> {
    Array2::from_shape_fn((side, side), |(r, c)| 0.01 * (r * r + 3 * c) as f32)
}

fn real(run: &Path, name: &str) -> Array2<f32> {
    read_real(&run.join("masks").join(name)).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn complex_masks_train_beside_a_frozen_plate() {
    for (device, exact) in [(&CPU[..], true), (&["--device", "1"][..], false)] {
        if !exact && ffm_twin::engine::gpu::adapters().is_empty() {
            println!("skipped: no adapter");
            continue;
        }
        let dir = folder();
        write_real(&dir.path().join("plate.npy"), plate(32).view()).expect("a file");
        ffm(dir.path(), &tiny_args(device, &FROZEN)).done();
        let run = dir.path().join("run");
        for stage in ["in-silico", "ffm"] {
            assert_eq!(real(&run, &format!("{stage}-layer-2.npy")), plate(32), "{stage}: the plate stays");
            let amplitude = real(&run, &format!("{stage}-layer-1-amplitude.npy"));
            assert!(amplitude.iter().all(|a| (0.0..=1.0).contains(a)) && amplitude.iter().any(|a| *a < 1.0));
            assert!(real(&run, &format!("{stage}-layer-1.npy")).iter().any(|p| *p != 0.0));
            for file in ["layer-1-amplitude.png", "layer-1.png"] {
                assert!(run.join(format!("masks/{stage}-{file}")).exists(), "{stage} {file}");
            }
            assert!(!run.join(format!("masks/{stage}-layer-2-amplitude.npy")).exists());
        }
        assert_eq!(real(&run, "start-layer-2.npy"), plate(32), "the run keeps what it started from");
        let report = text(&run.join("report.html"));
        for says in ["Layer 1, amplitude", "Layer 2, frozen", "<h2>Masks</h2>", "amplitude 1</span>"] {
            assert!(report.contains(says), "{says}");
        }
        // The frozen layer has no gradient to compare.
        let summary = crate::support::json(&run.join("summary.json"));
        assert!(summary["gradient_cosine"][0].as_f64().expect("a number") > 0.5, "{summary}");
        assert!(summary["gradient_cosine"][1].is_null(), "{summary}");
        let tested = ffm(dir.path(), &[&["eval", "run", "--json"], device].concat()).done().json();
        for key in ["ideal", "in_silico_deployed", "trained"] {
            assert_eq!(tested["accuracy"][key], summary["accuracy"][key], "{key}");
        }
    }
}

#[test]
fn other_methods_leave_the_plate_alone() {
    for method in ["spsa", "physics-aware", "in-silico-robust", "ffm-registered"] {
        let dir = folder();
        write_real(&dir.path().join("plate.npy"), plate(32).view()).expect("a file");
        let method_is = format!("train.method={method}");
        tiny(dir.path(), &[&FROZEN[..], &["--set", &method_is]].concat()).done();
        let run = dir.path().join("run");
        assert_eq!(real(&run, &format!("{method}-layer-2.npy")), plate(32), "{method}");
        assert!(real(&run, &format!("{method}-layer-1-amplitude.npy")).iter().any(|a| *a < 1.0), "{method}");
    }
}

#[test]
fn amplitude_masks_have_no_phases() {
    let dir = folder();
    let start = ["--set", "masks.kind=amplitude", "--set", "train.start=random"];
    tiny(dir.path(), &start).done();
    let run = dir.path().join("run");
    assert!(run.join("masks/ffm-layer-2-amplitude.npy").exists());
    assert!(!run.join("masks/ffm-layer-2.npy").exists());
    let report = text(&run.join("report.html"));
    assert!(report.contains("amplitude 1</span>") && !report.contains("2π rad</span>"));
}

#[test]
fn files_that_do_not_fit_are_named_before_anything_runs() {
    let dir = folder();
    write_real(&dir.path().join("small.npy"), plate(31).view()).expect("a file");
    write_real(&dir.path().join("plate.npy"), plate(32).view()).expect("a file");
    let file = |name: &str| format!("masks.layer.1.file={name}");
    for (set, says) in [
        (vec![file("none.npy")], "none.npy"),
        (
            vec![file("small.npy")],
            "masks.layer.1.file = small.npy: it has 31 x 31 pixels, but a layer has 32 x 32",
        ),
        (
            vec!["masks.kind=complex".to_owned(), "masks.layer.1.amplitude_file=plate.npy".to_owned()],
            "amplitude transmissions are 0 to 1",
        ),
    ] {
        let mut more = vec!["--dry-run"];
        for one in &set {
            more.extend(["--set", one]);
        }
        let ran = tiny(dir.path(), &more);
        assert!(ran.code != Some(0) && ran.stderr.contains(says), "{}", ran.stderr);
        assert!(!dir.path().join("run").exists());
    }
}
