//! Metrics of a run, row by row: `metrics.csv` in long form, `metrics.jsonl` the same as events.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{IoError, RunDir, write_atomic};

/// One figure.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    step: u64,
    epoch: u64,
    stage: String,
    split: String,
    name: String,
    /// `None` (null) where the figure is not a number: a diverged loss is a row, too.
    value: Option<f64>,
}

const HEADER: &str = "step,epoch,stage,split,name,value\n";

/// An appender for one stage of a run.
#[derive(Debug)]
pub struct Records {
    stage: String,
    csv: (PathBuf, File),
    events: (PathBuf, File),
}

impl Records {
    /// Opens (or begins) the records; rows of `stage` after step `kept` are dropped, so that a resumed run repeats none.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub fn open(dir: &RunDir, stage: &str, kept: u64) -> Result<Self, IoError> {
        Self::keeping(dir, stage, |row| row.step <= kept)
    }

    /// Opens the records; all rows of `stage` are dropped.
    ///
    /// # Errors
    /// As [`Records::open`].
    pub fn anew(dir: &RunDir, stage: &str) -> Result<Self, IoError> {
        Self::keeping(dir, stage, |_| false)
    }

    fn keeping(dir: &RunDir, stage: &str, kept: impl Fn(&Row) -> bool) -> Result<Self, IoError> {
        let (csv, events) = (dir.file("metrics.csv"), dir.file("metrics.jsonl"));
        let rows: Vec<Row> = match std::fs::read_to_string(&events) {
            // A line cut short by a crash is no row.
            Ok(text) => text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(IoError::read(&events, &e)),
        };
        let rows: Vec<Row> = rows.into_iter().filter(|r| r.stage != stage || kept(r)).collect();
        let table: String = rows.iter().map(line).collect();
        write_atomic(&csv, format!("{HEADER}{table}").as_bytes())?;
        write_atomic(&events, rows.iter().map(event).collect::<String>().as_bytes())?;
        Ok(Self { stage: stage.into(), csv: append(csv)?, events: append(events)? })
    }

    /// Adds one figure to both files and flushes it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(
        &mut self,
        step: u64,
        epoch: u64,
        split: &str,
        name: &str,
        value: f64,
    ) -> Result<(), IoError> {
        let row = Row {
            step,
            epoch,
            stage: self.stage.clone(),
            split: split.into(),
            name: name.into(),
            value: Some(value).filter(|v| v.is_finite()),
        };
        for ((path, file), text) in [(&mut self.csv, line(&row)), (&mut self.events, event(&row))] {
            file.write_all(text.as_bytes())
                .and_then(|()| file.flush())
                .map_err(|e| IoError::write(path, &e))?;
        }
        Ok(())
    }
}

fn append(path: PathBuf) -> Result<(PathBuf, File), IoError> {
    let open = |p: &Path| OpenOptions::new().append(true).open(p).map_err(|e| IoError::write(p, &e));
    let file = open(&path)?;
    Ok((path, file))
}

fn line(r: &Row) -> String {
    let value = r.value.map_or_else(|| "nan".to_owned(), |v| v.to_string());
    format!("{},{},{},{},{},{value}\n", r.step, r.epoch, r.stage, r.split, r.name)
}

fn event(r: &Row) -> String {
    serde_json::to_string(r).map_or_else(|_| String::new(), |text| text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_run_repeats_no_row() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create(Some(&dir.path().join("r")), "x", "h").unwrap();
        let mut records = Records::open(&run, "a", 0).unwrap();
        records.append(5, 1, "train", "loss", f64::NAN).unwrap();
        records.append(10, 2, "train", "loss", 0.25).unwrap();
        Records::open(&run, "b", 0).unwrap().append(3, 1, "test", "accuracy", 1.0 / 3.0).unwrap();
        // Cut short in the middle of a row.
        OpenOptions::new()
            .append(true)
            .open(run.file("metrics.jsonl"))
            .unwrap()
            .write_all(b"{\"step\": 9")
            .unwrap();
        Records::open(&run, "a", 5).unwrap().append(10, 2, "train", "loss", 0.125).unwrap();
        let csv = std::fs::read_to_string(run.file("metrics.csv")).unwrap();
        let expected =
            "5,1,a,train,loss,nan\n3,1,b,test,accuracy,0.3333333333333333\n10,2,a,train,loss,0.125\n";
        assert_eq!(csv, format!("{HEADER}{expected}"));
        assert_eq!(std::fs::read_to_string(run.file("metrics.jsonl")).unwrap().lines().count(), 3);
    }
}
