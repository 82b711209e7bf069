//! Compiled kernels on disk, one file a device, so that the next engine need not compile them (Vulkan only).
//!
//! The file is the driver's data behind their SHA-256: a file that was cut short or changed is not shown to the driver.
//! Whether the data suit the device and its driver wgpu decides. A cache that cannot be read or written costs time only.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wgpu::{AdapterInfo, Features, PipelineCache, PipelineCacheDescriptor};

use crate::io::write_atomic;

use super::context::Context;

/// Where compiled kernels are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KernelCache {
    /// In the folder that `FFM_CACHE_DIR` names (`off`: nowhere), otherwise in `ffm-twin` below the user's folder for
    /// caches: `XDG_CACHE_HOME`, `~/.cache`, or `LOCALAPPDATA`.
    #[default]
    User,
    /// In this folder.
    Folder(PathBuf),
    /// Nowhere.
    Off,
}

impl KernelCache {
    fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::User => user_folder(|name| std::env::var_os(name)),
            Self::Folder(folder) => Some(folder.clone()),
            Self::Off => None,
        }
    }
}

fn user_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    match variable("FFM_CACHE_DIR") {
        Some(value) if value == "off" => return None,
        Some(folder) => return Some(folder.into()),
        None => {}
    }
    let home = || variable("HOME").map(|home| Path::new(&home).join(".cache"));
    let roots = variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    roots.or_else(|| variable("LOCALAPPDATA").map(PathBuf::from)).map(|root| root.join("ffm-twin"))
}

/// The cache of an open device; what is new in it is written when the device is given up.
#[derive(Debug)]
pub(super) struct OpenCache {
    pub(super) pipelines: PipelineCache,
    /// Bytes that an earlier engine left.
    pub(super) loaded: usize,
    path: PathBuf,
    /// Digest of the data in the file.
    kept: Option<[u8; DIGEST]>,
}

const DIGEST: usize = 32;

impl OpenCache {
    /// The cache of a device; none where it is switched off or the device has no such thing.
    pub(super) fn open(context: &Context, info: &AdapterInfo, choice: &KernelCache) -> Option<Self> {
        if !context.device.features().contains(Features::PIPELINE_CACHE) {
            return None;
        }
        let path = choice.folder()?.join(format!("{}.bin", wgpu::util::pipeline_cache_key(info)?));
        let found = std::fs::read(&path).ok().and_then(|file| contents(&file).map(<[u8]>::to_vec));
        let descriptor =
            PipelineCacheDescriptor { label: Some("kernels"), data: found.as_deref(), fallback: true };
        // SAFETY: the data are what `get_data` returned, as their digest shows, and wgpu compares device and driver.
        let create = || unsafe { context.device.create_pipeline_cache(&descriptor) };
        match context.guarded(create) {
            Ok(pipelines) => {
                let kept = found.as_ref().map(|data| Sha256::digest(data).into());
                Some(Self { pipelines, loaded: found.map_or(0, |data| data.len()), path, kept })
            }
            Err((_, reason)) => {
                tracing::debug!("no cache of compiled kernels: {reason}");
                None
            }
        }
    }

    fn keep(&self) {
        let Some(data) = self.pipelines.get_data() else { return };
        let digest: [u8; DIGEST] = Sha256::digest(&data).into();
        if self.kept == Some(digest) {
            return;
        }
        if let Err(error) = write_atomic(&self.path, &[&digest[..], &data].concat()) {
            tracing::debug!("compiled kernels are not kept: {error}");
        }
    }
}

impl Drop for OpenCache {
    fn drop(&mut self) {
        self.keep();
    }
}

/// The data of a file that is as it was written.
fn contents(file: &[u8]) -> Option<&[u8]> {
    let (digest, data) = file.split_at_checked(DIGEST)?;
    (Sha256::digest(data)[..] == *digest).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(variables: &[(&str, &str)]) -> Option<PathBuf> {
        user_folder(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_folder_follows_the_environment() {
        let home = ("HOME", "/home/me");
        assert_eq!(folder(&[home]), Some("/home/me/.cache/ffm-twin".into()));
        assert_eq!(folder(&[home, ("XDG_CACHE_HOME", "/cache")]), Some("/cache/ffm-twin".into()));
        assert_eq!(folder(&[("LOCALAPPDATA", "local")]), Some("local/ffm-twin".into()));
        assert_eq!(folder(&[home, ("FFM_CACHE_DIR", "/here")]), Some("/here".into()));
        assert_eq!(folder(&[home, ("FFM_CACHE_DIR", "")]), folder(&[home]));
        assert_eq!(folder(&[home, ("FFM_CACHE_DIR", "off")]), None);
        assert_eq!(folder(&[]), None);
    }

    #[test]
    fn only_whole_files_are_read() {
        let data = b"compiled";
        let file = [&Sha256::digest(data)[..], data].concat();
        assert_eq!(contents(&file), Some(&data[..]));
        assert_eq!(contents(&file[..file.len() - 1]), None);
        assert_eq!(contents(&file[..5]), None);
        let mut changed = file;
        changed[40 - 1] ^= 1;
        assert_eq!(contents(&changed), None);
    }
}
