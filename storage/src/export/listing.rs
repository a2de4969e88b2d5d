//! Reading a directory in pages.
//!
//! Entries come in the order of a hash of their names, and an entry's cookie is that hash. So a cookie stays good
//! while files come and go and across restarts: whatever is there for the whole of a listing is listed exactly once.
//! Offsets of the file system itself promise that on some disks only. The price is that each page reads the whole
//! directory, which the limit on files bounds.

use std::collections::BTreeMap;

use ring::digest;

use super::Export;
use crate::{
    Error,
    handles::FileId,
    limits::MAX_ENTRIES,
    name::RESERVED_PREFIX,
    sys::{self, Kind, Stat},
};

/// One entry of a directory.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Where a next page resumes.
    pub cookie: u64,
    pub(crate) stat: Stat,
}

/// One page of a directory.
#[derive(Debug)]
pub struct Listing {
    /// In the order of cookies.
    pub entries: Vec<Entry>,
    /// Whether nothing follows.
    pub eof: bool,
}

/// The cookie of a name: 63 bits, never zero. Two names of a directory share one with a chance that 200,000 files do
/// not make worth a thought (2 in a billion), and one that is sought costs 2^31 hashes to hide a file from its own
/// maker.
fn cookie(name: &str) -> u64 {
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    let first = hash
        .as_ref()
        .first_chunk()
        .map_or(0, |first| u64::from_be_bytes(*first));
    (first >> 1).max(1)
}

impl Export {
    /// The entries after `cookie`, at most `max_entries` (zero for [`MAX_ENTRIES`], which is also the most).
    ///
    /// # Errors
    /// [`Error::NotDirectory`], [`Error::Stale`], [`Error::Io`].
    pub(crate) fn list(&self, directory: FileId, after: u64, max_entries: u32) -> Result<Listing, Error> {
        let wanted = if max_entries == 0 {
            MAX_ENTRIES
        } else {
            max_entries.min(MAX_ENTRIES)
        } as usize;
        let opened = self.open_directory(directory)?;
        let mut page = BTreeMap::new();
        let mut eof = true;
        sys::for_each_entry(&opened, |name| {
            // A name that is no text cannot be said on the wire.
            let name = std::str::from_utf8(name)
                .ok()
                .filter(|name| !name.starts_with(RESERVED_PREFIX));
            if let Some((name, cookie)) = name.map(|name| (name, cookie(name)))
                && cookie > after
            {
                page.insert(cookie, name.to_owned());
                if page.len() > wanted {
                    page.pop_last();
                    eof = false;
                }
            }
            true
        })
        .map_err(|errno| Error::from_errno("read directory", errno))?;
        let mut entries = Vec::with_capacity(page.len());
        for (cookie, name) in page {
            // Removed since the directory was read, or another file system mounted there.
            let Ok(Some(stat)) = self.entry(&opened, &name) else {
                continue;
            };
            if stat.kind != Kind::Other {
                self.remember(&stat, &opened, directory, &name)?;
            }
            entries.push(Entry { name, cookie, stat });
        }
        Ok(Listing { entries, eof })
    }
}
