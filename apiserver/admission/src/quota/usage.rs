//! What an object counts for in quotas.
//!
//! Source: "Resource Quotas" of the Kubernetes documentation, and its list of the names that a quota may limit.

use coracle_api::{Object, Quantity, Resource};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};

use crate::plugins::resources::{self, Amounts, Side};

/// What counts for every kind, under `count/RESOURCE.GROUP`.
const COUNT: &str = "count/";
/// Kinds that quotas also know by their bare plural.
const PLAIN: [&str; 7] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];
const STORAGE_CLASS: &str = ".storageclass.storage.k8s.io/";

/// Everything that the object counts for, whether or not a quota limits it.
pub(super) fn of(object: &dyn Object) -> Amounts {
    let resource = object.resource();
    let mut usage = Amounts::new();
    let one = Quantity::from_whole(1);
    usage.insert(counted_as(resource), one);
    if let Some(pod) = object.downcast_ref::<Pod>() {
        if !is_over(pod) {
            usage.insert("pods".to_owned(), one);
            add_pod(&mut usage, pod);
        }
        return usage;
    }
    if resource.group.is_empty() && PLAIN.contains(&resource.plural) {
        usage.insert(resource.plural.to_owned(), one);
    }
    if let Some(claim) = object.downcast_ref::<PersistentVolumeClaim>() {
        add_claim(&mut usage, claim);
    } else if let Some(service) = object.downcast_ref::<Service>() {
        add_service(&mut usage, service);
    }
    usage
}

/// Whether objects of a kind can count for the limit of this name.
pub(super) fn may_count(resource: &Resource, limit: &str) -> bool {
    if limit.starts_with(COUNT) {
        return limit == counted_as(resource);
    }
    match (resource.group, resource.plural) {
        ("", "pods") => limit == "pods" || is_compute(limit),
        ("", "persistentvolumeclaims") => {
            matches!(limit, "persistentvolumeclaims" | "requests.storage") || limit.contains(STORAGE_CLASS)
        }
        ("", "services") => matches!(
            limit,
            "services" | "services.nodeports" | "services.loadbalancers"
        ),
        ("", plural) => PLAIN.contains(&plural) && limit == plural,
        _ => false,
    }
}

/// Whether the limit is on what containers ask for, so that each must ask for something.
pub(super) fn is_compute(limit: &str) -> bool {
    limit != "requests.storage"
        && (matches!(limit, "cpu" | "memory" | "ephemeral-storage")
            || limit.starts_with("requests.")
            || limit.starts_with("limits.")
            || limit.starts_with("hugepages-"))
}

fn counted_as(resource: &Resource) -> String {
    format!("{COUNT}{}", resource.qualified())
}

/// A pod that has run to its end uses nothing any more.
fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn add_pod(usage: &mut Amounts, pod: &Pod) {
    for (name, amount) in resources::of_pod(pod, Side::Requests) {
        // Resources of this cluster's own can only be asked for, and have no second name.
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-") {
            usage.insert(name.clone(), amount);
        }
        usage.insert(format!("requests.{name}"), amount);
    }
    for (name, amount) in resources::of_pod(pod, Side::Limits) {
        usage.insert(format!("limits.{name}"), amount);
    }
}

fn add_claim(usage: &mut Amounts, claim: &PersistentVolumeClaim) {
    let Some(spec) = &claim.spec else { return };
    let requests = spec.resources.as_ref().and_then(|own| own.requests.as_ref());
    let storage = requests
        .map(resources::read)
        .and_then(|own| own.get("storage").copied());
    let class = spec.storage_class_name.as_deref().filter(|name| !name.is_empty());
    if let Some(class) = class {
        let name = format!("{class}{STORAGE_CLASS}persistentvolumeclaims");
        usage.insert(name, Quantity::from_whole(1));
    }
    if let Some(storage) = storage {
        usage.insert("requests.storage".to_owned(), storage);
        if let Some(class) = class {
            usage.insert(format!("{class}{STORAGE_CLASS}requests.storage"), storage);
        }
    }
}

fn add_service(usage: &mut Amounts, service: &Service) {
    let Some(spec) = &service.spec else { return };
    let ports = spec.ports.as_ref().map_or(0, Vec::len);
    let ports = Quantity::from_whole(i64::try_from(ports).unwrap_or(i64::MAX));
    match spec.type_.as_deref() {
        Some("NodePort") => {
            usage.insert("services.nodeports".to_owned(), ports);
        }
        Some("LoadBalancer") => {
            usage.insert("services.loadbalancers".to_owned(), Quantity::from_whole(1));
            if spec.allocate_load_balancer_node_ports != Some(false) {
                usage.insert("services.nodeports".to_owned(), ports);
            }
        }
        _ => {}
    }
}
