//! ComponentStatuses: whether the parts of the control plane are well, as far as the apiserver can tell.
//!
//! It does not know where the others listen, but each leads by a Lease that it renews every few seconds; so one that
//! renewed its Lease in time is well. The store is the apiserver's own.

use std::sync::Arc;

use coracle_api::{Object, kinds};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ComponentCondition, ComponentStatus},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Entry, Registry, Target};
use crate::watch::Attributes;

/// The Leases of the components, by the names that these have here; the store's name is between the two.
const LEASES: [(&str, &str); 2] = [
    ("controller-manager", "kube-controller-manager"),
    ("scheduler", "kube-scheduler"),
];
const STORE: &str = "etcd-0";
const NAMESPACE: &str = "kube-system";

impl Registry {
    /// All components, by name.
    pub(super) fn components(&self) -> Vec<Entry> {
        let now = self.env.cluster_clock.now();
        let mut all = vec![(STORE, self.store.status().problem)];
        for (name, lease) in LEASES {
            let target = Target::new(kinds::LEASE, NAMESPACE, lease);
            let found = self.cache.get(kinds::LEASE, &target.key());
            let found = found.and_then(|entry| serde_json::from_slice(&entry.json).ok());
            all.push((name, problem(lease, found.as_ref(), now)));
        }
        all.sort_by_key(|(name, _)| *name);
        all.into_iter()
            .map(|(name, problem)| entry(name, problem))
            .collect()
    }
}

/// What is wrong with the holder of a Lease.
fn problem(name: &str, lease: Option<&Lease>, now: Timestamp) -> Option<String> {
    let spec = lease.and_then(|lease| lease.spec.as_ref());
    let (Some(renewed), Some(seconds)) = (
        spec.and_then(|spec| spec.renew_time.as_ref()),
        spec.and_then(|spec| spec.lease_duration_seconds),
    ) else {
        return Some(format!("lease {NAMESPACE}/{name} has no holder"));
    };
    let is_held = spec
        .and_then(|spec| spec.holder_identity.as_ref())
        .is_some_and(|holder| !holder.is_empty());
    let age = now.duration_since(renewed.0);
    if !is_held {
        Some(format!("lease {NAMESPACE}/{name} has no holder"))
    } else if age > SignedDuration::from_secs(seconds.into()) {
        Some(format!(
            "lease {NAMESPACE}/{name} was last renewed {}s ago",
            age.as_secs()
        ))
    } else {
        None
    }
}

fn entry(name: &str, problem: Option<String>) -> Entry {
    let status = ComponentStatus {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        conditions: Some(vec![ComponentCondition {
            type_: "Healthy".to_owned(),
            status: if problem.is_none() { "True" } else { "False" }.to_owned(),
            message: Some(problem.unwrap_or_else(|| "ok".to_owned())),
            error: None,
        }]),
    };
    Entry {
        key: kinds::COMPONENT_STATUS.store_key("", name).into(),
        revision: 0,
        json: status.to_json().into(),
        attributes: Arc::new(Attributes {
            name: name.into(),
            ..Attributes::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::{ListRequest, Start, WatchRequest};
    use crate::testing::{Bench, json_of};

    #[test]
    fn who_renews_its_lease_is_well() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let check = |spec: serde_json::Value, expected: Option<&str>| {
            let lease: Lease = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
            let found = problem("l", Some(&lease), now);
            assert_eq!(found.as_deref(), expected, "{spec}");
        };
        let spec = |holder: &str, renewed: &str| json!({"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15});
        check(spec("me", "2026-01-01T00:00:50.000000Z"), None);
        check(
            spec("me", "2026-01-01T00:00:30.000000Z"),
            Some("lease kube-system/l was last renewed 30s ago"),
        );
        check(
            spec("", "2026-01-01T00:00:50.000000Z"),
            Some("lease kube-system/l has no holder"),
        );
        check(json!({}), Some("lease kube-system/l has no holder"));
        assert_eq!(
            problem("l", None, now).as_deref(),
            Some("lease kube-system/l has no holder")
        );
    }

    #[tokio::test]
    async fn components_are_read_and_nothing_else() {
        let bench = Bench::new().await;
        let list = bench
            .registry
            .list(&ListRequest::all(kinds::COMPONENT_STATUS))
            .await
            .unwrap();
        let names: Vec<&str> = list.entries.iter().map(|own| &*own.attributes.name).collect();
        assert_eq!(names, ["controller-manager", "etcd-0", "scheduler"]);
        let target = Target::new(kinds::COMPONENT_STATUS, "", "etcd-0");
        let store = bench.registry.get(&target, "", None).await.unwrap();
        assert_eq!(
            json_of(&store),
            json!({
                "apiVersion": "v1", "kind": "ComponentStatus", "metadata": {"name": "etcd-0"},
                "conditions": [{"type": "Healthy", "status": "True", "message": "ok"}],
            })
        );
        let target = Target::new(kinds::COMPONENT_STATUS, "", "kubelet");
        assert!(
            bench
                .registry
                .get(&target, "", None)
                .await
                .unwrap_err()
                .is_not_found()
        );
        let written = bench
            .create(kinds::COMPONENT_STATUS, json!({"metadata": {"name": "x"}}))
            .await;
        assert_eq!(written.unwrap_err().code(), 405);
        let watch = WatchRequest::all(kinds::COMPONENT_STATUS, Start::Now { initial: true });
        assert_eq!(bench.registry.watch(watch).err().unwrap().code(), 405);
    }
}
