//! The course of the learning rate: `train.schedule`, a name or a table.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::TrainError;

/// Halvings of [`Schedule::Step`] without `every`.
const FALLS: f64 = 4.0;
/// Factor of [`Schedule::Step`] where none is given.
const FACTOR: f64 = 0.5;

/// Course of the learning rate over a run, step by step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// The same all along.
    Constant,
    /// Half a cosine from the rate to `last` times the rate (Loshchilov & Hutter 2017, without restarts), after a linear rise
    /// over the first `warmup` steps.
    Cosine {
        /// Final rate in units of the first, 0..=1.
        last: f64,
        /// Steps of the rise.
        warmup: u64,
    },
    /// Falls by a factor again and again.
    Step {
        /// What the rate is multiplied by, above 0 and at most 1.
        factor: f64,
        /// Epochs between two falls; `None`: at a half, three quarters, seven eighths ... of the run, four times.
        every: Option<usize>,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Cosine { last: 0.0, warmup: 0 }
    }
}

impl Schedule {
    /// Factor on the learning rate at step `step` (from 0) of `steps` in `epochs`. A function of the step alone, so that a
    /// resumed run has the rates of an unbroken one.
    pub fn factor(self, step: u64, steps: u64, epochs: usize) -> f64 {
        let part = |step: u64, steps: u64| step as f64 / steps.max(1) as f64;
        match self {
            Self::Constant => 1.0,
            Self::Cosine { warmup, .. } if step < warmup => part(step + 1, warmup),
            Self::Cosine { last, warmup } => {
                let done = part(step - warmup, steps.saturating_sub(warmup));
                last + (1.0 - last) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
            Self::Step { factor, every: None } => {
                factor.powf((-(1.0 - part(step, steps)).log2()).floor().clamp(0.0, FALLS))
            }
            Self::Step { factor, every: Some(every) } => {
                let of_epoch = (steps / epochs.max(1) as u64).max(1);
                factor.powf((step / of_epoch / every.max(1) as u64) as f64)
            }
        }
    }

    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`TrainError::Config`] with key, value and remedy.
    pub(super) fn validate(self) -> Result<(), TrainError> {
        let bad = |key, value: String, problem: &str| {
            Err(TrainError::Config { key, value, problem: problem.to_owned() })
        };
        match self {
            Self::Cosine { last, .. } if !(0.0..=1.0).contains(&last) => {
                bad("schedule.final", last.to_string(), "must be 0 to 1, in units of train.rate")
            }
            Self::Step { factor, .. } if !(factor > 0.0 && factor <= 1.0) => {
                bad("schedule.factor", factor.to_string(), "must be above 0 and at most 1; 0.5 is usual")
            }
            Self::Step { every: Some(0), .. } => {
                bad("schedule.every", "0".to_owned(), "at least 1 epoch must lie between two falls")
            }
            _ => Ok(()),
        }
    }

    /// Refuses a rise that is not over before the run is.
    pub(super) fn check_steps(self, steps: u64) -> Result<(), TrainError> {
        match self {
            Self::Cosine { warmup, .. } if warmup > 0 && warmup >= steps => Err(TrainError::Config {
                key: "schedule.warmup",
                value: warmup.to_string(),
                problem: format!("must be fewer than the {steps} steps of the run"),
            }),
            _ => Ok(()),
        }
    }
}

/// The table as it is written.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Table {
    kind: Kind,
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    last: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warmup: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Constant,
    #[default]
    Cosine,
    Step,
}

impl TryFrom<Table> for Schedule {
    type Error = String;

    fn try_from(t: Table) -> Result<Self, String> {
        let given = [
            ("final", t.last.is_some(), Kind::Cosine),
            ("warmup", t.warmup.is_some(), Kind::Cosine),
            ("factor", t.factor.is_some(), Kind::Step),
            ("every", t.every.is_some(), Kind::Step),
        ];
        if let Some((key, _, kind)) = given.into_iter().find(|(_, given, kind)| *given && *kind != t.kind) {
            let name = |kind: Kind| format!("{kind:?}").to_lowercase();
            let (has, needs) = (name(t.kind), name(kind));
            return Err(format!("`{key}` belongs to kind = {needs:?}, but the kind is {has:?}"));
        }
        Ok(match t.kind {
            Kind::Constant => Self::Constant,
            Kind::Cosine => Self::Cosine { last: t.last.unwrap_or(0.0), warmup: t.warmup.unwrap_or(0) },
            Kind::Step => Self::Step { factor: t.factor.unwrap_or(FACTOR), every: t.every },
        })
    }
}

impl From<Schedule> for Table {
    fn from(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Constant => Self { kind: Kind::Constant, ..Self::default() },
            Schedule::Cosine { last, warmup } => Self {
                last: Some(last).filter(|l| *l != 0.0),
                warmup: Some(warmup).filter(|w| *w != 0),
                ..Self::default()
            },
            Schedule::Step { factor, every } => Self {
                kind: Kind::Step,
                factor: Some(factor).filter(|f| *f != FACTOR),
                every,
                ..Self::default()
            },
        }
    }
}

/// A name where it says all, else a table.
impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let table = Table::from(*self);
        let plain = Table { kind: table.kind, ..Table::default() };
        let bare = Self::try_from(plain).map_err(serde::ser::Error::custom)?;
        if bare == *self { table.kind.serialize(serializer) } else { table.serialize(serializer) }
    }
}

