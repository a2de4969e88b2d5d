//! A base engine in memory that forgets what was not flushed: the counterpart of
//! [`crate::fs::SimulatedFiles`] for power-cut tests.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Base, BaseBatch, BaseEngine, BaseError, BaseMeta, Visit};
use crate::fs::simulated::Random;
use crate::types::Revision;

#[derive(Clone, Default)]
struct Content {
    entries: BTreeMap<Revision, Vec<u8>>,
    meta: Option<BaseMeta>,
}

#[derive(Default)]
struct Engine {
    now: Content,
    flushed: Content,
    /// States between the last flush and now, a bounded few: what a cut may leave.
    between: Vec<Content>,
    damaged: bool,
}

/// Most intermediate states remembered.
const MAX_BETWEEN: usize = 4;

/// The engine. Clones share one content, as processes share a disk.
#[derive(Clone, Default)]
pub(crate) struct MemoryBase {
    engine: Arc<Mutex<Engine>>,
}

impl MemoryBase {
    /// The power goes: what was not flushed is lost, perhaps in part, perhaps leaving damage.
    pub fn power_cut(&self, seed: u64) {
        let mut random = Random(seed);
        let mut engine = self.engine.lock();
        let choices = engine.between.len() + 2;
        let survivor = match random.below(choices) {
            0 => engine.flushed.clone(),
            1 => {
                engine.damaged = true;
                engine.flushed.clone()
            }
            n => engine.between[n - 2].clone(),
        };
        engine.now = survivor.clone();
        engine.flushed = survivor;
        engine.between.clear();
    }

    /// Damages the content: the next open says so.
    pub fn damage(&self) {
        self.engine.lock().damaged = true;
    }

    /// Loses one record quietly: only the audit can notice.
    pub fn lose_a_record(&self) {
        let mut engine = self.engine.lock();
        engine.now.entries.pop_first();
    }
}

impl BaseEngine for MemoryBase {
    fn open(&self, _dir: &Path) -> Result<Arc<dyn Base>, BaseError> {
        if self.engine.lock().damaged {
            return Err(BaseError::Damaged("the power cut damaged it".to_owned()));
        }
        Ok(Arc::new(self.clone()))
    }

    fn set_aside(&self, _dir: &Path) -> Result<String, BaseError> {
        *self.engine.lock() = Engine::default();
        Ok("nowhere".to_owned())
    }
}

impl Base for MemoryBase {
    fn meta(&self) -> Result<Option<BaseMeta>, BaseError> {
        Ok(self.engine.lock().now.meta)
    }

    fn apply(&self, batch: BaseBatch) -> Result<(), BaseError> {
        let mut engine = self.engine.lock();
        engine.now.entries.extend(batch.puts);
        for revision in batch.removes {
            engine.now.entries.remove(&revision);
        }
        engine.now.meta = Some(batch.meta);
        if engine.between.len() < MAX_BETWEEN {
            let state = engine.now.clone();
            engine.between.push(state);
        }
        Ok(())
    }

    fn get(&self, revision: Revision) -> Result<Option<Vec<u8>>, BaseError> {
        Ok(self.engine.lock().now.entries.get(&revision).cloned())
    }

    fn scan(&self, from: Revision, visit: Visit<'_>) -> Result<(), BaseError> {
        let entries = self.engine.lock().now.entries.clone().split_off(&from);
        for (revision, entry) in entries {
            if visit(revision, entry) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), BaseError> {
        let mut engine = self.engine.lock();
        engine.flushed = engine.now.clone();
        engine.between.clear();
        Ok(())
    }

    fn blob_files(&self) -> u64 {
        0
    }
}
