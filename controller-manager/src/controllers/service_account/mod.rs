//! Gives every namespace its `default` ServiceAccount, and the certificate of the cluster's authority.

use std::sync::Arc;

use async_trait::async_trait;
use coracle_api::ApiError;
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use crate::{Config, world::World};

mod plan;
#[cfg(test)]
mod tests;

use plan::Snapshot;

pub(crate) struct ServiceAccounts {
    world: Arc<World>,
    root_ca_pem: Option<Arc<str>>,
}

impl ServiceAccounts {
    pub(crate) fn new(world: &Arc<World>, config: &Config) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.namespaces.cache.subscribe({
            let queue = queue.clone();
            move |change| queue.add(change.key.clone())
        });
        for kind in [&world.service_accounts, &world.config_maps] {
            let queue = queue.clone();
            kind.cache.subscribe(move |change| {
                let name = change.key.name();
                if change.new.is_none() && (name == plan::ACCOUNT || name == plan::ROOT_CA) {
                    queue.add(Key::new("", change.key.namespace()));
                }
            });
        }
        let root_ca_pem = config.root_ca_pem.as_deref().map(Arc::from);
        (
            Arc::new(Self {
                world: Arc::clone(world),
                root_ca_pem,
            }),
            queue,
        )
    }
}

#[async_trait]
impl Controller for ServiceAccounts {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "service-account-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.namespaces.cache.clone()),
            Arc::new(self.world.service_accounts.cache.clone()),
            Arc::new(self.world.config_maps.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.namespaces.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let Some(namespace) = self.world.namespaces.cache.get_key(key) else {
            return Ok(None);
        };
        if namespace.meta.is_deleting() {
            return Ok(None);
        }
        Ok(Some(Snapshot {
            namespace: key.name().to_owned(),
            has_account: self
                .world
                .service_accounts
                .cache
                .get(key.name(), plan::ACCOUNT)
                .is_some(),
            has_root_ca: self
                .world
                .config_maps
                .cache
                .get(key.name(), plan::ROOT_CA)
                .is_some(),
            root_ca_pem: self.root_ca_pem.clone(),
        }))
    }

    fn plan(&self, snapshot: &Snapshot, _now: Timestamp) -> Plan {
        plan::plan(snapshot)
    }
}
