//! From a write to a transaction: what is planned against the present state, what must still hold when the store
//! judges it, and what a refusal means.
//!
//! Planning is synchronous and changes nothing. A plan whose conditions no longer hold is made anew, unless the client
//! asked for exactly the state that is gone.

use std::sync::Arc;

use bytes::Bytes;
use coracle_admission::quota::Hold;
use coracle_api::{ApiError, Object, Resource, encode};
use coracle_store::{Committed, Condition, Encoded, Fence, Key, Op, Seal, Txn, TxnError};

use super::{
    Attributes, Context, Entry, Registry, Target, Written,
    addresses::Reservation,
    convert,
    passage::Question,
    reseal::Using,
    strategy::{self, Behaviour},
};

pub(super) use super::{
    overlay::{Current, Overlay},
    view::View,
};

/// The largest object, as etcd's request limit makes it.
pub(super) const MAX_OBJECT_BYTES: usize = 1536 << 10;

/// What a write comes to.
pub(super) enum Plan {
    /// Nothing is to be stored: nothing changed, or it was a dry run.
    Done(Written),
    /// To be judged and stored.
    Commit(Box<Pending>),
    /// Mutating webhooks are to be asked before it can be planned.
    Ask(Box<Question>),
}

/// A transaction and how to answer its outcome.
pub(super) struct Pending {
    pub txn: Txn,
    /// What each condition of the transaction protects.
    meanings: Vec<Meaning>,
    /// The transaction's first operation.
    reply: Reply,
    /// What its other operations change.
    others: Vec<(Key, Arc<Attributes>)>,
    pub reserved: Reserved,
    /// Held by those that hold sealed values, until they are stored.
    using: Vec<Using>,
}

/// What a plan holds for itself until its outcome is known.
#[derive(Default)]
pub(super) struct Reserved {
    pub addresses: Option<Reservation>,
    pub quota: Option<Hold>,
}

/// What it means when a condition does not hold.
enum Meaning {
    /// The name is taken: an answer where the client chose it, else another draw.
    Absent {
        resource: &'static Resource,
        name: String,
        was_generated: bool,
    },
    /// Somebody else wrote: a conflict where the client named the revision, else another try.
    Unchanged {
        resource: &'static Resource,
        name: String,
        was_asked: bool,
    },
    /// The namespace went away: another try will tell.
    Namespace,
    /// The leader lease is somebody else's.
    Fence { lease: String, holder: String },
}

