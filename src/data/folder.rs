//! Folders of pictures: one folder per class.

use std::path::{Path, PathBuf};

use super::DataError;
use crate::engine::ImageSet;

/// File types that are pictures.
const KINDS: [&str; 5] = ["png", "jpg", "jpeg", "bmp", "pgm"];
/// Without folders for the two, every seventh picture of a class is a test picture.
const TEST_EVERY: usize = 7;

/// Class names, training images, test images.
pub(super) type Split = (Vec<String>, ImageSet, ImageSet);

/// Reads `DIR/train/CLASS/*` and `DIR/test/CLASS/*`, or `DIR/CLASS/*` split in seven.
pub(super) fn read(dir: &Path) -> Result<Split, DataError> {
    let (train, test) = (dir.join("train"), dir.join("test"));
    if train.is_dir() && test.is_dir() {
        let classes = class_names(&train, 2)?;
        let others = class_names(&test, 1)?;
        if let Some(stranger) = others.iter().find(|c| !classes.contains(c)) {
            return Err(DataError::invalid(
                &test,
                format!("class {stranger:?} is not in {}", train.display()),
            ));
        }
        let mut loader = Loader::default();
        for (label, class) in classes.iter().enumerate() {
            loader.add(&pictures(&train.join(class))?, label, |_| false)?;
            if others.contains(class) {
                loader.add(&pictures(&test.join(class))?, label, |_| true)?;
            }
        }
        return loader.finish(dir, classes);
    }
    let classes = class_names(dir, 2)?;
    let mut loader = Loader::default();
    for (label, class) in classes.iter().enumerate() {
        loader.add(&pictures(&dir.join(class))?, label, |k| k % TEST_EVERY == TEST_EVERY - 1)?;
    }
    loader.finish(dir, classes)
}

/// Sub-folders, `least` of them at least, by name, by number where all are numbers.
fn class_names(dir: &Path, least: usize) -> Result<Vec<String>, DataError> {
    let entries = std::fs::read_dir(dir).map_err(|e| DataError::unreadable(dir, e))?;
    let folders = entries.filter_map(Result::ok).filter(|e| e.path().is_dir());
    let names = folders.map(|e| e.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|n| !n.starts_with('.')).collect();
    names.sort();
    if names.iter().all(|n| n.parse::<u64>().is_ok()) {
        names.sort_by_key(|n| n.parse::<u64>().unwrap_or(u64::MAX));
    }
    match names.len() {
        n if n < least => Err(DataError::invalid(
            dir,
            "expected the four IDX files, or one folder of pictures per class (two at least)",
        )),
        n if n > 255 => Err(DataError::invalid(dir, format!("{n} classes; 255 at most"))),
        _ => Ok(names),
    }
}

fn pictures(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let entries = std::fs::read_dir(dir).map_err(|e| DataError::unreadable(dir, e))?;
    let is_picture = |p: &PathBuf| {
        p.extension().is_some_and(|e| KINDS.contains(&e.to_string_lossy().to_lowercase().as_str()))
    };
    let mut files: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|e| e.path()).filter(is_picture).collect();
    files.sort();
    Ok(files)
}

/// Collects pictures of one size.
#[derive(Default)]
struct Loader {
    first: Option<(PathBuf, [usize; 2])>,
    train: (Vec<u8>, Vec<u8>),
    test: (Vec<u8>, Vec<u8>),
}

impl Loader {
    fn add(
        &mut self,
        files: &[PathBuf],
        label: usize,
        is_test: impl Fn(usize) -> bool,
    ) -> Result<(), DataError> {
        for (k, path) in files.iter().enumerate() {
            let picture = image::open(path)
                .map_err(|e| DataError::invalid(path, format!("no picture: {e}")))?
                .to_luma8();
            let size = [picture.height() as usize, picture.width() as usize];
            let (first, expected) = self.first.get_or_insert_with(|| (path.clone(), size));
            if *expected != size {
                let problem = format!(
                    "{} x {} pixels, but {} has {} x {}; all pictures must have one size",
                    size[0],
                    size[1],
                    first.display(),
                    expected[0],
                    expected[1]
                );
                return Err(DataError::invalid(path, problem));
            }
            let (pixels, labels) = if is_test(k) { &mut self.test } else { &mut self.train };
            pixels.extend(picture.into_raw());
            labels.push(label as u8);
        }
        Ok(())
    }

    fn finish(self, dir: &Path, classes: Vec<String>) -> Result<Split, DataError> {
        let Some((_, size)) = self.first else {
            return Err(DataError::invalid(dir, format!("no pictures ({})", KINDS.join(", "))));
        };
        let set = |(pixels, labels)| interleave(&ImageSet { size, pixels, labels });
        Ok((classes, set(self.train), set(self.test)))
    }
}

/// The first picture of every class, the second of every class, ...: the first n pictures of a set then hold all classes.
fn interleave(set: &ImageSet) -> ImageSet {
    let mut seen = [0usize; 256];
    let rank = |&label: &u8| {
        seen[usize::from(label)] += 1;
        seen[usize::from(label)]
    };
    let ranks: Vec<usize> = set.labels.iter().map(rank).collect();
    let mut order: Vec<usize> = (0..set.len()).collect();
    order.sort_by_key(|&k| (ranks[k], set.labels[k]));
    let n = set.size[0] * set.size[1];
    ImageSet {
        size: set.size,
        pixels: order.iter().flat_map(|&k| &set.pixels[k * n..(k + 1) * n]).copied().collect(),
        labels: order.iter().map(|&k| set.labels[k]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(path: &Path, side: u32, gray: u8) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::GrayImage::from_pixel(side, side, image::Luma([gray])).save(path).unwrap();
    }

    #[test]
    fn class_folders_are_split_in_seven() {
        let dir = tempfile::tempdir().unwrap();
        for class in ["10", "2"] {
            for k in 0..7 {
                picture(&dir.path().join(format!("{class}/{k}.png")), 4, 10 * k);
            }
        }
        let (classes, train, test) = read(dir.path()).unwrap();
        assert_eq!(classes, ["2", "10"]);
        assert_eq!((train.len(), test.len(), train.size), (12, 2, [4, 4]));
        assert_eq!(test.pixels[0], 60);
        assert_eq!(train.labels, [0, 1].repeat(6), "classes take turns");
    }

    #[test]
    fn given_splits_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        for (name, gray) in [("train/a/1.png", 1), ("train/b/1.bmp", 2), ("test/b/1.png", 3)] {
            picture(&dir.path().join(name), 3, gray);
        }
        let (classes, train, test) = read(dir.path()).unwrap();
        assert_eq!((classes.len(), train.labels, test.labels, test.pixels[0]), (2, vec![0, 1], vec![1], 3));
        picture(&dir.path().join("test/zebra/1.png"), 3, 1);
        assert!(read(dir.path()).unwrap_err().to_string().contains("zebra"));
    }

    #[test]
    fn odd_pictures_are_named() {
        let dir = tempfile::tempdir().unwrap();
        picture(&dir.path().join("a/1.png"), 4, 0);
        picture(&dir.path().join("b/1.png"), 5, 0);
        let message = read(dir.path()).unwrap_err().to_string();
        assert!(
            message.contains("5 x 5") && message.contains("4 x 4") && message.contains("1.png"),
            "{message}"
        );
        std::fs::write(dir.path().join("b/1.png"), "nonsense").unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("no picture"));
        let empty = tempfile::tempdir().unwrap();
        assert!(read(empty.path()).unwrap_err().to_string().contains("one folder of pictures per class"));
    }
}
