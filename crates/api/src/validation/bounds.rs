//! What bounds pods: PodDisruptionBudgets, LimitRanges and ResourceQuotas.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    LimitRange, LimitRangeItem, ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::api::resource;

use super::check::{Errors, IMMUTABLE, NOT_NEGATIVE, one_of_or_none};
use super::label_selector;
use super::resources::amounts;
use super::workload::{count_or_percent, percent, shown};
use crate::field_error::{FieldError, Path, Value};
use crate::quantity::Quantity;

/// Mistakes in a PodDisruptionBudget, outside its metadata.
pub fn pod_disruption_budget(budget: &PodDisruptionBudget) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &budget.spec else {
        return Vec::new();
    };
    let mut errors = Vec::new();
    if spec.min_available.is_some() && spec.max_unavailable.is_some() {
        errors.push(FieldError::invalid(
            &path,
            Value::json(spec),
            "minAvailable and maxUnavailable cannot be both set",
        ));
    }
    for (field, value) in [
        ("minAvailable", &spec.min_available),
        ("maxUnavailable", &spec.max_unavailable),
    ] {
        let Some(value) = value else { continue };
        let path = path.child(field);
        count_or_percent(&mut errors, value, &path);
        if percent(value).is_some_and(|percent| percent > 100) {
            errors.push(FieldError::invalid(
                &path,
                shown(value),
                "must not be greater than 100%",
            ));
        }
    }
    if let Some(selector) = &spec.selector {
        errors.extend(label_selector(selector, &path.child("selector")));
    }
    one_of_or_none(
        &mut errors,
        &path,
        "unhealthyPodEvictionPolicy",
        &spec.unhealthy_pod_eviction_policy,
        &["AlwaysAllow", "IfHealthyBudget"],
    );
    errors
}

/// Mistakes in a LimitRange, outside its metadata.
pub fn limit_range(range: &LimitRange) -> Vec<FieldError> {
    let path = Path::new("spec").child("limits");
    let mut errors = Vec::new();
    let mut kinds = BTreeSet::new();
    let limits = range.spec.as_ref().map(|spec| spec.limits.as_slice());
    for (index, item) in limits.unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        if !kinds.insert(&item.type_) {
            errors.push(FieldError::duplicate(&path.child("type"), &item.type_));
            continue;
        }
        limit_item(&mut errors, item, &path);
    }
    errors
}

type Amounts = BTreeMap<String, resource::Quantity>;

fn limit_item(errors: &mut Errors, item: &LimitRangeItem, path: &Path) {
    if item.type_.is_empty() {
        errors.push(FieldError::required(&path.child("type"), ""));
    } else if !item.type_.contains('/')
        && !matches!(item.type_.as_str(), "Container" | "PersistentVolumeClaim" | "Pod")
    {
        let detail = "must be a standard limit type or fully qualified";
        errors.push(FieldError::invalid(&path.child("type"), &item.type_, detail));
    }
    for (field, own) in [
        ("max", &item.max),
        ("min", &item.min),
        ("default", &item.default),
        ("defaultRequest", &item.default_request),
        ("maxLimitRequestRatio", &item.max_limit_request_ratio),
    ] {
        let Some(own) = own else { continue };
        if item.type_ == "Pod" && matches!(field, "default" | "defaultRequest") {
            let detail = "may not be specified when `type` is 'Pod'";
            errors.push(FieldError::forbidden(&path.child(field), detail));
        } else {
            amounts(errors, own, &path.child(field));
        }
    }
    let has_storage = |own: &Option<Amounts>| own.as_ref().is_some_and(|own| own.contains_key("storage"));
    if item.type_ == "PersistentVolumeClaim" && !has_storage(&item.min) && !has_storage(&item.max) {
        let detail = "either minimum or maximum storage value is required, but neither was provided";
        errors.push(FieldError::required(path, detail));
    }
    let all = [
        &item.max,
        &item.min,
        &item.default,
        &item.default_request,
        &item.max_limit_request_ratio,
    ];
    let names: BTreeSet<&String> = all.into_iter().flatten().flat_map(BTreeMap::keys).collect();
    for name in names {
        limit_order(errors, item, name, path);
    }
}

/// For one resource: minimum, default request, default and maximum must rise.
fn limit_order(errors: &mut Errors, item: &LimitRangeItem, name: &str, path: &Path) {
    let amount = |own: &Option<Amounts>| Quantity::from_api(own.as_ref()?.get(name)?).ok();
    let (min, max) = (amount(&item.min), amount(&item.max));
    let (request, default) = (amount(&item.default_request), amount(&item.default));
    for (field, low, low_name, high, high_name) in [
        ("min", min, "min value", max, "max value"),
        (
            "defaultRequest",
            min,
            "min value",
            request,
            "default request value",
        ),
        (
            "defaultRequest",
            request,
            "default request value",
            max,
            "max value",
        ),
        (
            "defaultRequest",
            request,
            "default request value",
            default,
            "default limit value",
        ),
        ("default", min, "min value", default, "default value"),
        ("default", default, "default value", max, "max value"),
    ] {
        let (Some(low), Some(high)) = (low, high) else {
            continue;
        };
        if low <= high {
            continue;
        }
        // The value that is shown is the field's own.
        let own = match field {
            "min" => low,
            "defaultRequest" if low_name == "min value" => high,
            "default" if low_name == "min value" => high,
            _ => low,
        };
        let detail = format!("{low_name} {low} is greater than {high_name} {high}");
        errors.push(FieldError::invalid(
            &path.child(field).key(name),
            own.to_string(),
            detail,
        ));
    }
    if let Some(ratio) = amount(&item.max_limit_request_ratio)
        && ratio < Quantity::from_whole(1)
    {
        let detail = format!("ratio {ratio} is less than 1");
        let path = path.child("maxLimitRequestRatio").key(name);
        errors.push(FieldError::invalid(&path, ratio.to_string(), detail));
    }
}

