//! Opening: from whatever a crash left to a store that is whole, or an error that says why not.
//!
//! 1. Lock the directory; read or write the identity.
//! 2. Audit the base engine. If it is damaged, or the journal does not reach back to it, fill a new one from
//!    the last checkpoint.
//! 3. Replay the journal above what the base holds ([`crate::replay`]).
//! 4. If anything was repaired, make a checkpoint before going on.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, RwLock};

use crate::applier::Applier;
use crate::audit::{Audited, audit, rebuild};
use crate::base::{BaseEngine, BaseError};
use crate::checkpoint::{self, Checkpoint};
use crate::errors::OpenError;
use crate::fs::{FileSystem, LockGuard, TEMPORARY};
use crate::hooks::Hooks;
use crate::identity::{self, ClusterId};
use crate::journal::frame::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::journal::{self, Journal, JournalStart, Ledger};
use crate::overlay::Overlay;
use crate::record::RecordCodec;
use crate::replay;
use crate::state::{State, StoreConfig};
use crate::types::Revision;
use crate::writer::Writer;

/// A store that is ready and has no threads yet.
pub(crate) struct Recovered {
    pub state: Arc<State>,
    pub writer: Writer,
    pub applier: Applier,
    pub lock: LockGuard,
}

/// What a store is opened with.
pub(crate) struct Surroundings {
    pub config: StoreConfig,
    pub files: Arc<dyn FileSystem>,
    pub engine: Arc<dyn BaseEngine>,
    pub codec: RecordCodec,
    pub hooks: Hooks,
}

/// A journal segment on disk; its header when either copy can be read.
pub(crate) struct SegmentFile {
    pub sequence: u64,
    pub path: PathBuf,
    pub header: Option<SegmentHeader>,
}

/// Opens the store.
pub(crate) fn recover(around: Surroundings) -> Result<Recovered, OpenError> {
    let dir = around.config.dir.clone();
    let files = around.files.as_ref();
    for dir in [
        &dir,
        &around.config.journal_dir(),
        &around.config.checkpoint_dir(),
    ] {
        files
            .create_dirs(dir)
            .map_err(|source| OpenError::io("create", dir, source))?;
    }
    let lock_path = dir.join("lock");
    let lock = files
        .lock(&lock_path)
        .map_err(|source| OpenError::io("lock", &lock_path, source))?;
    let lock = lock.ok_or(OpenError::Locked { path: lock_path })?;
    remove_unfinished(&around)?;
    let segments = list_segments(&around)?;
    let checkpoint = checkpoint::newest(files, &around.config.checkpoint_dir())
        .map_err(|source| OpenError::io("read", &around.config.checkpoint_dir(), source))?;
    let cluster = identify(&around, &segments, checkpoint.as_ref())?;
    let mut repairs = Vec::new();
    let audited = load_base(&around, cluster, &segments, checkpoint.as_ref(), &mut repairs)?;
    let base_repaired = !repairs.is_empty();
    let next_sequence = segments.last().map_or(1, |segment| segment.sequence + 1);
    let (state, mut applier) = assemble(&around, cluster, audited, checkpoint.as_ref());
    let replayed = replay::replay(&state, &mut applier, segments)?;
    repairs.extend(replayed.repairs);
    for repair in &repairs {
        tracing::warn!(repair, "repaired the store");
    }
    *state.repairs.lock() = repairs;
    if base_repaired || replayed.incomplete {
        let path = around.config.checkpoint_dir();
        let made = applier.checkpoint_now();
        made.map_err(|error| OpenError::io("write checkpoint in", &path, io::Error::other(error)))?;
    }
    let journal = Journal::new(JournalStart {
        files: state.files.clone(),
        dir: around.config.journal_dir(),
        cluster,
        random: around.hooks.random.clone(),
        ledger: state.ledger.clone(),
        next_sequence,
        segment_bytes: around.config.segment_bytes,
        latest: state.index.read().latest(),
    });
    let writer = Writer::new(state.clone(), journal);
    Ok(Recovered {
        state,
        writer,
        applier,
        lock,
    })
}

fn assemble(
    around: &Surroundings,
    cluster: ClusterId,
    audited: Audited,
    checkpoint: Option<&Checkpoint>,
) -> (Arc<State>, Applier) {
    let Audited { base, meta, index } = audited;
    let state = Arc::new(State {
        config: around.config.clone(),
        cluster,
        codec: around.codec.clone(),
        hooks: around.hooks.clone(),
        files: around.files.clone(),
        ledger: Arc::new(Ledger::default()),
        repairs: Mutex::default(),
        overlay: RwLock::new(Overlay::starting_at(index.latest() + 1)),
        published: index.latest().into(),
        applied: meta.applied.into(),
        checkpoint: checkpoint.map_or(0, |checkpoint| checkpoint.revision).into(),
        blob_files: base.blob_files().into(),
        index: RwLock::new(index),
        base: RwLock::new(Some(base.clone())),
        publisher: Mutex::default(),
        problem: Mutex::default(),
        has_problem: false.into(),
        control: Mutex::default(),
        applier_wakes: Condvar::new(),
        writer_wakes: Condvar::new(),
    });
    let applier = Applier::new(state.clone(), base, meta);
    (state, applier)
}

