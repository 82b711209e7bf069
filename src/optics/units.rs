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

/// A length in metres; in files a text with a unit (a bare number is metres).
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Length(pub f64);

/// An angle in radians; in files a text with a unit (a bare number is radians).
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

macro_rules! quantity {
    ($name:ident, $units:ident, $kind:literal) => {
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
                            concat!("a ", $kind, " with its unit, such as {:?}"),
                            write(1e-3, &$units, $kind)
                        )
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_f64<E: de::Error>(self, value: f64) -> Result<$name, E> {
                        Ok($name(value))
                    }
                    fn visit_i64<E: de::Error>(self, value: i64) -> Result<$name, E> {
                        Ok($name(value as f64))
                    }
                    fn visit_u64<E: de::Error>(self, value: u64) -> Result<$name, E> {
                        Ok($name(value as f64))
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }
    };
}

quantity!(Length, LENGTHS, "length");
quantity!(Angle, ANGLES, "angle");

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
    fn bare_numbers_are_si_in_toml_and_in_json() {
        #[derive(serde::Deserialize)]
        struct Table {
            whole: Length,
            broken: Angle,
        }
        let toml: Table = toml::from_str("whole = 2\nbroken = 0.5").unwrap();
        let json: Table = serde_json::from_str(r#"{"whole": 2, "broken": 0.5}"#).unwrap();
        for table in [toml, json] {
            assert_eq!((table.whole, table.broken), (Length(2.0), Angle(0.5)));
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
