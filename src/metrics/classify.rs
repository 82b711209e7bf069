//! Accuracy and confusion of a classifier.

use super::{MetricError, same_shape};

/// Fraction of predictions that are right, 0 to 1.
///
/// # Errors
/// Lists of different length, or empty ones.
pub fn accuracy(truth: &[u8], predicted: &[u8]) -> Result<f64, MetricError> {
    same_shape("accuracy", &[truth.len()], &[predicted.len()])?;
    let correct = truth.iter().zip(predicted).filter(|(t, p)| t == p).count();
    Ok(correct as f64 / truth.len() as f64)
}

/// Counts of (true class, predicted class): rows are true classes, columns predicted ones.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// Counts the pairs of two lists.
    ///
    /// # Errors
    /// Lists of different length, or empty ones; a class at or above `classes`.
    pub fn new(truth: &[u8], predicted: &[u8], classes: usize) -> Result<Self, MetricError> {
        same_shape("confusion matrix", &[truth.len()], &[predicted.len()])?;
        let mut counts = vec![0; classes * classes];
        for (position, (&t, &p)) in truth.iter().zip(predicted).enumerate() {
            let class = t.max(p);
            if usize::from(class) >= classes {
                return Err(MetricError::Class { metric: "confusion matrix", class, position, classes });
            }
            counts[usize::from(t) * classes + usize::from(p)] += 1;
        }
        Ok(Self { classes, counts })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Samples of class `truth` that were taken for `predicted`; 0 for classes that do not exist.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        if truth < self.classes && predicted < self.classes {
            self.counts[truth * self.classes + predicted]
        } else {
            0
        }
    }

    /// Samples of a true class.
    pub fn row_total(&self, truth: usize) -> u64 {
        (0..self.classes).map(|predicted| self.count(truth, predicted)).sum()
    }

    /// All samples.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Fraction of samples on the diagonal.
    pub fn accuracy(&self) -> f64 {
        let correct: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        correct as f64 / self.total() as f64
    }

    /// Fraction of a true class that was recognised; `None` without samples of that class.
    pub fn recall(&self, truth: usize) -> Option<f64> {
        let total = self.row_total(truth);
        (total > 0).then(|| self.count(truth, truth) as f64 / total as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: [u8; 5] = [0, 0, 1, 2, 2];
    const GUESS: [u8; 5] = [0, 1, 1, 2, 0];

    #[test]
    fn rows_are_true_classes() {
        let confusion = Confusion::new(&TRUTH, &GUESS, 4).expect("valid");
        assert_eq!((confusion.count(0, 1), confusion.count(1, 0)), (1, 0));
        assert_eq!((confusion.count(2, 0), confusion.count(0, 2)), (1, 0));
        assert_eq!(confusion.row_total(2), 2);
        assert_eq!(
            (confusion.recall(0), confusion.recall(1), confusion.recall(3)),
            (Some(0.5), Some(1.0), None)
        );
        assert_eq!(confusion.total(), 5);
        assert_eq!(Ok(confusion.accuracy()), accuracy(&TRUTH, &GUESS));
        assert_eq!(confusion.accuracy(), 0.6);
    }

    #[test]
    fn bad_lists_are_named() {
        assert_eq!(
            Confusion::new(&TRUTH, &GUESS, 2),
            Err(MetricError::Class { metric: "confusion matrix", class: 2, position: 3, classes: 2 })
        );
        assert!(matches!(accuracy(&TRUTH, &GUESS[..2]), Err(MetricError::Shape { .. })));
        assert_eq!(accuracy(&[], &[]), Err(MetricError::Empty { metric: "accuracy" }));
    }
}
