//! From text to settings: a TOML file, overrides on top, unknown keys named with their nearest neighbour.

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// What can be wrong with an experiment file or an override.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read experiment {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML.
    #[error("{origin} is not valid TOML:\n{message}")]
    Syntax {
        /// File or option.
        origin: String,
        /// The parser's words, with line and caret.
        message: String,
    },
    /// A key that nothing reads.
    #[error("{origin}: unknown key `{key}`{hint}")]
    UnknownKey {
        /// File or option.
        origin: String,
        /// Full path of the key.
        key: String,
        /// Nearest valid key, or the list of valid ones.
        hint: String,
    },
    /// A value of the wrong kind.
    #[error("{origin}: `{key}`: {message}")]
    Value {
        /// File or option.
        origin: String,
        /// Full path of the key.
        key: String,
        /// What is wrong with the value.
        message: String,
    },
    /// An override that is not `key=value`.
    #[error("--set {text}: write KEY=VALUE, for instance --set train.rate=0.01")]
    Override {
        /// What was typed.
        text: String,
    },
}

/// Reads settings: `text` (from `origin`), then the overrides in their order.
///
/// # Errors
/// [`SettingsError`], naming file and key.
pub fn settings<T: DeserializeOwned>(
    text: &str,
    origin: &str,
    overrides: &[String],
) -> Result<T, SettingsError> {
    let mut table: Table = text.parse().map_err(|e: toml::de::Error| SettingsError::Syntax {
        origin: origin.into(),
        message: e.to_string(),
    })?;
    // Once without overrides, so that an error is blamed on the right place.
    let base = read::<T>(&table, origin)?;
    if overrides.is_empty() {
        return Ok(base);
    }
    for text in overrides {
        set(&mut table, text)?;
    }
    read(&table, "--set")
}

/// Reads a file as text.
///
/// # Errors
/// [`SettingsError::Unreadable`].
pub fn read_text(path: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(path)
        .map_err(|source| SettingsError::Unreadable { path: path.display().to_string(), source })
}

fn read<T: DeserializeOwned>(table: &Table, origin: &str) -> Result<T, SettingsError> {
    serde_path_to_error::deserialize(Value::Table(table.clone())).map_err(|error| {
        let path = error.path().to_string();
        explain(origin, &path, error.inner().message())
    })
}

/// serde's words into ours: path, key, nearest valid key.
fn explain(origin: &str, path: &str, message: &str) -> SettingsError {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return SettingsError::Value { origin: origin.into(), key: path.into(), message: plain(message) };
    };
    let unknown = rest.split('`').next().unwrap_or_default();
    // serde_path_to_error ends the path with the unknown key itself.
    let parent = path.strip_suffix(unknown).unwrap_or(path).trim_end_matches('.');
    let join = |key: &str| {
        if parent.is_empty() || parent == "." { key.to_owned() } else { format!("{parent}.{key}") }
    };
    let valid: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
    let nearest = valid
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b)));
    let hint = match nearest {
        Some(near) if strsim::jaro_winkler(unknown, near) > 0.7 => {
            format!("; did you mean `{}`?", join(near))
        }
        Some(_) => format!("; valid here: {}", valid.join(", ")),
        None => String::new(),
    };
    SettingsError::UnknownKey { origin: origin.into(), key: join(unknown), hint }
}

/// Words of serde and of Rust into those of a TOML file.
fn plain(message: &str) -> String {
    let words = [
        ("invalid type: unit variant, expected string only", "expected a text in quotes"),
        ("invalid type: map", "invalid type: table"),
        ("invalid type: sequence", "invalid type: list"),
        ("expected variant identifier", "expected a text in quotes"),
        ("expected a string", "expected a text in quotes"),
        ("expected a map", "expected a table"),
        ("expected a sequence", "expected a list"),
        ("expected an array of length 2", "expected a list of two"),
        ("expected usize", "expected a whole number, 0 or more"),
        ("expected u64", "expected a whole number, 0 or more"),
        ("expected u32", "expected a whole number, 0 or more"),
        ("expected f64", "expected a number"),
        ("missing field `", "missing key `"),
    ];
    let text = words.iter().fold(message.trim().to_owned(), |text, (from, to)| text.replace(from, to));
    match text.split_once("expected struct ") {
        None => text,
        Some((before, name)) => {
            let behind = name.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
            format!("{before}expected a table{behind}")
        }
    }
}

/// Applies `a.b.c=value`; a value that is not TOML is taken as text.
fn set(table: &mut Table, text: &str) -> Result<(), SettingsError> {
    let wrong = || SettingsError::Override { text: text.into() };
    let (path, raw) = text.split_once('=').ok_or_else(wrong)?;
    let value = format!("v = {raw}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    let value = value.unwrap_or_else(|| Value::String(raw.trim().to_owned()));
    let mut keys: Vec<&str> = path.trim().split('.').collect();
    let last = keys.pop().filter(|k| !k.is_empty()).ok_or_else(wrong)?;
    let mut here = table;
    for key in keys {
        let next = here.entry(key).or_insert_with(|| Value::Table(Table::new()));
        here = next.as_table_mut().ok_or_else(|| SettingsError::Value {
            origin: format!("--set {text}"),
            key: key.into(),
            message: "is a value, not a table".into(),
        })?;
    }
    here.insert(last.into(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Outer {
        name: String,
        train: Inner,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        rate: f64,
        epochs: usize,
    }

    #[test]
    fn overrides_go_on_top() {
        let sets = ["train.rate=0.5".to_owned(), "name=two words".to_owned()];
        let read: Outer = settings("name = 'a'\n[train]\nepochs = 3", "f.toml", &sets).unwrap();
        assert_eq!(read, Outer { name: "two words".into(), train: Inner { rate: 0.5, epochs: 3 } });
    }

    #[test]
    fn an_unknown_key_is_named_with_its_neighbour() {
        let message = settings::<Outer>("[train]\nrat = 3", "f.toml", &[]).unwrap_err().to_string();
        assert_eq!(message, "f.toml: unknown key `train.rat`; did you mean `train.rate`?");
        let message = settings::<Outer>("", "f.toml", &["trian.rate=1".into()]).unwrap_err().to_string();
        assert_eq!(message, "--set: unknown key `trian`; did you mean `train`?");
        let message = settings::<Outer>("zzz = 1", "f.toml", &[]).unwrap_err().to_string();
        assert_eq!(message, "f.toml: unknown key `zzz`; valid here: name, train");
    }

    #[test]
    fn wrong_values_and_forms_are_named() {
        let message = settings::<Outer>("[train]\nepochs = -1", "f.toml", &[]).unwrap_err().to_string();
        assert_eq!(
            message,
            "f.toml: `train.epochs`: invalid value: integer `-1`, expected a whole number, 0 or more"
        );
        let message = settings::<Outer>("[train\n", "f.toml", &[]).unwrap_err().to_string();
        assert!(message.starts_with("f.toml is not valid TOML"), "{message}");
        for (set, says) in [
            ("train=3", "`train`: invalid type: integer `3`, expected a table"),
            ("train.rate=[1]", "`train.rate`: invalid type: list, expected a number"),
            ("name={}", "`name`: invalid type: table, expected a text in quotes"),
        ] {
            let message = settings::<Outer>("", "f.toml", &[set.into()]).unwrap_err().to_string();
            assert_eq!(message, format!("--set: {says}"));
        }
        assert!(settings::<Outer>("", "f.toml", &["nonsense".into()]).is_err());
        assert!(settings::<Outer>("name = 'a'", "f.toml", &["name.x=1".into()]).is_err());
    }
}
