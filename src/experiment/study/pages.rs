//! Results of studies as reports.

use super::{Comparison, Entry, Fig2, Spread};
use crate::report::study::{Chart, Curve, Point, StudyReport, Table};
use crate::report::{Fact, duration, grouped, percent, points, significant};

/// Where a page comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The command that repeats the study.
    pub command: String,
    /// Settings that all runs share, as TOML.
    pub settings: String,
    /// Program and version.
    pub version: String,
    /// Commit of the program.
    pub commit: String,
    /// When it was made.
    pub date: String,
}

/// The report of the figure.
pub fn fig2_report(fig: &Fig2, entries: &[Entry], origin: Origin) -> StudyReport {
    let curve = |class: &str, name: &str, value: &dyn Fn(usize) -> Option<(f64, f64)>| Curve {
        class: class.into(),
        name: name.into(),
        points: (0..fig.depths.len()).filter_map(|k| Some(at(fig.depths[k].layers, value(k)?))).collect(),
    };
    let ours = |s: &Spread| Some((s.mean, s.two_sigma.unwrap_or(0.0)));
    let paper = |k: usize| fig.depths[k].paper;
    let curves = vec![
        curve("ideal", "ideal", &|k| ours(&fig.depths[k].ideal)),
        curve("ffm", "FFM on the twin", &|k| ours(&fig.depths[k].ffm)),
        curve("deployed", "in silico, deployed", &|k| ours(&fig.depths[k].deployed)),
        curve("ideal train", "ideal, paper", &|k| Some((paper(k)?.ideal, 0.0))),
        curve("ffm train", "FFM, paper", &|k| Some((paper(k)?.ffm, 0.0))),
        curve("deployed train", "deployed, paper", &|k| paper(k).map(|p| (p.deployed, p.deployed_two_sigma))),
    ];
    let charts = vec![Chart {
        caption: format!("Accuracy over depth, {}", fig.data),
        x_label: "layers",
        y_label: "accuracy / %",
        curves: curves.into_iter().filter(|c| !c.points.is_empty()).collect(),
    }];
    let seeds: Vec<_> = fig.seeds.iter().map(u64::to_string).collect();
    StudyReport {
        title: format!("Fig. 2 of Xue et al. 2024, scale {}", fig.scale.name()),
        findings: findings(fig),
        charts,
        tables: vec![depth_table(fig), field_table(fig)],
        plates: Vec::new(),
        runs: runs(entries),
        definitions: facts(&[
            ("ideal", "Trained in silico, tested on the ideal system."),
            ("deployed", "The same masks tested on the imperfect twin, camera and noise included."),
            ("FFM", "Trained on the imperfect twin from measured, noisy fields, and tested there."),
            ("gap", "Ideal minus FFM, in points, seed by seed."),
            (
                "±",
                "Two standard deviations over the seeds. Every seed draws start, order of images, imperfections and noise.",
            ),
            (
                "SSIM",
                "Structural similarity of output intensities, both of unit mean, window of 1.5 pixels (Wang 2004), 64 test images.",
            ),
            ("paper", "Xue et al., Nature 632, 280 (2024), Fig. 2, at 400 × 400 pixels on a real bench."),
        ]),
        device: fig.device.clone(),
        command: origin.command,
        settings: origin.settings,
        version: origin.version,
        commit: origin.commit,
        date: format!("{}; seeds {}", origin.date, seeds.join(", ")),
    }
}

fn findings(fig: &Fig2) -> Vec<String> {
    let (Some(first), Some(last)) = (fig.depths.first(), fig.depths.last()) else { return Vec::new() };
    let f = &fig.fields;
    vec![
        format!(
            "With {} layers networks classify {} % of {} ideally, {} % deployed and {} % trained by FFM; with {}, {} %, {} % and {} %.",
            first.layers,
            percent(first.ideal.mean),
            fig.data,
            percent(first.deployed.mean),
            percent(first.ffm.mean),
            last.layers,
            percent(last.ideal.mean),
            percent(last.deployed.mean),
            percent(last.ffm.mean),
        ),
        format!(
            "Behind a single layer, measured fields agree with the calibrated twin to an SSIM of {} and with the ideal system to {}.",
            significant(f.calibrated, 3),
            significant(f.uncalibrated, 3),
        ),
    ]
}

fn depth_table(fig: &Fig2) -> Table {
    let rows = |d: &super::DepthRow| {
        let ours = vec![d.layers.to_string(), show(&d.ideal), show(&d.deployed), show(&d.ffm), gap(&d.gap)];
        let paper = d.paper.map(|p| {
            let deployed = format!("{} ± {}", percent(p.deployed), percent(p.deployed_two_sigma));
            vec!["  paper".into(), percent(p.ideal), deployed, percent(p.ffm), points(p.ideal - p.ffm)]
        });
        [Some(ours), paper].into_iter().flatten()
    };
    Table {
        title: format!(
            "Accuracy on {} {} test images in %, mean ± 2 sigma over {} seeds",
            grouped(fig.test_samples as f64),
            fig.data,
            fig.seeds.len()
        ),
        head: heads(&["layers", "ideal", "deployed", "FFM", "gap"]),
        rows: fig.depths.iter().flat_map(rows).collect(),
        note: Some(format!("All runs took {}.", duration(fig.seconds))),
    }
}

