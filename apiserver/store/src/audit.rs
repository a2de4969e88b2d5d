//! The audit: reads a base engine from end to end, checks every checksum and its books, and builds the index
//! from it. And its counterpart, which fills a new engine from a checkpoint.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Base, BaseBatch, BaseError, BaseMeta};
use crate::checkpoint::{self, Checkpoint};
use crate::entry::RawEntry;
use crate::fs::FileSystem;
use crate::identity::ClusterId;
use crate::index::{Index, NewVersion};
use crate::record;
use crate::types::Revision;

/// Bytes of a checkpoint applied at once.
const REBUILD_BATCH_BYTES: usize = 2 * 1024 * 1024;

/// A base engine that has been found whole.
pub(crate) struct Audited {
    pub base: Arc<dyn Base>,
    pub meta: BaseMeta,
    pub index: Index,
}

/// Checks everything the engine holds.
pub(crate) fn audit(base: Arc<dyn Base>, cluster: ClusterId, now_s: u32) -> Result<Audited, BaseError> {
    let Some(meta) = base.meta()? else {
        return Ok(Audited {
            base,
            meta: BaseMeta::empty(cluster, 0),
            index: Index::default(),
        });
    };
    if meta.cluster != cluster {
        return Err(BaseError::Damaged("it belongs to another cluster".to_owned()));
    }
    let mut index = Index::starting_at(meta.compacted);
    let mut found = BaseMeta {
        count: 0,
        digest: 0,
        ..meta
    };
    let mut wrong = None;
    base.scan(0, &mut |revision, bytes| {
        found.add(revision);
        match enter(&mut index, revision, Bytes::from(bytes), now_s) {
            Ok(()) => ControlFlow::Continue(()),
            Err(what) => {
                wrong = Some(format!("revision {revision}: {what}"));
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(wrong) = wrong {
        return Err(BaseError::Damaged(wrong));
    }
    if found != meta || index.latest() != meta.applied {
        let text = format!(
            "it holds {} records up to {} and its books say {} up to {}",
            found.count,
            index.latest(),
            meta.count,
            meta.applied
        );
        return Err(BaseError::Damaged(text));
    }
    Ok(Audited { base, meta, index })
}

/// Checks one entry and enters it into the index.
fn enter(index: &mut Index, revision: Revision, mut bytes: Bytes, now_s: u32) -> Result<(), String> {
    let raw = RawEntry::decode(&mut bytes).ok_or("the entry is not one")?;
    record::check(&raw.record).map_err(|error| error.to_string())?;
    if revision <= index.compacted() {
        let entered = !raw.deleted && index.load(&raw.key, revision, raw.fence.as_ref());
        return if entered {
            Ok(())
        } else {
            Err("it should not be there any more".to_owned())
        };
    }
    if revision != index.latest() + 1 {
        return Err("the one before it is missing".to_owned());
    }
    index.insert(&NewVersion {
        key: &raw.key,
        revision,
        deleted: raw.deleted,
        fence: raw.fence.as_ref(),
        bytes: raw.record.len(),
        at_s: now_s,
    });
    Ok(())
}

/// Fills an empty engine from a checkpoint. `Err` when the checkpoint is not whole or the engine refuses.
pub(crate) fn rebuild(
    base: Arc<dyn Base>,
    files: &dyn FileSystem,
    from: &Checkpoint,
) -> Result<Audited, String> {
    let mut index = Index::starting_at(from.revision);
    let mut meta = BaseMeta::empty(from.cluster, from.revision);
    let mut puts: Vec<(Revision, Vec<u8>)> = Vec::new();
    let mut bytes = 0;
    let apply = |puts: &mut Vec<_>, meta: BaseMeta| {
        let batch = BaseBatch {
            puts: std::mem::take(puts),
            removes: vec![],
            meta,
        };
        base.apply(batch).map_err(|error| error.to_string())
    };
    checkpoint::read(files, &from.path, &mut |revision, entry| {
        enter(&mut index, revision, entry.clone(), 0)?;
        meta.add(revision);
        bytes += entry.len();
        puts.push((revision, entry.into()));
        if bytes >= REBUILD_BATCH_BYTES {
            bytes = 0;
            apply(&mut puts, meta)?;
        }
        Ok(())
    })?;
    apply(&mut puts, meta)?;
    base.flush().map_err(|error| error.to_string())?;
    Ok(Audited { base, meta, index })
}
