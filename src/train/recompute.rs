//! `train.recompute`: which recorded fields wait for the error pass, and which are computed again.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::Program;

/// Length of the segments of [`Program::recompute`]: a number of hops, or the best one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recompute {
    /// Only the last field of every so many waits. 0 and 1: all do.
    Every(usize),
    /// As few fields as can be.
    Auto,
}

impl Recompute {
    /// The length for a program of so many hops.
    pub fn length(self, hops: usize) -> usize {
        match self {
            Self::Every(length) => length,
            Self::Auto => Program::best_recompute(hops),
        }
    }
}

impl Default for Recompute {
    fn default() -> Self {
        Self::Every(0)
    }
}

impl Serialize for Recompute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Every(length) => serializer.serialize_u64(*length as u64),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for Recompute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Recompute;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the length of a segment in layers, 0 (keep every field) or more, or \"auto\"")
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Recompute, E> {
        usize::try_from(v)
            .map(Recompute::Every)
            .map_err(|_| E::invalid_value(de::Unexpected::Signed(v), &self))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Recompute, E> {
        usize::try_from(v)
            .map(Recompute::Every)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(v), &self))
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Recompute, E> {
        match v {
            "auto" => Ok(Recompute::Auto),
            _ => Err(E::invalid_value(de::Unexpected::Str(v), &self)),
        }
    }
}
