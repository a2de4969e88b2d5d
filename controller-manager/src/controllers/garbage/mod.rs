//! Deletes what belonged to objects that are gone, and what their deletion waits for.
//!
//! The graph is not kept apart: it is the shared caches, with their indexes by the UIDs of owners. An owner is
//! believed to be gone only after a live look; since a UID never comes back, that is remembered. What is deleted is
//! deleted at the revision that was judged: an owner that it has got meanwhile keeps it.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use coracle_api::{ApiError, Resource};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use crate::custom;
use crate::{
    view::{Bare, Meta, Owner},
    world::{AnyKind, World},
};

mod gone;
mod plan;
#[cfg(test)]
mod tests;

use gone::{Gone, Place};
use plan::{Dependent, OwnerState, Snapshot};

/// Owners, and owners of owners, that are asked at most whether an object's deletion waits for itself. Where there are
/// more it is taken to do so: an object that goes too early does less harm than one that never goes.
const ANCESTORS_MAX: usize = 1_024;

/// How the API says that it serves no such kind.
const NO_KIND: &str = "the server doesn't have a resource type";

/// An object of any kind.
type Item = (&'static Resource, Key);

pub(crate) struct GarbageCollector {
    world: Arc<World>,
    kinds: Vec<Arc<dyn AnyKind>>,
    /// One at a time looks an owner up, so that a thousand dependents cost one request.
    gone: tokio::sync::Mutex<Gone>,
}

impl GarbageCollector {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<Item>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        let kinds = world.kinds();
        for kind in &kinds {
            follow(kind, world, &queue);
        }
        let (weak, own) = (Arc::downgrade(world), queue.clone());
        world.custom.follow(Box::new(move |kind| {
            if let Some(world) = weak.upgrade() {
                follow(kind, &world, &own);
            }
        }));
        (
            Arc::new(Self {
                world: Arc::clone(world),
                kinds,
                gone: tokio::sync::Mutex::default(),
            }),
            queue,
        )
    }

    fn kind(&self, resource: &Resource) -> Option<Arc<dyn AnyKind>> {
        self.all().find(|kind| kind.resource() == resource)
    }

    /// Built-in and custom kinds.
    fn all(&self) -> impl Iterator<Item = Arc<dyn AnyKind>> {
        self.kinds.iter().cloned().chain(self.world.custom.all())
    }

    /// The objects that name this one among their owners. One that has only its UID right does not: it is judged by itself,
    /// as one whose owner is gone, and nobody waits for it.
    fn dependents(&self, resource: &Resource, meta: &Meta) -> Vec<Dependent> {
        let names = |dependent: &Meta, owner: &Owner| {
            owner.uid == meta.uid
                && owner.name == meta.name
                && (meta.namespace.is_empty() || dependent.namespace == meta.namespace)
                && (custom::is_custom(resource) || owner.resource == Some(resource))
        };
        let mut dependents = Vec::new();
        for kind in self.all() {
            for own in kind.owned_by(&meta.uid) {
                let mut references = own.owners.iter().filter(|owner| names(&own, owner)).peekable();
                if references.peek().is_none() {
                    continue;
                }
                let blocks = references.any(|owner| owner.blocks);
                let has_dependents = self.has_dependents(&own.uid);
                dependents.push(Dependent {
                    resource: kind.resource(),
                    meta: own,
                    blocks,
                    has_dependents,
                });
            }
        }
        dependents
    }

    fn has_dependents(&self, uid: &str) -> bool {
        self.all().any(|kind| kind.has_owned(uid))
    }

    async fn find(&self, namespace: &str, owner: &Owner) -> Result<Found, ApiError> {
        // Kinds that are not served cannot be looked up, so their objects are left alone.
        let Some(resource) = owner.resource else {
            return Ok(Found::NotServed);
        };
        let namespace = if resource.namespaced { namespace } else { "" };
        let cached = self
            .kind(resource)
            .and_then(|kind| kind.get(&Key::new(namespace, &owner.name)));
        match cached {
            Some(meta) if meta.uid == owner.uid => Ok(Found::There(meta)),
            _ => self.find_live(resource, namespace, owner).await,
        }
    }

    /// The cache does not know the owner; perhaps it is only late.
    async fn find_live(
        &self,
        resource: &'static Resource,
        namespace: &str,
        owner: &Owner,
    ) -> Result<Found, ApiError> {
        let place = Place::of(resource, namespace, owner);
        let mut gone = self.gone.lock().await;
        if gone.contains(&place) {
            return Ok(Found::Gone);
        }
        match self.world.api.get(resource, namespace, &owner.name).await {
            Ok(object) if *object.uid == *owner.uid => {
                let Bare { meta } = object.read()?;
                return Ok(Found::There(meta));
            }
            Ok(_) => {}
            // A kind that is not served says nothing of its objects.
            Err(error) if custom::is_custom(resource) && error.message().starts_with(NO_KIND) => {
                return Ok(Found::NotServed);
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        gone.remember(place);
        Ok(Found::Gone)
    }

    /// The UIDs of those owners of an object whose deletion waits for it while its own waits, over however many others,
    /// for theirs.
    async fn circles(&self, meta: &Meta) -> Result<Vec<Box<str>>, ApiError> {
        let mut circles = Vec::new();
        for owner in meta.owners.iter().filter(|owner| owner.blocks) {
            if self.waits_for(&meta.uid, &meta.namespace, owner).await? {
                circles.push(owner.uid.clone());
            }
        }
        Ok(circles)
    }

    /// Whether `owner`, and those whose deletion waits for its own in turn, lead back to the object of this UID.
    async fn waits_for(&self, uid: &str, namespace: &str, owner: &Owner) -> Result<bool, ApiError> {
        let (mut seen, mut asked) = (BTreeSet::from([owner.uid.clone()]), vec![owner.clone()]);
        while let Some(owner) = asked.pop() {
            if &*owner.uid == uid || seen.len() > ANCESTORS_MAX {
                return Ok(true);
            }
            let Found::There(meta) = self.find(namespace, &owner).await? else {
                continue;
            };
            if plan::waits(&meta) {
                let further = meta.owners.iter().filter(|further| further.blocks);
                asked.extend(
                    further
                        .filter(|further| seen.insert(further.uid.clone()))
                        .cloned(),
                );
            }
        }
        Ok(false)
    }
}

/// What has become of an owner.
enum Found {
    There(Meta),
    /// Verified.
    Gone,
    /// Nobody serves its kind at the moment.
    NotServed,
}

impl Found {
    fn state(&self) -> OwnerState {
        match self {
            Self::There(meta) if plan::waits(meta) => OwnerState::WaitsForDependents,
            Self::There(_) | Self::NotServed => OwnerState::Present,
            Self::Gone => OwnerState::Gone,
        }
    }
}

/// Has the collector look at what changes in a kind.
fn follow(kind: &Arc<dyn AnyKind>, world: &Arc<World>, queue: &WorkQueue<Item>) {
    let (queue, resource, weak) = (queue.clone(), kind.resource(), Arc::downgrade(world));
    kind.subscribe(Box::new(move |old, new| {
        if new.is_some_and(|new| is_worth_a_look(old, new)) {
            queue.add((resource, new.map_or_else(|| Key::new("", ""), Meta::key)));
        }
        let Some(world) = weak.upgrade() else { return };
        // An owner whose deletion waits for its dependents waits for those that were released, too.
        if let (Some(old), Some(new)) = (old, new)
            && old.owners != new.owners
        {
            enqueue_owners(&world, old, &queue);
        }
        if let (Some(gone), None) = (old, new) {
            enqueue_dependents(&world, gone, &queue);
            enqueue_owners(&world, gone, &queue);
        } else if let Some(new) = new.filter(|new| new.is_deleting() && !old.is_some_and(Meta::is_deleting)) {
            enqueue_dependents(&world, new, &queue);
        }
    }));
}

/// Whether a change can mean work: its owners are new to us, or its deletion waits for the collector.
fn is_worth_a_look(old: Option<&Meta>, new: &Meta) -> bool {
    let waits = new.is_deleting() && (new.has_finalizer(plan::FOREGROUND) || new.has_finalizer(plan::ORPHAN));
    waits || (!new.owners.is_empty() && old.is_none_or(|old| old.owners != new.owners))
}

fn enqueue_dependents(world: &World, owner: &Meta, queue: &WorkQueue<Item>) {
    for kind in world.kinds().into_iter().chain(world.custom.all()) {
        for meta in kind.owned_by(&owner.uid) {
            queue.add((kind.resource(), meta.key()));
        }
    }
}

/// Owners that may wait for a dependent that has just gone or was released.
fn enqueue_owners(world: &World, dependent: &Meta, queue: &WorkQueue<Item>) {
    for owner in dependent.owners.iter() {
        if let Some(resource) = owner.resource {
            let namespace = if resource.namespaced {
                &*dependent.namespace
            } else {
                ""
            };
            if !custom::is_custom(resource) {
                queue.add((resource, Key::new(namespace, &owner.name)));
                continue;
            }
            // Which of the custom kinds it is does not matter: where there is no such object there is no work.
            for kind in world.custom.all() {
                queue.add((kind.resource(), Key::new(namespace, &owner.name)));
                queue.add((kind.resource(), Key::new("", &owner.name)));
            }
        }
    }
}

#[async_trait]
impl Controller for GarbageCollector {
    type Key = Item;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "garbage-collector-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        self.kinds.iter().map(|kind| kind.watched()).collect()
    }

    fn keys(&self) -> Vec<Item> {
        let of = |kind: &Arc<dyn AnyKind>| {
            let resource = kind.resource();
            kind.keys().into_iter().map(move |key| (resource, key))
        };
        self.kinds.iter().flat_map(of).collect()
    }

    async fn snapshot(&self, (resource, key): &Item) -> Result<Option<Snapshot>, ApiError> {
        let Some(meta) = self.kind(resource).and_then(|kind| kind.get(key)) else {
            return Ok(None);
        };
        if !meta.is_deleting() && meta.owners.is_empty() {
            return Ok(None);
        }
        let mut owners = Vec::with_capacity(meta.owners.len());
        for owner in meta.owners.iter() {
            let found = self.find(&meta.namespace, owner).await?;
            owners.push((owner.uid.clone(), found.state()));
        }
        // Nearly always all is well, and then nobody asks for the dependents.
        let is_well = !meta.is_deleting() && owners.iter().all(|(_, state)| *state == OwnerState::Present);
        if is_well {
            return Ok(None);
        }
        let circles = if plan::waits(&meta) {
            self.circles(&meta).await?
        } else {
            Vec::new()
        };
        let dependents = self.dependents(resource, &meta);
        Ok(Some(Snapshot {
            resource,
            meta,
            owners,
            dependents,
            circles,
        }))
    }

    fn plan(&self, snapshot: &Snapshot, _now: Timestamp) -> Plan {
        plan::plan(snapshot)
    }
}
