//! Defaults of LimitRanges, ResourceQuotas and PodDisruptionBudgets.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, ResourceQuota};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::container::quantities;
use super::empty::drop_empty;
use super::workload::selector;

/// Sets the defaults of a LimitRange: what containers get follows from their limits, where it is not said.
pub fn limit_range(range: &mut LimitRange) {
    let spec = range.spec.get_or_insert_default();
    for item in &mut spec.limits {
        let LimitRangeItem {
            default,
            default_request,
            max,
            max_limit_request_ratio,
            min,
            type_,
        } = item;
        [
            &mut *default,
            &mut *default_request,
            &mut *max,
            max_limit_request_ratio,
            &mut *min,
        ]
        .into_iter()
        .for_each(quantities);
        if type_ == "Container" {
            complete(default, max);
            complete(default_request, default);
            complete(default_request, min);
        }
    }
}

type Amounts = Option<BTreeMap<String, Quantity>>;

/// Takes from `other` what is missing.
fn complete(amounts: &mut Amounts, other: &Amounts) {
    for (name, amount) in other.iter().flatten() {
        let own = amounts.get_or_insert_default();
        own.entry(name.clone()).or_insert_with(|| amount.clone());
    }
}

/// Puts the amounts of a ResourceQuota in canonical form.
pub fn resource_quota(quota: &mut ResourceQuota) {
    let spec = quota.spec.get_or_insert_default();
    quantities(&mut spec.hard);
    drop_empty(&mut spec.scopes);
    if let Some(status) = &mut quota.status {
        quantities(&mut status.hard);
        quantities(&mut status.used);
    }
}

/// Drops what is empty from a PodDisruptionBudget, which has no defaults. A selector without terms stays: it selects
/// every pod, a missing one none.
pub fn pod_disruption_budget(budget: &mut PodDisruptionBudget) {
    let spec = budget.spec.get_or_insert_default();
    spec.selector.iter_mut().for_each(selector);
    if let Some(status) = &mut budget.status {
        drop_empty(&mut status.disrupted_pods);
        drop_empty(&mut status.conditions);
    }
}
