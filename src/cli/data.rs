//! `ffm data`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::{Common, Data};
use super::progress::bar;
use super::{print, print_json};
use crate::data;

/// Fetches or describes data sets.
pub(super) fn data(command: &Data, common: &Common) -> anyhow::Result<ExitCode> {
    match command {
        Data::Fetch { name, to } => fetch(name, to.as_deref(), common),
        Data::Info { source } => info(source.as_deref(), common),
    }
}

fn fetch(name: &str, to: Option<&Path>, common: &Common) -> anyhow::Result<ExitCode> {
    let folder = to.map_or_else(|| PathBuf::from("datasets").join(name), Path::to_path_buf);
    let template = "{msg:32} {bar:24} {bytes:>11} / {total_bytes:11} {bytes_per_sec:>13} {eta:>5}";
    let show = bar(0, !common.quiet, template);
    let files = data::fetch(name, &folder, &mut |file: &str, done: u64, total: u64| {
        show.set_length(total);
        show.set_position(done);
        show.set_message(file.to_owned());
    })?;
    show.finish_and_clear();
    print(&format!("{name}: {} files in {}, checksums right", files.len(), folder.display()));
    if common.json {
        print_json(&serde_json::json!({ "name": name, "folder": folder, "files": files }))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn info(source: Option<&str>, common: &Common) -> anyhow::Result<ExitCode> {
    let Some(source) = source else {
        for known in data::known() {
            print(&format!("{:14} {}", known.name, known.title));
        }
        if common.json {
            print_json(&data::known())?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let info = data::info(source)?;
    print(&info.to_string());
    if common.json {
        print_json(&info)?;
    }
    Ok(ExitCode::SUCCESS)
}
