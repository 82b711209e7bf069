//! Whole files or none: written to a temporary name beside the target, flushed to the disk, renamed.

use std::io::Write;
use std::path::Path;

use super::IoError;

/// Writes `bytes` to `path`; folders are made. Whoever reads the file sees the old content or the new, never a part.
///
/// # Errors
/// [`IoError::Write`] with the path and what to do.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    let fail = |e: std::io::Error| IoError::write(path, &e);
    let folder = folder(path);
    std::fs::create_dir_all(folder).map_err(fail)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    share(file.as_file()).map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

/// Whether `path` can be written, before the work whose result it is to hold; folders are made.
///
/// # Errors
/// As [`write_atomic`].
pub fn check_writable(path: &Path) -> Result<(), IoError> {
    let fail = |e: std::io::Error| IoError::write(path, &e);
    let folder = folder(path);
    std::fs::create_dir_all(folder).map_err(fail)?;
    tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    match path.is_dir() {
        true => Err(fail(std::io::ErrorKind::IsADirectory.into())),
        false => Ok(()),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Temporary files are private; results are for everyone who may enter the folder.
#[cfg(unix)]
fn share(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn share(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c.txt");
        write_atomic(&path, b"long content").unwrap();
        write_atomic(&path, b"short").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("file");
        std::fs::write(&blocked, "x").unwrap();
        let error = write_atomic(&blocked.join("below"), b"x").unwrap_err();
        assert!(error.is_output() && error.to_string().contains("below"), "{error}");
        for place in [&blocked.join("below"), &dir.path().to_path_buf()] {
            assert!(check_writable(place).unwrap_err().is_output());
        }
    }

    #[test]
    fn a_check_leaves_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/old.txt");
        write_atomic(&path, b"old").unwrap();
        check_writable(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_full_disk_says_so() {
        let error = IoError::write(Path::new("x"), &std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert!(error.to_string().contains("the disk is full"), "{error}");
    }
}
