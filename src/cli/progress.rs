//! Progress for people: a bar on a terminal, a line per epoch elsewhere, nothing when quiet.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::experiment::classify::Watch;
use crate::experiment::study::{self, Entry};
use crate::train::{EpochRow, Method, StepNews};

/// Shows the course of a run on standard error.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    terminal: bool,
}

impl Progress {
    /// `quiet` shows nothing.
    pub(super) fn new(quiet: bool) -> Self {
        Self { bar: None, quiet, terminal: std::io::stderr().is_terminal() }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Removes the bar.
    pub(super) fn close(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A bar with position, message and time left; hidden where it would only fill a log.
pub(super) fn bar(length: u64, shown: bool, template: &str) -> ProgressBar {
    let target = if shown { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(length), target).with_style(style.progress_chars("━╸─"))
}

/// A sign of life with a message, for work whose length is not known.
pub(super) fn spinner(shown: bool) -> ProgressBar {
    let target = if shown { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("  {spinner} {elapsed}  {msg}");
    let bar = ProgressBar::with_draw_target(None, target);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    bar
}

impl Watch for Progress {
    fn stage(&mut self, method: Method, epochs: usize) {
        self.close();
        let what = match method {
            Method::InSilico => "(a) training in silico on the ideal model".to_owned(),
            Method::InSilicoRobust => "(c) training in silico under random misalignment".to_owned(),
            Method::InSilicoCalibrated => {
                "training in silico on the calibrated twin of bench step 0".to_owned()
            }
            method => format!("(c) training by {} on the imperfect twin", method.title()),
        };
        self.line(&format!("{what}, {epochs} epochs"));
    }

    fn step(&mut self, news: StepNews) {
        if self.quiet || !self.terminal {
            return;
        }
        let template = "  {bar:24} {percent:>3} %  {msg}  {elapsed} < {eta}";
        let bar = self.bar.get_or_insert_with(|| bar(news.steps, true, template));
        bar.set_position(news.step);
        let n = news.tally.samples.max(1) as f64;
        bar.set_message(format!(
            "epoch {}  loss {:.4}  accuracy {:.1} %  {:.0} samples/s",
            news.epoch,
            news.tally.loss / n,
            100.0 * news.tally.correct as f64 / n,
            news.samples_per_second
        ));
    }

    fn epoch(&mut self, _method: Method, row: EpochRow) {
        let (held_loss, held_accuracy, name) = match (row.validation_loss, row.validation_accuracy) {
            (Some(loss), Some(accuracy)) => {
                (format!(" / {loss:.4}"), format!(" / {:.2}", 100.0 * accuracy), " / validation")
            }
            _ => (String::new(), String::new(), ""),
        };
        self.line(&format!(
            "  epoch {:>2}  loss {:.4}{held_loss} / {:.4}  accuracy {:.2}{held_accuracy} / {:.2} %  (train{name} / test)",
            row.epoch,
            row.train_loss,
            row.test_loss,
            100.0 * row.train_accuracy,
            100.0 * row.test_accuracy
        ));
    }

    fn note(&mut self, text: &str) {
        self.close();
        self.line(text);
    }
}

impl study::Watch for Progress {
    fn run(&mut self, entry: &Entry, index: usize, of: usize, done: bool) {
        self.close();
        let done = if done { ": done before" } else { "" };
        self.line(&format!("run {} of {of}, {}{done}", index + 1, entry.name));
    }
}
