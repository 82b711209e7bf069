//! What the epochs of a run say: which of them was the best, and whether the run is over.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::EpochRow;

/// The figure, of validation images where there are any and of test images otherwise, whose improvement training waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Monitor {
    /// Accuracy.
    Accuracy,
    /// Loss.
    Loss,
}

impl Monitor {
    /// Epochs since the figure was last better than ever before; the first epoch is an improvement.
    pub fn epochs_since_improvement(self, rows: &[EpochRow]) -> usize {
        // Larger is better.
        let figure = |row: &EpochRow| match self {
            Self::Accuracy => row.choosing_accuracy(),
            Self::Loss => -row.choosing_loss(),
        };
        let (mut best, mut since) = (f64::NEG_INFINITY, 0);
        for value in rows.iter().map(figure) {
            since += 1;
            if value > best {
                (best, since) = (value, 0);
            }
        }
        since
    }
}

/// Which masks count as the result of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Those of the last epoch.
    Last,
    /// Those of the best epoch ([`best_epoch`]).
    Best,
}

/// Why a training was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs are done.
    Epochs,
    /// A figure has not improved for as many epochs as training was told to wait.
    Patience {
        /// Which figure.
        monitor: Monitor,
        /// Epochs waited.
        epochs: usize,
        /// Whether it was the validation's figure.
        validation: bool,
    },
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Patience { monitor, epochs, validation } = self else {
            return f.write_str("all epochs were done");
        };
        let figure = match monitor {
            Monitor::Accuracy => "accuracy",
            Monitor::Loss => "loss",
        };
        let set = if *validation { "validation" } else { "test" };
        let plural = if *epochs == 1 { "" } else { "s" };
        write!(f, "{set} {figure} did not improve for {epochs} epoch{plural}")
    }
}

/// The epoch of the highest accuracy; of several the one with the lowest loss, of these the first. Figures are those of the
/// validation where there is one, and of the test images otherwise.
pub fn best_epoch(rows: &[EpochRow]) -> Option<&EpochRow> {
    rows.iter().reduce(|best, row| {
        let (new, old) = (row.choosing_accuracy(), best.choosing_accuracy());
        let tie = new == old && row.choosing_loss() < best.choosing_loss();
        if new > old || tie { row } else { best }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::TrainConfig;

    /// Epochs with these test accuracies and losses.
    fn rows(figures: &[(f64, f64)]) -> Vec<EpochRow> {
        let row = |(k, &(test_accuracy, test_loss)): (usize, &(f64, f64))| EpochRow {
            epoch: k + 1,
            step: 10 * (k as u64 + 1),
            rate: 0.1,
            train_loss: 1.0,
            train_accuracy: 0.5,
            test_loss,
            test_accuracy,
            test_light: 0.3,
            validation_loss: None,
            validation_accuracy: None,
        };
        figures.iter().enumerate().map(row).collect()
    }

    #[test]
    fn the_best_epoch_has_the_highest_accuracy_then_the_lowest_loss_then_comes_first() {
        let best = |figures: &[(f64, f64)]| best_epoch(&rows(figures)).map(|r| r.epoch);
        assert_eq!(best(&[]), None);
        assert_eq!(best(&[(0.5, 1.0), (0.7, 2.0), (0.6, 0.1)]), Some(2));
        assert_eq!(best(&[(0.7, 2.0), (0.7, 1.0), (0.7, 1.5)]), Some(2));
        assert_eq!(best(&[(0.7, 1.0), (0.7, 1.0)]), Some(1));
    }

    #[test]
    fn patience_counts_from_the_last_improvement_of_its_figure() {
        // The loss improves in epoch 3, accuracy does not after epoch 2 (a tie is no improvement).
        let rows = rows(&[(0.5, 1.0), (0.7, 0.9), (0.7, 0.8), (0.6, 0.85), (0.7, 0.9)]);
        assert_eq!(Monitor::Accuracy.epochs_since_improvement(&rows), 3);
        assert_eq!(Monitor::Loss.epochs_since_improvement(&rows), 2);
        assert_eq!(Monitor::Loss.epochs_since_improvement(&[]), 0);
        let ended = |patience, monitor, epochs, n: usize| {
            TrainConfig { patience, monitor, epochs, ..TrainConfig::default() }.ending(&rows[..n])
        };
        let waited = |monitor, epochs| Some(Ending::Patience { monitor, epochs, validation: false });
        assert_eq!(ended(Some(2), Monitor::Accuracy, 9, 3), None);
        assert_eq!(ended(Some(2), Monitor::Accuracy, 9, 4), waited(Monitor::Accuracy, 2));
        assert_eq!(ended(Some(2), Monitor::Loss, 9, 4), None);
        assert_eq!(ended(Some(2), Monitor::Loss, 9, 5), waited(Monitor::Loss, 2));
        assert_eq!(ended(None, Monitor::Loss, 9, 5), None);
        assert_eq!(ended(Some(2), Monitor::Loss, 5, 5), Some(Ending::Epochs));
        let text = waited(Monitor::Loss, 2).map(|e| e.to_string());
        assert_eq!(text.as_deref(), Some("test loss did not improve for 2 epochs"));
    }

    #[test]
    fn validation_has_the_say_where_there_is_one() {
        let mut rows = rows(&[(0.5, 1.0), (0.6, 0.9), (0.7, 0.8)]);
        for (row, accuracy) in rows.iter_mut().zip([0.4, 0.3, 0.2]) {
            (row.validation_accuracy, row.validation_loss) = (Some(accuracy), Some(1.0 - accuracy));
        }
        assert_eq!(best_epoch(&rows).map(|row| row.epoch), Some(1));
        assert_eq!(Monitor::Loss.epochs_since_improvement(&rows), 2);
        let config = TrainConfig { patience: Some(2), epochs: 9, ..TrainConfig::default() };
        let text = config.ending(&rows).map(|e| e.to_string());
        assert_eq!(text.as_deref(), Some("validation accuracy did not improve for 2 epochs"));
    }

    #[test]
    fn figures_that_are_no_numbers_are_no_improvement() {
        let rows = rows(&[(0.5, f64::NAN), (0.5, 1.0), (0.5, f64::NAN)]);
        assert_eq!(Monitor::Loss.epochs_since_improvement(&rows), 1);
        assert_eq!(Monitor::Loss.epochs_since_improvement(&rows[..1]), 1);
    }
}
