//! A small study for tests.

use super::{Chart, Curve, Plate, Point, StudyReport, Table};
use crate::report::{Fact, Picture, PictureKind};

pub(super) fn sample() -> StudyReport {
    let cells = |row: [&str; 3]| row.map(str::to_owned).to_vec();
    let curve = |class: &str, heights: [f64; 2]| Curve {
        class: class.into(),
        name: format!("{class} <curve>"),
        points: vec![
            Point { x: 2.0, y: heights[0], spread: 0.0 },
            Point { x: 4.0, y: heights[1], spread: 1.5 },
        ],
    };
    StudyReport {
        title: "Two depths & one <thing>".into(),
        findings: vec!["FFM comes close.".into()],
        charts: vec![Chart {
            caption: "Accuracy over depth".into(),
            x_label: "layers",
            y_label: "accuracy / %",
            curves: vec![curve("ideal", [82.5, 84.0]), curve("ffm", [80.2, 83.0])],
        }],
        tables: vec![Table {
            title: "Accuracy".into(),
            head: cells(["layers", "ideal", "FFM"]),
            rows: vec![cells(["2", "82.5 %", "80.2 %"]), cells(["4", "84 ± 1 %", "83 ± 2 %"])],
            note: Some("2 sigma over seeds.".into()),
        }],
        plates: vec![Plate {
            title: "Layer <1>".into(),
            pictures: vec![(
                "a".into(),
                Picture { rows: 1, cols: 2, values: vec![0.0, 1.0], kind: PictureKind::Phase },
            )],
        }],
        runs: vec![("layers-2-seed-1".into(), "layers-2-seed-1/report.html".into())],
        definitions: vec![Fact { name: "ideal".into(), value: "trained & tested <in silico>".into() }],
        device: "a processor".into(),
        command: "ffm reproduce fig2".into(),
        settings: "seed = 1\nname = \"<x>\"\n".into(),
        version: "ffm-twin 0.1".into(),
        commit: "abc".into(),
        date: "2026-01-01".into(),
    }
}