/// Written by hand, because serde's untagged enums forget what was wrong with the value.
impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Schedule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"constant\", \"cosine\", \"step\", or a table such as { kind = \"step\", factor = 0.5, every = 10 }")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Schedule, E> {
        let kind = Kind::deserialize(de::value::StrDeserializer::<E>::new(name))?;
        Schedule::try_from(Table { kind, ..Table::default() }).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Schedule, A::Error> {
        let table = Table::deserialize(MapAccessDeserializer::new(map))?;
        Schedule::try_from(table).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSINE: Schedule = Schedule::Cosine { last: 0.0, warmup: 0 };

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct File {
        schedule: Schedule,
    }

    fn read(text: &str) -> Result<Schedule, toml::de::Error> {
        toml::from_str::<File>(&format!("schedule = {text}")).map(|f| f.schedule)
    }

    #[test]
    fn schedules_start_at_one_and_fall() {
        let step = Schedule::Step { factor: 0.5, every: None };
        for (schedule, middle, end) in
            [(Schedule::Constant, 1.0, 1.0), (COSINE, 0.5, 0.0), (step, 0.5, 0.0625)]
        {
            assert!((schedule.factor(0, 100, 4) - 1.0).abs() < 1e-12);
            assert!((schedule.factor(50, 100, 4) - middle).abs() < 1e-12, "{schedule:?}");
            assert!((schedule.factor(100, 100, 4) - end).abs() < 1e-12, "{schedule:?}");
        }
    }

    #[test]
    fn a_plain_cosine_is_the_textbook_formula_to_the_bit() {
        for step in 0..1000 {
            let expected = 0.5 * (1.0 + (std::f64::consts::PI * (f64::from(step) / 1000.0)).cos());
            assert_eq!(COSINE.factor(u64::from(step as u32), 1000, 7).to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn a_cosine_rises_first_and_ends_where_it_is_told() {
        let schedule = Schedule::Cosine { last: 0.1, warmup: 4 };
        let rates: Vec<f64> = (0..=24).map(|s| schedule.factor(s, 24, 3)).collect();
        assert_eq!(rates[..5], [0.25, 0.5, 0.75, 1.0, 1.0]);
        assert!(rates[4..].windows(2).all(|w| w[1] < w[0]), "{rates:?}");
        assert!((rates[14] - 0.55).abs() < 1e-12 && (rates[24] - 0.1).abs() < 1e-12, "{rates:?}");
    }

    #[test]
    fn steps_fall_between_epochs() {
        let schedule = Schedule::Step { factor: 0.1, every: Some(2) };
        let of_epoch = |epoch: u64| [0, 9].map(|s| schedule.factor(10 * epoch + s, 60, 6));
        for (epoch, expected) in [1.0, 1.0, 0.1, 0.1, 0.01, 0.01].into_iter().enumerate() {
            for factor in of_epoch(epoch as u64) {
                assert!((factor / expected - 1.0).abs() < 1e-12, "epoch {epoch}: {factor}");
            }
        }
    }

    #[test]
    fn names_and_tables_read_and_read_back() {
        for (text, expected, written) in [
            ("'constant'", Schedule::Constant, "schedule = \"constant\"\n"),
            ("'cosine'", COSINE, "schedule = \"cosine\"\n"),
            ("{ kind = 'cosine' }", COSINE, "schedule = \"cosine\"\n"),
            (
                "{ warmup = 5 }",
                Schedule::Cosine { last: 0.0, warmup: 5 },
                "[schedule]\nkind = \"cosine\"\nwarmup = 5\n",
            ),
            (
                "{ kind = 'step', factor = 0.1, every = 3 }",
                Schedule::Step { factor: 0.1, every: Some(3) },
                "[schedule]\nkind = \"step\"\nfactor = 0.1\nevery = 3\n",
            ),
            ("'step'", Schedule::Step { factor: 0.5, every: None }, "schedule = \"step\"\n"),
        ] {
            let schedule = read(text).unwrap();
            assert_eq!(schedule, expected, "{text}");
            assert_eq!(toml::to_string(&File { schedule }).unwrap(), written);
            assert_eq!(toml::from_str::<File>(written).unwrap().schedule, expected);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, says) in [
            ("'cosin'", "cosine"),
            ("3", "\"cosine\""),
            (
                "{ kind = 'step', final = 0.1 }",
                "`final` belongs to kind = \"cosine\", but the kind is \"step\"",
            ),
            ("{ every = 3 }", "`every` belongs to kind = \"step\", but the kind is \"cosine\""),
            ("{ warm = 3 }", "warmup"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(says), "{text}: {message}");
        }
        for (schedule, key) in [
            (Schedule::Cosine { last: 1.5, warmup: 0 }, "train.schedule.final = 1.5"),
            (Schedule::Step { factor: 0.0, every: None }, "train.schedule.factor = 0"),
            (Schedule::Step { factor: f64::NAN, every: None }, "train.schedule.factor = NaN"),
            (Schedule::Step { factor: 0.5, every: Some(0) }, "train.schedule.every = 0"),
        ] {
            let message = schedule.validate().unwrap_err().to_string();
            assert!(message.starts_with(key), "{message}");
        }
        let late = Schedule::Cosine { last: 0.0, warmup: 20 };
        let message = late.check_steps(20).unwrap_err().to_string();
        assert!(message.contains("train.schedule.warmup = 20") && message.contains("20 steps"), "{message}");
        assert!(late.check_steps(21).is_ok() && COSINE.check_steps(0).is_ok());
    }
}
