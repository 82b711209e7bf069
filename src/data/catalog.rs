//! From a name or a folder to images.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{DataError, folder, idx, manifest, strokes};
use crate::engine::ImageSet;

/// Name of the built-in set.
const STROKES: &str = "strokes";

/// Images for training and testing.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// Name, or the folder's.
    pub name: String,
    /// Where it came from.
    pub origin: String,
    /// One name per class.
    pub classes: Vec<String>,
    /// Training images.
    pub train: ImageSet,
    /// Test images.
    pub test: ImageSet,
}

/// How many images to take at most: the first of each split, in file order (folders of pictures: classes take turns).
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Training images.
    pub train: Option<usize>,
    /// Test images.
    pub test: Option<usize>,
}

/// A data set that can be named.
#[derive(Clone, Debug, Serialize)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// What it is.
    pub title: String,
    /// Its licence.
    pub licence: String,
}

/// All data sets that can be named.
pub fn known() -> Vec<Known> {
    let built_in = Known {
        name: STROKES.into(),
        title: "pen-stroke digits, drawn by the program (no files)".into(),
        licence: "part of this program".into(),
    };
    let listed = manifest::sets().iter().map(|s| Known {
        name: s.name.clone(),
        title: s.title.clone(),
        licence: s.licence.clone(),
    });
    std::iter::once(built_in).chain(listed).collect()
}

/// Loads `strokes` (drawn with `seed`), a named set, or a folder (IDX files, or a folder of pictures per class).
///
/// # Errors
/// A set that is missing, damaged, empty, or has labels without a class.
pub fn load(source: &str, limits: Limits, seed: u64) -> Result<DataSet, DataError> {
    let mut set = if source == STROKES {
        let at_most = |limit: Option<usize>, n: usize| limit.unwrap_or(n).min(n);
        let (train, test) = (at_most(limits.train, strokes::TRAIN), at_most(limits.test, strokes::TEST));
        let (train, test) = strokes::strokes(seed, train, test);
        let classes = (0..10).map(|c| c.to_string()).collect();
        DataSet { name: STROKES.into(), origin: format!("drawn with seed {seed}"), classes, train, test }
    } else {
        from_files(source)?
    };
    for (split, images, limit) in
        [("training", &mut set.train, limits.train), ("test", &mut set.test, limits.test)]
    {
        let n = images.len().min(limit.unwrap_or(usize::MAX));
        if n == 0 {
            return Err(DataError::Empty { name: set.name.clone(), split, limit });
        }
        images.labels.truncate(n);
        images.pixels.truncate(n * images.size[0] * images.size[1]);
    }
    Ok(set)
}

fn from_files(source: &str) -> Result<DataSet, DataError> {
    if let Some(listed) = manifest::find(source) {
        let places = places(source);
        let Some(dir) = places.iter().find(|p| idx_files(p).is_some()) else {
            let shown: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
            return Err(DataError::Missing { name: source.into(), places: shown.join(", ") });
        };
        return read_idx(dir, source, Some(listed.classes.clone()));
    }
    let dir = Path::new(source);
    if !dir.is_dir() {
        let names: Vec<String> = known().into_iter().map(|k| k.name).collect();
        return Err(DataError::Unknown { source_name: source.into(), names: names.join(", ") });
    }
    let name = dir.file_name().map_or_else(|| source.to_owned(), |n| n.to_string_lossy().into_owned());
    if idx_files(dir).is_some() {
        return read_idx(dir, &name, None);
    }
    let (classes, train, test) = folder::read(dir)?;
    Ok(DataSet { name, origin: dir.display().to_string(), classes, train, test })
}

/// Where a named set is looked for.
fn places(name: &str) -> Vec<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let given = std::env::var_os("FFM_DATA").filter(|v| !v.is_empty()).map(PathBuf::from);
    let here = Some(PathBuf::from("datasets"));
    let roots = [given, here, cache.map(|c| c.join("ffm-twin"))];
    roots.into_iter().flatten().map(|r| r.join(name)).collect()
}

