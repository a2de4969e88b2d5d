//! What all controllers see: one cache per kind, shared, with the indexes that spare them from walking.

use std::sync::Arc;

use coracle_api::{ApiError, Resource, kinds};
use coracle_client::{ObjectApi, WatchQuery};
use coracle_runtime::{Cache, Change, Index, Key, Project, Watched, WorkQueue, informer};
use coracle_service::{Env, Shutdown};

use crate::custom::CustomKinds;
use crate::view::{
    Autoscaler, Bare, Claim, CronJob, DaemonSet, Deployment, DisruptionBudget, EndpointSlice, Endpoints,
    HasMeta, Job, Meta, Namespace, Node, Pod, ReplicaSet, ReplicationController, Revision, Selects, Service,
    StatefulSet, Volume,
};

/// The label by which a slice says whose it is.
pub(crate) const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

/// A cache with an index by the UIDs of owners.
pub(crate) struct Kind<T> {
    pub(crate) cache: Cache<T>,
    by_owner: Index<T>,
}

impl<T: Project + HasMeta> Kind<T> {
    pub(crate) fn new(resource: &'static Resource) -> Self {
        let cache = Cache::<T>::new(resource);
        let by_owner = cache.index(|object: &T, uids| {
            uids.extend(object.meta().owners.iter().map(|owner| owner.uid.to_string()))
        });
        Self { cache, by_owner }
    }

    /// The objects that name `uid` among their owners.
    pub(crate) fn owned_by(&self, uid: &str) -> Vec<Arc<T>> {
        self.cache.by_index(self.by_owner, uid)
    }

    /// The objects that `uid` controls.
    pub(crate) fn controlled_by(&self, uid: &str) -> Vec<Arc<T>> {
        let mut owned = self.owned_by(uid);
        owned.retain(|object| object.meta().controller().is_some_and(|owner| &*owner.uid == uid));
        owned
    }
}

/// Told of an object as it was and as it is.
pub(crate) type MetaSubscriber = Box<dyn Fn(Option<&Meta>, Option<&Meta>) + Send + Sync>;

/// A [`Kind`] whose projection does not matter, for controllers that treat all kinds alike.
pub(crate) trait AnyKind: Send + Sync {
    fn resource(&self) -> &'static Resource;
    fn watched(&self) -> Arc<dyn Watched>;
    fn get(&self, key: &Key) -> Option<Meta>;
    fn keys(&self) -> Vec<Key>;
    fn owned_by(&self, uid: &str) -> Vec<Meta>;
    fn has_owned(&self, uid: &str) -> bool;
    fn subscribe(&self, told: MetaSubscriber);
    fn start(&self, world: &World, shutdown: &Shutdown);
}

impl<T: Project + HasMeta> AnyKind for Kind<T> {
    fn resource(&self) -> &'static Resource {
        self.cache.resource()
    }

    fn watched(&self) -> Arc<dyn Watched> {
        Arc::new(self.cache.clone())
    }

    fn get(&self, key: &Key) -> Option<Meta> {
        self.cache.get_key(key).map(|object| object.meta().clone())
    }

    fn keys(&self) -> Vec<Key> {
        self.cache.keys()
    }

    fn owned_by(&self, uid: &str) -> Vec<Meta> {
        Kind::owned_by(self, uid)
            .iter()
            .map(|object| object.meta().clone())
            .collect()
    }

    fn has_owned(&self, uid: &str) -> bool {
        self.cache.count(self.by_owner, uid) > 0
    }

    fn subscribe(&self, told: MetaSubscriber) {
        self.cache.subscribe(move |change| {
            told(
                change.old.as_ref().map(|old| old.meta()),
                change.new.as_ref().map(|new| new.meta()),
            );
        });
    }

    fn start(&self, world: &World, shutdown: &Shutdown) {
        let query = WatchQuery::all(self.cache.resource());
        informer::start(&self.cache, query, Arc::clone(&world.api), &world.env, shutdown);
    }
}

