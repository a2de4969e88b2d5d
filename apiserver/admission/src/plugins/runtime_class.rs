//! RuntimeClass: what a pod's runtime costs beside its containers, and where such pods may run.

use k8s_openapi::api::core::v1::Pod;

use super::Cluster;

pub(super) fn complete(cluster: &Cluster, pod: &mut Pod) -> Result<(), String> {
    let Some(spec) = pod.spec.as_mut() else {
        return Ok(());
    };
    let Some(name) = spec.runtime_class_name.clone().filter(|name| !name.is_empty()) else {
        if spec.overhead.as_ref().is_some_and(|own| !own.is_empty()) {
            return Err(
                "pod rejected: Pod Overhead set without corresponding RuntimeClass Overhead".to_owned(),
            );
        }
        return Ok(());
    };
    let class = cluster
        .runtime_classes
        .get(&name)
        .ok_or_else(|| format!("pod rejected: RuntimeClass \"{name}\" not found"))?;
    let overhead = class.overhead.as_ref().and_then(|own| own.pod_fixed.as_ref());
    if let Some(own) = spec.overhead.as_ref().filter(|own| !own.is_empty())
        && Some(own) != overhead
    {
        return Err("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead".to_owned());
    }
    spec.overhead = overhead.cloned();
    let Some(scheduling) = &class.scheduling else {
        return Ok(());
    };
    for (key, value) in scheduling.node_selector.iter().flatten() {
        let own = spec.node_selector.get_or_insert_default();
        if own.get(key).is_some_and(|present| present != value) {
            return Err(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {}",
                own.get(key).map(String::as_str).unwrap_or_default()
            ));
        }
        own.insert(key.clone(), value.clone());
    }
    for toleration in scheduling.tolerations.iter().flatten() {
        let own = spec.tolerations.get_or_insert_default();
        if !own.contains(toleration) {
            own.push(toleration.clone());
        }
    }
    Ok(())
}
