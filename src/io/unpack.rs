//! Packed files, opened without trust in the lengths that they state.

use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;

/// No file of a bench unpacks to more; what does was made to fill the memory.
const LARGEST: u64 = 1 << 30;

/// Unpacks gzip data.
pub(super) fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    limited(MultiGzDecoder::new(bytes), LARGEST).map_err(|e| format!("damaged gzip data: {e}"))
}

/// An array of an `.npz` file, still as the bytes of an `.npy` file: the named one, or the first.
pub(super) fn npz_member(bytes: &[u8], name: Option<&str>) -> Result<Vec<u8>, String> {
    let mut archive =
        zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| format!("damaged .npz file: {e}"))?;
    let names: Vec<String> =
        archive.file_names().filter_map(|n| Some(n.strip_suffix(".npy")?.to_owned())).collect();
    let chosen = match name {
        None => names.first(),
        Some(name) => names.iter().find(|n| *n == name),
    };
    let Some(chosen) = chosen else {
        let held = if names.is_empty() { "no arrays".into() } else { names.join(", ") };
        return Err(format!("no array {:?}; the file holds {held}", name.unwrap_or("(the first)")));
    };
    let file = archive.by_name(&format!("{chosen}.npy")).map_err(|e| format!("array {chosen}: {e}"))?;
    limited(file, LARGEST).map_err(|e| format!("array {chosen}: {e}"))
}

fn limited(source: impl Read, largest: u64) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    source.take(largest + 1).read_to_end(&mut out).map_err(|e| e.to_string())?;
    if out.len() as u64 > largest {
        return Err(format!("it unpacks to more than {largest} bytes; store it unpacked if it is meant so"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn unpacking_is_bounded() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&[0; 5000]).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(gunzip(&packed).unwrap().len(), 5000);
        assert_eq!(limited(MultiGzDecoder::new(&packed[..]), 5000).unwrap().len(), 5000);
        let message = limited(MultiGzDecoder::new(&packed[..]), 4999).unwrap_err();
        assert!(message.contains("more than 4999 bytes"), "{message}");
        assert!(gunzip(&packed[..packed.len() - 9]).unwrap_err().contains("damaged gzip"));
        assert!(gunzip(b"plain").unwrap_err().contains("damaged gzip"));
    }
}
