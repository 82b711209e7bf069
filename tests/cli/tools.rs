//! Everything around a run: devices, data sets, kernels, help.

use crate::images::write_set;
use crate::support::{ffm, folder, text};

#[test]
fn devices_are_listed() {
    let dir = folder();
    let ran = ffm(dir.path(), &["devices", "--no-measure", "--json"]).done();
    assert_eq!(ran.stderr, "");
    let told = ran.json();
    let devices = told["devices"].as_array().expect("an array");
    assert_eq!((&devices[0]["index"], &devices[0]["engine"]), (&0.into(), &"cpu".into()));
    for (k, device) in devices.iter().enumerate() {
        assert_eq!(device["index"], k);
        for key in ["name", "kind", "detail", "limits"] {
            assert!(!device[key].as_str().expect("a text").is_empty(), "{key}: {device}");
        }
        assert!(device["propagations_per_second"].is_null());
    }
    assert_eq!(devices.len(), 1 + ffm_twin::engine::gpu::adapters().len());
}

#[test]
fn data_sets_are_described() {
    let dir = folder();
    let ran = ffm(dir.path(), &["data", "info", "strokes", "--json"]).done();
    assert!(ran.stdout.contains("28 x 28 pixels, 10 classes"), "{}", ran.stdout);
    let told = ran.json();
    assert_eq!(told["size"], serde_json::json!([28, 28]));
    assert_eq!((&told["train"]["images"], &told["test"]["images"]), (&8000.into(), &2000.into()));

    let list = ffm(dir.path(), &["data", "info", "--json"]).done().json();
    let names: Vec<&str> =
        list.as_array().expect("an array").iter().filter_map(|k| k["name"].as_str()).collect();
    assert_eq!(names, ["strokes", "mnist", "fashion-mnist"]);

    write_set(&dir.path().join("bars"), 4);
    let told = ffm(dir.path(), &["data", "info", "bars", "--json"]).done().json();
    assert_eq!(told["train"]["per_class"], serde_json::json!([10, 10, 10, 10]));
    ffm(dir.path(), &["data", "info", "nothing"]).fails(3, &["no data set \"nothing\""]);
}

#[test]
fn what_cannot_be_fetched_is_refused_before_the_network() {
    let dir = folder();
    ffm(dir.path(), &["data", "fetch", "nothing"]).fails(3, &["no data set \"nothing\"", "fashion-mnist"]);
    std::fs::write(dir.path().join("file"), "").expect("a file");
    ffm(dir.path(), &["data", "fetch", "mnist", "--to", "file"]).fails(5, &["cannot write file", "--to"]);
}

#[test]
fn kernels_are_written_out() {
    let dir = folder();
    let told = ffm(dir.path(), &["shaders", "--dump", "kernels", "--json"]).done().json();
    let files: Vec<_> = std::fs::read_dir(dir.path().join("kernels")).expect("a folder").collect();
    assert_eq!(told["kernels"], files.len());
    let first = files[0].as_ref().expect("an entry").path();
    assert!(text(&first).contains("@compute"), "{}", first.display());
    std::fs::write(dir.path().join("file"), "").expect("a file");
    ffm(dir.path(), &["shaders", "--dump", "file"]).fails(5, &["cannot write file/"]);
}

#[test]
fn every_command_helps_with_examples() {
    let dir = folder();
    let commands: [&[&str]; 13] = [
        &[],
        &["train"],
        &["resume"],
        &["eval"],
        &["propagate"],
        &["devices"],
        &["bench"],
        &["data"],
        &["data", "fetch"],
        &["data", "info"],
        &["shaders"],
        &["lab"],
        &["export"],
    ];
    for command in commands {
        let ran = ffm(dir.path(), &[command, &["--help"]].concat()).done();
        let example = format!("  ffm {}", command.join(" "));
        assert!(
            ran.stdout.contains("Example") && ran.stdout.contains(&example),
            "{command:?}\n{}",
            ran.stdout
        );
    }
    assert!(ffm(dir.path(), &[]).fails(2, &[]).stderr.contains("Usage: ffm"));
    ffm(dir.path(), &["trian"]).fails(2, &["'trian'"]);
    ffm(dir.path(), &["train", "--rate", "1"]).fails(2, &["'--rate'"]);
    let version = ffm(dir.path(), &["--version"]).done().stdout;
    assert_eq!(version.trim(), concat!("ffm ", env!("CARGO_PKG_VERSION")));
}