/// Resources that a quota may count, beside `count/...`, `requests.*` of extended resources and storage by class.
const QUOTA_RESOURCES: &[&str] = &[
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "services.nodeports",
    "services.loadbalancers",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
];
/// Those of them that come in whole numbers.
const COUNTED: &[&str] = &[
    "pods",
    "resourcequotas",
    "services",
    "services.nodeports",
    "services.loadbalancers",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
];
const SCOPES: &[&str] = &[
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
];

/// Mistakes in a ResourceQuota, outside its metadata.
pub fn resource_quota(quota: &ResourceQuota) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &quota.spec else {
        return Vec::new();
    };
    let mut errors = Vec::new();
    quota_amounts(&mut errors, spec.hard.as_ref(), &path.child("hard"));
    quota_scopes(&mut errors, spec, &path);
    errors
}

/// Mistakes in the change of a ResourceQuota: what it is about stands for ever. The status is judged, too.
pub fn resource_quota_update(new: &ResourceQuota, old: &ResourceQuota) -> Vec<FieldError> {
    let mut errors = if new.spec == old.spec {
        Vec::new()
    } else {
        resource_quota(new)
    };
    let scopes = |quota: &ResourceQuota| -> BTreeSet<String> {
        let spec = quota.spec.as_ref().and_then(|spec| spec.scopes.as_ref());
        spec.into_iter().flatten().cloned().collect()
    };
    if scopes(new) != scopes(old) {
        let shown = Value::json(
            &new.spec
                .as_ref()
                .and_then(|spec| spec.scopes.clone())
                .unwrap_or_default(),
        );
        errors.push(FieldError::invalid(
            &Path::new("spec").child("scopes"),
            shown,
            IMMUTABLE,
        ));
    }
    if let Some(status) = new
        .status
        .as_ref()
        .filter(|own| Some(*own) != old.status.as_ref())
    {
        let path = Path::new("status");
        quota_amounts(&mut errors, status.hard.as_ref(), &path.child("hard"));
        quota_amounts(&mut errors, status.used.as_ref(), &path.child("used"));
    }
    errors
}

fn quota_amounts(errors: &mut Errors, own: Option<&Amounts>, path: &Path) {
    for (name, amount) in own.into_iter().flatten() {
        let path = path.key(name);
        let messages = crate::names::qualified_name(name).into_iter();
        errors.extend(messages.map(|message| FieldError::invalid(&path, name, message)));
        if !name.contains('/') && !QUOTA_RESOURCES.contains(&name.as_str()) && !name.starts_with("hugepages-")
        {
            errors.push(FieldError::invalid(
                &path,
                name,
                "must be a standard resource for quota",
            ));
        }
        match Quantity::from_api(amount) {
            Ok(parsed) if parsed.is_negative() => {
                errors.push(FieldError::invalid(&path, parsed.to_string(), NOT_NEGATIVE));
            }
            Ok(parsed) => {
                let is_count = COUNTED.contains(&name.as_str()) || name.starts_with("count/");
                if is_count && parsed != Quantity::from_whole(parsed.whole()) {
                    errors.push(FieldError::invalid(
                        &path,
                        parsed.to_string(),
                        "must be an integer",
                    ));
                }
            }
            Err(error) => errors.push(FieldError::invalid(&path, &amount.0, error.to_string())),
        }
    }
}

fn quota_scopes(errors: &mut Errors, spec: &ResourceQuotaSpec, path: &Path) {
    let at = path.child("scopes");
    let own: BTreeSet<&str> = spec.scopes.iter().flatten().map(String::as_str).collect();
    let shown = || Value::json(&spec.scopes.clone().unwrap_or_default());
    if own.iter().any(|scope| !SCOPES.contains(scope)) {
        errors.push(FieldError::invalid(&at, shown(), "unsupported scope"));
    }
    for (one, other) in [("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")] {
        if own.contains(one) && own.contains(other) {
            errors.push(FieldError::invalid(&at, shown(), "conflicting scopes"));
        }
    }
    let only_pods = own.contains("BestEffort")
        && spec
            .hard
            .iter()
            .flatten()
            .any(|(name, _)| !matches!(name.as_str(), "pods" | "count/pods"));
    if only_pods {
        errors.push(FieldError::invalid(
            &at,
            shown(),
            "unsupported scope applied to resource",
        ));
    }
    let path = path.child("scopeSelector").child("matchExpressions");
    let expressions = spec
        .scope_selector
        .as_ref()
        .and_then(|own| own.match_expressions.as_ref());
    for (index, expression) in expressions.into_iter().flatten().enumerate() {
        scope_expression(errors, expression, &path.index(index));
    }
}

fn scope_expression(errors: &mut Errors, own: &ScopedResourceSelectorRequirement, path: &Path) {
    let values = own.values.as_deref().unwrap_or_default();
    if !SCOPES.contains(&own.scope_name.as_str()) {
        errors.push(FieldError::invalid(
            &path.child("scopeName"),
            &own.scope_name,
            "unsupported scope",
        ));
    }
    if own.scope_name != "PriorityClass" && own.operator != "Exists" {
        let detail = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, \
                      ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                      ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
        errors.push(FieldError::invalid(
            &path.child("operator"),
            &own.operator,
            detail,
        ));
    }
    match own.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            let detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
            errors.push(FieldError::required(&path.child("values"), detail));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
            errors.push(FieldError::invalid(
                &path.child("values"),
                Value::json(&values),
                detail,
            ));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => {
            let detail = "not a valid selector operator";
            errors.push(FieldError::invalid(&path.child("operator"), other, detail));
        }
    }
}
