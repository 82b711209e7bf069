//! Checks that the parts of a report fit together, before anything is drawn.

use super::{ClassificationReport, Detector, Example, Output, Picture, ReportError};

/// Checks lengths, class numbers, shapes and detectors.
pub(super) fn validate(report: &ClassificationReport) -> Result<(), ReportError> {
    let classes = report.class_names.len();
    for (what, confusion) in [("ideal", &report.ideal), ("deployed", &report.deployed), ("FFM", &report.ffm)]
    {
        let what = format!("the {what} confusion matrix");
        length(what, confusion.classes(), "the list of class names", classes)?;
    }
    for (index, detector) in report.detectors.iter().enumerate() {
        class(|| format!("detector {index}"), detector.class, classes)?;
    }
    for (layer, masks) in report.masks.iter().enumerate() {
        masks.ideal.check(&format!("the in-silico mask of layer {}", layer + 1))?;
        masks.ffm.check(&format!("the FFM mask of layer {}", layer + 1))?;
    }
    report.examples.iter().try_for_each(|e| example(e, &report.detectors, classes))?;
    numbers(report)
}

fn numbers(report: &ClassificationReport) -> Result<(), ReportError> {
    let mut numbers = Vec::new();
    for (what, training) in [("in-silico", &report.in_silico_training), ("FFM", &report.ffm_training)] {
        numbers.push((format!("the {what} training time"), training.seconds));
        numbers.push((format!("the {what} training rate"), training.samples_per_second));
    }
    for (what, light) in ["ideal", "deployed", "FFM"].iter().zip(report.light) {
        numbers.push((format!("the {what} share of light on the detectors"), light));
    }
    if let Some(fidelity) = report.fidelity {
        numbers
            .extend([("the deployed SSIM".into(), fidelity.deployed), ("the FFM SSIM".into(), fidelity.ffm)]);
    }
    match numbers.into_iter().find(|(_, value)| !value.is_finite()) {
        Some((what, value)) => Err(ReportError::NotFinite { what, value }),
        None => Ok(()),
    }
}

fn example(example: &Example, detectors: &[Detector], classes: usize) -> Result<(), ReportError> {
    let index = example.index;
    class(|| format!("the true class of test image {index}"), example.truth, classes)?;
    example.input.check(&format!("the input picture of test image {index}"))?;
    for (name, output) in [("ideal", &example.ideal), ("deployed", &example.deployed), ("FFM", &example.ffm)]
    {
        let what = format!("test image {index}, {name}");
        check_output(&what, output, classes)?;
        check_detectors(&what, &output.picture, detectors)?;
    }
    Ok(())
}

fn check_output(what: &str, output: &Output, classes: usize) -> Result<(), ReportError> {
    output.picture.check(&format!("the output picture of {what}"))?;
    class(|| format!("the predicted class of {what}"), output.predicted, classes)?;
    length(format!("the list of scores of {what}"), output.scores.len(), "the list of class names", classes)
}

fn check_detectors(what: &str, picture: &Picture, detectors: &[Detector]) -> Result<(), ReportError> {
    let outside = |d: &Detector| {
        d.row.saturating_add(d.rows) > picture.rows || d.col.saturating_add(d.cols) > picture.cols
    };
    match detectors.iter().enumerate().find(|(_, d)| outside(d)) {
        Some((index, d)) => Err(ReportError::Detector {
            index,
            rows: [d.row, d.row.saturating_add(d.rows)],
            cols: [d.col, d.col.saturating_add(d.cols)],
            picture: [picture.rows, picture.cols],
            example: what.to_owned(),
        }),
        None => Ok(()),
    }
}

fn length(what: String, got: usize, reference: &'static str, want: usize) -> Result<(), ReportError> {
    if got == want { Ok(()) } else { Err(ReportError::Length { what, got, reference, want }) }
}

fn class(what: impl Fn() -> String, class: usize, classes: usize) -> Result<(), ReportError> {
    if class < classes { Ok(()) } else { Err(ReportError::Class { what: what(), class, classes }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    #[test]
    fn the_sample_is_whole() {
        assert!(validate(&sample()).is_ok());
    }

    #[test]
    fn parts_that_do_not_fit_are_named() {
        let mut report = sample();
        report.class_names.pop();
        assert!(matches!(validate(&report), Err(ReportError::Length { got: 10, want: 9, .. })));

        let mut report = sample();
        report.detectors[3].col = 10_000;
        let text = validate(&report).expect_err("outside").to_string();
        assert!(text.contains("detector 3") && text.contains("10000"), "{text}");

        let mut report = sample();
        report.examples[0].ffm.predicted = 10;
        assert!(matches!(validate(&report), Err(ReportError::Class { class: 10, classes: 10, .. })));

        let mut report = sample();
        report.masks[1].ffm.values.pop();
        assert!(validate(&report).expect_err("short").to_string().contains("layer 2"));

        let mut report = sample();
        report.ffm_training.seconds = f64::NAN;
        assert!(matches!(validate(&report), Err(ReportError::NotFinite { .. })));
    }
}
