//! Who this data belongs to: the format and the cluster's id, written before anything else.
//!
//! The file `meta` in the data directory is one line of text that a person can read. Every journal segment,
//! checkpoint and base engine repeats the id, so files of different clusters cannot be mixed unnoticed.

use std::fmt;
use std::io;
use std::path::Path;

use crate::errors::OpenError;
use crate::fs::{FileSystem, write_atomically};
use crate::record::RandomSource;

/// The newest on-disk format this version reads and the one it writes.
pub const FORMAT: u32 = 1;
/// Name of the identity file.
pub(crate) const META_FILE: &str = "meta";

/// A cluster's id: a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClusterId(pub [u8; 16]);

impl ClusterId {
    /// A random id (UUID version 4).
    pub fn random(random: &RandomSource) -> ClusterId {
        let mut bytes = [0; 16];
        random(&mut bytes);
        bytes[6] = bytes[6] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        ClusterId(bytes)
    }

    /// Reads the usual text form.
    pub fn parse(text: &str) -> Option<ClusterId> {
        let hex: String = text.chars().filter(|c| *c != '-').collect();
        if hex.len() != 32 || !hex.is_ascii() {
            return None;
        }
        let mut bytes = [0; 16];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(place * 2..place * 2 + 2)?, 16).ok()?;
        }
        Some(ClusterId(bytes))
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let dash = if matches!(place, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

/// Reads the identity of a data directory, or writes a new one with `wanted` as the id. `stored` is the id
/// that other files in the directory carry, if any are there.
pub(crate) fn read_or_create(
    files: &dyn FileSystem,
    dir: &Path,
    wanted: ClusterId,
    stored: Option<ClusterId>,
) -> Result<ClusterId, OpenError> {
    let path = dir.join(META_FILE);
    match files.read(&path) {
        Ok(bytes) => parse(&String::from_utf8_lossy(&bytes), &path, stored),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = stored.unwrap_or(wanted);
            let text = format!("coracle store, format {FORMAT}, cluster {id}\n");
            write_atomically(files, dir, META_FILE, text.as_bytes())
                .map_err(|source| OpenError::io("write", &path, source))?;
            Ok(id)
        }
        Err(source) => Err(OpenError::io("read", &path, source)),
    }
}

fn parse(text: &str, path: &Path, stored: Option<ClusterId>) -> Result<ClusterId, OpenError> {
    let damaged = || OpenError::MetaDamaged {
        path: path.to_owned(),
    };
    let rest = text.strip_prefix("coracle store, format ").ok_or_else(damaged)?;
    let (format, id) = rest.trim_end().split_once(", cluster ").ok_or_else(damaged)?;
    let format: u32 = format.parse().map_err(|_| damaged())?;
    if format > FORMAT {
        return Err(OpenError::NewerFormat {
            path: path.to_owned(),
            found: format,
            known: FORMAT,
        });
    }
    let id = ClusterId::parse(id).ok_or_else(damaged)?;
    match stored {
        Some(stored) if stored != id => Err(OpenError::OtherCluster {
            path: path.to_owned(),
        }),
        _ => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::SimulatedFiles;
    use std::sync::Arc;

    #[test]
    fn an_id_reads_back_and_is_a_version_4_uuid() {
        let id = ClusterId::random(&(Arc::new(|buf: &mut [u8]| buf.fill(0xAB)) as RandomSource));
        assert_eq!(id.to_string(), "abababab-abab-4bab-abab-abababababab");
        assert_eq!(ClusterId::parse(&id.to_string()), Some(id));
        assert_eq!(ClusterId::parse("nonsense"), None);
    }

    #[test]
    fn a_newer_format_a_stranger_and_nonsense_are_told_apart() {
        let files = SimulatedFiles::default();
        let dir = Path::new("/data");
        let id = ClusterId([1; 16]);
        assert_eq!(read_or_create(&files, dir, id, None).unwrap(), id);
        assert_eq!(
            read_or_create(&files, dir, ClusterId([2; 16]), None).unwrap(),
            id,
            "an id stays"
        );
        let stranger = read_or_create(&files, dir, id, Some(ClusterId([2; 16])));
        assert!(matches!(stranger, Err(OpenError::OtherCluster { .. })));
        let change = |from: &'static str, to: &'static str| {
            files.damage(&dir.join(META_FILE), |bytes| {
                *bytes = String::from_utf8_lossy(bytes).replace(from, to).into_bytes();
            });
            read_or_create(&files, dir, id, None)
        };
        assert!(matches!(
            change("format 1", "format 2"),
            Err(OpenError::NewerFormat { found: 2, .. })
        ));
        assert!(matches!(
            change("coracle", "barnacle"),
            Err(OpenError::MetaDamaged { .. })
        ));
    }
}
