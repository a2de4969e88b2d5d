//! Keeps the authorizer's tables like the objects: a watch a kind, read inside the server.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use coracle_api::Resource;
use coracle_auth::{Observed, RBAC_GROUP, rbac};
use coracle_service::Shutdown;
use tokio::sync::Notify;

use super::{Auth, lookup::row};
use crate::{
    registry::{Event, EventKind, Registry, Start, WatchRequest},
    watch::WatchCache,
};

/// One kind, and how far it has been read.
struct Kind {
    observed: Observed,
    resource: &'static Resource,
    revision: AtomicI64,
    is_synced: AtomicBool,
}

/// The kinds that decisions rest on.
pub(super) struct Followed {
    kinds: Vec<Arc<Kind>>,
    cache: Arc<WatchCache>,
    moved: Notify,
}

impl Followed {
    pub(super) fn new(registry: &Registry) -> Self {
        let roles = rbac::Kind::ALL
            .into_iter()
            .filter_map(|kind| Some((Observed::Rbac(kind), row(RBAC_GROUP, kind.plural())?)));
        let others = [(Observed::Nodes, "nodes"), (Observed::Pods, "pods")]
            .into_iter()
            .filter_map(|(observed, plural)| Some((observed, row("", plural)?)));
        let kind = |(observed, resource)| {
            Arc::new(Kind {
                observed,
                resource,
                revision: AtomicI64::new(-1),
                is_synced: AtomicBool::new(false),
            })
        };
        Self {
            kinds: roles.chain(others).map(kind).collect(),
            cache: Arc::clone(registry.cache()),
            moved: Notify::new(),
        }
    }

    /// Waits until everything is read that is stored now; with `of_nodes` also what decides about nodes. Answers
    /// whether there was anything to wait for.
    pub(super) async fn catch_up(&self, of_nodes: bool) -> bool {
        let behind: Vec<(&Kind, i64)> = self
            .kinds
            .iter()
            .filter(|kind| of_nodes || matches!(kind.observed, Observed::Rbac(_)))
            .map(|kind| (&**kind, self.cache.last_change(kind.resource)))
            .filter(|(kind, revision)| kind.revision.load(Ordering::Acquire) < *revision)
            .collect();
        for (kind, revision) in &behind {
            loop {
                let moved = self.moved.notified();
                tokio::pin!(moved);
                // Registered before looking, so that no step is missed in between.
                moved.as_mut().enable();
                if kind.revision.load(Ordering::Acquire) >= *revision {
                    break;
                }
                moved.await;
            }
        }
        !behind.is_empty()
    }

    /// Waits until all kinds but the pods have been read once; those may be many, and only nodes ask about them.
    async fn synced(&self) {
        let is_due = |kind: &&Arc<Kind>| kind.observed != Observed::Pods;
        for kind in self.kinds.iter().filter(is_due) {
            loop {
                let moved = self.moved.notified();
                tokio::pin!(moved);
                moved.as_mut().enable();
                if kind.is_synced.load(Ordering::Acquire) {
                    break;
                }
                moved.await;
            }
        }
    }
}

impl Auth {
    /// Follows roles, bindings, nodes and pods until shutdown; returns once those there are now are known.
    pub async fn follow(self: &Arc<Self>, registry: &Arc<Registry>, shutdown: &Shutdown) {
        for kind in &self.followed.kinds {
            let (auth, registry, kind) = (Arc::clone(self), Arc::clone(registry), Arc::clone(kind));
            let shutdown = shutdown.clone();
            self.env.spawn.task("authorizer", async move {
                shutdown.guard(auth.follow_kind(&registry, &kind)).await;
            });
        }
        self.followed.synced().await;
    }

    async fn follow_kind(&self, registry: &Registry, kind: &Kind) {
        loop {
            let request = WatchRequest {
                bookmarks: false,
                ..WatchRequest::all(kind.resource, Start::Now { initial: true })
            };
            let mut watch = match registry.watch(request) {
                Ok(watch) => watch,
                Err(error) => return tracing::error!(%error, "follow {}", kind.resource),
            };
            // What is told anew from the beginning replaces what was known.
            self.authorizer.forget(kind.observed);
            loop {
                match watch.next().await {
                    Some(Ok(events)) => {
                        if self.take(kind, &events) {
                            self.recount(registry);
                        }
                        self.followed.moved.notify_waiters();
                    }
                    Some(Err(error)) => {
                        tracing::warn!(%error, "follow {} anew", kind.resource);
                        break;
                    }
                    None => break,
                }
            }
        }
    }

    /// Tells the authorizer; answers whether pods have to be counted anew.
    fn take(&self, kind: &Kind, events: &[Event]) -> bool {
        let mut recount = false;
        for event in events {
            if let Some(entry) = &event.entry {
                let attributes = &entry.attributes;
                recount |= self.authorizer.observe(
                    kind.observed,
                    (&attributes.namespace, &attributes.name),
                    attributes.field("spec.nodeName"),
                    &entry.json,
                    event.kind == EventKind::Deleted,
                );
            }
            if event.kind == EventKind::Synced {
                kind.is_synced.store(true, Ordering::Release);
            }
            if kind.is_synced.load(Ordering::Acquire) {
                kind.revision.fetch_max(event.revision, Ordering::AcqRel);
            }
        }
        recount
    }

    /// Counts all pods anew, because a node is played by another process now.
    fn recount(&self, registry: &Registry) {
        let filter = crate::watch::Filter::default();
        let Some(page) = registry
            .cache()
            .list(coracle_api::kinds::POD, &filter, None, 0, None)
        else {
            return;
        };
        self.authorizer.forget(Observed::Pods);
        for entry in page.entries {
            let attributes = &entry.attributes;
            let place = (&*attributes.namespace, &*attributes.name);
            let node = attributes.field("spec.nodeName");
            self.authorizer
                .observe(Observed::Pods, place, node, &entry.json, false);
        }
    }
}
