//! Frames or fields against others of the same names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ndarray::Array2;

use super::Files;
use super::likeness::Found;
use crate::cli::args::Common;
use crate::io::{self, IoError};
use crate::optics::Field;
use crate::report::likeness::{Sample, compare, compare_field};

/// Extensions of files that can be compared.
const KINDS: [&str; 8] = ["npy", "png", "tif", "tiff", "bmp", "jpg", "jpeg", "pgm"];

pub(super) fn report(
    measured: &Path,
    against: &Path,
    files: &Files,
    common: &Common,
) -> anyhow::Result<ExitCode> {
    let (a, b) = (listed(measured)?, listed(against)?);
    let single = measured.is_file() && against.is_file();
    let pairs: Vec<(&String, &PathBuf, &PathBuf)> = match single {
        true => a.iter().zip(&b).map(|((name, x), (_, y))| (name, x, y)).collect(),
        false => a.iter().filter_map(|(name, x)| Some((name, x, b.get(name)?))).collect(),
    };
    let fail = |problem: String| IoError::Content { path: measured.display().to_string(), problem };
    if pairs.is_empty() {
        let shown = against.display();
        let problem =
            format!("no frame of {shown} has the name of one here; give both folders the same file names");
        return Err(fail(problem).into());
    }
    let mut found = Found {
        title: format!("Frames of {} and {}", measured.display(), against.display()),
        ..Found::default()
    };
    for (name, x, y) in &pairs {
        found.samples.push(pair(name, x, y)?);
    }
    let alone = a.len() + b.len() - 2 * pairs.len();
    if alone > 0 {
        found.warnings.push(format!("{alone} files have no counterpart of their name and are left out."));
    }
    found.findings.push(format!("Mean SSIM of {} pairs: {:.3}.", pairs.len(), found.ssim(0)));
    found.fact("Measured", measured.display().to_string());
    found.fact("Compared with", against.display().to_string());
    found.doubt(0, true, "Register camera and twin first: ffm calibrate DIR --out calibration.toml.");
    found.finish(files, common)
}

fn pair(name: &str, x: &Path, y: &Path) -> anyhow::Result<Sample> {
    let (a, b) = (Content::read(x)?, Content::read(y)?);
    let sizes = [a.shape(), b.shape()];
    if sizes[0] != sizes[1] {
        let [[r, c], [rows, cols]] = sizes;
        let problem = format!(
            "{r} x {c} pixels, but {} has {rows} x {cols}; only what is registered can be compared: let the twin look through \
             the camera's pixels (ffm calibrate DIR, then ffm report --measured DIR --calibration FILE), or crop and scale \
             both to one size",
            y.display()
        );
        return Err(IoError::Content { path: x.display().to_string(), problem }.into());
    }
    let sample = match (&a, &b) {
        (Content::Field(a), Content::Field(b)) => {
            compare_field(name, "complex field".into(), a, &[("compared", b)])
        }
        _ => compare(name, String::new(), a.intensity().view(), &[("compared", b.intensity().view())]),
    };
    sample.map_err(|e| anyhow::Error::new(e).context(format!("{} and {}", x.display(), y.display())))
}

/// What a file holds.
enum Content {
    Frame(Array2<f64>),
    Field(Field),
}

impl Content {
    /// Pictures and real arrays are intensities, arrays with an imaginary part are fields.
    fn read(path: &Path) -> Result<Self, IoError> {
        if path.extension().is_none_or(|e| e != "npy") {
            return Ok(Self::Frame(io::read_counts(path)?));
        }
        let field = io::read_field(path)?;
        match field.iter().any(|v| v.im != 0.0) {
            true => Ok(Self::Field(field)),
            false => Ok(Self::Frame(field.mapv(|v| v.re))),
        }
    }

    fn shape(&self) -> [usize; 2] {
        let (rows, cols) = match self {
            Self::Frame(a) => a.dim(),
            Self::Field(u) => u.dim(),
        };
        [rows, cols]
    }

    fn intensity(&self) -> Array2<f64> {
        match self {
            Self::Frame(a) => a.clone(),
            Self::Field(u) => u.mapv(|v| v.norm_sqr()),
        }
    }
}

/// Frames of a folder by name without extension, or the one file.
fn listed(path: &Path) -> Result<BTreeMap<String, PathBuf>, IoError> {
    let stem = |p: &Path| p.file_stem().map(|s| s.to_string_lossy().into_owned());
    if path.is_file() {
        return Ok(stem(path).map(|name| (name, path.to_path_buf())).into_iter().collect());
    }
    let entries = std::fs::read_dir(path).map_err(|e| IoError::read(path, &e))?;
    let known = |p: &PathBuf| {
        let kind = p.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        p.is_file() && KINDS.contains(&kind.as_str())
    };
    let found: BTreeMap<_, _> =
        entries.flatten().map(|e| e.path()).filter(known).filter_map(|p| Some((stem(&p)?, p))).collect();
    match found.is_empty() {
        true => Err(IoError::content(
            path,
            format!("there is no frame in it; files of type {} are", KINDS.join(", ")),
        )),
        false => Ok(found),
    }
}
