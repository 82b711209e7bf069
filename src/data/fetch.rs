//! Downloads: resumed where they broke off, checked, tried on every mirror.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::manifest::{self, Listed, ListedFile};
use super::{DataError, known};

/// A file that is there now.
#[derive(Clone, Debug, Serialize)]
pub struct Fetched {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, as it should be.
    pub sha256: String,
}

/// Told the file, the bytes done and the bytes in all.
pub(super) type OnProgress<'a> = &'a mut dyn FnMut(&str, u64, u64);

/// Fetches a named data set into `folder`. Files that are there and right are left alone; a download that broke off goes on.
///
/// # Errors
/// An unknown name, a folder that cannot be written, or what every mirror answered.
pub fn fetch(name: &str, folder: &Path, progress: OnProgress<'_>) -> Result<Vec<Fetched>, DataError> {
    let Some(set) = manifest::find(name) else {
        let names: Vec<String> =
            known().into_iter().map(|k| k.name).filter(|n| manifest::find(n).is_some()).collect();
        return Err(DataError::Unknown { source_name: name.into(), names: names.join(", ") });
    };
    std::fs::create_dir_all(folder).map_err(|e| DataError::unwritable(folder, e))?;
    fetch_set(set, folder, progress)
}

fn fetch_set(set: &Listed, folder: &Path, progress: OnProgress<'_>) -> Result<Vec<Fetched>, DataError> {
    set.files.iter().map(|file| fetch_file(set, file, folder, &mut *progress)).collect()
}

fn fetch_file(
    set: &Listed,
    file: &ListedFile,
    folder: &Path,
    progress: OnProgress<'_>,
) -> Result<Fetched, DataError> {
    let path = folder.join(&file.name);
    let done = Fetched { path: path.clone(), bytes: file.bytes, sha256: file.sha256.clone() };
    if path.is_file() && checksum(&path).map_err(|e| DataError::unreadable(&path, e))? == file.sha256 {
        return Ok(done);
    }
    let part = folder.join(format!("{}.part", file.name));
    let mut reasons = Vec::new();
    for mirror in &set.mirrors {
        let url = format!("{mirror}{}", file.name);
        match download(&url, &part, file, &mut *progress) {
            Ok(()) => {
                std::fs::rename(&part, &path).map_err(|e| DataError::unwritable(&path, e))?;
                return Ok(done);
            }
            Err(reason) => reasons.push(format!("{url}: {reason}")),
        }
    }
    reasons.push(format!("without a network, put the file into {} by hand", folder.display()));
    Err(DataError::Download { file: file.name.clone(), reasons: reasons.join("; ") })
}

/// One file from one mirror into `part`, from where it broke off.
fn download(url: &str, part: &Path, file: &ListedFile, progress: OnProgress<'_>) -> Result<(), String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let mut have = part.metadata().map_or(0, |m| m.len());
    if have > file.bytes {
        have = 0;
    }
    if have < file.bytes {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            // A server that stalls for good must not hang the program; half an hour is slow for 26 MB.
            .timeout_recv_body(Some(Duration::from_secs(1800)))
            .build()
            .into();
        // The files are gzip already: a transfer encoding would change their bytes.
        let mut request = agent.get(url).header("Accept-Encoding", "identity");
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let response = request.call().map_err(|e| text(&e))?;
        // A server that does not resume sends the whole file.
        if response.status().as_u16() != 206 {
            have = 0;
        }
        let mut out = if have > 0 { OpenOptions::new().append(true).open(part) } else { File::create(part) }
            .map_err(|e| text(&e))?;
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = body.read(&mut buffer).map_err(|e| text(&e))?;
            if n == 0 {
                break;
            }
            have += n as u64;
            if have > file.bytes {
                break;
            }
            out.write_all(&buffer[..n]).map_err(|e| text(&e))?;
            progress(&file.name, have, file.bytes);
        }
        out.sync_all().map_err(|e| text(&e))?;
        if have < file.bytes {
            return Err(format!("broke off after {have} of {} bytes", file.bytes));
        }
    }
    let found = checksum(part).map_err(|e| text(&e))?;
    if found != file.sha256 || have > file.bytes {
        // A wrong file must not be resumed.
        std::fs::remove_file(part).map_err(|e| text(&e))?;
        return Err(format!(
            "wrong content: {have} bytes with SHA-256 {found}, expected {} with {}",
            file.bytes, file.sha256
        ));
    }
    Ok(())
}