/// How the stored object becomes the answer.
struct Reply {
    key: Key,
    attributes: Arc<Attributes>,
    created: bool,
    removed: bool,
    warnings: Vec<String>,
    view: View,
    /// The answer, where a webhook made it of what is stored.
    converted: Option<(Bytes, &'static Resource)>,
}

/// What to do after the store refused.
pub(super) enum Refusal {
    /// Plan again.
    Again,
    /// Tell the client.
    Tell(ApiError),
}

/// What happens to the object of a plan.
pub(super) enum Change<'a> {
    /// It is new.
    Create { was_generated: bool },
    /// It replaces `current`; `was_asked` says that the client named the revision.
    Replace { current: &'a Current, was_asked: bool },
    /// `current` goes, and this is its last state.
    Remove { current: &'a Current, was_asked: bool },
}

impl Registry {
    /// Makes the plan of storing `object`, which is complete and valid.
    pub(super) fn plan_change(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        object: &mut dyn Object,
        change: Change<'_>,
        warnings: Vec<String>,
        view: View,
    ) -> Result<Plan, ApiError> {
        self.admit_at_gate(ctx, object, &change)?;
        let resource = object.resource();
        let behaviour = strategy::of(resource);
        let target = Target::new(resource, object.namespace(), object.name());
        let key = target.key();
        let canonical = encode::encode(object);
        check_size(canonical.json.len())?;
        let attributes = Arc::new(behaviour.attributes(object));
        let (created, removed) = (
            matches!(change, Change::Create { .. }),
            matches!(change, Change::Remove { .. }),
        );
        let written = |entry, warnings| Written {
            entry,
            created,
            removed,
            warnings,
        };
        let shown = |revision| Entry {
            key: Arc::clone(&key),
            revision,
            json: match revision {
                0 => canonical.json.clone(),
                revision => canonical.at_revision(revision),
            },
            attributes: Arc::clone(&attributes),
        };
        self.note(ctx, overlay, &target, &change, shown, view)?;
        if let Change::Replace { current, .. } = &change
            && !current.is_outdated
            && is_same(&current.entry.json, &canonical)
        {
            return Ok(Plan::Done(written(
                self.shown(ctx, current.entry.clone(), view)?,
                warnings,
            )));
        }
        if ctx.options.dry_run {
            let revision = match &change {
                Change::Create { .. } => 0,
                Change::Replace { current, .. } | Change::Remove { current, .. } => current.entry.revision,
            };
            return Ok(Plan::Done(written(
                self.shown(ctx, shown(revision), view)?,
                warnings,
            )));
        }
        let converted = match view {
            View::Version(resource) => {
                let answer = ctx.converted.answer(&canonical.json, resource)?;
                answer.map(|json| (json, resource))
            }
            _ => None,
        };
        let using = behaviour.is_secret().then(|| self.seals.enter());
        let value = self.encode_value(behaviour, canonical, &attributes)?;
        let (conditions, meanings) = self.conditions(ctx, overlay, &target, &key, &change);
        let attachment: coracle_store::Attachment = Arc::clone(&attributes) as _;
        let op = if removed {
            Op::Delete {
                key: Arc::clone(&key),
                value,
                attachment,
            }
        } else {
            Op::Put {
                key: Arc::clone(&key),
                value,
                fence: behaviour.fence(object),
                attachment,
            }
        };
        Ok(Plan::Commit(Box::new(Pending {
            txn: Txn {
                conditions,
                ops: vec![op],
            },
            meanings,
            reply: Reply {
                key,
                attributes,
                created,
                removed,
                warnings,
                view,
                converted,
            },
            others: Vec::new(),
            reserved: Reserved::default(),
            using: using.into_iter().collect(),
        })))
    }

    /// Adds to a plan the change of another object, whose present state is `current`: both happen or none.
    pub(super) fn plan_also(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        plan: Plan,
        current: &Current,
        object: &mut dyn Object,
    ) -> Result<Plan, ApiError> {
        let Plan::Commit(mut pending) = plan else {
            return Ok(plan);
        };
        let change = Change::Replace {
            current,
            was_asked: false,
        };
        let other = self.plan_change(ctx, overlay, object, change, Vec::new(), View::Whole)?;
        if let Plan::Commit(other) = other {
            pending.txn.conditions.extend(other.txn.conditions);
            pending.txn.ops.extend(other.txn.ops);
            pending.meanings.extend(other.meanings);
            pending.others.push((other.reply.key, other.reply.attributes));
            pending.using.extend(other.using);
        }
        Ok(Plan::Commit(pending))
    }

    /// The object as the store keeps it, sealed where its kind is.
    pub(super) fn encode_value(
        &self,
        behaviour: &dyn Behaviour,
        canonical: encode::Canonical,
        attributes: &Attributes,
    ) -> Result<Encoded, ApiError> {
        let seal = if behaviour.is_secret() {
            Seal::Aead { uid: &attributes.uid }
        } else {
            Seal::None
        };
        self.codec
            .encode(canonical.json, canonical.splice_at, seal)
            .map_err(ApiError::internal)
    }

    fn conditions(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        key: &Key,
        change: &Change<'_>,
    ) -> (Vec<Condition>, Vec<Meaning>) {
        let (mut conditions, mut meanings) = (Vec::with_capacity(3), Vec::with_capacity(3));
        let (resource, name) = (target.resource, target.name.clone());
        match change {
            Change::Create { was_generated } => {
                if !overlay.decides(key) {
                    conditions.push(Condition::Absent { key: Arc::clone(key) });
                    meanings.push(Meaning::Absent {
                        resource,
                        name,
                        was_generated: *was_generated,
                    });
                }
                let namespace =
                    Target::new(coracle_api::kinds::NAMESPACE, "", target.namespace.as_str()).key();
                if resource.namespaced && !overlay.decides(&namespace) {
                    conditions.push(Condition::Exists { key: namespace });
                    meanings.push(Meaning::Namespace);
                }
            }
            Change::Replace { current, was_asked } | Change::Remove { current, was_asked } => {
                if !current.is_planned {
                    let revision = current.entry.revision;
                    conditions.push(Condition::AtRevision {
                        key: Arc::clone(key),
                        revision,
                    });
                    meanings.push(Meaning::Unchanged {
                        resource,
                        name,
                        was_asked: *was_asked,
                    });
                }
            }
        }
        if let Some(fence) = &ctx.options.fence {
            let key = coracle_api::kinds::LEASE
                .store_key(&fence.namespace, &fence.name)
                .into();
            let token = Fence {
                holder: fence.holder.clone(),
                transitions: fence.transitions,
            };
            conditions.push(Condition::Fenced { key, fence: token });
            let lease = format!("{}/{}", fence.namespace, fence.name);
            meanings.push(Meaning::Fence {
                lease,
                holder: fence.holder.clone(),
            });
        }
        (conditions, meanings)
    }

    /// The entry as the client asked to see it.
    pub(super) fn shown(&self, ctx: &Context, entry: Entry, view: View) -> Result<Entry, ApiError> {
        match view {
            View::Whole => Ok(entry),
            View::Version(resource) => ctx.converted.entry(entry, resource)?.served(resource),
            View::Scale => {
                let resource = self.catalog.now().of_key(&entry.key);
                super::scale::entry(entry, resource.ok_or_else(ApiError::resource_not_found)?)
            }
        }
    }

    /// The answer to a committed plan, whose operation was the `op`-th of its transaction.
    pub(super) fn settle(
        &self,
        pending: Pending,
        committed: &Committed,
        op: usize,
    ) -> Result<Written, ApiError> {
        let Reply {
            key,
            attributes,
            created,
            removed,
            warnings,
            view,
            converted,
        } = pending.reply;
        let revision = committed.first_revision + i64::try_from(op).unwrap_or(0);
        let json: Bytes = committed.values.get(op).cloned().unwrap_or_default();
        if key.starts_with(coracle_api::kinds::CUSTOM_RESOURCE_DEFINITION.store_prefix()) {
            self.refresh_definition(&attributes.name);
        }
        let (json, view) = match converted {
            Some((json, resource)) => (convert::at_revision(&json, resource, revision)?, View::Whole),
            None => (json, view),
        };
        let entry = Entry {
            key,
            revision,
            json,
            attributes,
        };
        let entry = self.shown(&Context::internal(), entry, view)?;
        Ok(Written {
            entry,
            created,
            removed,
            warnings,
        })
    }
}

impl Pending {
    /// What the store's refusal means for this plan, whose first condition was the `first`-th of its transaction.
    pub(super) fn refused(&self, error: TxnError, first: usize) -> Refusal {
        match error {
            TxnError::ConditionFailed { index, current } => {
                match index.checked_sub(first).and_then(|own| self.meanings.get(own)) {
                    Some(Meaning::Absent {
                        resource,
                        name,
                        was_generated: false,
                    }) => Refusal::Tell(ApiError::already_exists(resource, name)),
                    Some(Meaning::Unchanged {
                        resource,
                        name,
                        was_asked: true,
                    }) if current.is_some() => Refusal::Tell(ApiError::conflict(resource, name)),
                    _ => Refusal::Again,
                }
            }
            TxnError::Fenced { .. } => Refusal::Tell(self.fenced()),
            TxnError::NotFound { .. } => Refusal::Again,
            TxnError::TooLarge { .. } => Refusal::Tell(ApiError::request_entity_too_large(error)),
            TxnError::Unavailable(_) => Refusal::Tell(ApiError::unavailable(error.to_string())),
        }
    }

    fn fenced(&self) -> ApiError {
        let fence = self.meanings.iter().find_map(|meaning| match meaning {
            Meaning::Fence { lease, holder } => Some((lease.as_str(), holder.as_str())),
            _ => None,
        });
        let (lease, holder) = fence.unwrap_or_default();
        ApiError::fenced(lease, holder)
    }

    pub(super) fn conditions(&self) -> usize {
        self.meanings.len()
    }

    /// What it does to which objects: the state that each is left in, and whether it goes.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&Key, &Arc<Attributes>, bool, &Op)> {
        let own = &self.reply;
        let own = (&own.key, &own.attributes, own.removed);
        let others = self
            .others
            .iter()
            .map(|(key, attributes)| (key, attributes, false));
        let all = std::iter::once(own).chain(others).zip(&self.txn.ops);
        all.map(|((key, attributes, removed), op)| (key, attributes, removed, op))
    }
}

/// Whether the stored JSON, which carries a revision, says the same as the new one, which does not.
pub(super) fn is_same(stored: &[u8], canonical: &encode::Canonical) -> bool {
    let at = canonical.splice_at as usize;
    let Some((head, rest)) = stored.split_at_checked(at) else {
        return false;
    };
    let Some((new_head, new_tail)) = canonical.json.split_at_checked(at) else {
        return false;
    };
    const FIELD: &[u8] = b"\"resourceVersion\":\"";
    let Some(rest) = rest.strip_prefix(FIELD) else {
        return false;
    };
    let Some(end) = rest.iter().position(|byte| *byte == b'"') else {
        return false;
    };
    let tail = &rest[end + 1..];
    head == new_head && tail.strip_prefix(b",").unwrap_or(tail) == new_tail
}

fn check_size(size_bytes: usize) -> Result<(), ApiError> {
    if size_bytes <= MAX_OBJECT_BYTES {
        return Ok(());
    }
    Err(ApiError::request_entity_too_large(format!(
        "the object has {size_bytes} bytes, limit is {MAX_OBJECT_BYTES}"
    )))
}