/// Kinds that have a view of their own, or (Events: they own nothing, nobody owns them, and they are many) none.
static OWN_VIEW: &[&Resource] = &[
    kinds::POD,
    kinds::REPLICA_SET,
    kinds::REPLICATION_CONTROLLER,
    kinds::DEPLOYMENT,
    kinds::STATEFUL_SET,
    kinds::DAEMON_SET,
    kinds::CONTROLLER_REVISION,
    kinds::JOB,
    kinds::CRON_JOB,
    kinds::POD_DISRUPTION_BUDGET,
    kinds::HORIZONTAL_POD_AUTOSCALER,
    kinds::NODE,
    kinds::LEASE,
    kinds::NAMESPACE,
    kinds::PERSISTENT_VOLUME_CLAIM,
    kinds::PERSISTENT_VOLUME,
    kinds::SERVICE_ACCOUNT,
    kinds::CONFIG_MAP,
    kinds::SERVICE,
    kinds::ENDPOINT_SLICE,
    kinds::ENDPOINTS,
    kinds::EVENT,
];

/// Everything that controllers see.
pub(crate) struct World {
    pub(crate) api: Arc<dyn ObjectApi>,
    pub(crate) env: Env,
    pub(crate) pods: Arc<Kind<Pod>>,
    pub(crate) replica_sets: Arc<Kind<ReplicaSet>>,
    pub(crate) replication_controllers: Arc<Kind<ReplicationController>>,
    pub(crate) deployments: Arc<Kind<Deployment>>,
    pub(crate) stateful_sets: Arc<Kind<StatefulSet>>,
    pub(crate) daemon_sets: Arc<Kind<DaemonSet>>,
    pub(crate) revisions: Arc<Kind<Revision>>,
    pub(crate) jobs: Arc<Kind<Job>>,
    pub(crate) cron_jobs: Arc<Kind<CronJob>>,
    pub(crate) disruption_budgets: Arc<Kind<DisruptionBudget>>,
    pub(crate) autoscalers: Arc<Kind<Autoscaler>>,
    pub(crate) nodes: Arc<Kind<Node>>,
    pub(crate) leases: Arc<Kind<Bare>>,
    pub(crate) namespaces: Arc<Kind<Namespace>>,
    pub(crate) claims: Arc<Kind<Claim>>,
    pub(crate) volumes: Arc<Kind<Volume>>,
    pub(crate) service_accounts: Arc<Kind<Bare>>,
    pub(crate) config_maps: Arc<Kind<Bare>>,
    pub(crate) services: Arc<Kind<Service>>,
    pub(crate) endpoint_slices: Arc<Kind<EndpointSlice>>,
    pub(crate) endpoints: Arc<Kind<Endpoints>>,
    /// Kinds that nobody but the garbage collector looks at.
    others: Vec<Arc<Kind<Bare>>>,
    /// Kinds that come and go.
    pub(crate) custom: CustomKinds,
    pods_by_node: Index<Pod>,
    pods_by_claim: Index<Pod>,
    masterless_pods: Index<Pod>,
    masterless_sets: Index<ReplicaSet>,
    masterless_revisions: Index<Revision>,
    slices_by_service: Index<EndpointSlice>,
    pods_by_job: Index<Pod>,
}

