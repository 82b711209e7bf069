//! `ffm report`: runs beside one another.

use crate::support::{CPU, ffm, folder, json, text, tiny_args};

#[test]
fn runs_are_put_beside_one_another() {
    let dir = folder();
    for (out, rate) in [("a", "0.03"), ("b", "0.01")] {
        let mut args = tiny_args(&CPU, &["--set"]);
        let rate = format!("train.rate={rate}");
        args.push(&rate);
        args[2] = out;
        ffm(dir.path(), &args).done();
    }
    let ran = ffm(dir.path(), &["report", "a", "b", "--out", "pages/ab.html", "--json"]).done();
    let found = ran.json();
    assert_eq!(found["differing"][0]["key"], "train.rate");
    assert_eq!(found["differing"].as_array().map(Vec::len), Some(1), "{}", found["differing"]);
    assert_eq!(found["differing"][0]["values"][1], "0.01");
    assert_eq!(json(&dir.path().join("pages/ab.json")), found);
    let table = text(&dir.path().join("pages/ab.csv"));
    let summary = json(&dir.path().join("b/summary.json"));
    let row = table.lines().find(|l| l.starts_with("accuracy.trained,")).expect("a row");
    assert_eq!(row.split(',').nth(2), Some(summary["accuracy"]["trained"].to_string().as_str()), "{row}");
    let page = text(&dir.path().join("pages/ab.html"));
    assert_eq!(page.matches("alt=\"Layer 2, phase, ").count(), 2, "the masks of both runs");
    assert!(page.contains("a/report.html") && !page.contains("<script"));
    assert!(ran.stdout.contains("Settings that differ"), "{}", ran.stdout);
}

#[test]
fn a_run_that_is_not_finished_is_shown_as_such() {
    let dir = folder();
    ffm(dir.path(), &tiny_args(&CPU, &[])).done();
    std::fs::create_dir(dir.path().join("begun")).expect("a folder");
    std::fs::copy(dir.path().join("run/config.toml"), dir.path().join("begun/config.toml")).expect("copied");
    let ran = ffm(dir.path(), &["report", "run", "begun"]).done();
    assert!(
        ran.stdout.contains("Not finished: begun") && ran.stdout.contains("ffm resume"),
        "{}",
        ran.stdout
    );
    assert!(dir.path().join("report.html").exists());
}

#[test]
fn wrong_requests_are_named() {
    let dir = folder();
    std::fs::create_dir(dir.path().join("empty")).expect("a folder");
    std::fs::write(dir.path().join("file"), "").expect("a file");
    ffm(dir.path(), &["report", "empty"]).fails(2, &["two or more"]);
    ffm(dir.path(), &["report", "empty", "empty"]).fails(3, &["empty", "not a run folder"]);
    ffm(dir.path(), &["report", "empty", "empty", "--out", "page.pdf"]).fails(2, &["page.pdf", ".html"]);
    ffm(dir.path(), &["report", "empty", "empty", "--out", "file/x.html"]).fails(5, &["file/x.html"]);
}
