//! A folder to begin with.

use std::path::{Path, PathBuf};

use super::{FILE, MeasureError, patterns};
use crate::io::{self, IoError};
use crate::optics::Length;
use crate::twin::{OpticsConfig, Pair};

const TEMPLATE: &str = include_str!("../../assets/measurement.toml");
/// Modulator pixels that a block of the random patterns is wide.
const BLOCK: usize = 4;

/// Makes `dir` with a commented `measurement.toml` for this nominal bench, two random patterns to show, and an empty folder for
/// the frames. Returns the files.
///
/// # Errors
/// A folder that has a `measurement.toml` already, or cannot be written to.
pub fn init(dir: &Path, optics: &OpticsConfig) -> Result<Vec<PathBuf>, MeasureError> {
    let description = dir.join(FILE);
    if description.exists() {
        let message = "there is one already; choose another folder, or move it away".into();
        return Err(MeasureError::Config { file: description.display().to_string(), message });
    }
    std::fs::create_dir_all(dir.join("frames")).map_err(|e| IoError::write(&dir.join("frames"), &e))?;
    let mut files = Vec::new();
    for number in 1..=2 {
        let path = dir.join(format!("patterns/random-{number}.png"));
        let pattern = patterns::random_blocks(optics.pixels.both(), BLOCK, number);
        io::write_atomic(&path, &io::png_gray8(&pattern)?)?;
        files.push(path);
    }
    io::write_atomic(&description, text(optics)?.as_bytes())?;
    files.push(description);
    Ok(files)
}

fn text(optics: &OpticsConfig) -> Result<String, MeasureError> {
    #[derive(serde::Serialize)]
    struct Optics<'a> {
        optics: &'a OpticsConfig,
    }
    let wrong = |e: toml::ser::Error| MeasureError::Config { file: FILE.into(), message: e.to_string() };
    let table = toml::to_string(&Optics { optics }).map_err(wrong)?;
    let pixels = match optics.pixels {
        Pair::One(n) => n.to_string(),
        Pair::Two([rows, cols]) => format!("[{rows}, {cols}]"),
    };
    let pitch = match optics.pitch {
        Pair::One(p) => format!("\"{p}\""),
        Pair::Two([y, x]) => format!("[\"{y}\", \"{x}\"]"),
    };
    let near = Length((patterns::NEARER * optics.distance.0 * 1e6).round() / 1e6);
    Ok(TEMPLATE
        .replace("{optics}", &table)
        .replace("{pixels}", &pixels)
        .replace("{pitch}", &pitch)
        .replace("{near}", &format!("\"{near}\""))
        .replace("{far}", &format!("\"{}\"", optics.distance)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Kind, Measurement};

    #[test]
    fn the_template_loads_and_only_lacks_its_frames() {
        let dir = tempfile::tempdir().unwrap();
        let benches = [
            OpticsConfig::default(),
            OpticsConfig {
                pixels: Pair::Two([40, 64]),
                pitch: Pair::Two([Length(8e-6), Length(9.2e-6)]),
                bits: Some(8),
                ..OpticsConfig::default()
            },
        ];
        for (k, optics) in benches.iter().enumerate() {
            let folder = dir.path().join(k.to_string());
            let files = init(&folder, optics).unwrap();
            assert!(files.iter().all(|f| f.is_file()));
            let read = Measurement::open(&folder).unwrap();
            assert_eq!(&read.config.optics, optics);
            assert_eq!(read.config.camera.pixels.both(), optics.pixels.both());
            assert_eq!(read.shown(2, 1).unwrap().unwrap().shape(), optics.pixels.both());
            let check = read.check();
            assert_eq!(check.frames.len(), 5);
            assert!(check.problems.iter().all(|p| p.kind == Kind::Missing), "{:?}", check.problems);
            assert_eq!(check.problems.len(), 5);
        }
    }

    #[test]
    fn what_is_there_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "name = 'mine'").unwrap();
        let message = init(dir.path(), &OpticsConfig::default()).unwrap_err().to_string();
        assert!(message.contains("there is one already"), "{message}");
        assert_eq!(std::fs::read_to_string(dir.path().join(FILE)).unwrap(), "name = 'mine'");
        assert!(!dir.path().join("patterns").exists());
    }
}