/// The four standard files of a folder: training images and labels, test images and labels.
pub(super) fn idx_files(dir: &Path) -> Option<[PathBuf; 4]> {
    let find = |stem: &str, axes: u8| {
        let names = ["-", "."]
            .into_iter()
            .flat_map(|dot| ["", ".gz"].map(|end| format!("{stem}{dot}idx{axes}-ubyte{end}")));
        names.map(|n| dir.join(n)).find(|p| p.is_file())
    };
    Some([
        find("train-images", 3)?,
        find("train-labels", 1)?,
        find("t10k-images", 3)?,
        find("t10k-labels", 1)?,
    ])
}

fn read_idx(dir: &Path, name: &str, classes: Option<Vec<String>>) -> Result<DataSet, DataError> {
    let Some([images, labels, test_images, test_labels]) = idx_files(dir) else {
        return Err(DataError::invalid(dir, "the four IDX files are not there"));
    };
    let (train, test) = (idx::read_pair(&images, &labels)?, idx::read_pair(&test_images, &test_labels)?);
    if train.size != test.size {
        let problem = format!("{:?} pixels, but {} has {:?}", test.size, images.display(), train.size);
        return Err(DataError::invalid(&test_images, problem));
    }
    let found = train.labels.iter().chain(&test.labels).max().map_or(0, |&m| usize::from(m) + 1);
    let classes = classes.unwrap_or_else(|| (0..found).map(|c| c.to_string()).collect());
    for (set, file) in [(&train, &labels), (&test, &test_labels)] {
        if let Some(k) = set.labels.iter().position(|&l| usize::from(l) >= classes.len()) {
            let problem =
                format!("label {} of image {k}, but there are {} classes", set.labels[k], classes.len());
            return Err(DataError::invalid(file, problem));
        }
    }
    Ok(DataSet { name: name.into(), origin: dir.display().to_string(), classes, train, test })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::idx::tests::encode;

    fn write_idx(dir: &Path, label: u8) {
        let files: [(&str, Vec<u8>); 4] = [
            ("train-images.idx3-ubyte", encode(&[3, 2, 2], &[7; 12])),
            ("train-labels-idx1-ubyte", encode(&[3], &[0, 1, label])),
            ("t10k-images-idx3-ubyte", encode(&[1, 2, 2], &[9; 4])),
            ("t10k-labels-idx1-ubyte", encode(&[1], &[1])),
        ];
        for (name, bytes) in files {
            std::fs::write(dir.join(name), bytes).unwrap();
        }
    }

    #[test]
    fn a_folder_of_idx_files_is_a_data_set() {
        let dir = tempfile::tempdir().unwrap();
        write_idx(dir.path(), 2);
        let set = load(&dir.path().to_string_lossy(), Limits { train: Some(2), test: None }, 1).unwrap();
        assert_eq!(
            (set.classes.len(), set.train.len(), set.train.pixels.len(), set.test.len()),
            (3, 2, 8, 1)
        );
    }

    #[test]
    fn a_label_without_a_class_is_named() {
        let dir = tempfile::tempdir().unwrap();
        write_idx(dir.path(), 12);
        let classes = Some((0..10).map(|c: i32| c.to_string()).collect());
        let message = read_idx(dir.path(), "x", classes).unwrap_err().to_string();
        assert!(message.contains("train-labels") && message.contains("label 12 of image 2"), "{message}");
    }

    #[test]
    fn names_that_do_not_exist_and_empty_sets_are_refused() {
        let message = load("no-such-set", Limits::default(), 1).unwrap_err().to_string();
        assert!(message.contains("strokes, mnist, fashion-mnist"), "{message}");
        let message = load("strokes", Limits { train: Some(0), test: None }, 1).unwrap_err().to_string();
        assert!(message.contains("no training images"), "{message}");
    }

    #[test]
    fn the_real_sets_are_read_where_they_are() {
        let root =
            std::env::var_os("FFM_DATA").map_or_else(|| PathBuf::from("../shared/datasets"), PathBuf::from);
        for name in ["mnist", "fashion-mnist"] {
            let dir = root.join(name);
            if idx_files(&dir).is_none() {
                println!("skipped: {} is not there", dir.display());
                continue;
            }
            let set = read_idx(&dir, name, manifest::find(name).map(|l| l.classes.clone())).unwrap();
            assert_eq!((set.train.len(), set.test.len(), set.train.size), (60_000, 10_000, [28, 28]));
        }
    }
}
