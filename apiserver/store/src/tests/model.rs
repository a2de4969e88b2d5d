//! The small obvious model: a list of everything that ever happened. Every question is answered by walking
//! it.

use std::collections::BTreeMap;

use crate::types::{ChangeKind, Condition, Op, Revision, Txn, TxnError};
use crate::{Store, splice};

/// One change as the model remembers it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub key: String,
    pub deleted: bool,
    pub json: Vec<u8>,
    pub fence: Option<crate::types::Fence>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub events: Vec<Event>,
}

impl Model {
    pub fn revision(&self) -> Revision {
        self.events.len() as Revision
    }

    /// The revision of a key's value at some revision.
    pub fn at(&self, key: &str, at: Revision) -> Option<Revision> {
        let last = self.events[..at as usize]
            .iter()
            .rposition(|event| event.key == key)?;
        (!self.events[last].deleted).then_some(last as Revision + 1)
    }

    fn judge(&self, txn: &Txn) -> Result<(), TxnError> {
        let now = self.revision();
        for (index, condition) in txn.conditions.iter().enumerate() {
            let (key, holds) = match condition {
                Condition::Absent { key } => (key, self.at(key, now).is_none()),
                Condition::Exists { key } => (key, self.at(key, now).is_some()),
                Condition::AtRevision { key, revision } => (key, self.at(key, now) == Some(*revision)),
                Condition::Fenced { key, fence } => {
                    let current = self
                        .at(key, now)
                        .and_then(|r| self.events[r as usize - 1].fence.clone());
                    if current.as_ref() != Some(fence) {
                        return Err(TxnError::Fenced {
                            key: key.clone(),
                            current,
                        });
                    }
                    continue;
                }
            };
            if !holds {
                return Err(TxnError::ConditionFailed {
                    index,
                    current: self.at(key, now),
                });
            }
        }
        Ok(())
    }

    /// Commits a transaction, or says why not.
    pub fn commit(&mut self, txn: &Txn) -> Result<Revision, TxnError> {
        self.judge(txn)?;
        let before = self.events.len();
        for op in &txn.ops {
            let (deleted, fence) = match op {
                Op::Put { fence, .. } => (false, fence.clone()),
                Op::Delete { .. } => (true, None),
            };
            let revision = self.revision() + 1;
            if deleted && self.at(op.key(), revision - 1).is_none() {
                self.events.truncate(before);
                return Err(TxnError::NotFound {
                    key: op.key().clone(),
                });
            }
            let json = splice(&op.value().json, op.value().splice_at, revision).to_vec();
            self.events.push(Event {
                key: op.key().to_string(),
                deleted,
                json,
                fence,
            });
        }
        Ok(if txn.ops.is_empty() {
            self.revision()
        } else {
            before as Revision + 1
        })
    }

    /// The values at a revision by key.
    pub fn state(&self, at: Revision) -> BTreeMap<String, (Revision, Vec<u8>)> {
        let mut state = BTreeMap::new();
        for (event, revision) in self.events[..at as usize].iter().zip(1..) {
            if event.deleted {
                state.remove(&event.key);
            } else {
                state.insert(event.key.clone(), (revision, event.json.clone()));
            }
        }
        state
    }
}

/// Compares everything a store can be asked with the model, at every revision it still has.
pub(crate) fn compare(store: &dyn Store, model: &Model) {
    assert_eq!(store.revision(), model.revision(), "the latest revision");
    let oldest = store.compacted_revision();
    for at in oldest..=model.revision() {
        let expected = model.state(at);
        let found = store.range("/", None, usize::MAX, at).unwrap();
        let found: BTreeMap<_, _> = found
            .into_iter()
            .map(|s| (s.key.to_string(), (s.revision, s.json.to_vec())))
            .collect();
        assert_eq!(found, expected, "the state at revision {at}");
    }
    compare_changes(store, model, oldest);
}

/// Compares the changes after a revision with the model.
pub(crate) fn compare_changes(store: &dyn Store, model: &Model, after: Revision) {
    let changes = store.changes(after, usize::MAX).unwrap();
    assert_eq!(
        changes.len() as Revision,
        model.revision() - after,
        "no gap, no repeat"
    );
    for (change, revision) in changes.iter().zip(after + 1..) {
        let event = &model.events[revision as usize - 1];
        let previous = model.at(&event.key, revision - 1);
        let kind = if event.deleted {
            ChangeKind::Delete
        } else {
            ChangeKind::Put {
                created: previous.is_none(),
            }
        };
        assert_eq!(
            (change.revision, &*change.key, change.kind),
            (revision, event.key.as_str(), kind)
        );
        assert_eq!(change.json, event.json);
        let previous = previous.map(|r| model.events[r as usize - 1].json.clone());
        assert_eq!(change.previous.as_ref().map(|json| json.to_vec()), previous);
    }
}
