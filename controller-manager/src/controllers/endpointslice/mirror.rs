//! Slices that mirror the Endpoints which a person wrote for a Service without a selector, so that whoever follows slices
//! alone sees them, too.

use std::sync::Arc;

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;

use super::{
    desired::{Groups, MAX_ADDRESSES},
    slices::{self, MIRROR},
};
use crate::{
    view::{Address, Conditions, Endpoint, Endpoints},
    world::{SERVICE_NAME_LABEL, World},
};

/// Endpoints with this label are not mirrored.
const SKIP_LABEL: &str = "endpointslice.kubernetes.io/skip-mirror";

/// Mirrors Endpoints into slices.
pub(crate) struct MirrorController {
    world: Arc<World>,
}

impl MirrorController {
    pub(crate) fn new(world: &Arc<World>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        world.services.cache.subscribe({
            let queue = queue.clone();
            move |change| queue.add(change.key.clone())
        });
        world.endpoints.cache.subscribe({
            let queue = queue.clone();
            move |change| queue.add(change.key.clone())
        });
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
        let controller = Self {
            world: Arc::clone(world),
        };
        (Arc::new(controller), queue)
    }
}

#[async_trait]
impl Controller for MirrorController {
    type Key = Key;
    type Snapshot = Mirrored;

    fn name(&self) -> &'static str {
        "endpoint-slice-mirroring-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.services.cache.clone()),
            Arc::new(self.world.endpoints.cache.clone()),
            Arc::new(self.world.endpoint_slices.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        self.world.endpoints.cache.keys()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Mirrored>, ApiError> {
        let present = slices::managed(self.world.slices_of(key), MIRROR);
        let service = self.world.services.cache.get_key(key);
        let endpoints = self.world.endpoints.cache.get_key(key).filter(|endpoints| {
            let skipped = endpoints.meta.labels.get(SKIP_LABEL) == Some("true");
            !skipped && service.is_some_and(|service| service.selector.is_empty() && !service.external_name)
        });
        let Some(endpoints) = endpoints else {
            return Ok(Some(Mirrored::Not(present)));
        };
        Ok(Some(Mirrored::As(Box::new(slices::Snapshot {
            service: key.clone(),
            labels: slices::labels(&endpoints.meta.labels, key.name(), MIRROR, false),
            groups: groups(&endpoints),
            owner: (kinds::ENDPOINTS, endpoints.meta.clone()),
            present,
        }))))
    }

    fn plan(&self, snapshot: &Mirrored, _now: Timestamp) -> Plan {
        plan(snapshot)
    }
}

/// What is known of one Service's mirrored slices.
pub(crate) enum Mirrored {
    /// There should be none of them.
    Not(Vec<Arc<crate::view::EndpointSlice>>),
    /// They should be like this.
    As(Box<slices::Snapshot>),
}

pub(super) fn plan(snapshot: &Mirrored) -> Plan {
    match snapshot {
        Mirrored::As(snapshot) => slices::plan(snapshot),
        Mirrored::Not(present) => {
            let mut plan = Plan::default();
            for slice in present {
                plan.write(crate::writes::delete_now(kinds::ENDPOINT_SLICE, &slice.meta));
            }
            plan
        }
    }
}

/// What the slices should hold: at most [`MAX_ADDRESSES`] of each subset.
pub(super) fn groups(endpoints: &Endpoints) -> Groups {
    let mut groups = Groups::new();
    for subset in &endpoints.subsets {
        let ports = subset.ports.clone();
        let group: &mut Vec<Endpoint> = groups.entry(ports).or_default();
        let ready = subset.addresses.iter().map(|address| (address, true));
        let not_ready = subset.not_ready_addresses.iter().map(|address| (address, false));
        // IPv6 addresses would need slices of another type; the cluster has none.
        let addresses = ready
            .chain(not_ready)
            .filter(|(address, _)| !address.ip.contains(':'));
        let room = MAX_ADDRESSES.saturating_sub(group.len());
        group.extend(
            addresses
                .take(room)
                .map(|(address, ready)| endpoint(address, ready)),
        );
    }
    groups
}

fn endpoint(address: &Address, ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![address.ip.clone()],
        conditions: Conditions {
            ready: Some(ready),
            ..Conditions::default()
        },
        hostname: address.hostname.clone(),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        zone: None,
        hints: None,
    }
}
