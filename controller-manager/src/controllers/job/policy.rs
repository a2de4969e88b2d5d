//! What a Job's policies say of its pods. Source: "Pod failure policy" and "Success policy" in the Kubernetes
//! documentation.

use k8s_openapi::api::batch::v1::{PodFailurePolicyRule, SuccessPolicyRule};

use super::indexes::Indexes;
use crate::view::{Job, Phase, Pod, PodOfJob};

/// What a failed pod means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// One failure more.
    Count,
    /// Nothing.
    Ignore,
    /// Its number is not tried again.
    FailIndex,
    /// The Job has failed, for this reason.
    FailJob(String),
}

/// What the policy says of a pod; pods that were deleted and have not failed count.
pub(super) fn judge(job: &Job, pod: &Pod) -> Verdict {
    let (Some(policy), Some(own), Phase::Failed) = (&job.spec.pod_failure_policy, &pod.of_job, pod.phase)
    else {
        return Verdict::Count;
    };
    let mut rules = policy.rules.iter().enumerate();
    let matched = rules.find_map(|(at, rule)| Some((rule, matches(rule, at, pod, own)?)));
    match matched {
        Some((rule, why)) => match &*rule.action {
            "Ignore" => Verdict::Ignore,
            "FailIndex" => Verdict::FailIndex,
            "FailJob" => Verdict::FailJob(why),
            _ => Verdict::Count,
        },
        None => Verdict::Count,
    }
}

/// How the rule matches, in words.
fn matches(rule: &PodFailurePolicyRule, at: usize, pod: &Pod, own: &PodOfJob) -> Option<String> {
    let (namespace, name) = (&pod.meta.namespace, &pod.meta.name);
    let action = &rule.action;
    if let Some(codes) = &rule.on_exit_codes {
        let (container, code) = own.exits.iter().find(|(container, code)| {
            let named = codes.container_name.as_deref();
            let listed = codes.values.contains(code);
            named.is_none_or(|named| named == &**container) && listed == (codes.operator == "In")
        })?;
        return Some(format!(
            "Container {container} for pod {namespace}/{name} failed with exit code {code} matching {action} rule \
             at index {at}"
        ));
    }
    let patterns = rule.on_pod_conditions.as_deref().unwrap_or_default();
    let pattern = patterns.iter().find(|pattern| {
        let mut conditions = own.conditions.iter();
        conditions.any(|(kind, status)| **kind == *pattern.type_ && **status == *pattern.status)
    })?;
    Some(format!(
        "Pod {namespace}/{name} has condition {} matching {action} rule at index {at}",
        pattern.type_
    ))
}

/// Why the Job has succeeded before all of its pods have.
pub(super) fn success(job: &Job, completed: &Indexes, limit: u32) -> Option<String> {
    let rules = &job.spec.success_policy.as_ref()?.rules;
    let met = |rule: &&SuccessPolicyRule| {
        let wanted = rule.succeeded_indexes.as_deref();
        let wanted = wanted.map(|text| Indexes::parse(text, limit));
        let enough = rule.succeeded_count.and_then(|count| usize::try_from(count).ok());
        match (wanted, enough) {
            (Some(wanted), Some(enough)) => completed.common(&wanted) >= enough,
            (Some(wanted), None) => completed.common(&wanted) == wanted.len(),
            (None, Some(enough)) => completed.len() >= enough,
            (None, None) => false,
        }
    };
    let at = rules.iter().position(|rule| met(&rule))?;
    Some(format!("Matched rules at index {at}"))
}
