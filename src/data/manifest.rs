//! The data sets that can be fetched.

use std::sync::LazyLock;

use serde::Deserialize;

const TEXT: &str = include_str!("../../datasets/manifest.toml");

/// The manifest; it is part of the program, so it is valid (a test reads it).
static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| toml::from_str(TEXT).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    set: Vec<Listed>,
}

/// A data set of the manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) licence: String,
    pub(super) mirrors: Vec<String>,
    pub(super) classes: Vec<String>,
    pub(super) files: Vec<ListedFile>,
}

/// A file of a data set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListedFile {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// All sets.
pub(super) fn sets() -> &'static [Listed] {
    &MANIFEST.set
}

/// A set by name.
pub(super) fn find(name: &str) -> Option<&'static Listed> {
    sets().iter().find(|s| s.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_whole() {
        let read: Manifest = toml::from_str(TEXT).unwrap();
        assert_eq!(read.set.len(), 2);
        for set in sets() {
            assert!(
                set.mirrors.len() >= 2
                    && set.mirrors.iter().all(|m| m.starts_with("http") && m.ends_with('/'))
            );
            assert_eq!((set.files.len(), set.classes.len()), (4, 10));
            assert!(set.files.iter().all(|f| f.sha256.len() == 64 && f.bytes > 0));
            assert!(!set.title.is_empty() && !set.licence.is_empty());
        }
        assert!(find("mnist").is_some() && find("nothing").is_none());
    }
}
