//! Empties namespaces that are being deleted, and then lets them go.
//!
//! What is inside is read live and kind by kind from the table of all kinds, so nothing is left behind because some
//! cache did not know of it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds::RESOURCES};
use coracle_client::ListQuery;
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use crate::custom::{self, CustomKinds};
use crate::{Config, view::Bare, world::World};

mod conditions;
mod plan;
#[cfg(test)]
mod tests;

use plan::{Content, Snapshot};

pub(crate) struct NamespaceController {
    world: Arc<World>,
    retry: Duration,
}

impl NamespaceController {
    pub(crate) fn new(world: &Arc<World>, config: &Config) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.namespaces.cache.subscribe({
            let queue = queue.clone();
            move |change| {
                if change
                    .new
                    .as_ref()
                    .is_some_and(|namespace| namespace.meta.is_deleting())
                {
                    queue.add(change.key.clone());
                }
            }
        });
        let retry = config.timings.namespace_retry;
        (
            Arc::new(Self {
                world: Arc::clone(world),
                retry,
            }),
            queue,
        )
    }

    async fn contents(&self, namespace: &str) -> Result<Vec<Content>, ApiError> {
        let mut contents = Vec::new();
        let built_in = RESOURCES
            .iter()
            .copied()
            .filter(|resource| resource.namespaced && resource.is_storage() && resource.has_verb("delete"));
        for resource in built_in.chain(CustomKinds::rows(&self.world)) {
            let query = ListQuery {
                namespace: namespace.to_owned(),
                ..ListQuery::all(resource)
            };
            let objects = match self.world.api.list_all(&query).await {
                Ok((objects, _)) => objects,
                // The definition went away meanwhile, and its objects before it.
                Err(error) if custom::is_custom(resource) && error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            for object in objects {
                let Bare { meta } = object.read()?;
                contents.push(Content { resource, meta });
            }
        }
        Ok(contents)
    }
}

#[async_trait]
impl Controller for NamespaceController {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![Arc::new(self.world.namespaces.cache.clone())]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.namespaces.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let Some(namespace) = self.world.namespaces.cache.get_key(key) else {
            return Ok(None);
        };
        if !namespace.meta.is_deleting() || !plan::awaits_us(&namespace) {
            return Ok(None);
        }
        let contents = self.contents(key.name()).await?;
        Ok(Some(Snapshot {
            namespace,
            contents,
            retry: self.retry,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, now: Timestamp) -> Plan {
        plan::plan(snapshot, now)
    }
}
