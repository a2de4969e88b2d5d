//! The endpoints of Services: as EndpointSlices, as Endpoints for older clients, and as slices mirrored from Endpoints
//! that a person wrote.
//!
//! Which pods a Service has is kept up with every change of a pod ([`members`]), so that no change makes anybody look
//! through all pods. What is looked at for one Service grows with its own endpoints alone.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use crate::{
    view::{Node, Pod, Service},
    world::{SERVICE_NAME_LABEL, World},
};

mod desired;
mod endpoints;
mod members;
mod mirror;
mod slices;
#[cfg(test)]
mod tests;

pub(crate) use endpoints::EndpointsController;
pub(crate) use members::Members;
pub(crate) use mirror::MirrorController;

/// The shortest time between two looks at the slices of one Service: its pods change by the hundred.
const PACE: Duration = Duration::from_millis(20);
/// The label of a node that says which zone it is in.
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// The label of a slice that says who keeps it.
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// The label of what belongs to a Service without an address.
const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// Keeps the EndpointSlices of Services that have a selector.
pub(crate) struct SliceController {
    world: Arc<World>,
    members: Arc<Members>,
}

/// A Service with its pods, and the zones that they are in.
pub(super) struct Selected {
    pub(super) service: Arc<Service>,
    pub(super) pods: Vec<(Arc<Pod>, Option<Box<str>>)>,
}

impl SliceController {
    pub(crate) fn new(world: &Arc<World>, members: &Arc<Members>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        members.tell(queue.clone());
        world.endpoint_slices.cache.subscribe({
            let queue = queue.clone();
            move |change| {
                for slice in change.versions() {
                    if let Some(service) = slice.meta.labels.get(SERVICE_NAME_LABEL) {
                        queue.add(Key::new(&slice.meta.namespace, service));
                    }
                }
            }
        });
        let (queue_of_nodes, weak) = (queue.clone(), Arc::downgrade(world));
        let members_of_nodes = Arc::clone(members);
        world.nodes.cache.subscribe(move |change| {
            let zone = |node: &Option<Arc<Node>>| zone_of(node.as_deref());
            let Some(world) = weak.upgrade() else { return };
            if zone(&change.old) == zone(&change.new) {
                return;
            }
            for pod in world.pods_on(change.key.name()) {
                for service in members_of_nodes.services_of(&pod) {
                    queue_of_nodes.add(service);
                }
            }
        });
        let controller = Self {
            world: Arc::clone(world),
            members: Arc::clone(members),
        };
        (Arc::new(controller), queue)
    }
}

/// The Service of a key with its pods; `None` where there is none with a selector.
fn selected(world: &World, members: &Members, key: &Key) -> Option<Selected> {
    let service = world.services.cache.get_key(key)?;
    if !service.has_selector() || service.meta.is_deleting() {
        return None;
    }
    let zone = |pod: &Pod| zone_of(world.nodes.cache.get("", &pod.node).as_deref());
    let pods = members.of(key).into_iter().map(|pod| {
        let zone = zone(&pod);
        (pod, zone)
    });
    Some(Selected {
        pods: pods.collect(),
        service,
    })
}

fn zone_of(node: Option<&Node>) -> Option<Box<str>> {
    node?.meta.labels.get(ZONE_LABEL).map(Into::into)
}

#[async_trait]
impl Controller for SliceController {
    type Key = Key;
    type Snapshot = slices::Snapshot;

    fn name(&self) -> &'static str {
        "endpoint-slice-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.services.cache.clone()),
            Arc::new(self.world.pods.cache.clone()),
            Arc::new(self.world.nodes.cache.clone()),
            Arc::new(self.world.endpoint_slices.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.services.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<slices::Snapshot>, ApiError> {
        let Some(selected) = selected(&self.world, &self.members, key) else {
            return Ok(None);
        };
        let groups = desired::slices(&selected);
        let service = selected.service;
        Ok(Some(slices::Snapshot {
            labels: slices::labels(
                &service.meta.labels,
                key.name(),
                slices::SELECTOR,
                service.headless,
            ),
            present: slices::managed(self.world.slices_of(key), slices::SELECTOR),
            owner: (kinds::SERVICE, service.meta.clone()),
            service: key.clone(),
            groups,
        }))
    }

    fn plan(&self, snapshot: &slices::Snapshot, _now: Timestamp) -> Plan {
        slices::plan(snapshot)
    }

    fn pace(&self) -> Duration {
        PACE
    }
}