/// Removes what an interrupted write left under its temporary name.
fn remove_unfinished(around: &Surroundings) -> Result<(), OpenError> {
    let config = &around.config;
    for dir in [config.dir.clone(), config.journal_dir(), config.checkpoint_dir()] {
        let names = around
            .files
            .list(&dir)
            .map_err(|source| OpenError::io("read", &dir, source))?;
        for name in names.iter().filter(|name| name.ends_with(TEMPORARY)) {
            let path = dir.join(name);
            around
                .files
                .remove(&path)
                .map_err(|source| OpenError::io("remove", &path, source))?;
        }
    }
    Ok(())
}

fn list_segments(around: &Surroundings) -> Result<Vec<SegmentFile>, OpenError> {
    let dir = around.config.journal_dir();
    let found = journal::segments(around.files.as_ref(), &dir);
    let found = found.map_err(|source| OpenError::io("read", &dir, source))?;
    let mut segments = Vec::with_capacity(found.len());
    for (sequence, path) in found {
        let header = read_header(around.files.as_ref(), &path)
            .map_err(|source| OpenError::io("read", &path, source))?;
        if let Some(header) = header.filter(|header| header.format > identity::FORMAT) {
            return Err(OpenError::NewerFormat {
                path,
                found: header.format,
                known: identity::FORMAT,
            });
        }
        segments.push(SegmentFile {
            sequence,
            path,
            header,
        });
    }
    Ok(segments)
}

fn read_header(files: &dyn FileSystem, path: &Path) -> io::Result<Option<SegmentHeader>> {
    let mut bytes = Vec::with_capacity(SEGMENT_HEADER_BYTES);
    files
        .reader(path)?
        .take(SEGMENT_HEADER_BYTES as u64)
        .read_to_end(&mut bytes)?;
    Ok(SegmentHeader::decode(&bytes))
}

/// Reads or writes the identity, and makes sure that everything here belongs to the same cluster.
fn identify(
    around: &Surroundings,
    segments: &[SegmentFile],
    checkpoint: Option<&Checkpoint>,
) -> Result<ClusterId, OpenError> {
    let config = &around.config;
    let wanted = config
        .cluster_id
        .unwrap_or_else(|| ClusterId::random(&around.hooks.random));
    let stored = segments.iter().find_map(|segment| Some(segment.header?.cluster));
    let stored = stored.or(checkpoint.map(|checkpoint| checkpoint.cluster));
    let cluster = identity::read_or_create(around.files.as_ref(), &config.dir, wanted, stored)?;
    let strange_segment = segments
        .iter()
        .find(|s| s.header.is_some_and(|h| h.cluster != cluster));
    let strange_checkpoint = checkpoint.filter(|checkpoint| checkpoint.cluster != cluster);
    let strange = strange_segment
        .map(|s| &s.path)
        .or(strange_checkpoint.map(|c| &c.path));
    match strange {
        Some(path) => Err(OpenError::OtherCluster { path: path.clone() }),
        None => Ok(cluster),
    }
}

/// The base engine, audited and reaching the journal; rebuilt if need be.
fn load_base(
    around: &Surroundings,
    cluster: ClusterId,
    segments: &[SegmentFile],
    checkpoint: Option<&Checkpoint>,
    repairs: &mut Vec<String>,
) -> Result<Audited, OpenError> {
    let path = around.config.base_dir();
    let now_s = around.hooks.now_s();
    let opened = around
        .engine
        .open(&path)
        .and_then(|base| audit(base, cluster, now_s));
    let engine = match opened {
        Ok(audited) => {
            let applied = audited.meta.applied;
            if reaches(applied, segments, checkpoint) {
                return Ok(audited);
            }
            format!("it ends at revision {applied}, before the journal begins")
        }
        Err(BaseError::Unusable(detail)) => return Err(OpenError::Base { path, detail }),
        Err(BaseError::Damaged(detail)) => detail,
    };
    let unusable = |error: BaseError| OpenError::Base {
        path: path.clone(),
        detail: error.to_string(),
    };
    let cannot = |path: PathBuf, detail: &str| OpenError::CannotRebuild {
        path,
        detail: detail.to_owned(),
        engine: engine.clone(),
    };
    let start = checkpoint.map_or(0, |checkpoint| checkpoint.revision);
    if !reaches(start, segments, None) {
        return Err(cannot(
            around.config.checkpoint_dir(),
            "no checkpoint reaches the journal",
        ));
    }
    let aside = around.engine.set_aside(&path).map_err(unusable)?;
    let base = around.engine.open(&path).map_err(unusable)?;
    let rebuilt = match checkpoint {
        Some(checkpoint) => rebuild(base, around.files.as_ref(), checkpoint)
            .map_err(|detail| cannot(checkpoint.path.clone(), &detail))?,
        None => audit(base, cluster, now_s).map_err(unusable)?,
    };
    repairs.push(format!(
        "rebuilt the base engine from revision {start} and the journal, because {engine}; the old files are in {aside}"
    ));
    Ok(rebuilt)
}

/// Whether the journal goes on from a revision without a gap. A checkpoint newer than the base means that
/// the journal between them may be gone.
fn reaches(revision: Revision, segments: &[SegmentFile], checkpoint: Option<&Checkpoint>) -> bool {
    let first = segments.iter().find_map(|segment| segment.header);
    first.is_none_or(|header| header.base <= revision)
        && checkpoint.is_none_or(|checkpoint| checkpoint.revision <= revision)
}