/// SHA-256 of a file, hexadecimal.
fn checksum(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
    }
    Ok(hasher.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::{TcpListener, TcpStream};

    const CONTENT: &[u8] = b"sixteen bytes ok";

    /// How a little server answers.
    #[derive(Clone, Copy)]
    enum Manner {
        /// Whole, or the rest when a range is asked for.
        Well,
        /// Whole, whatever is asked for.
        NoResume,
        Wrong,
        Broken,
        /// Says 16 bytes, sends 5.
        Short,
    }

    /// The mirror's address. `Well` refuses to send more than it was asked for, which the resume test relies on.
    fn serve(manner: Manner) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || listener.incoming().take(8).flatten().for_each(|s| answer(s, manner)));
        url
    }

    fn answer(mut stream: TcpStream, manner: Manner) {
        let mut from = 0;
        for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok) {
            if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
                from = range.trim_end_matches('-').parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let (status, body): (&str, &[u8]) = match manner {
            Manner::Well if from > 0 => ("206 Partial Content", &CONTENT[from..]),
            Manner::Well | Manner::NoResume | Manner::Short => ("200 OK", CONTENT),
            Manner::Wrong => ("200 OK", b"sixteen bytes NO"),
            Manner::Broken => ("500 Oops", b""),
        };
        let sent = if let Manner::Short = manner { &body[..5] } else { body };
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let _client_may_be_gone = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent));
    }

    fn set(mirrors: Vec<String>) -> Listed {
        let sha256 = Sha256::digest(CONTENT).iter().map(|b| format!("{b:02x}")).collect();
        let file = ListedFile { name: "f.gz".into(), bytes: CONTENT.len() as u64, sha256 };
        Listed {
            name: "x".into(),
            title: String::new(),
            licence: String::new(),
            mirrors,
            classes: Vec::new(),
            files: vec![file],
        }
    }

    /// Content after fetching, and the first byte count that was reported.
    fn run(manners: &[Manner], part: Option<&[u8]>) -> (Result<Vec<u8>, String>, Option<u64>) {
        let dir = tempfile::tempdir().unwrap();
        if let Some(part) = part {
            std::fs::write(dir.path().join("f.gz.part"), part).unwrap();
        }
        let mut first = None;
        let set = set(manners.iter().map(|m| serve(*m)).collect());
        let fetched = fetch_set(&set, dir.path(), &mut |_, done, _| {
            first.get_or_insert(done);
        });
        (fetched.map(|f| std::fs::read(&f[0].path).unwrap()).map_err(|e| e.to_string()), first)
    }

    #[test]
    fn a_file_is_fetched_and_resumed() {
        assert_eq!(run(&[Manner::Well], None).0.unwrap(), CONTENT);
        let (content, first) = run(&[Manner::Well], Some(&CONTENT[..6]));
        assert_eq!((content.unwrap(), first), (CONTENT.to_vec(), Some(16)));
        assert_eq!(run(&[Manner::NoResume], Some(&CONTENT[..6])).0.unwrap(), CONTENT);
        assert!(run(&[], Some(CONTENT)).0.is_err(), "no mirror, nothing asked");
    }

    #[test]
    fn the_next_mirror_is_tried() {
        assert_eq!(run(&[Manner::Broken, Manner::Well], None).0.unwrap(), CONTENT);
        assert_eq!(run(&[Manner::Wrong, Manner::Well], None).0.unwrap(), CONTENT);
        assert_eq!(run(&[Manner::Short, Manner::Well], None).0.unwrap(), CONTENT);
        assert_eq!(
            run(&[Manner::Well], Some(b"rubbish")).0.map_err(|e| e.contains("wrong content")),
            Err(true)
        );
    }

    #[test]
    fn failures_name_every_mirror() {
        let message = run(&[Manner::Wrong, Manner::Broken], None).0.unwrap_err();
        assert!(
            message.contains("wrong content") && message.contains("500") && message.contains("by hand"),
            "{message}"
        );
        let gone = { TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
        let dir = tempfile::tempdir().unwrap();
        let refused = fetch_set(&set(vec![format!("http://{gone}/")]), dir.path(), &mut |_, _, _| ());
        assert!(refused.unwrap_err().to_string().contains("without a network"));
        assert!(fetch("nothing", dir.path(), &mut |_, _, _| ()).is_err());
    }

    #[test]
    fn a_right_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f.gz"), CONTENT).unwrap();
        assert!(fetch_set(&set(Vec::new()), dir.path(), &mut |_, _, _| ()).is_ok());
    }
}
