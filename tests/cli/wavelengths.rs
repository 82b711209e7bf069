//! `[[wavelengths]]`: a run from end to end, what it says of each wavelength, and what is refused.

use crate::support::{CPU, ffm, folder, json, text, tiny, tiny_args};

const TWO: [&str; 4] =
    ["--set", "wavelengths=[{wavelength='532 nm'}, {wavelength='633 nm'}]", "--set", "optics.material=pmma"];

#[test]
fn a_run_reports_every_wavelength() {
    let dir = folder();
    let ran = tiny(dir.path(), &[&TWO[..], &["--json"]].concat()).done();
    assert!(ran.stdout.contains("532 nm") && ran.stdout.contains("633 nm"), "{}", ran.stdout);
    let summary = json(&dir.path().join("run/summary.json"));
    let list = summary["wavelengths"].as_array().expect("a list");
    assert_eq!(list.len(), 2);
    assert_eq!((list[0]["phase_scale"].as_f64(), summary["test_samples"].as_u64()), (Some(1.0), Some(40)));
    for stage in ["ideal", "in_silico_deployed", "trained"] {
        let mean = list.iter().filter_map(|w| w[stage].as_f64()).sum::<f64>() / 2.0;
        let total = summary["accuracy"][stage].as_f64().expect("a number");
        assert!((mean - total).abs() < 1e-12, "{stage}: {mean} for {total}");
    }
    let report = text(&dir.path().join("run/report.html"));
    assert!(report.contains("accuracy at 633 nm") && report.contains("times the phase"));
    // The folder's settings read back, and its masks test as they did.
    let eval = |more: &[&str]| ffm(dir.path(), &[&["eval", "run", "--json"], more, &CPU[..]].concat()).done();
    let ran = eval(&[]);
    let tested = ran.json();
    assert_eq!(tested["accuracy"]["trained"], summary["accuracy"]["trained"]);
    assert_eq!(tested["wavelengths"], summary["wavelengths"]);
    for (one, title) in list.iter().zip(["532 nm", "633 nm"]) {
        let line = ran.stdout.lines().find(|l| l.trim().starts_with(title)).expect("a line");
        let trained = format!("{:.1} %", 100.0 * one["trained"].as_f64().expect("a number"));
        assert!(line.contains("strokes: ideal") && line.ends_with(&trained), "{line}");
    }
    // Other images are named as they were asked for.
    for class in 0..10 {
        let folder = dir.path().join("pictures").join(class.to_string());
        std::fs::create_dir_all(&folder).expect("a folder");
        for k in 0..10 {
            let picture = image::GrayImage::from_pixel(28, 28, image::Luma([20 * class + k]));
            picture.save(folder.join(format!("{k}.png"))).expect("a picture");
        }
    }
    let other = eval(&["--data", "pictures"]).json();
    assert_eq!((&other["data"], &other["wavelengths"][1]["data"]), (&"pictures".into(), &"pictures".into()));
}

#[test]
fn a_dry_run_counts_an_engine_for_each() {
    let dir = folder();
    let memory = |more: &[&str]| {
        let more = [more, &["--dry-run", "--json"]].concat();
        ffm(dir.path(), &tiny_args(&CPU, &more)).done().json()["memory_bytes"].as_u64().expect("a number")
    };
    let (one, two) = (memory(&[]), memory(&TWO));
    assert!(two > one * 3 / 2 && two < one * 5 / 2, "{two} for {one}");
}

#[test]
fn what_cannot_go_together_is_refused() {
    let dir = folder();
    let fails = |set: &str, says: &[&str]| {
        tiny(dir.path(), &["--set", set]).fails(2, says);
        assert!(!dir.path().join("run").exists());
    };
    fails(
        "wavelengths=[{wavelength='532 nm'}, {wavelength='532 nm'}]",
        &["wavelengths.wavelength", "twice", "leave one out"],
    );
    fails("wavelengths=[{wavelength='-532 nm'}]", &["wavelengths.wavelength", "positive"]);
    fails("wavelengths=[{wavelngth='532 nm'}]", &["wavelngth"]);
    fails("optics.material=glas", &["optics.material", "fused-silica"]);
    let far = ["--set", "wavelengths=[{wavelength='1.5 um'}]", "--set", "optics.material=pmma"];
    tiny(dir.path(), &far).fails(2, &["optics.material", "1.052 um"]);
    // Pictures of two classes beside ten.
    for class in ["a", "b"] {
        let folder = dir.path().join("pictures").join(class);
        std::fs::create_dir_all(&folder).expect("a folder");
        for k in 0..10 {
            image::GrayImage::new(28, 28).save(folder.join(format!("{k}.png"))).expect("a picture");
        }
    }
    fails(
        "wavelengths=[{wavelength='532 nm'}, {wavelength='633 nm', data='pictures'}]",
        &["wavelengths.data", "2 classes", "10", "same detectors"],
    );
}
