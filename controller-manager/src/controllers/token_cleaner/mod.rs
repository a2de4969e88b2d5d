//! Deletes bootstrap tokens whose time is over. Whether a token may still be used is judged by whoever is shown it; this
//! only tidies up.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use coracle_api::{ApiError, kinds, time, view::or_default};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    view::{Bare, Meta},
    world::{AnyKind, World},
};

mod plan;
#[cfg(test)]
mod tests;

use plan::Snapshot;

/// Where bootstrap tokens are.
const NAMESPACE: &str = "kube-system";
/// What their names begin with.
const PREFIX: &str = "bootstrap-token-";
/// The type of their Secrets.
const TYPE: &str = "bootstrap.kubernetes.io/token";

pub(crate) struct TokenCleaner {
    world: Arc<World>,
    secrets: Option<Arc<dyn AnyKind>>,
}

/// A Secret, as far as its expiry goes.
#[derive(Deserialize)]
struct SecretView {
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    kind: Box<str>,
    #[serde(default, deserialize_with = "or_default")]
    data: DataView,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DataView {
    #[serde(deserialize_with = "or_default")]
    expiration: Box<str>,
}

impl SecretView {
    /// When the token's time is over; `None` where it has no end, or says it in a way that is none.
    fn expires(&self) -> Option<Timestamp> {
        let bytes = STANDARD.decode(&*self.data.expiration).ok()?;
        time::parse(std::str::from_utf8(&bytes).ok()?)
    }
}

impl TokenCleaner {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        let secrets = world.kind(kinds::SECRET);
        if let Some(secrets) = &secrets {
            let queue = queue.clone();
            secrets.subscribe(Box::new(move |_, new| {
                if let Some(new) = new.filter(|new| may_be_token(new)) {
                    queue.add(new.key());
                }
            }));
        }
        let controller = Self {
            world: Arc::clone(world),
            secrets,
        };
        (Arc::new(controller), queue)
    }
}

fn may_be_token(meta: &Meta) -> bool {
    &*meta.namespace == NAMESPACE && meta.name.starts_with(PREFIX) && !meta.is_deleting()
}

#[async_trait]
impl Controller for TokenCleaner {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "token-cleaner"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        self.secrets.iter().map(|secrets| secrets.watched()).collect()
    }

    fn keys(&self) -> Vec<Key> {
        let keys = self.secrets.iter().flat_map(|secrets| secrets.keys());
        keys.filter(|key| key.namespace() == NAMESPACE && key.name().starts_with(PREFIX))
            .collect()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        // What Secrets hold is in no cache.
        let object = match self
            .world
            .api
            .get(kinds::SECRET, key.namespace(), key.name())
            .await
        {
            Ok(object) => object,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let (Bare { meta }, secret): (Bare, SecretView) = (object.read()?, object.read()?);
        if &*secret.kind != TYPE || meta.is_deleting() {
            return Ok(None);
        }
        let expires = secret.expires();
        Ok(expires.map(|expires| Snapshot { meta, expires }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }
}
