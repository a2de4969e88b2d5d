//! The watch cache on the memory store: against a small obvious model, at its limits, and at its ends.

mod limits;
mod model;

use std::sync::Arc;

use coracle_api::kinds;
use coracle_service::{Clock, Spawn};
use coracle_store::{Attachment, Condition, Key, MemoryStore, Op, RecordCodec, Seal, Store, Txn};
use serde_json::json;

use super::{Event, Watch, WatchCache};
use crate::registry::strategy;

/// A pod's labels and node, which is all that these tests look at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    label: u8,
    node: u8,
}

/// A cache over a memory store, written to without a registry.
struct Bench {
    store: MemoryStore,
    cache: Arc<WatchCache>,
}

impl Bench {
    fn new(window_bytes: usize) -> Self {
        let store = MemoryStore::default();
        let shared: Arc<dyn Store> = Arc::new(store.clone());
        let cache = WatchCache::with_window(
            shared,
            strategy::describe,
            Clock::system(),
            Spawn::inline(),
            window_bytes,
        );
        Self {
            store,
            cache: cache.unwrap(),
        }
    }

    fn key(namespace: u8, name: u8) -> Key {
        kinds::POD
            .store_key(&format!("ns{namespace}"), &format!("p{name}"))
            .into()
    }

    async fn put(&self, namespace: u8, name: u8, state: &State) -> i64 {
        let key = Self::key(namespace, name);
        let object = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": format!("p{name}"), "namespace": format!("ns{namespace}"),
                "labels": {"l": state.label.to_string()},
            },
            "spec": {"containers": [], "nodeName": format!("n{}", state.node)},
        });
        let object = coracle_api::encode::encode_value(&object).unwrap();
        let attributes = Arc::new(strategy::describe(kinds::POD, &object.json).unwrap()) as Attachment;
        let value = RecordCodec::unsealed()
            .encode(object.json, object.splice_at, Seal::None)
            .unwrap();
        let op = Op::Put {
            key,
            value,
            fence: None,
            attachment: attributes,
        };
        self.store
            .commit(Txn {
                conditions: vec![],
                ops: vec![op],
            })
            .await
            .unwrap()
            .first_revision
    }

    /// Deletes a pod; `None` where there is none.
    async fn delete(&self, namespace: u8, name: u8) -> Option<i64> {
        let key = Self::key(namespace, name);
        let entry = self.cache.get(kinds::POD, &key)?;
        let (object, _) = coracle_api::encode::strip_resource_version(&entry.json).unwrap();
        let value = RecordCodec::unsealed()
            .encode(object.json, object.splice_at, Seal::None)
            .unwrap();
        let attachment = Arc::clone(&entry.attributes) as Attachment;
        let conditions = vec![Condition::Exists {
            key: Arc::clone(&key),
        }];
        let op = Op::Delete {
            key,
            value,
            attachment,
        };
        Some(
            self.store
                .commit(Txn {
                    conditions,
                    ops: vec![op],
                })
                .await
                .unwrap()
                .first_revision,
        )
    }
}

/// Reads a watch until it has told everything up to `revision`.
async fn read_to(watch: &mut Watch, revision: i64) -> Vec<Event> {
    let mut events = Vec::new();
    let mut told = -1;
    while told < revision {
        // An initial ADDED event carries its object's own revision; only what follows tells progress.
        let is_initial = !watch.is_past_initial();
        let more = watch.next().await.unwrap().unwrap();
        assert!(!more.is_empty());
        let progress = more
            .iter()
            .filter(|event| !is_initial || event.kind == super::EventKind::Synced);
        told = progress.fold(told, |told, event| told.max(event.revision));
        events.extend(more);
    }
    events
}
