//! Judging: which transactions of a group are accepted, and which revisions they take.
//!
//! Pure and shared by all implementations. A transaction sees everything published plus the earlier accepted
//! transactions of its own group, which is what makes a group equal to committing one by one.

use std::collections::HashMap;
use std::ops::Range;

use crate::index::Index;
use crate::types::{Attachment, Condition, Encoded, Fence, Key, Op, Revision, Txn, TxnError};

/// An operation that got its revision.
#[derive(Debug)]
pub(crate) struct Entry {
    pub revision: Revision,
    pub key: Key,
    pub deleted: bool,
    pub value: Encoded,
    pub fence: Option<Fence>,
    pub attachment: Attachment,
    /// The revision of the value that this one replaces.
    pub previous: Option<Revision>,
}

/// An accepted transaction: its first revision and its entries' places in the group.
pub(crate) struct Accepted {
    pub first_revision: Revision,
    pub entries: Range<usize>,
}

pub(crate) struct Judged {
    /// The accepted operations of the whole group in revision order.
    pub entries: Vec<Entry>,
    /// One verdict per transaction, in the order they came.
    pub verdicts: Vec<Result<Accepted, TxnError>>,
}

/// Judges a group against the index.
pub(crate) fn judge(index: &Index, txns: Vec<Txn>) -> Judged {
    let mut group = Group {
        index,
        pending: HashMap::new(),
        entries: Vec::with_capacity(txns.len()),
    };
    let verdicts = txns.into_iter().map(|txn| group.accept(txn)).collect();
    Judged {
        entries: group.entries,
        verdicts,
    }
}

/// What the group has done to a key so far.
struct Pending {
    current: Option<Revision>,
    fence: Option<Fence>,
}

struct Group<'a> {
    index: &'a Index,
    pending: HashMap<Key, Pending>,
    entries: Vec<Entry>,
}

impl Group<'_> {
    fn accept(&mut self, txn: Txn) -> Result<Accepted, TxnError> {
        crate::store::check_limits(&txn)?;
        for (index, condition) in txn.conditions.iter().enumerate() {
            self.check(index, condition)?;
        }
        self.check_deletes(&txn.ops)?;
        let start = self.entries.len();
        let latest = self.latest();
        for op in txn.ops {
            self.apply(op);
        }
        let entries = start..self.entries.len();
        let first_revision = if entries.is_empty() { latest } else { latest + 1 };
        Ok(Accepted {
            first_revision,
            entries,
        })
    }

    fn check(&self, index: usize, condition: &Condition) -> Result<(), TxnError> {
        let (holds, key) = match condition {
            Condition::Absent { key } => (self.current(key).is_none(), key),
            Condition::AtRevision { key, revision } => (self.current(key) == Some(*revision), key),
            Condition::Exists { key } => (self.current(key).is_some(), key),
            Condition::Fenced { key, fence } => {
                let current = self.fence(key);
                if current == Some(fence) {
                    return Ok(());
                }
                return Err(TxnError::Fenced {
                    key: key.clone(),
                    current: current.cloned(),
                });
            }
        };
        if holds {
            return Ok(());
        }
        Err(TxnError::ConditionFailed {
            index,
            current: self.current(key),
        })
    }

    /// Every delete must find its key, counting what the transaction itself does before it.
    fn check_deletes(&self, ops: &[Op]) -> Result<(), TxnError> {
        for (place, op) in ops.iter().enumerate() {
            let Op::Delete { key, .. } = op else { continue };
            let exists = match ops[..place].iter().rev().find(|earlier| earlier.key() == key) {
                Some(Op::Put { .. }) => true,
                Some(Op::Delete { .. }) => false,
                None => self.current(key).is_some(),
            };
            if !exists {
                return Err(TxnError::NotFound { key: key.clone() });
            }
        }
        Ok(())
    }

    fn apply(&mut self, op: Op) {
        let revision = self.latest() + 1;
        let (key, value, fence, attachment, deleted) = match op {
            Op::Put {
                key,
                value,
                fence,
                attachment,
            } => (key, value, fence, attachment, false),
            Op::Delete {
                key,
                value,
                attachment,
            } => (key, value, None, attachment, true),
        };
        let previous = self.current(&key);
        let pending = Pending {
            current: (!deleted).then_some(revision),
            fence: fence.clone(),
        };
        self.pending.insert(key.clone(), pending);
        self.entries.push(Entry {
            revision,
            key,
            deleted,
            value,
            fence,
            attachment,
            previous,
        });
    }

    fn latest(&self) -> Revision {
        self.index.latest() + self.entries.len() as Revision
    }

    fn current(&self, key: &Key) -> Option<Revision> {
        match self.pending.get(key) {
            Some(pending) => pending.current,
            None => self.index.current(key),
        }
    }

    fn fence(&self, key: &Key) -> Option<&Fence> {
        match self.pending.get(key) {
            Some(pending) => pending.fence.as_ref(),
            None => self.index.fence(key),
        }
    }
}
