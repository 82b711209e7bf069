//! `ffm bench`: figures, page, reasons, bad options.

use serde_json::Value;

use crate::support::{CPU, Ran, command, ffm, folder, text};

/// Sizes and times that take well below a second.
const SMALL: [&str; 12] = [
    "bench",
    "--sizes",
    "32",
    "--padding",
    "2",
    "--batch",
    "2",
    "--layers",
    "1,2",
    "--seconds",
    "0",
    "--json",
];

fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [SMALL.as_slice(), &CPU, more].concat()
}

fn cases(told: &Value) -> &Vec<Value> {
    told["cases"].as_array().expect("an array")
}

#[test]
fn every_case_has_its_figures() {
    let dir = folder();
    let ran = ffm(dir.path(), &small(&["--noise"])).done();
    let told = ran.json();
    for key in ["version", "commit", "date", "system", "command"] {
        assert!(!told[key].as_str().expect("a text").is_empty(), "{key}");
    }
    assert_eq!((&told["devices"][0]["engine"], &told["interrupted"]), (&"cpu".into(), &false.into()));
    let kinds: Vec<_> =
        cases(&told).iter().map(|c| (c["work"].as_str().expect("a text"), &c["layers"])).collect();
    let one_two = [1.into(), 2.into()];
    let [one, two] = &one_two;
    let zero = &0.into();
    assert_eq!(
        kinds,
        [("hop", zero), ("step", one), ("step", two), ("noisy-step", one), ("noisy-step", two)]
    );
    for case in cases(&told) {
        assert_eq!((&case["padded"], &case["failed"]), (&64.into(), &Value::Null), "{case}");
        let t = &case["timing"];
        let of = |key: &str| t[key].as_f64().unwrap_or_else(|| panic!("{key}: {case}"));
        assert!(0.0 < of("min_ms") && of("min_ms") <= of("median_ms") && of("median_ms") <= of("max_ms"));
        assert!(of("repeats") >= 5.0);
        // Rates follow from the median: two samples in so many milliseconds, 1024 pixels, hops or layers.
        let each = 2.0 / of("median_ms") * 1e3;
        assert!((of("per_second") / each - 1.0).abs() < 1e-9, "{case}");
        let layers = case["layers"].as_f64().expect("a number").max(1.0);
        assert!((of("megapixels_per_second") / (each * 1024.0 * layers / 1e6) - 1.0).abs() < 1e-9, "{case}");
    }
    for part in ["device: ", "ms/hop", "ms/step", "samples/s", "ratio"] {
        assert!(ran.stdout.contains(part), "{part} is not in\n{}", ran.stdout);
    }
    assert!(ran.stderr.contains("round 3 of 3"), "{}", ran.stderr);
}

#[test]
fn the_page_is_written_whole_and_a_place_that_cannot_be_written_is_found_first() {
    let dir = folder();
    ffm(dir.path(), &small(&["--html", "out/bench.html"])).done();
    let page = text(&dir.path().join("out/bench.html"));
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert!(page.contains("ffm bench --sizes 32"), "the command that repeats it");
    std::fs::write(dir.path().join("file"), "").expect("a file");
    let ran =
        ffm(dir.path(), &small(&["--html", "file/bench.html"])).fails(5, &["cannot write file/bench.html"]);
    assert!(!ran.stderr.contains("round"), "{}", ran.stderr);
}

#[test]
fn a_size_that_cannot_be_run_shows_its_reason_and_the_others_run() {
    let dir = folder();
    let args =
        ["bench", "--sizes", "20,32", "--work", "step", "--batch", "2", "--layers", "1", "--seconds", "0"];
    let ran = ffm(dir.path(), &[&args, CPU.as_slice(), &["--padding", "1", "--json"]].concat()).done();
    let told = ran.json();
    let [lost, run] = &cases(&told)[..] else { panic!("{told}") };
    assert!(lost["timing"].is_null(), "{lost}");
    assert!(lost["failed"].as_str().expect("a reason").contains("28 x 28"), "{lost}");
    assert!(run["timing"]["median_ms"].as_f64().expect("a time") > 0.0);
    assert!(ran.stdout.contains("not measured:"), "{}", ran.stdout);
}

