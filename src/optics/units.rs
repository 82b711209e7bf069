//! Lengths and angles as people write them: `"8 um"`, `"0.388 m"`, `"0.5 deg"`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::OpticsError;

/// Units of length and their size in metres.
const LENGTHS: [(&str, f64); 8] = [
    ("m", 1.0),
    ("cm", 1e-2),
    ("mm", 1e-3),
    ("um", 1e-6),
    ("µm", 1e-6),
    ("μm", 1e-6),
    ("nm", 1e-9),
    ("pm", 1e-12),
];
/// Units of angle and their size in radians.
const ANGLES: [(&str, f64); 4] = [
    ("rad", 1.0),
    ("mrad", 1e-3),
    ("deg", std::f64::consts::PI / 180.0),
    ("°", std::f64::consts::PI / 180.0),
];

/// A length in metres; in files a text with a unit (of bare numbers only 0, which needs none).
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Length(pub f64);

/// An angle in radians; in files a text with a unit (of bare numbers only 0, which needs none).
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Angle(pub f64);

/// Number and unit, in SI.
fn parse(text: &str, units: &[(&str, f64)], kind: &'static str) -> Result<f64, OpticsError> {
    let wrong = || OpticsError::Quantity {
        text: text.trim().into(),
        kind,
        units: units.iter().map(|(u, _)| *u).collect::<Vec<_>>().join(", "),
    };
    let text = text.trim();
    // The unit begins at the last run of letters; "1e-3m" keeps its exponent.
    let split =
        text.char_indices().rev().take_while(|(_, c)| c.is_alphabetic() || *c == '°').last().map(|(i, _)| i);
    let (number, unit) = text.split_at(split.ok_or_else(wrong)?);
    let value: f64 = number.trim().parse().map_err(|_| wrong())?;
    let (_, size) = units.iter().find(|(u, _)| *u == unit).ok_or_else(wrong)?;
    if value.is_finite() { Ok(value * size) } else { Err(wrong()) }
}

/// The shortest text that reads back as exactly `value`, with the first unit that makes it short.
fn write(value: f64, units: &[(&str, f64)], kind: &'static str) -> String {
    let exact = |(unit, size): &(&str, f64)| {
        let text = format!("{} {unit}", value / size);
        (parse(&text, units, kind) == Ok(value)).then_some(text)
    };
    units
        .iter()
        .filter_map(exact)
        .min_by_key(String::len)
        .unwrap_or_else(|| format!("{value} {}", units[0].0))
}

/// What is said to a number without a unit; 0 needs none. Nobody who writes `pitch = 8` means eight metres.
fn bare(value: f64, units: &[(&str, f64)], usual: &str) -> Result<f64, String> {
    if value == 0.0 {
        return Ok(value);
    }
    let units: Vec<_> = units.iter().map(|(u, _)| *u).collect();
    Err(format!("{value} has no unit; write for instance \"{value} {usual}\" (units: {})", units.join(", ")))
}

macro_rules! quantity {
    ($name:ident, $units:ident, $kind:literal, $a:literal, $usual:literal) => {
        impl std::str::FromStr for $name {
            type Err = OpticsError;
            fn from_str(text: &str) -> Result<Self, OpticsError> {
                parse(text, &$units, $kind).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&write(self.0, &$units, $kind))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(
                            f,
                            concat!($a, " ", $kind, " with its unit, such as {:?}"),
                            write(1e-3, &$units, $kind)
                        )
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_f64<E: de::Error>(self, value: f64) -> Result<$name, E> {
                        bare(value, &$units, $usual).map($name).map_err(E::custom)
                    }
                    fn visit_i64<E: de::Error>(self, value: i64) -> Result<$name, E> {
                        bare(value as f64, &$units, $usual).map($name).map_err(E::custom)
                    }
                    fn visit_u64<E: de::Error>(self, value: u64) -> Result<$name, E> {
                        bare(value as f64, &$units, $usual).map($name).map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }
    };
}

quantity!(Length, LENGTHS, "length", "a", "um");
quantity!(Angle, ANGLES, "angle", "an", "deg");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_with_their_units() {
        for (text, metres) in [
            ("8 um", 8e-6),
            ("8um", 8e-6),
            ("8 µm", 8e-6),
            ("0.388 m", 0.388),
            ("532 nm", 532e-9),
            ("-3.2 mm", -3.2e-3),
            ("1e-3 m", 1e-3),
            ("1e-3m", 1e-3),
        ] {
            let read = text.parse::<Length>().unwrap().0;
            assert!((read - metres).abs() <= 1e-15 * metres.abs(), "{text}: {read}");
        }
        assert!(("0.5 deg".parse::<Angle>().unwrap().0 - 0.5_f64.to_radians()).abs() < 1e-16);
    }

    #[test]
    fn nonsense_is_refused_with_the_units_there_are() {
        for text in ["8", "um", "8 parsec", "", "nan m", "1e999 m", "8 deg"] {
            let message = text.parse::<Length>().unwrap_err().to_string();
            assert!(message.contains("mm") && message.contains("nm"), "{text}: {message}");
        }
    }

    #[test]
    fn bare_numbers_are_refused_but_for_nothing() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Table {
            whole: Length,
            broken: Angle,
        }
        let nothing: Table = toml::from_str("whole = 0\nbroken = 0.0").unwrap();
        assert_eq!(nothing, Table { whole: Length(0.0), broken: Angle(0.0) });
        assert_eq!(serde_json::from_str::<Table>(r#"{"whole": 0, "broken": 0.0}"#).unwrap(), nothing);
        for (text, says) in [
            ("whole = 8\nbroken = 0", "8 has no unit; write for instance \"8 um\""),
            ("whole = -0.5\nbroken = 0", "-0.5 has no unit; write for instance \"-0.5 um\""),
            ("whole = 0\nbroken = 90.0", "90 has no unit; write for instance \"90 deg\""),
            ("whole = nan\nbroken = 0", "has no unit"),
        ] {
            let message = toml::from_str::<Table>(text).unwrap_err().to_string();
            assert!(message.contains(says), "{text}: {message}");
        }
    }

    #[test]
    fn quantities_read_back_exactly() {
        for value in [532e-9, 8e-6, 0.388, 3.45e-6, 1.0 / 3.0, 0.0, -2e-3] {
            let text = Length(value).to_string();
            assert_eq!(text.parse::<Length>().unwrap().0, value, "{text}");
        }
        assert_eq!(Length(532e-9).to_string(), "532 nm");
        assert_eq!(Length(8e-6).to_string(), "8 um");
    }
}
