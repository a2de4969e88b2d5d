//! What the tests of this crate share: directories that go away, objects, transactions, stores without
//! threads, and the long form of a test.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::base::BaseEngine;
use crate::base::memory_base::MemoryBase;
use crate::errors::OpenError;
use crate::fs::SimulatedFiles;
use crate::fs::simulated::Random;
use crate::hooks::Hooks;
use crate::recover::{Recovered, Surroundings, recover};
use crate::state::StoreConfig;
use crate::types::{Condition, Encoded, Key, Op, Revision, Txn};
use crate::{RecordCodec, Seal};

/// How often a long test repeats: `short` normally, `long` where CORACLE_LONG=1 is set.
#[allow(
    clippy::disallowed_methods,
    reason = "the one switch of the tests' long form, read in one place"
)]
pub(crate) fn rounds(short: u64, long: u64) -> u64 {
    if std::env::var("CORACLE_LONG").is_ok_and(|value| value == "1") {
        long
    } else {
        short
    }
}

/// A directory below the system's temporary one, removed when dropped.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub fn new(name: &str) -> TempDir {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let unique = format!(
            "coracle-{name}-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An object whose name and value are `text`, padded to about `size` bytes of poorly compressible text.
pub(crate) fn object(text: &str, size: usize) -> Encoded {
    let mut random = Random(text.len() as u64 + 7);
    let padding: String = (0..size / 16)
        .map(|_| format!("{:016x}", random.next()))
        .collect();
    let json = format!(r#"{{"metadata":{{"name":"{text}"}},"data":"{padding}"}}"#);
    let at = r#"{"metadata":{"#.len() as u32;
    RecordCodec::unsealed()
        .encode(Bytes::from(json), at, Seal::None)
        .unwrap()
}

pub(crate) fn key(text: &str) -> Key {
    Arc::from(text)
}

pub(crate) fn put(at: &str, text: &str) -> Op {
    Op::Put {
        key: key(at),
        value: object(text, 0),
        fence: None,
        attachment: Arc::new(()),
    }
}

pub(crate) fn delete(at: &str, text: &str) -> Op {
    Op::Delete {
        key: key(at),
        value: object(text, 0),
        attachment: Arc::new(()),
    }
}

/// A transaction without conditions.
pub(crate) fn txn(ops: Vec<Op>) -> Txn {
    Txn {
        conditions: vec![],
        ops,
    }
}

pub(crate) fn at_revision(at: &str, revision: Revision) -> Condition {
    Condition::AtRevision {
        key: key(at),
        revision,
    }
}

/// Hooks that are the same every time: a standing clock, counted "randomness", no threads.
pub(crate) fn still_hooks() -> Hooks {
    let counter = AtomicU64::new(1);
    Hooks {
        now: Arc::new(|| Duration::ZERO),
        random: Arc::new(move |buf| {
            let mut random = Random(counter.fetch_add(1, Ordering::Relaxed));
            buf.iter_mut().for_each(|byte| *byte = random.next() as u8);
        }),
        spawn: Arc::new(|_, _| unreachable!("this store has no threads")),
    }
}

/// Hooks with threads and a standing clock.
pub(crate) fn thread_hooks() -> Hooks {
    let still = still_hooks();
    Hooks::with_threads(still.now, still.random)
}

/// A simulated disk and base: what survives a process.
#[derive(Clone, Default)]
pub(crate) struct Machine {
    pub files: SimulatedFiles,
    pub base: MemoryBase,
}

impl Machine {
    /// Opens the store on this machine without threads.
    pub fn open(&self, tune: impl FnOnce(&mut StoreConfig)) -> Result<Recovered, OpenError> {
        let mut config = StoreConfig::new("/data");
        config.min_free_bytes = 0;
        tune(&mut config);
        let engine: Arc<dyn BaseEngine> = Arc::new(self.base.clone());
        let files = Arc::new(self.files.clone());
        recover(Surroundings {
            config,
            files,
            engine,
            codec: RecordCodec::unsealed(),
            hooks: still_hooks(),
        })
    }

    /// The power is cut and comes back.
    pub fn power_cut(&self, seed: u64) {
        self.files.power_cut(seed);
        self.base.power_cut(seed ^ 0xBA5E);
    }
}