impl World {
    pub(crate) fn new(api: Arc<dyn ObjectApi>, env: Env) -> Self {
        let pods = Kind::<Pod>::new(kinds::POD);
        let pods_by_node = pods.cache.index(|pod, nodes| {
            if !pod.node.is_empty() {
                nodes.push(pod.node.to_string());
            }
        });
        let pods_by_claim = pods.cache.index(|pod, claims| {
            claims.extend(
                pod.claims
                    .iter()
                    .map(|claim| format!("{}/{claim}", pod.meta.namespace)),
            );
        });
        let replica_sets = Kind::<ReplicaSet>::new(kinds::REPLICA_SET);
        let masterless_pods = pods
            .cache
            .index(|pod, namespaces| masterless(&pod.meta, namespaces));
        let masterless_sets = replica_sets
            .cache
            .index(|set, namespaces| masterless(&set.meta, namespaces));
        let revisions = Kind::<Revision>::new(kinds::CONTROLLER_REVISION);
        let masterless_revisions = revisions
            .cache
            .index(|revision, namespaces| masterless(&revision.meta, namespaces));
        let endpoint_slices = Kind::<EndpointSlice>::new(kinds::ENDPOINT_SLICE);
        let slices_by_service = endpoint_slices.cache.index(|slice, services| {
            let service = slice.meta.labels.get(SERVICE_NAME_LABEL);
            services.extend(service.map(|name| format!("{}/{name}", slice.meta.namespace)));
        });
        let pods_by_job = pods.cache.index(|pod, jobs| {
            if let Some(job) = pod.of_job.as_ref().filter(|_| pod.is_tracked()) {
                jobs.push(format!("{}/{}", pod.meta.namespace, job.name));
            }
        });
        let others = kinds::RESOURCES
            .iter()
            .filter(|resource| resource.is_storage() && resource.has_verb("watch"))
            .filter(|resource| !OWN_VIEW.contains(resource));
        let others = others.map(|resource| Arc::new(Kind::new(resource)));
        Self {
            api,
            env,
            pods: Arc::new(pods),
            replica_sets: Arc::new(replica_sets),
            replication_controllers: Arc::new(Kind::new(kinds::REPLICATION_CONTROLLER)),
            deployments: Arc::new(Kind::new(kinds::DEPLOYMENT)),
            stateful_sets: Arc::new(Kind::new(kinds::STATEFUL_SET)),
            daemon_sets: Arc::new(Kind::new(kinds::DAEMON_SET)),
            revisions: Arc::new(revisions),
            jobs: Arc::new(Kind::new(kinds::JOB)),
            cron_jobs: Arc::new(Kind::new(kinds::CRON_JOB)),
            disruption_budgets: Arc::new(Kind::new(kinds::POD_DISRUPTION_BUDGET)),
            autoscalers: Arc::new(Kind::new(kinds::HORIZONTAL_POD_AUTOSCALER)),
            nodes: Arc::new(Kind::new(kinds::NODE)),
            leases: Arc::new(Kind::new(kinds::LEASE)),
            namespaces: Arc::new(Kind::new(kinds::NAMESPACE)),
            claims: Arc::new(Kind::new(kinds::PERSISTENT_VOLUME_CLAIM)),
            volumes: Arc::new(Kind::new(kinds::PERSISTENT_VOLUME)),
            service_accounts: Arc::new(Kind::new(kinds::SERVICE_ACCOUNT)),
            config_maps: Arc::new(Kind::new(kinds::CONFIG_MAP)),
            services: Arc::new(Kind::new(kinds::SERVICE)),
            endpoint_slices: Arc::new(endpoint_slices),
            endpoints: Arc::new(Kind::new(kinds::ENDPOINTS)),
            others: others.collect(),
            custom: CustomKinds::default(),
            pods_by_node,
            pods_by_claim,
            masterless_pods,
            masterless_sets,
            masterless_revisions,
            slices_by_service,
            pods_by_job,
        }
    }

    /// A built-in kind that is watched.
    pub(crate) fn kind(&self, resource: &Resource) -> Option<Arc<dyn AnyKind>> {
        self.kinds().into_iter().find(|kind| kind.resource() == resource)
    }

    /// All built-in kinds that are watched.
    pub(crate) fn kinds(&self) -> Vec<Arc<dyn AnyKind>> {
        let mut kinds: Vec<Arc<dyn AnyKind>> = vec![
            self.namespaces.clone(),
            self.nodes.clone(),
            self.volumes.clone(),
            self.service_accounts.clone(),
            self.config_maps.clone(),
            self.claims.clone(),
            self.pods.clone(),
            self.replica_sets.clone(),
            self.replication_controllers.clone(),
            self.deployments.clone(),
            self.stateful_sets.clone(),
            self.daemon_sets.clone(),
            self.revisions.clone(),
            self.jobs.clone(),
            self.cron_jobs.clone(),
            self.disruption_budgets.clone(),
            self.autoscalers.clone(),
            self.leases.clone(),
            self.services.clone(),
            self.endpoint_slices.clone(),
            self.endpoints.clone(),
        ];
        kinds.extend(
            self.others
                .iter()
                .map(|kind| Arc::clone(kind) as Arc<dyn AnyKind>),
        );
        kinds
    }

    /// Starts all watches.
    pub(crate) fn start(self: &Arc<Self>, shutdown: &Shutdown) {
        CustomKinds::start(self, shutdown);
        for kind in self.kinds() {
            kind.start(self, shutdown);
        }
    }

    pub(crate) fn pods_on(&self, node: &str) -> Vec<Arc<Pod>> {
        self.pods.cache.by_index(self.pods_by_node, node)
    }

