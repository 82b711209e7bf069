//! A measurement folder on disk.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};

use super::{Frame, MeasureError, MeasurementConfig, Shown};
use crate::io;

/// The description's file name.
pub const FILE: &str = "measurement.toml";

/// A measurement folder.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The folder.
    pub dir: PathBuf,
    /// Its description.
    pub config: MeasurementConfig,
}

impl Measurement {
    /// Opens a folder and reads its description; frames are read one by one.
    ///
    /// # Errors
    /// A description that is missing or wrong, with file and key.
    pub fn open(dir: &Path) -> Result<Self, MeasureError> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| io::IoError::read(&path, &e))?;
        let config = io::settings(&text, &path.display().to_string(), &[])
            .map_err(|e| MeasureError::Config { file: path.display().to_string(), message: e.to_string() })?;
        Ok(Self { dir: dir.into(), config })
    }

    /// Writes the description.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn save(&self) -> Result<(), MeasureError> {
        let path = self.dir.join(FILE);
        let text = toml::to_string(&self.config)
            .map_err(|e| MeasureError::Config { file: path.display().to_string(), message: e.to_string() })?;
        Ok(io::write_atomic(&path, text.as_bytes())?)
    }

    /// The counts of frame `number` (from 1), turned as `[camera]` says, nothing subtracted: `[rows, cols]`.
    ///
    /// # Errors
    /// A file that is missing, no picture, or of another size.
    pub fn counts(&self, number: usize) -> Result<Array2<f64>, MeasureError> {
        let frame = self.frame(number)?;
        let camera = &self.config.camera;
        let mut counts = io::read_counts(&self.dir.join(&frame.file))?;
        if camera.padding_bits > 0 {
            let step = f64::from(1_u32 << camera.padding_bits.min(16));
            counts.mapv_inplace(|v| (v / step).floor());
        }
        if camera.transpose {
            counts.swap_axes(0, 1);
        }
        for (flip, axis) in [(camera.flip_y, 0), (camera.flip_x, 1)] {
            if flip {
                counts.invert_axis(Axis(axis));
            }
        }
        let expected = camera.pixels.both();
        if counts.shape() != expected {
            let problem = format!(
                "{} x {} pixels, but camera.pixels says {} x {}; correct one of them",
                counts.nrows(),
                counts.ncols(),
                expected[0],
                expected[1]
            );
            return Err(MeasureError::Frame { file: frame.file.clone(), number, problem });
        }
        Ok(counts.as_standard_layout().into_owned())
    }

    /// What layer `layer` (from 1) showed in frame `number` (from 1): gray values of the modulator's size. `None` where light
    /// did not pass it.
    ///
    /// # Errors
    /// A file that is missing, no picture, or not of the modulator's size.
    pub fn shown(&self, number: usize, layer: usize) -> Result<Option<Array2<u8>>, MeasureError> {
        let frame = self.frame(number)?;
        let [rows, cols] = self.config.optics.pixels.both();
        let file = match frame.show.get(&layer.to_string()) {
            None => return Ok(None),
            Some(Shown::Gray(gray)) => return Ok(Some(Array2::from_elem((rows, cols), *gray))),
            Some(Shown::File(file)) => file,
        };
        let gray = io::read_gray(&self.dir.join(file))?;
        if gray.dim() != (rows, cols) {
            let (r, c) = gray.dim();
            let problem =
                format!("{r} x {c} pixels, but optics.pixels says {rows} x {cols}; correct one of them");
            return Err(MeasureError::Frame { file: file.clone(), number, problem });
        }
        Ok(Some(gray.mapv(|v| (v * 255.0).round() as u8)))
    }

    fn frame(&self, number: usize) -> Result<&Frame, MeasureError> {
        let missing = || MeasureError::Config {
            file: self.dir.join(FILE).display().to_string(),
            message: format!("there is no frame {number}; there are {}", self.config.frames.len()),
        };
        number.checked_sub(1).and_then(|k| self.config.frames.get(k)).ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{MeasurementConfig, patterns};
    use crate::twin::Pair;

    #[test]
    fn frames_and_patterns_are_read_as_described() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = MeasurementConfig { name: "bench".into(), ..MeasurementConfig::default() };
        config.optics.pixels = Pair::One(16);
        config.camera.pixels = Pair::Two([3, 2]);
        config.camera.transpose = true;
        config.camera.flip_x = true;
        let pattern = patterns::random_blocks([16, 16], 2, 1);
        std::fs::write(dir.path().join("p.png"), io::png_gray8(&pattern).unwrap()).unwrap();
        let stored = ndarray::arr2(&[[1u8, 2, 3], [4, 5, 6]]);
        std::fs::write(dir.path().join("f.png"), io::png_gray8(&stored).unwrap()).unwrap();
        let show = [("1".to_owned(), Shown::File("p.png".into())), ("2".to_owned(), Shown::Gray(7))].into();
        config.frames.push(Frame { file: "f.png".into(), show, ..Frame::default() });
        let written = Measurement { dir: dir.path().into(), config };
        written.save().unwrap();
        let read = Measurement::open(dir.path()).unwrap();
        assert_eq!(read.config, written.config);
        assert_eq!(read.counts(1).unwrap(), ndarray::arr2(&[[4.0, 1.0], [5.0, 2.0], [6.0, 3.0]]));
        assert_eq!(read.shown(1, 1).unwrap(), Some(pattern));
        assert_eq!(read.shown(1, 2).unwrap(), Some(Array2::from_elem((16, 16), 7)));
        assert_eq!(read.shown(1, 3).unwrap(), None);
        assert!(read.counts(2).unwrap_err().to_string().contains("there is no frame 2"));
        let mut wrong = read;
        wrong.config.camera.transpose = false;
        let message = wrong.counts(1).unwrap_err().to_string();
        assert!(message.contains("f.png") && message.contains("camera.pixels"), "{message}");
    }

    #[test]
    fn wrong_keys_are_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "[camera]\npixel = 3").unwrap();
        let message = Measurement::open(dir.path()).unwrap_err().to_string();
        assert!(message.contains(FILE) && message.contains("camera.pixel"), "{message}");
        let message = Measurement::open(&dir.path().join("none")).unwrap_err().to_string();
        assert!(message.contains(FILE), "{message}");
    }
}
