//! Reading at a revision: which value the index names, fetched from wherever values are.
//!
//! The index lock is held for a bounded walk and never while a value is fetched, so a long list does not
//! hold up the writer. Compaction may take a value away in between; that is noticed and becomes
//! [`ReadError::Compacted`] (or, for a read of the latest, another look).

use bytes::Bytes;
use parking_lot::RwLock;

use crate::index::Index;
use crate::types::{Change, Key, ReadError, Revision, Stored};

/// Keys taken from the index under one lock.
const RANGE_CHUNK: usize = 512;

/// Where values are found by revision.
pub(crate) trait Values {
    /// The JSON with the revision spliced in, `None` when there is no value of that revision (any more).
    fn json(&self, revision: Revision) -> Result<Option<Bytes>, ReadError>;

    /// The id of the key that sealed the value of a revision, `None` when it is not sealed or not there.
    fn sealed_by(&self, revision: Revision) -> Result<Option<u32>, ReadError>;
}

/// The sealed ones among the latest values under a prefix. One that is replaced meanwhile may be left out.
pub(crate) fn sealed(
    index: &RwLock<Index>,
    values: &dyn Values,
    prefix: &str,
) -> Result<Vec<(Key, u32)>, ReadError> {
    let mut found = Vec::new();
    let mut after: Option<Key> = None;
    loop {
        let keys = {
            let index = index.read();
            index.range(prefix, after.as_deref(), RANGE_CHUNK, index.latest())
        };
        let last = keys.len() < RANGE_CHUNK;
        for (key, revision) in keys {
            if let Some(id) = values.sealed_by(revision)? {
                found.push((key.clone(), id));
            }
            after = Some(key);
        }
        if last {
            return Ok(found);
        }
    }
}

pub(crate) fn get(
    index: &RwLock<Index>,
    values: &dyn Values,
    key: &str,
    at: Option<Revision>,
) -> Result<Option<Stored>, ReadError> {
    loop {
        let (found, compacted) = {
            let index = index.read();
            let at = at.unwrap_or(index.latest());
            index.readable(at)?;
            (index.at(key, at), index.compacted())
        };
        let Some(revision) = found else { return Ok(None) };
        if let Some(json) = values.json(revision)? {
            return Ok(Some(Stored {
                key: key.into(),
                revision,
                json,
            }));
        }
        // Superseded and compacted since the index was asked: look again. Otherwise it should be there.
        if index.read().compacted() == compacted {
            return Err(missing(revision));
        }
    }
}

pub(crate) fn range(
    index: &RwLock<Index>,
    values: &dyn Values,
    prefix: &str,
    start_after: Option<&str>,
    limit: usize,
    at: Revision,
) -> Result<Vec<Stored>, ReadError> {
    let mut found: Vec<Stored> = Vec::new();
    loop {
        let chunk = RANGE_CHUNK.min(limit - found.len());
        let after = found.last().map(|stored| stored.key.clone());
        let keys = {
            let index = index.read();
            index.readable(at)?;
            index.range(prefix, after.as_deref().or(start_after), chunk, at)
        };
        let last = keys.len() < chunk;
        for (key, revision) in keys {
            match values.json(revision)? {
                Some(json) => found.push(Stored { key, revision, json }),
                None => return Err(gone_or_missing(index, at, revision)),
            }
        }
        if last || found.len() >= limit {
            return Ok(found);
        }
    }
}

pub(crate) fn changes(
    index: &RwLock<Index>,
    values: &dyn Values,
    after: Revision,
    limit: usize,
) -> Result<Vec<Change>, ReadError> {
    let logged = {
        let index = index.read();
        index.readable(after)?;
        index.changes(after, limit)
    };
    let fetch = |revision| {
        values
            .json(revision)?
            .ok_or_else(|| gone_or_missing(index, after, revision))
    };
    logged
        .into_iter()
        .map(|change| {
            let json = fetch(change.revision)?;
            let previous = change.previous.map(fetch).transpose()?;
            Ok(Change {
                revision: change.revision,
                key: change.key,
                kind: change.kind,
                json,
                previous,
            })
        })
        .collect()
}

/// Why a value that the index named is not there: compaction has passed the revision that is being read, or
/// damage.
fn gone_or_missing(index: &RwLock<Index>, at: Revision, revision: Revision) -> ReadError {
    index
        .read()
        .readable(at)
        .err()
        .unwrap_or_else(|| missing(revision))
}

fn missing(revision: Revision) -> ReadError {
    ReadError::Damaged {
        revision,
        detail: "the index names it and no value is stored".to_owned(),
    }
}
