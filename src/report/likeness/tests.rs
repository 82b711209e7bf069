//! The page on frames that are made by a formula.

use ndarray::Array2;
use num_complex::Complex64;

use super::*;

fn spot(dx: f64, gain: f64) -> Array2<f64> {
    Array2::from_shape_fn((30, 40), |(r, c)| {
        gain * (0.1 + (-((r as f64 - 14.0).powi(2) + (c as f64 - 21.0 - dx).powi(2)) / 30.0).exp())
    })
}

fn sample(name: &str) -> Sample {
    let frame = spot(0.0, 1.0);
    let rivals = [("nominal twin", spot(3.0, 2.0)), ("calibrated twin", spot(0.02, 1.0))];
    let rivals: Vec<_> = rivals.iter().map(|(n, a)| (*n, a.view())).collect();
    compare(name, "z = <1 mm>".into(), frame.view(), &rivals).expect("valid frames")
}

fn report(samples: Vec<Sample>) -> LikenessReport {
    LikenessReport {
        title: "A twin & its <bench>".into(),
        findings: vec!["It is alike.".into()],
        warnings: vec!["Register first.".into()],
        charts: Vec::new(),
        tables: Vec::new(),
        samples,
        facts: Vec::new(),
        command: "ffm report".into(),
        version: "ffm-twin".into(),
        commit: "abc".into(),
        date: "2026-01-01".into(),
    }
}

#[test]
fn the_better_twin_scores_better_in_every_figure() {
    let s = sample("a.png");
    let [before, after] = [0, 1].map(|k| s.rivals[k].figures);
    assert!(after.ssim > 0.999 && before.ssim < 0.9, "{before:?} {after:?}");
    assert!(after.psnr > before.psnr + 20.0 && after.nrmse < before.nrmse / 10.0);
    assert!((before.shift[1] - 3.0).abs() < 0.3 && before.shift[0] == 0.0, "{:?}", before.shift);
    assert!((before.energy_ratio - 2.0).abs() < 0.05 && before.overlap.is_none());
    assert_eq!(s.cut, [14, 21]);
}

#[test]
fn the_page_is_whole_offline_and_escaped() {
    let html = render_likeness(&report(vec![sample("a.png"), sample("b.png")])).expect("renders");
    if let Some(path) = std::env::var_os("FFM_LIKENESS_PREVIEW") {
        std::fs::write(path, &html).expect("writable preview file");
    }
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
    let outside = html.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http:") && !outside.contains("https:") && !outside.contains("<script"));
    assert!(!html.contains("<bench>") && !html.contains("<1 mm>"));
    assert_eq!(html.matches("data:image/png").count(), 14, "measured, and three pictures a twin");
    for constant in ["σ = 1.5", "11 × 11", "K₁ = 0.01", "K₂ = 0.03", "Register first."] {
        assert!(html.contains(constant), "{constant}");
    }
}

#[test]
fn many_frames_are_shown_from_the_worst_to_the_best() {
    let samples: Vec<_> = (0..30).map(|k| sample(&format!("frame-{k:02}.png"))).collect();
    let html = render_likeness(&report(samples)).expect("renders");
    assert_eq!(html.matches("<article").count(), 12);
    assert!(html.contains("12 of 30 frames"));
}

#[test]
fn tables_have_the_columns_that_there_are() {
    let field = |tilt: f64| {
        spot(0.0, 1.0)
            .indexed_iter()
            .map(|((_, c), v)| Complex64::from_polar(*v, tilt * c as f64))
            .collect::<Vec<_>>()
    };
    let field = |tilt| Array2::from_shape_vec((30, 40), field(tilt)).expect("a field");
    let plain = sample("a.png");
    let rivals = [("nominal twin", &field(0.3)), ("calibrated twin", &field(0.02))];
    let complex = compare_field("u.npy", String::new(), &field(0.0), &rivals).expect("fields");
    let [before, after] = [0, 1].map(|k| complex.rivals[k].figures);
    assert!(after.overlap > before.overlap && after.phase_ssim > before.phase_ssim, "{before:?} {after:?}");
    assert_eq!(totals(std::slice::from_ref(&plain)).head.len(), 8);
    assert_eq!(totals(std::slice::from_ref(&complex)).head.len(), 11);
    let csv = String::from_utf8(likeness_csv(&[plain, complex]).expect("a table")).expect("text");
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 5, "{csv}");
    assert!(lines[0].starts_with("sample,rows,cols,against,ssim,psnr,nrmse,correlation,shift_y,shift_x,"));
    assert!(lines.iter().all(|l| l.matches(',').count() == 14), "{csv}");
}
