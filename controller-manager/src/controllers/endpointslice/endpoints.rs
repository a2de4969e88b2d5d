//! Endpoints, the older form of a Service's endpoints, for clients that still read them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_runtime::{Controller, Key, Plan, QueueLimits, Watched, WorkQueue};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{HEADLESS_LABEL, Members, desired, selected};
use crate::{
    view::{Endpoints, Service, Subset},
    world::World,
    writes,
};

/// The shortest time between two looks: Endpoints are written as a whole, however little of them changed.
const PACE: Duration = Duration::from_millis(250);
/// The label by which this controller knows its own.
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const MANAGER: &str = "endpoint-controller";
/// Says that addresses were left out.
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";

/// Keeps the Endpoints of Services that have a selector.
pub(crate) struct EndpointsController {
    world: Arc<World>,
    members: Arc<Members>,
}

/// What is known of one Service's Endpoints.
pub(crate) struct Snapshot {
    /// With what it should have, and whether some of it was left out; `None` where there is no such Service.
    pub(super) service: Option<(Arc<Service>, Vec<Subset>, bool)>,
    pub(super) present: Option<Arc<Endpoints>>,
}

impl EndpointsController {
    pub(crate) fn new(world: &Arc<World>, members: &Arc<Members>) -> (Arc<Self>, WorkQueue<Key>) {
        let queue = WorkQueue::new(world.env.cluster_clock.clone(), QueueLimits::default());
        members.tell(queue.clone());
        world.endpoints.cache.subscribe({
            let queue = queue.clone();
            move |change| queue.add(change.key.clone())
        });
        let controller = Self {
            world: Arc::clone(world),
            members: Arc::clone(members),
        };
        (Arc::new(controller), queue)
    }
}

#[async_trait]
impl Controller for EndpointsController {
    type Key = Key;
    type Snapshot = Snapshot;

    fn name(&self) -> &'static str {
        "endpoint-controller"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![
            Arc::new(self.world.services.cache.clone()),
            Arc::new(self.world.pods.cache.clone()),
            Arc::new(self.world.endpoints.cache.clone()),
        ]
    }

    fn keys(&self) -> Vec<Key> {
        let mut keys = self.world.services.cache.keys();
        keys.extend(self.world.endpoints.cache.keys());
        keys
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Snapshot>, ApiError> {
        let present = self.world.endpoints.cache.get_key(key);
        let exists = self.world.services.cache.get_key(key).is_some();
        let service = selected(&self.world, &self.members, key).map(|selected| {
            let (subsets, truncated) = desired::subsets(&selected);
            (selected.service, subsets, truncated)
        });
        // The Endpoints of a Service without a selector are a person's own.
        if service.is_none() && exists {
            return Ok(None);
        }
        Ok(Some(Snapshot { service, present }))
    }

    fn plan(&self, snapshot: &Snapshot, _now: Timestamp) -> Plan {
        plan(snapshot)
    }

    fn pace(&self) -> Duration {
        PACE
    }
}

/// The decisions, in order.
pub(super) fn plan(snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    match (&snapshot.service, &snapshot.present) {
        (None, Some(present)) if present.meta.labels.get(MANAGED_BY) == Some(MANAGER) => {
            plan.write(writes::delete_now(kinds::ENDPOINTS, &present.meta));
        }
        (None, _) => {}
        (Some((service, subsets, truncated)), None) => {
            let mut metadata = json!({"name": service.meta.name, "labels": labels(service)});
            // A new object may not hold the null by which a patch takes an annotation away.
            if *truncated {
                metadata["annotations"] = annotations(true);
            }
            let endpoints = json!({
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": metadata,
                "subsets": subsets,
            });
            let json = endpoints.to_string().into();
            plan.write(writes::create(kinds::ENDPOINTS, &service.meta.namespace, json));
        }
        (Some((service, subsets, truncated)), Some(present)) => {
            let labels = labels(service);
            let has_labels = present.meta.labels.len() == labels.len()
                && labels
                    .iter()
                    .all(|(key, value)| present.meta.labels.get(key) == Some(value));
            if present.subsets == *subsets && has_labels {
                return plan;
            }
            let gone = present
                .meta
                .labels
                .iter()
                .filter(|(key, _)| !labels.contains_key(*key));
            let gone = gone.map(|(key, _)| (key.to_owned(), Value::Null));
            let labels = labels.iter().map(|(key, value)| (key.to_string(), json!(value)));
            let labels: serde_json::Map<_, _> = labels.chain(gone).collect();
            let metadata = json!({"labels": labels, "annotations": annotations(*truncated)});
            let body = json!({"metadata": metadata, "subsets": subsets});
            plan.write(writes::patch_exactly(kinds::ENDPOINTS, &present.meta, &body));
        }
    }
    plan
}

fn labels(service: &Service) -> BTreeMap<&str, &str> {
    let mut labels: BTreeMap<&str, &str> = service.meta.labels.iter().collect();
    labels.insert(MANAGED_BY, MANAGER);
    if service.headless {
        labels.insert(HEADLESS_LABEL, "");
    }
    labels
}

fn annotations(truncated: bool) -> Value {
    let value = if truncated {
        json!("truncated")
    } else {
        Value::Null
    };
    json!({OVER_CAPACITY: value})
}