    pub(crate) fn pods_using(&self, claim: &Meta) -> Vec<Arc<Pod>> {
        self.pods
            .cache
            .by_index(self.pods_by_claim, &format!("{}/{}", claim.namespace, claim.name))
    }

    /// Pods that nobody controls, that `owner` selects, and that are worth having.
    pub(crate) fn orphan_pods(&self, owner: &impl Selects) -> Vec<Arc<Pod>> {
        let mut orphans = orphans(&self.pods, self.masterless_pods, owner);
        orphans.retain(|pod| pod.is_active());
        orphans
    }

    /// The slices that say they are a Service's, whoever made them.
    pub(crate) fn slices_of(&self, service: &Key) -> Vec<Arc<EndpointSlice>> {
        let text = format!("{}/{}", service.namespace(), service.name());
        self.endpoint_slices.cache.by_index(self.slices_by_service, &text)
    }

    /// The pods that carry the finalizer of Jobs and belong, or belonged, to a Job of this key.
    pub(crate) fn tracked_pods(&self, job: &Key) -> Vec<Arc<Pod>> {
        let text = format!("{}/{}", job.namespace(), job.name());
        self.pods.cache.by_index(self.pods_by_job, &text)
    }

    /// ReplicaSets that nobody controls and that `owner` selects.
    pub(crate) fn orphan_sets(&self, owner: &impl Selects) -> Vec<Arc<ReplicaSet>> {
        orphans(&self.replica_sets, self.masterless_sets, owner)
    }

    /// Revisions that nobody controls and that `owner` selects.
    pub(crate) fn orphan_revisions(&self, owner: &impl Selects) -> Vec<Arc<Revision>> {
        orphans(&self.revisions, self.masterless_revisions, owner)
    }

    /// Whether an owner is really there and staying: adoption must not rest on a stale view.
    ///
    /// # Errors
    /// Where the live look failed.
    pub(crate) async fn is_staying(
        &self,
        resource: &'static Resource,
        meta: &Meta,
    ) -> Result<bool, ApiError> {
        match self.api.get(resource, &meta.namespace, &meta.name).await {
            Ok(object) => {
                let live: Bare = object.read()?;
                Ok(live.meta.uid == meta.uid && !live.meta.is_deleting())
            }
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn orphans<T: Project + HasMeta>(kind: &Kind<T>, masterless: Index<T>, owner: &impl Selects) -> Vec<Arc<T>> {
    let mut orphans = kind.cache.by_index(masterless, &owner.meta().namespace);
    orphans.retain(|orphan| !orphan.meta().is_deleting() && owner.selector().matches(&*orphan.meta().labels));
    orphans
}

fn masterless(meta: &Meta, namespaces: &mut Vec<String>) {
    if meta.controller().is_none() {
        namespaces.push(meta.namespace.to_string());
    }
}

/// Adds the keys of the controllers of a changed object, as they were and as they are.
pub(crate) fn enqueue_controllers<T: HasMeta>(
    change: &Change<T>,
    kind: &'static Resource,
    queue: &WorkQueue<Key>,
) {
    for version in change.versions() {
        let meta = version.meta();
        if let Some(owner) = meta.controller().filter(|owner| owner.resource == Some(kind)) {
            queue.add(Key::new(&meta.namespace, &owner.name));
        }
    }
}

/// Adds the keys of owners whose dependents change: of those that control one, and of those that select one that
/// nobody controls.
pub(crate) fn follow_dependents<O: Project + Selects, D: Project + HasMeta>(
    world: &Arc<World>,
    owners: fn(&World) -> &Kind<O>,
    dependents: fn(&World) -> &Kind<D>,
    queue: &WorkQueue<Key>,
) {
    // Weak, because the world owns the subscriptions.
    let (queue, weak) = (queue.clone(), Arc::downgrade(world));
    let kind = owners(world).cache.resource();
    dependents(world).cache.subscribe(move |change| {
        enqueue_controllers(change, kind, &queue);
        let is_orphan = |dependent: &&Arc<D>| dependent.meta().controller().is_none();
        let Some(orphan) = change.new.as_ref().filter(is_orphan) else {
            return;
        };
        let Some(world) = weak.upgrade() else { return };
        for owner in owners(&world).cache.in_namespace(&orphan.meta().namespace) {
            if owner.selector().matches(&*orphan.meta().labels) {
                queue.add(owner.meta().key());
            }
        }
    });
}