#[test]
fn more_memory_than_there_is_and_lengths_that_a_device_lacks_are_reasons_too() {
    let dir = folder();
    let args = ["bench", "--work", "step", "--batch", "1", "--layers", "1", "--seconds", "0", "--json"];
    let huge = ["--sizes", "16384", "--padding", "8"];
    let told = ffm(dir.path(), &[&args, CPU.as_slice(), &huge].concat()).done().json();
    assert!(cases(&told)[0]["failed"].as_str().expect("a reason").contains("bytes are needed"), "{told}");
    if ffm_twin::engine::gpu::adapters().is_empty() {
        println!("skipped: no adapter");
        return;
    }
    let long = ["--device", "gpu", "--sizes", "8192", "--padding", "1"];
    let told = ffm(dir.path(), &[&args, long.as_slice()].concat()).done().json();
    assert!(
        cases(&told)[0]["failed"].as_str().expect("a reason").contains("transform length 8192"),
        "{told}"
    );
}

#[test]
fn bad_options_are_refused() {
    let dir = folder();
    for bad in [
        ["--sizes", "0"],
        ["--sizes", "64,x"],
        ["--batch", "0"],
        ["--layers", "0"],
        ["--padding", "9"],
        ["--seconds", "-1"],
        ["--seconds", "nan"],
        ["--work", "dance"],
    ] {
        let option = format!("'{}", bad[0]);
        ffm(dir.path(), &["bench", &format!("{}={}", bad[0], bad[1])])
            .fails(2, &[&option, bad[1].rsplit(',').next().unwrap_or_default()]);
    }
    ffm(dir.path(), &["bench", "--device", "no such card"]).fails(4, &["no such card"]);
    ffm(dir.path(), &["bench", "--device", "999"]).fails(4, &["ffm devices"]);
}

#[test]
fn passes_are_counted_on_a_gpu_and_refused_on_the_cpu() {
    let dir = folder();
    let ran = ffm(dir.path(), &small(&["--profile"])).done();
    assert!(ran.stderr.contains("--profile is for GPUs"), "{}", ran.stderr);
    assert_eq!(ran.json()["profiles"], serde_json::json!([]));
    if ffm_twin::engine::gpu::adapters().is_empty() {
        println!("skipped: no adapter");
        return;
    }
    let args =
        ["bench", "--sizes", "64", "--padding", "1", "--batch", "2", "--layers", "2", "--seconds", "0"];
    let more = ["--work", "step", "--device", "gpu", "--profile", "--json"];
    let ran = ffm(dir.path(), &[args.as_slice(), &more].concat()).done();
    let told = ran.json();
    let passes = told["profiles"][0]["passes"].as_array().expect("passes");
    let columns = passes.iter().find(|p| p["name"].as_str().is_some_and(|n| n.starts_with("column")));
    // Three hops forward, two back to the first mask.
    assert_eq!(columns.expect("column passes")["dispatches"], 5, "{told}");
    assert!(ran.stdout.contains("MB written"), "{}", ran.stdout);
}

#[cfg(unix)]
#[test]
fn interrupted_it_shows_what_it_has() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let dir = folder();
    let args = ["bench", "--sizes", "32,48,64", "--batch", "2", "--seconds", "600", "--json"];
    let mut child = command(dir.path(), &[args.as_slice(), &CPU].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let started = lines.by_ref().map_while(Result::ok).any(|l| l.contains("round 1 of 3"));
    assert!(started);
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let ran = Ran::of(&child.wait_with_output().expect("a process"));
    assert_eq!(ran.code, Some(130), "{}", ran.stdout);
    let told = ran.json();
    assert_eq!(told["interrupted"], true);
    let last = cases(&told).last().expect("cases");
    assert_eq!(last["failed"], "stopped before its turn");
    drop(lines);
}
