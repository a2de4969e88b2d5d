//! The index in memory: every key with the revisions of its versions, and the log of retained revisions.
//!
//! It holds no values. Values are stored once, under their revision; a read asks the index which revision a
//! key has at some point and then fetches that value. The index is rebuilt at open and changed by the writer
//! (new revisions) and by compaction (old ones), always under one lock.
//!
//! Compaction is incremental by construction. Dropping revision `r` of key `k` from the log makes the
//! versions of `k` before `r` unreachable (and `r` itself when it is a delete), so each step costs what it
//! frees and the state at the compacted revision stays readable.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;

use crate::types::{ChangeKind, Fence, Key, ReadError, Revision};

/// One version of a key: its revision and whether it is a delete, packed so that a key with one version
/// costs little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version(i64);

impl Version {
    fn new(revision: Revision, deleted: bool) -> Version {
        Version(revision << 1 | i64::from(deleted))
    }
    fn revision(self) -> Revision {
        self.0 >> 1
    }
    fn deleted(self) -> bool {
        self.0 & 1 == 1
    }
    fn live(self) -> Option<Revision> {
        (!self.deleted()).then(|| self.revision())
    }
}

struct LogEntry {
    key: Key,
    bytes: u32,
    at_s: u32,
}

/// One change to enter into the index.
pub(crate) struct NewVersion<'a> {
    pub key: &'a Key,
    pub revision: Revision,
    pub deleted: bool,
    pub fence: Option<&'a Fence>,
    /// Size that counts against the history limit.
    pub bytes: usize,
    /// Seconds on the store's own clock, for the history's age.
    pub at_s: u32,
}

/// A change as the log knows it.
#[derive(Debug)]
pub(crate) struct LoggedChange {
    pub revision: Revision,
    pub key: Key,
    pub kind: ChangeKind,
    pub previous: Option<Revision>,
}

/// How much history to keep: whatever limit is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Oldest change kept, in seconds.
    pub age_s: u32,
    /// Most changes kept.
    pub revisions: usize,
    /// Most bytes of records kept.
    pub bytes: u64,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        HistoryLimits {
            age_s: 300,
            revisions: 500_000,
            bytes: 1 << 30,
        }
    }
}

#[derive(Default)]
pub(crate) struct Index {
    keys: BTreeMap<Key, Vec<Version>>,
    /// Revisions `compacted + 1 ..= latest`, in order.
    log: VecDeque<LogEntry>,
    fences: HashMap<Key, Fence>,
    compacted: Revision,
    latest: Revision,
    live: usize,
    history_bytes: u64,
}

impl Index {
    /// An index whose history begins after `compacted`.
    pub fn starting_at(compacted: Revision) -> Index {
        Index {
            compacted,
            latest: compacted,
            ..Index::default()
        }
    }

    pub fn latest(&self) -> Revision {
        self.latest
    }
    pub fn compacted(&self) -> Revision {
        self.compacted
    }
    pub fn live(&self) -> usize {
        self.live
    }
    pub fn history_bytes(&self) -> u64 {
        self.history_bytes
    }

    /// The revision of a key's current value.
    pub fn current(&self, key: &str) -> Option<Revision> {
        self.keys.get(key)?.last()?.live()
    }

    /// The fence that a key's current value carries.
    pub fn fence(&self, key: &str) -> Option<&Fence> {
        self.fences.get(key)
    }

    /// The revision of a key's value at `at`, which the caller has checked with [`Index::readable`].
    pub fn at(&self, key: &str, at: Revision) -> Option<Revision> {
        version_at(self.keys.get(key)?, at)
    }

    /// Whether the state at a revision can be read.
    pub fn readable(&self, at: Revision) -> Result<(), ReadError> {
        if at > self.latest {
            return Err(ReadError::Future {
                requested: at,
                latest: self.latest,
            });
        }
        if at < self.compacted {
            return Err(ReadError::Compacted {
                requested: at,
                oldest: self.compacted,
            });
        }
        Ok(())
    }

    /// At most `limit` keys below `prefix` after `start_after` with the revision each had at `at`.
    pub fn range(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
        at: Revision,
    ) -> Vec<(Key, Revision)> {
        let from = match start_after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.keys
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter_map(|(key, versions)| Some((key.clone(), version_at(versions, at)?)))
            .take(limit)
            .collect()
    }

    /// Counts the keys that exist at `at`, looking at `limit` keys after `start_after`; also the last key
    /// looked at, `None` when there are no more.
    pub fn count_at(&self, start_after: Option<&str>, limit: usize, at: Revision) -> (u64, Option<Key>) {
        let from = start_after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        let mut count = 0;
        for (looked, (key, versions)) in self.keys.range::<str, _>((from, Bound::Unbounded)).enumerate() {
            if looked == limit {
                return (count, last);
            }
            count += u64::from(version_at(versions, at).is_some());
            last = Some(key.clone());
        }
        (count, None)
    }

