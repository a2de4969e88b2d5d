//! Handles: how a client names a file without a path.
//!
//! A handle holds the identity of a file and of its export, and a tag (HMAC-SHA-256, RFC 2104) over both under a key
//! that never leaves the server's disk. So it survives restarts and renames, and a client cannot make up one that
//! leads out of the exports it mounted. It is 64 bytes long, the most that NFS version 3 allows (RFC 1813, 2.3.3).

use bytes::Bytes;
use ring::hmac;

use crate::Error;

/// Length of the key that tags handles.
pub const KEY_BYTES: usize = 32;
/// Length of a handle.
pub const HANDLE_BYTES: usize = 64;
const IDENTITY_BYTES: usize = 32;
/// Keeps tags of this format apart from any other use of the key.
const CONTEXT: &[u8] = b"coracle storage handle 1\0";

/// Which file: its inode number, and when that inode was made.
///
/// File systems use inode numbers again. The time of birth tells the new file from the old one; where a file system
/// keeps none it is zero, and a number used again within one start of the server is told apart by
/// [`crate::tree::Tree`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The inode number.
    pub inode: u64,
    /// Nanoseconds since 1970.
    pub birth_ns: i64,
}

/// What a handle leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    /// The root of the export.
    pub export: FileId,
    /// The file or directory.
    pub file: FileId,
}

/// Makes and checks handles.
pub struct Sealer {
    key: hmac::Key,
}

impl Sealer {
    /// A sealer under `key`.
    #[must_use]
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    /// The bytes that a client keeps; the same for the same file every time.
    #[must_use]
    pub fn seal(&self, handle: Handle) -> Bytes {
        let mut sealed = Vec::with_capacity(HANDLE_BYTES);
        for id in [handle.export, handle.file] {
            sealed.extend_from_slice(&id.inode.to_be_bytes());
            sealed.extend_from_slice(&id.birth_ns.to_be_bytes());
        }
        let tag = hmac::sign(&self.key, &[CONTEXT, sealed.as_slice()].concat());
        sealed.extend_from_slice(tag.as_ref());
        sealed.into()
    }

    /// What `sealed` leads to.
    ///
    /// # Errors
    /// [`Error::BadHandle`] if this server did not make it. Whether the file still exists is found out later.
    pub fn open(&self, sealed: &[u8]) -> Result<Handle, Error> {
        if sealed.len() != HANDLE_BYTES {
            return Err(Error::BadHandle);
        }
        let (identity, tag) = sealed.split_at(IDENTITY_BYTES);
        hmac::verify(&self.key, &[CONTEXT, identity].concat(), tag).map_err(|_| Error::BadHandle)?;
        let mut words = identity
            .chunks_exact(8)
            .map(|chunk| chunk.try_into().map(u64::from_be_bytes));
        let mut next = || words.next().and_then(Result::ok).ok_or(Error::BadHandle);
        let mut id = || {
            Ok::<_, Error>(FileId {
                inode: next()?,
                birth_ns: next()?.cast_signed(),
            })
        };
        Ok(Handle {
            export: id()?,
            file: id()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle() -> Handle {
        Handle {
            export: FileId {
                inode: 2,
                birth_ns: -5,
            },
            file: FileId {
                inode: u64::MAX,
                birth_ns: i64::MAX,
            },
        }
    }

    #[test]
    fn handles_open_under_the_key_that_sealed_them() {
        let sealer = Sealer::new(&[7; KEY_BYTES]);
        let sealed = sealer.seal(handle());
        assert_eq!(sealed.len(), HANDLE_BYTES);
        assert_eq!(sealer.open(&sealed).unwrap(), handle());
        assert_eq!(Sealer::new(&[7; KEY_BYTES]).seal(handle()), sealed);
        assert!(matches!(
            Sealer::new(&[8; KEY_BYTES]).open(&sealed),
            Err(Error::BadHandle)
        ));
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let sealer = Sealer::new(&[7; KEY_BYTES]);
        let sealed = sealer.seal(handle());
        for bit in 0..HANDLE_BYTES * 8 {
            let mut forged = sealed.to_vec();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(sealer.open(&forged), Err(Error::BadHandle)), "bit {bit}");
        }
        for length in [0, 1, HANDLE_BYTES - 1] {
            assert!(
                matches!(sealer.open(&sealed[..length]), Err(Error::BadHandle)),
                "length {length}"
            );
        }
    }
}
