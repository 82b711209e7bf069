//! The pictures of the page: masks, and examples with their detectors and scores.

use super::format::significant;
use super::page::CLASSES;
use super::scores::ScoreBars;
use super::summary::systems;
use super::{ClassificationReport, Example, LayerMasks, Output, ReportError};

/// Largest side of an embedded output picture, pixels; keeps a page with many examples at a few megabytes.
const OUTPUT_SIDE: usize = 256;
/// Largest side of an embedded mask, pixels.
const MASK_SIDE: usize = 400;
/// The two masks of a layer as `data:` addresses.
pub(super) struct MaskView {
    pub(super) name: String,
    pub(super) ideal: String,
    pub(super) ffm: String,
}

impl MaskView {
    pub(super) fn new(masks: &LayerMasks) -> Result<Self, ReportError> {
        Ok(Self {
            name: masks.name.clone(),
            ideal: masks.ideal.to_data_uri(MASK_SIDE)?,
            ffm: masks.ffm.to_data_uri(MASK_SIDE)?,
        })
    }
}

/// A test image and its three outputs.
pub(super) struct ExampleView {
    pub(super) index: usize,
    pub(super) truth: String,
    pub(super) input: String,
    pub(super) outputs: Vec<OutputView>,
}

/// An output with detectors and scores.
pub(super) struct OutputView {
    pub(super) class: &'static str,
    pub(super) name: String,
    pub(super) picture: String,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) boxes: Vec<DetectorBox>,
    pub(super) predicted: String,
    pub(super) score: String,
    pub(super) correct: bool,
    pub(super) scores: ScoreBars,
}

/// A detector in pixels of its picture.
pub(super) struct DetectorBox {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    /// CSS classes: winner, truth, negative.
    pub(super) class: String,
    pub(super) name: String,
}

impl ExampleView {
    pub(super) fn new(example: &Example, report: &ClassificationReport) -> Result<Self, ReportError> {
        let outputs = [&example.ideal, &example.deployed, &example.ffm];
        let view = |(i, output): (usize, &Output)| OutputView::new(i, output, example.truth, report);
        Ok(Self {
            index: example.index,
            truth: report.class_names[example.truth].clone(),
            input: example.input.to_data_uri(OUTPUT_SIDE)?,
            outputs: outputs.into_iter().enumerate().map(view).collect::<Result<_, _>>()?,
        })
    }
}

impl OutputView {
    fn new(
        system: usize,
        output: &Output,
        truth: usize,
        report: &ClassificationReport,
    ) -> Result<Self, ReportError> {
        let names = &report.class_names;
        let mark = |on: bool, class: &'static str| if on { class } else { "" };
        let boxes = report.detectors.iter().map(|d| DetectorBox {
            x: d.col,
            y: d.row,
            width: d.cols,
            height: d.rows,
            class: [
                mark(d.class == output.predicted, "winner"),
                mark(d.class == truth, "truth"),
                mark(d.negative, "negative"),
            ]
            .join(" "),
            name: names[d.class].clone(),
        });
        Ok(Self {
            class: CLASSES[system],
            name: systems(report)[system].0.to_owned(),
            picture: output.picture.to_data_uri(OUTPUT_SIDE)?,
            rows: output.picture.rows,
            cols: output.picture.cols,
            boxes: boxes.collect(),
            predicted: names[output.predicted].clone(),
            score: significant(output.scores[output.predicted], 3),
            correct: output.predicted == truth,
            scores: ScoreBars::new(&output.scores, output.predicted, truth, names),
        })
    }
}
