//! What the recorder keeps: tokens, events not yet written, and what it has written before and may count up.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use coracle_api::{ApiError, kinds, time};
use coracle_client::{Object, PatchType, Write, object_api::MAX_BATCH};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::{Note, ObjectRef, Severity};

/// Events that may be written at once.
pub(super) const BURST: u32 = 500;
/// Events that may be written each second beyond the burst.
pub(super) const PER_SECOND: u32 = 100;
/// Counted events that are kept while there are no tokens; beyond it they are dropped and the drop is logged.
pub(super) const FOLDED_MAX: usize = 1_000;
/// Written events that may still be counted up instead of being written anew.
const REMEMBERED_MAX: usize = 4_096;
/// Writes kept while the apiserver does not answer; the oldest are dropped first.
const UNSENT_MAX: usize = MAX_BATCH;
/// Namespace of events about objects that have none.
const DEFAULT_NAMESPACE: &str = "default";

/// What makes two happenings the same one, counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    uid: String,
    reason: &'static str,
    message: Arc<str>,
}

#[derive(Clone, Debug)]
struct Happening {
    component: Option<&'static str>,
    regarding: ObjectRef,
    severity: Severity,
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

/// Happenings beyond the tokens, counted by owner, reason and severity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FoldKey {
    uid: String,
    reason: &'static str,
    severity: Severity,
}

#[derive(Clone, Debug)]
struct Written {
    name: String,
    count: u64,
}

/// One write of an event, and what it means.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    pub(super) write: Write,
    identity: Identity,
}

pub(super) struct Books {
    component: Arc<str>,
    tokens: f64,
    refilled: Instant,
    /// Keeps names of events unique within a component even where the clock stands still.
    last_nanos: i128,
    pending: BTreeMap<Identity, Happening>,
    folded: BTreeMap<FoldKey, Happening>,
    dropped: u64,
    written: BTreeMap<Identity, Written>,
    written_order: VecDeque<Identity>,
    unsent: VecDeque<Sending>,
}

impl Books {
    pub(super) fn new(component: &str, now: Instant) -> Self {
        Self {
            component: component.into(),
            tokens: f64::from(BURST),
            refilled: now,
            last_nanos: 0,
            pending: BTreeMap::new(),
            folded: BTreeMap::new(),
            dropped: 0,
            written: BTreeMap::new(),
            written_order: VecDeque::new(),
            unsent: VecDeque::new(),
        }
    }

    pub(super) fn enter(
        &mut self,
        component: Option<&'static str>,
        note: Note,
        now: Timestamp,
        tick: Instant,
    ) {
        let Note {
            regarding,
            owner,
            severity,
            reason,
            message,
        } = note;
        let identity = Identity {
            uid: regarding.uid.clone(),
            reason,
            message: message.into(),
        };
        if let Some(pending) = self.pending.get_mut(&identity) {
            pending.count += 1;
            pending.last = now;
            return;
        }
        let happening = Happening {
            component,
            regarding,
            severity,
            count: 1,
            first: now,
            last: now,
        };
        if self.take_token(tick) {
            self.pending.insert(identity, happening);
            return;
        }
        let regarding = owner.unwrap_or_else(|| happening.regarding.clone());
        let key = FoldKey {
            uid: regarding.uid.clone(),
            reason,
            severity,
        };
        if let Some(folded) = self.folded.get_mut(&key) {
            folded.count += 1;
            folded.last = now;
        } else if self.folded.len() < FOLDED_MAX {
            self.folded.insert(
                key,
                Happening {
                    regarding,
                    ..happening
                },
            );
        } else {
            self.dropped += 1;
        }
    }

