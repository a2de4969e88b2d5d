//! The key that seals Secrets in the store: a file of mode 0600 beside it, made at first start.
//!
//! One line a key, `ID HEX`; the first seals, all of them open, so a key is replaced by putting another line above it,
//! and forgotten by taking its line away once nothing is sealed with it any more ([`crate::rotation`]).

use std::{fmt::Write, fs, path::Path, sync::Arc};

use coracle_service::{Random, pki};
use coracle_store::{RandomSource, RecordCodec, SealKey};

const FILE: &str = "secrets.key";

/// Why there is no key to seal with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("read {path}")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file has another form.
    #[error(
        "read {path}: line {line} is not of the form `ID HEX` with 64 hexadecimal digits; put back the original file, without it no Secret can be read"
    )]
    Malformed {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: usize,
    },
    /// A new file cannot be written.
    #[error(transparent)]
    Write(#[from] pki::Error),
}

/// The codec of a store in `dir`, or of one in memory.
///
/// # Errors
/// [`Error`].
pub fn codec(dir: Option<&Path>, random: &Random) -> Result<RecordCodec, Error> {
    let keys = match dir {
        Some(dir) => load_or_create(&dir.join(FILE), random)?,
        None => vec![new_key(random)],
    };
    Ok(RecordCodec::new(&keys, source(random)))
}

/// Puts a new key above those in `dir`, and answers all: it seals from now on, and the others still open what they
/// sealed.
///
/// # Errors
/// [`Error`].
pub fn add_key(dir: &Path, random: &Random) -> Result<Vec<SealKey>, Error> {
    let path = dir.join(FILE);
    let present = load_or_create(&path, random)?;
    let newest = present.iter().map(|key| key.id).max().unwrap_or_default();
    let key = SealKey {
        id: newest + 1,
        ..new_key(random)
    };
    let keys: Vec<SealKey> = std::iter::once(key).chain(present).collect();
    write(&path, &keys)?;
    Ok(keys)
}

/// Takes all keys in `dir` away but the one that seals, and answers it.
///
/// # Errors
/// [`Error`].
pub fn drop_old_keys(dir: &Path, random: &Random) -> Result<Vec<SealKey>, Error> {
    let path = dir.join(FILE);
    let mut keys = load_or_create(&path, random)?;
    keys.truncate(1);
    write(&path, &keys)?;
    Ok(keys)
}

fn write(path: &Path, keys: &[SealKey]) -> Result<(), Error> {
    let lines: String = keys.iter().map(line).collect();
    Ok(pki::write_private(path, lines.as_bytes())?)
}

/// The injected randomness in the form that the store takes.
pub fn source(random: &Random) -> RandomSource {
    let random = random.clone();
    Arc::new(move |bytes| random.fill(bytes))
}

fn load_or_create(path: &Path, random: &Random) -> Result<Vec<SealKey>, Error> {
    let shown = || path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => parse(&text).map_err(|line| Error::Malformed { path: shown(), line }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = new_key(random);
            pki::write_private(path, line(&key).as_bytes())?;
            Ok(vec![key])
        }
        Err(source) => Err(Error::Read {
            path: shown(),
            source,
        }),
    }
}

fn line(key: &SealKey) -> String {
    let mut line = format!("{} ", key.id);
    for byte in key.bytes {
        let _ = write!(line, "{byte:02x}");
    }
    line.push('\n');
    line
}

fn new_key(random: &Random) -> SealKey {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    SealKey { id: 1, bytes }
}

/// The keys of a file, or the number of the line that is none.
fn parse(text: &str) -> Result<Vec<SealKey>, usize> {
    let keys: Vec<SealKey> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| parse_line(line.trim()).ok_or(index + 1))
        .collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(1) } else { Ok(keys) }
}

fn parse_line(line: &str) -> Option<SealKey> {
    let (id, hex) = line.split_once(' ')?;
    let mut bytes = [0; 32];
    if hex.len() != 2 * bytes.len() || !hex.is_ascii() {
        return None;
    }
    for (byte, place) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(place..place + 2)?, 16).ok()?;
    }
    Some(SealKey {
        id: id.parse().ok()?,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays_and_is_private() {
        let dir = std::env::temp_dir().join(format!("coracle-sealing-{}", std::process::id()));
        let random = Random::seeded(7);
        codec(Some(&dir), &random).unwrap();
        let kept = fs::read_to_string(dir.join(FILE)).unwrap();
        codec(Some(&dir), &random).unwrap();
        assert_eq!(kept, fs::read_to_string(dir.join(FILE)).unwrap());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(dir.join(FILE)).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        add_key(&dir, &random).unwrap();
        let added = fs::read_to_string(dir.join(FILE)).unwrap();
        assert!(added.starts_with("2 ") && added.ends_with(&kept), "{added}");
        codec(Some(&dir), &random).unwrap();
        drop_old_keys(&dir, &random).unwrap();
        let left = fs::read_to_string(dir.join(FILE)).unwrap();
        assert_eq!(added, format!("{left}{kept}"));
        fs::write(dir.join(FILE), "1 zz\n").unwrap();
        assert!(matches!(
            codec(Some(&dir), &random),
            Err(Error::Malformed { line: 1, .. })
        ));
        fs::remove_dir_all(&dir).unwrap();
    }
}
