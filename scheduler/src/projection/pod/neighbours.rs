//! From a pod's JSON to what it wants of other pods.

use std::sync::Arc;

use coracle_api::{
    LabelSelector,
    selector::{Operator, Requirement},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::requirements::{Identity, Label, PodSet, PodTerm, PodTerms, SpreadConstraint, label};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawAffinity {
    pod_affinity: Option<RawTerms>,
    pod_anti_affinity: Option<RawTerms>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawTerms {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    required: Option<Vec<RawTerm>>,
    #[serde(rename = "preferredDuringSchedulingIgnoredDuringExecution")]
    preferred: Option<Vec<RawWeighted>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawWeighted {
    weight: i64,
    pod_affinity_term: RawTerm,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawTerm {
    topology_key: Box<str>,
    label_selector: Option<LabelSelector>,
    namespaces: Option<Vec<Box<str>>>,
    namespace_selector: Option<LabelSelector>,
    match_label_keys: Option<Vec<Box<str>>>,
    mismatch_label_keys: Option<Vec<Box<str>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSpread {
    topology_key: Box<str>,
    max_skew: i64,
    when_unsatisfiable: Box<str>,
    label_selector: Option<LabelSelector>,
    min_domains: Option<i64>,
    match_label_keys: Option<Vec<Box<str>>>,
    node_affinity_policy: Option<Box<str>>,
    node_taints_policy: Option<Box<str>>,
}

/// spec.affinity, as far as it is about other pods; `None` where it is not.
pub(super) fn terms(
    namespace: &str,
    labels: &[Label],
    raw: Option<&RawValue>,
) -> Result<Option<Box<PodTerms>>, String> {
    let Some(raw) = raw else { return Ok(None) };
    let RawAffinity {
        pod_affinity,
        pod_anti_affinity,
    } = serde_json::from_str(raw.get()).map_err(|error| format!("read affinity: {error}"))?;
    let mut terms = PodTerms::default();
    for (raw, required, sign) in [
        (pod_affinity, &mut terms.affinity, 1),
        (pod_anti_affinity, &mut terms.anti_affinity, -1),
    ] {
        let RawTerms {
            required: must,
            preferred,
        } = raw.unwrap_or_default();
        for raw in must.into_iter().flatten() {
            required.push(term(namespace, labels, raw)?);
        }
        for raw in preferred.into_iter().flatten() {
            let wish = term(namespace, labels, raw.pod_affinity_term)?;
            terms.preferred.push((sign * raw.weight, wish));
        }
    }
    let is_empty = terms == PodTerms::NONE;
    Ok((!is_empty).then(|| Box::new(terms)))
}

fn term(namespace: &str, labels: &[Label], raw: RawTerm) -> Result<PodTerm, String> {
    let mut namespaces = raw.namespaces.unwrap_or_default();
    namespaces.sort();
    // Without namespaces and without a selector of namespaces it means the pod's own.
    if namespaces.is_empty() && raw.namespace_selector.is_none() {
        namespaces.push(namespace.into());
    }
    let keys = raw.match_label_keys.unwrap_or_default();
    let selector = narrowed(raw.label_selector, labels, &keys, Operator::In)?;
    let keys = raw.mismatch_label_keys.unwrap_or_default();
    let selector = narrowed(Some(selector), labels, &keys, Operator::NotIn)?;
    Ok(PodTerm {
        topology_key: raw.topology_key,
        pods: Arc::new(PodSet {
            namespaces: namespaces.into(),
            namespace_selector: raw.namespace_selector.unwrap_or_else(LabelSelector::nothing),
            selector,
        }),
    })
}

/// spec.topologySpreadConstraints
pub(super) fn spread(identity: &Identity, raw: Option<&RawValue>) -> Result<Box<[SpreadConstraint]>, String> {
    let Some(raw) = raw else { return Ok(Box::default()) };
    let list: Vec<RawSpread> = serde_json::from_str(raw.get())
        .map_err(|error| format!("read topology spread constraints: {error}"))?;
    let read = |raw: RawSpread| {
        let keys = raw.match_label_keys.unwrap_or_default();
        let selector = narrowed(raw.label_selector, &identity.labels, &keys, Operator::In)?;
        Ok(SpreadConstraint {
            topology_key: raw.topology_key,
            max_skew: raw.max_skew,
            is_hard: &*raw.when_unsatisfiable == "DoNotSchedule",
            min_domains: raw.min_domains.unwrap_or(1),
            pods: Some(Arc::new(PodSet {
                namespaces: Box::new([identity.namespace.clone()]),
                namespace_selector: LabelSelector::nothing(),
                selector,
            })),
            honors_affinity: raw.node_affinity_policy.as_deref() != Some("Ignore"),
            honors_taints: raw.node_taints_policy.as_deref() == Some("Honor"),
        })
    };
    list.into_iter().map(read).collect()
}

/// The selector, and the pod's own values of these label keys. A missing selector matches nothing, with keys or without.
fn narrowed(
    selector: Option<LabelSelector>,
    labels: &[Label],
    keys: &[Box<str>],
    operator: Operator,
) -> Result<LabelSelector, String> {
    let Some(selector) = selector else {
        return Ok(LabelSelector::nothing());
    };
    let is_nothing = selector.requirements().is_empty() && !selector.is_everything();
    if keys.is_empty() || is_nothing {
        return Ok(selector);
    }
    let mut requirements: Vec<Requirement> = selector.requirements().to_vec();
    for key in keys {
        if let Some(value) = label(labels, key) {
            let requirement = Requirement::new(key, operator, [value]);
            requirements.push(requirement.map_err(|error| error.to_string())?);
        }
    }
    Ok(LabelSelector::from_requirements(requirements))
}
