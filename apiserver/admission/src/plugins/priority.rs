//! Priority: a pod's `priorityClassName` becomes its priority and preemption policy.

use k8s_openapi::api::{core::v1::Pod, scheduling::v1::PriorityClass};

use super::Cluster;

/// The classes that every cluster has, whether or not their objects are there.
const SYSTEM: [(&str, i32); 2] = [
    ("system-cluster-critical", 2_000_000_000),
    ("system-node-critical", 2_000_001_000),
];
const DEFAULT_POLICY: &str = "PreemptLowerPriority";

/// The class of pods that name none: of several, the least.
pub(super) fn default_of(classes: &[PriorityClass]) -> Option<String> {
    classes
        .iter()
        .filter(|class| class.global_default == Some(true))
        .min_by_key(|class| class.value)
        .and_then(|class| class.metadata.name.clone())
}

pub(super) fn complete(cluster: &Cluster, pod: &mut Pod) -> Result<(), String> {
    let spec = pod.spec.get_or_insert_default();
    let named = spec.priority_class_name.clone().filter(|name| !name.is_empty());
    let name = named.or_else(|| cluster.default_priority.clone());
    let (value, policy) = match &name {
        None => (0, DEFAULT_POLICY),
        Some(name) => {
            find(cluster, name).ok_or_else(|| format!("no PriorityClass with name {name} was found"))?
        }
    };
    if let Some(own) = spec.priority.filter(|own| *own != value) {
        return Err(format!(
            "the integer value of priority ({own}) must not be provided in pod spec; priority admission controller \
             computed {value} from the given PriorityClass name"
        ));
    }
    if let Some(own) = spec.preemption_policy.as_ref().filter(|own| *own != policy) {
        return Err(format!(
            "the string value of PreemptionPolicy ({own}) must not be provided in pod spec; priority admission \
             controller computed {policy} from the given PriorityClass name"
        ));
    }
    spec.priority_class_name = name;
    spec.priority = Some(value);
    spec.preemption_policy = Some(policy.to_owned());
    Ok(())
}

fn find<'a>(cluster: &'a Cluster, name: &str) -> Option<(i32, &'a str)> {
    if let Some(class) = cluster.priorities.get(name) {
        return Some((
            class.value,
            class.preemption_policy.as_deref().unwrap_or(DEFAULT_POLICY),
        ));
    }
    let system = SYSTEM.iter().find(|(known, _)| *known == name);
    system.map(|(_, value)| (*value, DEFAULT_POLICY))
}

/// An update that leaves the priority out keeps it.
pub(super) fn keep(pod: &mut Pod, old: Option<&Pod>) {
    let Some(old) = old.and_then(|old| old.spec.as_ref()) else {
        return;
    };
    let Some(spec) = pod.spec.as_mut() else { return };
    spec.priority = spec.priority.or(old.priority);
    if spec.preemption_policy.is_none() {
        spec.preemption_policy.clone_from(&old.preemption_policy);
    }
}
