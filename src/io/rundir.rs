//! Run folders: a run explains itself.

use std::path::{Path, PathBuf};

use super::{IoError, write_atomic};

/// A run folder.
///
/// ```text
/// config.toml  env.json  metrics.csv  metrics.jsonl  checkpoints/  masks/  report.html  summary.json  DONE | FAILED
/// ```
#[derive(Clone, Debug)]
pub struct RunDir(PathBuf);

impl RunDir {
    /// Makes `out`, or `runs/<UTC time>_<name>_<hash>`.
    ///
    /// # Errors
    /// A folder that holds something already, or cannot be made.
    pub fn create(out: Option<&Path>, name: &str, hash: &str) -> Result<Self, IoError> {
        let path = out.map_or_else(|| default_path(name, hash), Path::to_path_buf);
        let used = std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some());
        if used {
            let shown = path.display();
            let reason = if path.join("config.toml").exists() {
                format!("it holds a run already; choose another folder, or go on with: ffm resume {shown}")
            } else {
                "the folder is not empty; choose another".into()
            };
            return Err(IoError::Write { path: shown.to_string(), reason });
        }
        let run = Self(path);
        for sub in ["checkpoints", "masks"] {
            let folder = run.0.join(sub);
            std::fs::create_dir_all(&folder).map_err(|e| IoError::write(&folder, &e))?;
        }
        Ok(run)
    }

    /// Opens a run folder.
    ///
    /// # Errors
    /// When there is no `config.toml` in it.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        match path.join("config.toml").is_file() {
            true => Ok(Self(path.to_path_buf())),
            false => Err(IoError::Content {
                path: path.display().to_string(),
                problem: "not a run folder (it has no config.toml)".into(),
            }),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, relative: &str) -> PathBuf {
        self.0.join(relative)
    }

    /// The checkpoint of a stage.
    pub fn checkpoint(&self, stage: &str) -> PathBuf {
        self.0.join("checkpoints").join(format!("{stage}.safetensors"))
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// As [`write_atomic`].
    pub fn write(&self, relative: &str, bytes: &[u8]) -> Result<(), IoError> {
        write_atomic(&self.file(relative), bytes)
    }

    /// Marks the run as finished.
    ///
    /// # Errors
    /// As [`write_atomic`].
    pub fn mark_done(&self) -> Result<(), IoError> {
        self.mark("DONE", "FAILED", "")
    }

    /// Marks the run as failed, with the reason.
    ///
    /// # Errors
    /// As [`write_atomic`].
    pub fn mark_failed(&self, reason: &str) -> Result<(), IoError> {
        self.mark("FAILED", "DONE", reason)
    }

    fn mark(&self, name: &str, opposite: &str, text: &str) -> Result<(), IoError> {
        self.write(name, format!("{text}\n").as_bytes())?;
        let other = self.file(opposite);
        match std::fs::remove_file(&other) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(IoError::write(&other, &e)),
            _ => Ok(()),
        }
    }
}

/// Names become folder names: letters, digits, dash, underscore.
fn default_path(name: &str, hash: &str) -> PathBuf {
    let plain: String = name.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
    let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S");
    PathBuf::from("runs").join(format!("{time}_{plain}_{hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let run = RunDir::create(Some(&path), "x", "abc").unwrap();
        assert!(RunDir::open(&path).is_err(), "no config.toml yet");
        run.write("config.toml", b"").unwrap();
        assert!(RunDir::open(&path).is_ok());
        let message = RunDir::create(Some(&path), "x", "abc").unwrap_err().to_string();
        assert!(message.contains("ffm resume"), "{message}");
    }

    #[test]
    fn a_run_is_done_or_failed() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create(Some(&dir.path().join("r")), "x", "abc").unwrap();
        run.mark_failed("no light").unwrap();
        assert_eq!(std::fs::read_to_string(run.file("FAILED")).unwrap(), "no light\n");
        run.mark_done().unwrap();
        assert!(run.file("DONE").exists() && !run.file("FAILED").exists());
    }

    #[test]
    fn default_names_are_safe() {
        let path = default_path("my net/../x", "abc123");
        assert_eq!(path.components().count(), 2);
        assert!(path.to_string_lossy().ends_with("_my_net____x_abc123"), "{path:?}");
    }
}
