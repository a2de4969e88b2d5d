//! Which pods a quota is for.

use k8s_openapi::api::core::v1::{Pod, ResourceQuotaSpec, ScopedResourceSelectorRequirement};

use crate::plugins::resources::{Side, of_container};

/// A condition on pods; a quota with any is for pods alone.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    name: String,
    operator: String,
    values: Vec<String>,
}

/// The scopes of a quota, all of which must match.
pub(super) fn of(spec: &ResourceQuotaSpec) -> Vec<Scope> {
    let plain = spec.scopes.iter().flatten().map(|name| Scope {
        name: name.clone(),
        operator: "Exists".to_owned(),
        values: Vec::new(),
    });
    let selector = spec
        .scope_selector
        .as_ref()
        .and_then(|own| own.match_expressions.as_ref());
    let selected = selector
        .into_iter()
        .flatten()
        .map(|own: &ScopedResourceSelectorRequirement| Scope {
            name: own.scope_name.clone(),
            operator: own.operator.clone(),
            values: own.values.clone().unwrap_or_default(),
        });
    plain.chain(selected).collect()
}

impl Scope {
    pub fn matches(&self, pod: &Pod) -> bool {
        let Some(spec) = &pod.spec else { return false };
        match self.name.as_str() {
            "Terminating" => spec.active_deadline_seconds.is_some_and(|own| own >= 0),
            "NotTerminating" => spec.active_deadline_seconds.is_none(),
            "BestEffort" => is_best_effort(pod),
            "NotBestEffort" => !is_best_effort(pod),
            "PriorityClass" => self.fits(spec.priority_class_name.as_deref().unwrap_or_default()),
            "CrossNamespacePodAffinity" => has_cross_namespace_terms(pod),
            _ => false,
        }
    }

    fn fits(&self, class: &str) -> bool {
        let is_named = self.values.iter().any(|own| own == class);
        match self.operator.as_str() {
            "In" => is_named,
            "NotIn" => !is_named,
            "DoesNotExist" => class.is_empty(),
            _ => !class.is_empty(),
        }
    }
}

fn is_best_effort(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    let containers = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let init = spec
        .and_then(|spec| spec.init_containers.as_deref())
        .unwrap_or_default();
    containers
        .iter()
        .chain(init)
        .all(|own| of_container(own, Side::Requests).is_empty() && of_container(own, Side::Limits).is_empty())
}

fn has_cross_namespace_terms(pod: &Pod) -> bool {
    let affinity = pod.spec.as_ref().and_then(|spec| spec.affinity.as_ref());
    let Some(affinity) = affinity else { return false };
    let (near, far) = (
        affinity.pod_affinity.as_ref(),
        affinity.pod_anti_affinity.as_ref(),
    );
    let required = [
        near.and_then(|own| own.required_during_scheduling_ignored_during_execution.as_ref()),
        far.and_then(|own| own.required_during_scheduling_ignored_during_execution.as_ref()),
    ];
    let preferred = [
        near.and_then(|own| own.preferred_during_scheduling_ignored_during_execution.as_ref()),
        far.and_then(|own| own.preferred_during_scheduling_ignored_during_execution.as_ref()),
    ];
    let weighted = preferred
        .into_iter()
        .flatten()
        .flatten()
        .map(|own| &own.pod_affinity_term);
    required
        .into_iter()
        .flatten()
        .flatten()
        .chain(weighted)
        .any(|term| {
            term.namespaces.as_ref().is_some_and(|own| !own.is_empty()) || term.namespace_selector.is_some()
        })
}
