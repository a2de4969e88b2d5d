//! What the scheduler watches, and how each kind's changes reach it.

use std::sync::Arc;

use coracle_api::kinds;
use coracle_client::{ObjectApi, WatchQuery};
use coracle_runtime::{Cache, Project, informer};
use coracle_service::{Env, Shutdown};

use super::Shared;
use crate::{
    projection::{Budget, Namespace, Node, Pod},
    storage::{Claim, Drivers, StorageClass, Volume},
};

/// A cache a kind.
pub(super) struct Caches {
    pub(super) nodes: Cache<Node>,
    pub(super) pods: Cache<Pod>,
    namespaces: Cache<Namespace>,
    budgets: Cache<Budget>,
    claims: Cache<Claim>,
    volumes: Cache<Volume>,
    classes: Cache<StorageClass>,
    drivers: Cache<Drivers>,
}

impl Caches {
    /// Empty ones that tell the scheduler of whatever they learn.
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let caches = Self {
            nodes: Cache::new(kinds::NODE),
            pods: Cache::new(kinds::POD),
            namespaces: Cache::new(kinds::NAMESPACE),
            budgets: Cache::new(kinds::POD_DISRUPTION_BUDGET),
            claims: Cache::new(kinds::PERSISTENT_VOLUME_CLAIM),
            volumes: Cache::new(kinds::PERSISTENT_VOLUME),
            classes: Cache::new(kinds::STORAGE_CLASS),
            drivers: Cache::new(kinds::CSI_NODE),
        };
        let to = Arc::clone(shared);
        caches.nodes.subscribe(move |change| {
            to.tell(|scheduler, _| scheduler.node_changed(&change.key, change.new.as_ref()));
        });
        let to = Arc::clone(shared);
        caches.pods.subscribe(move |change| {
            to.tell(|scheduler, now| {
                scheduler.pod_changed(&change.key, change.old.as_deref(), change.new.as_ref(), now);
            });
        });
        let to = Arc::clone(shared);
        caches.namespaces.subscribe(move |change| {
            to.tell(|scheduler, _| scheduler.namespace_changed(&change.key, change.new.as_ref()));
        });
        let to = Arc::clone(shared);
        caches.budgets.subscribe(move |change| {
            to.tell(|scheduler, _| scheduler.budget_changed(&change.key, change.new.as_ref()));
        });
        caches.follow_storage(shared);
        caches
    }

    fn follow_storage(&self, shared: &Arc<Shared>) {
        let to = Arc::clone(shared);
        self.claims.subscribe(move |change| {
            to.tell(|scheduler, _| {
                scheduler.storage_changed(|storage| storage.set_claim(&change.key, change.new.clone()));
            });
        });
        let to = Arc::clone(shared);
        self.volumes.subscribe(move |change| {
            to.tell(|scheduler, _| {
                scheduler.storage_changed(|storage| {
                    storage.set_volume(change.key.name(), change.new.clone());
                });
            });
        });
        let to = Arc::clone(shared);
        self.classes.subscribe(move |change| {
            to.tell(|scheduler, _| {
                scheduler.storage_changed(|storage| {
                    storage.set_class(change.key.name(), change.new.clone());
                });
            });
        });
        let to = Arc::clone(shared);
        self.drivers.subscribe(move |change| {
            to.tell(|scheduler, _| {
                scheduler.storage_changed(|storage| {
                    storage.set_drivers(change.key.name(), change.new.clone());
                });
            });
        });
    }

    /// Begins to watch.
    pub(super) fn start(&self, api: &Arc<dyn ObjectApi>, env: &Env, shutdown: &Shutdown) {
        fn begin<T: Project>(cache: &Cache<T>, api: &Arc<dyn ObjectApi>, env: &Env, shutdown: &Shutdown) {
            let query = WatchQuery::all(cache.resource());
            informer::start(cache, query, Arc::clone(api), env, shutdown);
        }
        let Self {
            nodes,
            pods,
            namespaces,
            budgets,
            claims,
            volumes,
            classes,
            drivers,
        } = self;
        begin(nodes, api, env, shutdown);
        begin(pods, api, env, shutdown);
        begin(namespaces, api, env, shutdown);
        begin(budgets, api, env, shutdown);
        begin(claims, api, env, shutdown);
        begin(volumes, api, env, shutdown);
        begin(classes, api, env, shutdown);
        begin(drivers, api, env, shutdown);
    }

    /// Waits until all have been told the present state.
    pub(super) async fn wait_synced(&self) {
        tokio::join!(
            self.nodes.wait_synced(),
            self.pods.wait_synced(),
            self.namespaces.wait_synced(),
            self.budgets.wait_synced(),
            self.claims.wait_synced(),
            self.volumes.wait_synced(),
            self.classes.wait_synced(),
            self.drivers.wait_synced(),
        );
    }
}