    /// The next batch to write; empty where nothing is due.
    pub(super) fn close(&mut self, tick: Instant) -> Vec<Sending> {
        if self.dropped > 0 {
            tracing::warn!(dropped = self.dropped, "dropped events beyond the limits");
            self.dropped = 0;
        }
        while let Some(entry) = self.folded.first_entry() {
            let identity = Identity {
                uid: entry.key().uid.clone(),
                reason: entry.key().reason,
                message: "(combined from similar events)".into(),
            };
            if !self.take_token(tick) {
                break;
            }
            if let Some((_, happening)) = self.folded.pop_first() {
                self.pending.insert(identity, happening);
            }
        }
        for (identity, happening) in std::mem::take(&mut self.pending) {
            let sending = self.write_of(identity, &happening);
            self.unsent.push_back(sending);
        }
        while self.unsent.len() > UNSENT_MAX {
            self.unsent.pop_front();
        }
        std::mem::take(&mut self.unsent).into()
    }

    /// Whether counted events wait for tokens.
    pub(super) fn owes(&self) -> bool {
        !self.folded.is_empty()
    }

    pub(super) fn sent(&mut self, sending: Vec<Sending>, outcomes: &[Result<Object, ApiError>]) {
        for (sending, outcome) in sending.iter().zip(outcomes) {
            if let Err(error) = outcome {
                // Its Event has expired, or its namespace is going: what happens next is told anew.
                tracing::debug!(%error, reason = sending.identity.reason, "write event");
                self.written.remove(&sending.identity);
            }
        }
    }

    pub(super) fn unsent(&mut self, sending: Vec<Sending>) {
        for sending in sending.into_iter().rev() {
            self.unsent.push_front(sending);
        }
    }

    fn take_token(&mut self, tick: Instant) -> bool {
        let elapsed: Duration = tick.saturating_duration_since(self.refilled);
        self.refilled = tick;
        self.tokens = (self.tokens + elapsed.as_secs_f64() * f64::from(PER_SECOND)).min(f64::from(BURST));
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }

    fn write_of(&mut self, identity: Identity, happening: &Happening) -> Sending {
        let namespace = match &*happening.regarding.namespace {
            "" => DEFAULT_NAMESPACE.to_owned(),
            namespace => namespace.to_owned(),
        };
        if let Some(written) = self.written.get_mut(&identity) {
            written.count += happening.count;
            let patch = json!({"count": written.count, "lastTimestamp": time::format(happening.last)});
            let write = Write::Patch {
                resource: kinds::EVENT,
                namespace,
                name: written.name.clone(),
                subresource: "",
                patch_type: PatchType::Merge,
                patch: Bytes::from(patch.to_string()),
                uid: String::new(),
                revision: 0,
            };
            return Sending { write, identity };
        }
        self.last_nanos = happening.first.as_nanosecond().max(self.last_nanos + 1);
        let name = format!("{}.{:x}", happening.regarding.name, self.last_nanos);
        let json = event(&self.component, &name, &namespace, &identity, happening);
        let write = Write::Create {
            resource: kinds::EVENT,
            namespace,
            name: String::new(),
            subresource: "",
            json,
        };
        self.remember(
            identity.clone(),
            Written {
                name,
                count: happening.count,
            },
        );
        Sending { write, identity }
    }

    fn remember(&mut self, identity: Identity, written: Written) {
        if self.written.insert(identity.clone(), written).is_none() {
            self.written_order.push_back(identity);
        }
        while self.written_order.len() > REMEMBERED_MAX {
            if let Some(oldest) = self.written_order.pop_front() {
                self.written.remove(&oldest);
            }
        }
    }
}

/// The Event object, in the shape that upstream's recorder writes.
fn event(own: &str, name: &str, namespace: &str, identity: &Identity, happening: &Happening) -> Bytes {
    let component = happening.component.unwrap_or(own);
    let ObjectRef {
        api_version,
        kind,
        namespace: of,
        name: regarding,
        uid,
        revision,
    } = &happening.regarding;
    let mut involved = json!({"apiVersion": api_version, "kind": kind, "name": regarding, "uid": uid});
    if !of.is_empty() {
        involved["namespace"] = json!(of);
    }
    if *revision != 0 {
        involved["resourceVersion"] = json!(revision.to_string());
    }
    let json = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": involved,
        "reason": identity.reason,
        "message": &*identity.message,
        "type": happening.severity.as_str(),
        "count": happening.count,
        "firstTimestamp": time::format(happening.first),
        "lastTimestamp": time::format(happening.last),
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "",
    });
    Bytes::from(json.to_string())
}
