//! Evictions: deletes that PodDisruptionBudgets may refuse.
//!
//! The budget is charged in the transaction that deletes the pod, so two evictions never spend the same disruption,
//! and no pod goes without its budget knowing. What a budget allows is worked out by its controller.
//!
//! Source: `pkg/registry/core/pod/storage/eviction.go` of Kubernetes.

use coracle_api::{ApiError, Cause, Details, LabelSelector, Object, Reason, kinds, object::typed, time};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        core::v1::{Pod, PodCondition},
        policy::v1::{Eviction, PodDisruptionBudget},
    },
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
};

use super::{
    Context, DeleteOptions, Registry, Target,
    plan::{Current, Overlay, Plan},
};
use crate::watch::Filter;

const VIOLATED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
/// The kind of the cause by which clients tell a budget's refusal from other 429s.
const CAUSE: &str = "DisruptionBudget";
/// After how many seconds to try again where the budget is not worked out yet.
const RETRY_SECONDS: u32 = 10;
/// Evictions that a budget's controller has not confirmed yet.
const MAX_DISRUPTED_PODS: usize = 2_000;
const DISRUPTION_ALLOWED: &str = "DisruptionAllowed";

/// What a budget says about the eviction of one of its pods.
enum Verdict {
    /// The pod may go and costs nothing.
    Free,
    /// The pod may go and the budget is charged.
    Charged,
}

impl Registry {
    /// Deletes a pod, unless its disruption budget is spent.
    pub(super) fn plan_eviction(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        body: &[u8],
    ) -> Result<Plan, ApiError> {
        let eviction: Eviction = serde_json::from_slice(body).map_err(|error| {
            ApiError::bad_request(format!(
                "Eviction in version \"v1\" cannot be handled as a Eviction: {error}"
            ))
        })?;
        let name = eviction.metadata.name.as_deref().unwrap_or_default();
        if !name.is_empty() && name != target.name {
            return Err(ApiError::bad_request(
                "name in URL does not match name in Eviction object",
            ));
        }
        let asked = eviction.delete_options.unwrap_or_default();
        let preconditions = asked.preconditions.unwrap_or_default();
        let options = DeleteOptions {
            grace: asked.grace_period_seconds,
            uid: preconditions.uid,
            revision: preconditions.resource_version.and_then(|text| text.parse().ok()),
            ..DeleteOptions::default()
        };
        let mut ctx = ctx.clone();
        ctx.options.dry_run |= asked.dry_run.is_some_and(|stages| !stages.is_empty());
        let current = overlay.current(self, &ctx, target)?;
        let pod: Pod = typed(&current.entry.json).map_err(ApiError::internal)?;
        let now = self.env.cluster_clock.now();
        let mark = |object: &mut dyn Object| {
            if let Some(pod) = object.downcast_mut() {
                mark_disrupted(pod, now);
            }
        };
        let budget = if ignores_budgets(&pod) {
            None
        } else {
            self.budget_of(overlay, target, &pod)?
        };
        let plan = |ctx| self.plan_delete_marked(ctx, overlay, target, &options, mark);
        let Some((current, mut budget)) = budget else {
            return plan(&ctx);
        };
        match judge(&budget, &pod)? {
            Verdict::Free => plan(&ctx),
            Verdict::Charged => {
                let plan = plan(&ctx)?;
                charge(&mut budget, &target.name, now);
                self.plan_also(&ctx, overlay, plan, &current, &mut budget)
            }
        }
    }

    /// The budget that selects the pod; an error where there are several.
    fn budget_of(
        &self,
        overlay: &Overlay,
        target: &Target,
        pod: &Pod,
    ) -> Result<Option<(Current, PodDisruptionBudget)>, ApiError> {
        let labels = pod.metadata.labels.as_ref();
        if labels.is_none_or(|labels| labels.is_empty()) {
            return Ok(None);
        }
        let filter = Filter {
            namespace: target.namespace.clone(),
            ..Filter::default()
        };
        let kind = kinds::POD_DISRUPTION_BUDGET;
        let page = self.cache.list(kind, &filter, None, 0, None);
        let mut found = None;
        for entry in page.into_iter().flat_map(|page| page.entries) {
            let target = Target::new(kind, target.namespace.as_str(), &*entry.attributes.name);
            let Ok(current) = overlay.current(self, &Context::internal(), &target) else {
                continue;
            };
            let budget: PodDisruptionBudget = typed(&current.entry.json).map_err(ApiError::internal)?;
            let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
            let selector = selector.and_then(|selector| LabelSelector::from_api(selector).ok());
            if !selector.is_some_and(|selector| selector.matches(&labels)) {
                continue;
            }
            if found.is_some() {
                let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does \
                               not support.";
                return Err(ApiError::new(Reason::InternalError, message));
            }
            found = Some((current, budget));
        }
        Ok(found)
    }
}

