//! What planning goes by: the present state, with what an atomic batch has planned so far laid over it, and what
//! webhooks said of the write.

use std::{collections::BTreeMap, sync::Arc};

use coracle_api::ApiError;
use coracle_store::Key;

use super::{Context, Entry, Registry, Target, passage::Passage, plan::Pending};

/// What planning goes by beside the present state: objects as an atomic batch has planned them so far (`None` where it
/// removes them), and what webhooks said.
#[derive(Default)]
pub(super) struct Overlay {
    planned: BTreeMap<Key, Option<Entry>>,
    passage: Option<Passage>,
}

/// An object as a plan finds it.
pub(super) struct Current {
    pub entry: Entry,
    /// It comes from the overlay: there is no stored revision to be conditional on.
    pub is_planned: bool,
    /// It is stored in a version that is not the stored one any more, and every write stores it anew.
    pub is_outdated: bool,
}

impl Overlay {
    /// For a write that somebody wants to see.
    pub fn of(passage: Passage) -> Self {
        Self {
            passage: Some(passage),
            ..Self::default()
        }
    }

    /// For the next write of a batch.
    pub fn set_passage(&mut self, passage: Option<Passage>) {
        self.passage = passage;
    }

    /// Where the write stands that is being planned; `None` where nobody wants to see it.
    pub fn passage(&self) -> Option<&Passage> {
        self.passage.as_ref()
    }

    /// Takes the passage along to the next planning.
    pub fn take_passage(&mut self) -> Option<Passage> {
        self.passage.take()
    }

    /// The object as the batch leaves it so far.
    pub fn current(&self, registry: &Registry, ctx: &Context, target: &Target) -> Result<Current, ApiError> {
        let key = target.key();
        let missing = || ApiError::not_found(target.resource, &target.name);
        if let Some(planned) = self.planned.get(&key) {
            let entry = planned.clone().ok_or_else(missing)?;
            return Ok(Current {
                entry,
                is_planned: true,
                is_outdated: false,
            });
        }
        let stored = registry.cache.get(target.resource, &key).ok_or_else(missing)?;
        let entry = ctx.converted.entry(stored.clone(), target.resource.storage())?;
        Ok(Current {
            is_outdated: entry.json != stored.json,
            entry,
            is_planned: false,
        })
    }

    /// Whether the batch itself has decided about this key.
    pub fn decides(&self, key: &Key) -> bool {
        self.planned.contains_key(key)
    }

    /// Adds what a plan will do.
    pub fn add(&mut self, pending: &Pending) {
        for (key, attributes, removed, op) in pending.changes() {
            let entry = Entry {
                key: Arc::clone(key),
                revision: 0,
                json: op.value().json.clone(),
                attributes: Arc::clone(attributes),
            };
            self.planned.insert(Arc::clone(key), (!removed).then_some(entry));
        }
    }
}
