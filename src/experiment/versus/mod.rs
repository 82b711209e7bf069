//! Finished runs beside one another: what differs in their settings, and what came of it.

mod page;
mod read;

pub use page::{versus_csv, versus_report};
pub use read::{History, Mask, Run, read};

use serde::Serialize;

/// Runs to be compared, in the order given.
#[derive(Clone, Debug, Serialize)]
pub struct Versus {
    /// The runs.
    pub runs: Vec<Run>,
    /// Settings that are not the same in all runs, by key.
    pub differing: Vec<Setting>,
    /// Settings that all runs share, `key = value` in TOML.
    pub shared: Vec<String>,
}

/// A key and what every run has for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Dotted key of `config.toml`.
    pub key: String,
    /// Its value in every run; `None` where it is not set.
    pub values: Vec<Option<String>>,
}

impl Versus {
    /// Puts runs beside one another.
    pub fn new(runs: Vec<Run>) -> Self {
        let mut keys: Vec<&String> = runs.iter().flat_map(|r| r.settings.keys()).collect();
        keys.sort();
        keys.dedup();
        let (mut differing, mut shared) = (Vec::new(), Vec::new());
        for key in keys {
            let values: Vec<_> = runs.iter().map(|r| r.settings.get(key).cloned()).collect();
            match values.first() {
                Some(Some(first)) if values.iter().all(|v| v.as_ref() == Some(first)) => {
                    shared.push(format!("{key} = {first}"));
                }
                _ => differing.push(Setting { key: key.clone(), values }),
            }
        }
        Self { runs, differing, shared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(settings: &[(&str, &str)]) -> Run {
        let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Run { settings, ..Run::default() }
    }

    #[test]
    fn settings_are_shared_only_where_all_runs_have_them() {
        let runs = vec![
            run(&[("seed", "1"), ("train.rate", "0.1"), ("train.batch", "8")]),
            run(&[("seed", "1"), ("train.rate", "0.2")]),
        ];
        let versus = Versus::new(runs);
        assert_eq!(versus.shared, ["seed = 1"]);
        let keys: Vec<_> = versus.differing.iter().map(|s| s.key.as_str()).collect();
        assert_eq!(keys, ["train.batch", "train.rate"]);
        assert_eq!(versus.differing[0].values, [Some("8".to_owned()), None]);
    }
}
