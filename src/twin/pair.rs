//! Settings along two axes.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{F64Deserializer, I64Deserializer, StrDeserializer, U64Deserializer};
use serde::de::{self, IgnoredAny, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// One value for both axes, or `[along y, along x]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Pair<T> {
    /// The same along both axes.
    One(T),
    /// Along y (rows), along x (columns).
    Two([T; 2]),
}

impl<T: Copy> Pair<T> {
    /// `[along y, along x]`.
    pub fn both(self) -> [T; 2] {
        match self {
            Self::One(v) => [v, v],
            Self::Two(v) => v,
        }
    }
}

/// Written by hand, because serde's untagged enums forget what was wrong with the value.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pair<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

struct Reader<T>(PhantomData<T>);

const EXPECTED: &str = "one value for both axes, or two: [along y, along x]";

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
    type Value = Pair<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Pair<T>, E> {
        let one: StrDeserializer<'_, E> = v.into_deserializer();
        T::deserialize(one).map(Pair::One)
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Pair<T>, E> {
        let one: I64Deserializer<E> = v.into_deserializer();
        T::deserialize(one).map(Pair::One)
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Pair<T>, E> {
        let one: U64Deserializer<E> = v.into_deserializer();
        T::deserialize(one).map(Pair::One)
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> Result<Pair<T>, E> {
        let one: F64Deserializer<E> = v.into_deserializer();
        T::deserialize(one).map(Pair::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Pair<T>, A::Error> {
        let values = (seq.next_element()?, seq.next_element()?, seq.next_element::<IgnoredAny>()?);
        match values {
            (Some(y), Some(x), None) => Ok(Pair::Two([y, x])),
            _ => Err(de::Error::custom(format_args!("expected {EXPECTED}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optics::Length;

    #[derive(Debug, Deserialize, PartialEq)]
    struct File {
        pixels: Pair<usize>,
        pitch: Pair<Length>,
    }

    #[test]
    fn one_value_or_two_are_read() {
        let one: File = toml::from_str("pixels = 4\npitch = '8 um'").unwrap();
        assert_eq!(one, File { pixels: Pair::One(4), pitch: Pair::One(Length(8e-6)) });
        let two: File = toml::from_str("pixels = [4, 5]\npitch = ['1 um', '8 um']").unwrap();
        assert_eq!(two, File { pixels: Pair::Two([4, 5]), pitch: Pair::Two([Length(1e-6), Length(8e-6)]) });
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("pixels = 4\npitch = '8 parsec'", "\"8 parsec\" is not a length"),
            ("pixels = 4\npitch = ['8 um', '8 parsec']", "\"8 parsec\" is not a length"),
            ("pixels = -4\npitch = '8 um'", "-4"),
            ("pixels = 'four'\npitch = '8 um'", "four"),
            ("pixels = [1, 2, 3]\npitch = '8 um'", "[along y, along x]"),
            ("pixels = true\npitch = '8 um'", "[along y, along x]"),
        ];
        for (text, expected) in cases {
            let message = toml::from_str::<File>(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
