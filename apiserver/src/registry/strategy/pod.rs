//! Pods: the status of a new one, how long a deleted one may take to end, and how it is bound to a node.

use coracle_api::{ApiError, FieldError, Resource, kinds, time};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Binding, Pod, PodCondition, PodSpec, PodStatus};

use super::{Field, Strategy, pod_parts, text};

/// How long a pod without `terminationGracePeriodSeconds` may take to end.
const DEFAULT_GRACE_SECONDS: i64 = 30;
pub(in crate::registry) struct PodStrategy;

impl Strategy for PodStrategy {
    type Kind = Pod;

    fn resource(&self) -> &'static Resource {
        kinds::POD
    }

    fn prepare_create(&self, object: &mut Pod) {
        let spec = object.spec.get_or_insert_default();
        let qos_class = Some(qos_class(spec).to_owned());
        object.status = Some(PodStatus {
            phase: Some("Pending".to_owned()),
            qos_class,
            ..PodStatus::default()
        });
    }

    fn prepare_update(&self, new: &mut Pod, old: &Pod) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut Pod, old: &Pod) {
        new.spec.clone_from(&old.spec);
        new.metadata
            .owner_references
            .clone_from(&old.metadata.owner_references);
        let qos_class = old.status.as_ref().and_then(|status| status.qos_class.clone());
        new.status.get_or_insert_default().qos_class = qos_class;
    }

    fn prepare_part(&self, part: &str, new: &mut Pod, old: &Pod) {
        pod_parts::prepare(part, new, old);
    }

    fn validate_part(&self, part: &str, new: &Pod, old: &Pod) -> Vec<FieldError> {
        pod_parts::validate(part, new, old)
    }

    fn is_spec_changed(&self, new: &Pod, old: &Pod) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn fields(&self, object: &Pod) -> Vec<Field> {
        let mut fields = Vec::with_capacity(9);
        if let Some(spec) = &object.spec {
            fields.push(("spec.nodeName", text(spec.node_name.as_ref())));
            fields.push(("spec.restartPolicy", text(spec.restart_policy.as_ref())));
            fields.push(("spec.schedulerName", text(spec.scheduler_name.as_ref())));
            fields.push((
                "spec.serviceAccountName",
                text(spec.service_account_name.as_ref()),
            ));
            fields.push(("spec.hostNetwork", spec.host_network.unwrap_or(false).to_string()));
        }
        if let Some(status) = &object.status {
            fields.push(("status.phase", text(status.phase.as_ref())));
            fields.push(("status.podIP", text(status.pod_ip.as_ref())));
            let ips = status
                .pod_ips
                .iter()
                .flatten()
                .map(|ip| ip.ip.as_str())
                .collect::<Vec<_>>();
            fields.push(("status.podIPs", ips.join(",")));
            fields.push((
                "status.nominatedNodeName",
                text(status.nominated_node_name.as_ref()),
            ));
        }
        fields
    }

    fn grace_seconds(&self, object: &Pod, asked: Option<i64>) -> i64 {
        let spec = object.spec.as_ref();
        let is_bound = spec
            .and_then(|spec| spec.node_name.as_deref())
            .is_some_and(|node| !node.is_empty());
        let phase = object
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
            .unwrap_or_default();
        if !is_bound || matches!(phase, "Succeeded" | "Failed") {
            return 0;
        }
        let own = || spec.and_then(|spec| spec.termination_grace_period_seconds);
        asked.or_else(own).unwrap_or(DEFAULT_GRACE_SECONDS).max(0)
    }
}

/// `status.qosClass`: Guaranteed where every container's limits are its requests for CPU and memory, BestEffort where
/// none says anything, else Burstable.
pub(super) fn qos_class(spec: &PodSpec) -> &'static str {
    let containers = || {
        spec.containers
            .iter()
            .chain(spec.init_containers.iter().flatten())
    };
    let resources =
        |container: &k8s_openapi::api::core::v1::Container| container.resources.clone().unwrap_or_default();
    let says_nothing = containers().all(|container| {
        let own = resources(container);
        own.requests.is_none_or(|all| all.is_empty()) && own.limits.is_none_or(|all| all.is_empty())
    });
    if says_nothing {
        return "BestEffort";
    }
    let is_guaranteed = containers().all(|container| {
        let own = resources(container);
        let limits = own.limits.unwrap_or_default();
        let requests = own.requests.unwrap_or_default();
        ["cpu", "memory"].iter().all(|name| {
            let limit = limits.get(*name);
            limit.is_some() && requests.get(*name).is_none_or(|request| Some(request) == limit)
        })
    });
    if is_guaranteed { "Guaranteed" } else { "Burstable" }
}

/// Binds a pod to the node that `binding` names.
pub(in crate::registry) fn bind(pod: &mut Pod, binding: &Binding, now: Timestamp) -> Result<(), ApiError> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let conflict = |why: String| {
        let message = format!("Operation cannot be fulfilled on pods/binding \"{name}\": {why}");
        let details = coracle_api::status::Details {
            name: name.clone(),
            kind: "pods/binding".to_owned(),
            ..Default::default()
        };
        ApiError::new(coracle_api::Reason::Conflict, message).with_details(details)
    };
    let node = binding.target.name.clone().unwrap_or_default();
    if node.is_empty()
        || binding
            .target
            .kind
            .as_deref()
            .is_some_and(|kind| !matches!(kind, "" | "Node"))
    {
        return Err(ApiError::bad_request(
            "target of a binding must be a Node with a name",
        ));
    }
    if let Some(uid) = binding.metadata.uid.as_ref().filter(|uid| !uid.is_empty())
        && Some(uid) != pod.metadata.uid.as_ref()
    {
        let found = pod.metadata.uid.as_deref().unwrap_or_default();
        return Err(ApiError::uid_conflict(kinds::POD, &name, uid, found));
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return Err(conflict(format!(
            "pod {name} is being deleted, cannot be assigned to a host"
        )));
    }
    let spec = pod.spec.get_or_insert_default();
    if let Some(bound) = spec.node_name.as_ref().filter(|bound| !bound.is_empty()) {
        return Err(conflict(format!(
            "pod {name} is already assigned to node \"{bound}\""
        )));
    }
    spec.node_name = Some(node);
    if let Some(annotations) = binding.metadata.annotations.clone().filter(|all| !all.is_empty()) {
        pod.metadata
            .annotations
            .get_or_insert_default()
            .extend(annotations);
    }
    let conditions = pod
        .status
        .get_or_insert_default()
        .conditions
        .get_or_insert_default();
    conditions.retain(|condition| condition.type_ != "PodScheduled");
    conditions.push(PodCondition {
        type_: "PodScheduled".to_owned(),
        status: "True".to_owned(),
        last_transition_time: Some(time::time(now)),
        ..PodCondition::default()
    });
    Ok(())
}
