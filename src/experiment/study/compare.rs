//! All methods on one imperfect system, on equal terms.

use serde::Serialize;

use super::{Entry, Found, Spread};
use crate::experiment::Experiment;
use crate::train::{BenchCost, Method};

/// Runs of a comparison, and what cannot run.
#[derive(Clone, Debug)]
pub struct Contest {
    /// One run a method and seed, methods of a seed side by side.
    pub entries: Vec<Entry>,
    /// Methods that run, in their order.
    pub methods: Vec<Method>,
    /// Methods that this system refuses, with the reason.
    pub refused: Vec<(Method, String)>,
    /// Seeds.
    pub seeds: Vec<u64>,
}

/// Plans the runs: every method with every seed; a seed draws masks, noise and imperfections. Runs of one seed share the
/// training in silico.
pub fn contest(base: &Experiment, methods: &[Method], seeds: &[u64]) -> Contest {
    let (mut able, mut refused) = (Vec::new(), Vec::new());
    for &method in methods {
        match method.check(&base.system()) {
            Ok(()) => able.push(method),
            Err(e) => refused.push((method, e.to_string())),
        }
    }
    let mut entries = Vec::new();
    for &seed in seeds {
        let first = entries.len();
        for (k, &method) in able.iter().enumerate() {
            let mut experiment = base.clone();
            experiment.seed = seed;
            experiment.train.method = method;
            entries.push(Entry {
                name: format!("{}-seed-{seed}", method.name()),
                experiment,
                same_in_silico: (k > 0).then_some(first),
            });
        }
    }
    Contest { entries, methods: able, refused, seeds: seeds.to_vec() }
}

/// Results of a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Name of the experiment.
    pub name: String,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Test images of a run.
    pub test_samples: usize,
    /// Accuracy of the in-silico masks on the ideal system.
    pub ideal: Spread,
    /// Accuracy of the same masks on the imperfect twin.
    pub deployed: Spread,
    /// One row a method.
    pub methods: Vec<MethodRow>,
    /// Methods that the system refuses, with the reason.
    pub refused: Vec<(Method, String)>,
    /// The device.
    pub device: String,
}

/// A method in a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct MethodRow {
    /// The method.
    pub method: Method,
    /// Accuracy on the imperfect twin, of the seeds that did not diverge.
    pub accuracy: Spread,
    /// Accuracy minus that of the ideal system, seed by seed.
    pub gap: Spread,
    /// Mean over layers and seeds of the cosine between its gradient and the true one.
    pub gradient_cosine: f64,
    /// What one training would take on a real bench; absent when all seeds diverged.
    pub bench: Option<BenchCost>,
    /// Median training samples per second here.
    pub samples_per_second: f64,
    /// Why seeds have no result, in words.
    pub diverged: Vec<String>,
}

/// The table, from what the runs of [`Contest::entries`] have found.
pub fn comparison(name: &str, contest: Contest, found: &[Found]) -> Comparison {
    let Contest { methods, refused, seeds, .. } = contest;
    let all = |k: usize| found.iter().skip(k).step_by(methods.len().max(1));
    let of = |k: usize| all(k).filter_map(|f| f.as_ref().ok());
    let any = || found.iter().filter_map(|f| f.as_ref().ok());
    let row = |(k, &method): (usize, &Method)| {
        let cosines: Vec<f64> = of(k).flat_map(|s| s.gradient_cosine.iter().flatten().copied()).collect();
        let mut speeds: Vec<f64> = of(k).map(|s| s.samples_per_second).collect();
        speeds.sort_by(f64::total_cmp);
        MethodRow {
            method,
            accuracy: Spread::of(of(k).map(|s| s.accuracy.trained)),
            gap: Spread::of(of(k).map(|s| s.accuracy.trained - s.accuracy.ideal)),
            gradient_cosine: Spread::of(cosines).mean,
            bench: of(k).next().map(|s| s.bench),
            samples_per_second: speeds.get(speeds.len() / 2).copied().unwrap_or(f64::NAN),
            diverged: all(k).filter_map(|f| f.as_ref().err().cloned()).collect(),
        }
    };
    // The methods of a seed share one training in silico.
    let first_of_each_seed =
        || found.chunks(methods.len().max(1)).filter_map(|seed| seed.iter().find_map(|f| f.as_ref().ok()));
    Comparison {
        name: name.to_owned(),
        test_samples: any().next().map_or(0, |s| s.test_samples),
        ideal: Spread::of(first_of_each_seed().map(|s| s.accuracy.ideal)),
        deployed: Spread::of(first_of_each_seed().map(|s| s.accuracy.in_silico_deployed)),
        methods: methods.iter().enumerate().map(row).collect(),
        device: any().next().map(|s| s.device.clone()).unwrap_or_default(),
        seeds,
        refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_system_cannot_do_is_set_aside_with_its_reason() {
        let base = Experiment::default();
        let contest = contest(&base, &[Method::Ffm, Method::InSituBackprop, Method::Spsa], &[3, 4]);
        assert_eq!(contest.methods, [Method::Ffm, Method::Spsa]);
        assert!(contest.refused[0].1.contains("hardware.bidirectional"), "{:?}", contest.refused);
        let names: Vec<_> = contest.entries.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["ffm-seed-3", "spsa-seed-3", "ffm-seed-4", "spsa-seed-4"]);
        let shared: Vec<_> = contest.entries.iter().map(|e| e.same_in_silico).collect();
        assert_eq!(shared, [None, Some(0), None, Some(2)]);
        assert_eq!(contest.entries[3].experiment.seed, 4);
    }
}
