//! Runs the binary and looks at what it says.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A tiny experiment: well below a second on one core.
const TINY: [&str; 10] = [
    "--set",
    "optics.pixels=32",
    "--set",
    "optics.layers=2",
    "--set",
    "data.train=32",
    "--set",
    "data.test=20",
    "--set",
    "train.epochs=1",
];

/// The CPU engine on one thread.
pub(crate) const CPU: [&str; 4] = ["--device", "cpu", "--threads", "1"];

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Insists on success.
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Insists on an exit code and on what the error says.
    pub(crate) fn fails(self, code: i32, says: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        let message = self.stderr.split("error: ").nth(1).unwrap_or_default();
        for part in says {
            assert!(message.contains(part), "{part:?} is not in: {}", self.stderr);
        }
        self
    }

    /// The last line of standard output.
    pub(crate) fn json(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {last}"))
    }
}

/// The binary in `dir`, away from the data sets and settings of whoever runs the tests.
pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ffm"));
    command.current_dir(dir).args(args).env("HOME", dir).env("FFM_CACHE_DIR", "off");
    for name in ["FFM_DATA", "FFM_LOG", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"] {
        command.env_remove(name);
    }
    command
}

/// Runs the binary in `dir`.
pub(crate) fn ffm(dir: &Path, args: &[&str]) -> Ran {
    Ran::of(&command(dir, args).output().expect("the binary starts"))
}

/// The arguments of a tiny training run.
pub(crate) fn tiny_args<'a>(device: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "--out", "run"], TINY.as_slice(), device, more].concat()
}

/// Trains a tiny experiment on the CPU, into `dir/run`.
pub(crate) fn tiny(dir: &Path, more: &[&str]) -> Ran {
    ffm(dir, &tiny_args(&CPU, more))
}

/// Text of a file.
pub(crate) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// JSON in a file.
pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_str(&text(path)).expect("JSON")
}

/// A folder for a test.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}
