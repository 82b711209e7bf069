//! Data sets that are not what they should be.

use std::io::Write;
use std::path::Path;

use crate::support::{CPU, Ran, command, folder, tiny, tiny_args};

/// Training and test images of [`write_set`].
const IMAGES: [usize; 2] = [40, 12];

fn idx(shape: &[usize], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|&n| (n as u32).to_be_bytes()));
    bytes.extend(body);
    bytes
}

/// A folder of IDX files: 28 x 28 pixels, a bright bar whose row tells the class.
pub(crate) fn write_set(dir: &Path, classes: usize) {
    write_bars(dir, classes, 28);
}

/// The same with `side` x `side` pixels, two rows for a class.
pub(crate) fn write_bars(dir: &Path, classes: usize, side: usize) {
    std::fs::create_dir_all(dir).expect("a folder");
    for (stem, n) in ["train", "t10k"].into_iter().zip(IMAGES) {
        let labels: Vec<u8> = (0..n).map(|k| (k % classes) as u8).collect();
        let bar = |label: u8| {
            (0..side * side).map(move |p| if p / side == 2 * usize::from(label) { 255 } else { 0 })
        };
        let pixels: Vec<u8> = labels.iter().flat_map(|&l| bar(l)).collect();
        write(dir, &format!("{stem}-images-idx3-ubyte"), &idx(&[n, side, side], &pixels));
        write(dir, &format!("{stem}-labels-idx1-ubyte"), &idx(&[n], &labels));
    }
}

fn write(dir: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(dir.join(name), bytes).expect("a file");
}

/// A set in `dir/set`, spoilt.
fn spoilt(dir: &Path, spoil: impl Fn(&Path)) -> Ran {
    let set = dir.join("set");
    write_set(&set, 10);
    spoil(&set);
    tiny(dir, &["--data", "set"])
}

#[test]
fn a_folder_of_images_trains() {
    let dir = folder();
    write_set(&dir.path().join("set"), 3);
    let found = tiny(dir.path(), &["--data", "set", "--json"]).done().json();
    assert_eq!(found["test_samples"], IMAGES[1]);
}

#[test]
fn sets_that_are_not_there_are_named() {
    let dir = folder();
    tiny(dir.path(), &["--data", "nothing"]).fails(3, &["no data set \"nothing\"", "strokes, mnist"]);
    tiny(dir.path(), &["--data", "mnist"]).fails(3, &["datasets/mnist", "ffm data fetch mnist"]);
    std::fs::create_dir(dir.path().join("empty")).expect("a folder");
    tiny(dir.path(), &["--data", "empty"]).fails(3, &["empty: ", "four IDX files"]);
}

#[test]
fn no_images_are_too_few() {
    let dir = folder();
    tiny(dir.path(), &["--set", "data.train=0"]).fails(3, &["no training images", "data.train = 0"]);
    tiny(dir.path(), &["--set", "data.test=0"]).fails(3, &["no test images", "data.test = 0"]);
    assert!(!dir.path().join("run").exists());
}

#[test]
fn damaged_files_are_named() {
    let dir = folder();
    let images = "train-images-idx3-ubyte";
    let truncated = |set: &Path| {
        let bytes = std::fs::read(set.join(images)).expect("a file");
        write(set, images, &bytes[..bytes.len() / 2]);
    };
    spoilt(dir.path(), truncated).fails(3, &[images, "truncated: ", " of 31360 bytes"]);

    let dir = folder();
    let corrupt = |set: &Path| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&std::fs::read(set.join(images)).expect("a file")).expect("memory");
        let mut bytes = packed.finish().expect("memory");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        std::fs::remove_file(set.join(images)).expect("a file");
        write(set, &format!("{images}.gz"), &bytes);
    };
    spoilt(dir.path(), corrupt).fails(3, &["train-images-idx3-ubyte.gz", "damaged gzip"]);

    let dir = folder();
    let few = |set: &Path| write(set, "t10k-labels-idx1-ubyte", &idx(&[3], &[0, 1, 2]));
    spoilt(dir.path(), few).fails(3, &["t10k-images", "12 images, but 3 labels"]);
    assert!(!dir.path().join("run").exists());
}

#[test]
fn labels_without_a_class_are_named() {
    let dir = folder();
    // A named set has its own classes.
    let set = dir.path().join("sets/mnist");
    write_set(&set, 10);
    write(&set, "t10k-labels-idx1-ubyte", &idx(&[12], &[0, 1, 2, 11, 0, 0, 0, 0, 0, 0, 0, 0]));
    let args = tiny_args(&CPU, &["--data", "mnist"]);
    let ran = command(dir.path(), &args).env("FFM_DATA", dir.path().join("sets")).output().expect("starts");
    Ran::of(&ran).fails(3, &["t10k-labels", "label 11 of image 3", "10 classes"]);

    // Another folder has as many as its labels say; a number of detectors that is given must be that.
    let given = ["--data", "set", "--set", "detectors.classes=10"];
    write_set(&dir.path().join("set"), 12);
    tiny(dir.path(), &given).fails(2, &["detectors.classes = 10", "12 classes"]);
    write_set(&dir.path().join("set"), 4);
    tiny(dir.path(), &given).fails(2, &["detectors.classes = 10", "4 classes"]);

    assert!(!dir.path().join("run").exists());
}

#[test]
fn pictures_of_different_sizes_are_named() {
    let dir = folder();
    for (class, side) in [("a", 20), ("b", 21)] {
        let class = dir.path().join("set").join(class);
        std::fs::create_dir_all(&class).expect("a folder");
        image::GrayImage::new(side, side).save(class.join("1.png")).expect("a picture");
    }
    tiny(dir.path(), &["--data", "set"]).fails(3, &["1.png", "21 x 21", "20 x 20"]);
}