fn field_table(fig: &Fig2) -> Table {
    let f = &fig.fields;
    let row = |name: &str, value: f64, paper: &str| vec![name.into(), significant(value, 4), paper.into()];
    Table {
        title: format!("One layer, {}: SSIM between measured and theoretical output fields", f.data),
        head: heads(&["theory", "SSIM", "paper"]),
        rows: vec![
            row("calibrated twin, noise-free", f.calibrated, "> 0.97"),
            row("ideal system, uncalibrated", f.uncalibrated, "–"),
        ],
        note: Some(format!(
            "Mask trained by FFM; it classifies {} % of the test images.",
            percent(f.accuracy)
        )),
    }
}

/// The report of a comparison.
pub fn comparison_report(c: &Comparison, entries: &[Entry], origin: Origin) -> StudyReport {
    let row = |m: &super::MethodRow| {
        vec![
            m.method.name().into(),
            show(&m.accuracy),
            gap(&m.gap),
            if m.gradient_cosine.is_finite() { significant(m.gradient_cosine, 3) } else { none() },
            m.bench.map_or_else(none, |b| grouped(b.frames as f64)),
            m.bench.map_or_else(none, |b| duration(b.training_seconds)),
            m.bench.map_or_else(none, |b| significant(b.energy, 3)),
            if m.samples_per_second.is_finite() { grouped(m.samples_per_second) } else { none() },
        ]
    };
    let best = c
        .methods
        .iter()
        .filter(|m| m.accuracy.mean.is_finite())
        .max_by(|a, b| a.accuracy.mean.total_cmp(&b.accuracy.mean));
    let mut findings = vec![format!(
        "In-silico masks classify {} % on the ideal system and {} % on the imperfect twin.",
        percent(c.ideal.mean),
        percent(c.deployed.mean)
    )];
    findings.extend(best.and_then(|b| Some((b, b.bench?))).map(|(b, bench)| {
        format!(
            "Best on the twin: {}, {} %, after {} of training on a real bench.",
            b.method.title(),
            percent(b.accuracy.mean),
            duration(bench.training_seconds)
        )
    }));
    let single = |(name, value): (&str, &Spread)| {
        let mut cells = vec![name.to_owned(), show(value)];
        cells.resize(8, none());
        cells
    };
    let mut rows: Vec<_> =
        [("ideal system", &c.ideal), ("in silico, deployed", &c.deployed)].map(single).into();
    rows.extend(c.methods.iter().map(row));
    let mut notes: Vec<_> =
        c.refused.iter().map(|(_, reason)| format!("Not possible here: {reason}.")).collect();
    notes.extend(c.methods.iter().filter_map(|m| {
        let first = m.diverged.first()?;
        Some(format!("{}, {} of {} seeds: {first}.", m.method.name(), m.diverged.len(), c.seeds.len()))
    }));
    StudyReport {
        title: format!("Training methods on one imperfect system: {}", c.name),
        findings,
        charts: Vec::new(),
        tables: vec![Table {
            title: format!(
                "Accuracy on {} test images in %, mean ± 2 sigma over {} seeds, and what one training takes on a real bench",
                grouped(c.test_samples as f64),
                c.seeds.len()
            ),
            head: heads(&[
                "method",
                "accuracy",
                "gap",
                "cosine",
                "frames",
                "bench time",
                "light/J",
                "samples/s",
            ]),
            rows,
            note: (!notes.is_empty()).then(|| notes.join(" ")),
        }],
        plates: Vec::new(),
        runs: runs(entries),
        definitions: facts(&[
            ("gap", "Accuracy minus that of the ideal system, in points, seed by seed."),
            (
                "cosine",
                "Between the method's gradient and the true one of the same twin, mean over layers and seeds.",
            ),
            ("frames", "Camera frames of one training, its tests included."),
            ("bench time", "Training alone, at the speeds of [laboratory]."),
            ("light", "Optical energy while frames are taken, tests included."),
            ("samples/s", "Training on this device, median over seeds."),
        ]),
        device: c.device.clone(),
        command: origin.command,
        settings: origin.settings,
        version: origin.version,
        commit: origin.commit,
        date: origin.date,
    }
}

fn at(layers: usize, (value, spread): (f64, f64)) -> Point {
    Point { x: layers as f64, y: 100.0 * value, spread: 100.0 * spread }
}

/// Share and spread in percent.
fn show(s: &Spread) -> String {
    match s.two_sigma {
        _ if s.values.is_empty() => "diverged".into(),
        Some(spread) => format!("{} ± {}", percent(s.mean), percent(spread)),
        None => percent(s.mean),
    }
}

/// Difference and spread in points.
fn gap(s: &Spread) -> String {
    match s.two_sigma {
        _ if s.values.is_empty() => none(),
        Some(spread) => format!("{} ± {}", points(s.mean), percent(spread)),
        None => points(s.mean),
    }
}

fn none() -> String {
    "–".into()
}

fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|&n| n.to_owned()).collect()
}

fn facts(list: &[(&str, &str)]) -> Vec<Fact> {
    list.iter().map(|&(name, value)| Fact { name: name.into(), value: value.into() }).collect()
}

fn runs(entries: &[Entry]) -> Vec<(String, String)> {
    entries.iter().map(|e| (e.name.clone(), format!("{}/report.html", e.name))).collect()
}