    /// At most `limit` changes after a revision, which the caller has checked with [`Index::readable`].
    pub fn changes(&self, after: Revision, limit: usize) -> Vec<LoggedChange> {
        let skip = usize::try_from(after - self.compacted).unwrap_or(0);
        let entries = self.log.iter().skip(skip).take(limit);
        entries
            .zip(after + 1..)
            .map(|(entry, revision)| self.logged(entry, revision))
            .collect()
    }

    fn logged(&self, entry: &LogEntry, revision: Revision) -> LoggedChange {
        let versions = self.keys.get(&entry.key).map_or(&[][..], Vec::as_slice);
        let place = versions.partition_point(|v| v.revision() < revision);
        let previous = place.checked_sub(1).and_then(|p| versions[p].live());
        let deleted = versions.get(place).is_some_and(|v| v.deleted());
        let kind = if deleted {
            ChangeKind::Delete
        } else {
            ChangeKind::Put {
                created: previous.is_none(),
            }
        };
        LoggedChange {
            revision,
            key: entry.key.clone(),
            kind,
            previous,
        }
    }

    /// Enters the next revision and returns the one it replaces.
    ///
    /// # Panics
    /// When the revision is not the next one: a gap here would be a gap in every watch.
    pub fn insert(&mut self, new: &NewVersion<'_>) -> Option<Revision> {
        assert!(new.revision == self.latest + 1, "revisions are consecutive");
        let versions = self.keys.entry(new.key.clone()).or_default();
        let previous = versions.last().and_then(|v| v.live());
        versions.push(Version::new(new.revision, new.deleted));
        self.latest = new.revision;
        self.live = self.live + usize::from(!new.deleted) - usize::from(previous.is_some());
        self.set_fence(new.key, new.fence);
        let bytes = u32::try_from(new.bytes).unwrap_or(u32::MAX);
        self.history_bytes += u64::from(bytes);
        self.log.push_back(LogEntry {
            key: new.key.clone(),
            bytes,
            at_s: new.at_s,
        });
        previous
    }

    /// Enters a value from before the history: live at the compacted revision. Only while rebuilding, in
    /// revision order, before the first [`Index::insert`]. `false` when the key is there already or the
    /// revision is not in the past, which means that the source is damaged.
    pub fn load(&mut self, key: &Key, revision: Revision, fence: Option<&Fence>) -> bool {
        if revision > self.compacted || self.latest != self.compacted {
            return false;
        }
        let Entry::Vacant(place) = self.keys.entry(key.clone()) else {
            return false;
        };
        place.insert(vec![Version::new(revision, false)]);
        self.live += 1;
        self.set_fence(key, fence);
        true
    }

    fn set_fence(&mut self, key: &Key, fence: Option<&Fence>) {
        match fence {
            Some(fence) => {
                self.fences.insert(key.clone(), fence.clone());
            }
            None if self.fences.is_empty() => {}
            None => {
                self.fences.remove(key);
            }
        }
    }

    /// Where compaction should go: the newest revision that the limits no longer keep, at most `max_steps`
    /// from here.
    pub fn compaction_target(&self, limits: &HistoryLimits, now_s: u32, max_steps: usize) -> Revision {
        let mut bytes = self.history_bytes;
        let mut kept = self.log.len();
        let mut target = self.compacted;
        for entry in self.log.iter().take(max_steps) {
            let old = now_s.saturating_sub(entry.at_s) > limits.age_s;
            if !old && kept <= limits.revisions && bytes <= limits.bytes {
                break;
            }
            bytes -= u64::from(entry.bytes);
            kept -= 1;
            target += 1;
        }
        target
    }

    /// Drops history up to `upto`, at most `max_steps` revisions of it, and appends the revisions whose
    /// values nobody can read any more to `dropped`.
    pub fn compact(&mut self, upto: Revision, max_steps: usize, dropped: &mut Vec<Revision>) {
        for _ in 0..max_steps {
            if self.compacted >= upto.min(self.latest) {
                return;
            }
            let Some(entry) = self.log.pop_front() else { return };
            self.compacted += 1;
            self.history_bytes -= u64::from(entry.bytes);
            self.forget(&entry.key, dropped);
        }
    }

    /// Forgets the versions of a key that the newly compacted revision made unreachable.
    fn forget(&mut self, key: &Key, dropped: &mut Vec<Revision>) {
        let Some(versions) = self.keys.get_mut(key) else {
            return;
        };
        let compacted = self.compacted;
        let mut gone = versions.partition_point(|v| v.revision() < compacted);
        if versions
            .get(gone)
            .is_some_and(|v| v.revision() == compacted && v.deleted())
        {
            gone += 1;
        }
        dropped.extend(versions.drain(..gone).map(Version::revision));
        if versions.is_empty() {
            self.keys.remove(key);
        }
    }
}

fn version_at(versions: &[Version], at: Revision) -> Option<Revision> {
    let after = versions.partition_point(|v| v.revision() <= at);
    versions[..after].last()?.live()
}

#[cfg(test)]
mod tests;