/// Pods that are done, not yet started or already going disturb nobody.
fn ignores_budgets(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed" | "Pending")) || pod.metadata.deletion_timestamp.is_some()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref());
    conditions
        .unwrap_or_default()
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn judge(budget: &PodDisruptionBudget, pod: &Pod) -> Result<Verdict, ApiError> {
    let name = budget.metadata.name.as_deref().unwrap_or_default();
    let status = budget.status.clone().unwrap_or_default();
    let policy = budget
        .spec
        .as_ref()
        .and_then(|spec| spec.unhealthy_pod_eviction_policy.as_deref());
    if !is_ready(pod) {
        // A pod that is not ready disrupts nothing, where that is wanted or the others are healthy enough.
        let is_healthy = status.current_healthy >= status.desired_healthy && status.desired_healthy > 0;
        if policy == Some("AlwaysAllow") || is_healthy {
            return Ok(Verdict::Free);
        }
    }
    if status.observed_generation.unwrap_or(0) < budget.metadata.generation.unwrap_or(0) {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(refused(why, RETRY_SECONDS));
    }
    let forbidden = |why| Err(ApiError::forbidden(kinds::POD_DISRUPTION_BUDGET, name, why));
    if status.disruptions_allowed < 0 {
        return forbidden("pdb disruptions allowed is negative");
    }
    if status.disrupted_pods.as_ref().map_or(0, |pods| pods.len()) > MAX_DISRUPTED_PODS {
        return forbidden("DisruptedPods map too big - too many evictions not confirmed by PDB controller");
    }
    if status.disruptions_allowed == 0 {
        let (wanted, present) = (status.desired_healthy, status.current_healthy);
        let why =
            format!("The disruption budget {name} needs {wanted} healthy pods and has {present} currently");
        return Err(refused(why, 0));
    }
    Ok(Verdict::Charged)
}

fn refused(why: String, retry_after_seconds: u32) -> ApiError {
    let cause = Cause {
        reason: CAUSE.to_owned(),
        message: why,
        field: String::new(),
    };
    ApiError::new(Reason::TooManyRequests, VIOLATED).with_details(Details {
        causes: vec![cause],
        retry_after_seconds,
        ..Details::default()
    })
}

/// One disruption less, and the name of the pod, until the controller has seen it go.
fn charge(budget: &mut PodDisruptionBudget, pod: &str, now: Timestamp) {
    let generation = budget.metadata.generation;
    let status = budget.status.get_or_insert_default();
    status.disruptions_allowed -= 1;
    let pods = status.disrupted_pods.get_or_insert_default();
    pods.insert(pod.to_owned(), time::time(now));
    if status.disruptions_allowed > 0 {
        return;
    }
    let conditions = status.conditions.get_or_insert_default();
    let condition = Condition {
        last_transition_time: time::time(now),
        message: String::new(),
        observed_generation: generation,
        reason: "InsufficientPods".to_owned(),
        status: "False".to_owned(),
        type_: DISRUPTION_ALLOWED.to_owned(),
    };
    match conditions.iter_mut().find(|own| own.type_ == DISRUPTION_ALLOWED) {
        Some(own) if own.status == condition.status => {}
        Some(own) => *own = condition,
        None => conditions.push(condition),
    }
}

/// Writes down why the pod goes.
fn mark_disrupted(pod: &mut Pod, now: Timestamp) {
    const TYPE: &str = "DisruptionTarget";
    let at: Time = time::time(now);
    let conditions = pod
        .status
        .get_or_insert_default()
        .conditions
        .get_or_insert_default();
    conditions.retain(|condition| condition.type_ != TYPE);
    conditions.push(PodCondition {
        type_: TYPE.to_owned(),
        status: "True".to_owned(),
        reason: Some("EvictionByEvictionAPI".to_owned()),
        message: Some("Eviction API: evicting".to_owned()),
        last_transition_time: Some(at),
        ..PodCondition::default()
    });
}
