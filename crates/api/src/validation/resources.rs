//! Amounts of resources: their names, their form, and that requests stay within limits.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource;

use super::check::{Errors, NOT_NEGATIVE};
use crate::field_error::{FieldError, Path};
use crate::names;
use crate::quantity::Quantity;

const OF_CONTAINERS: &[&str] = &["cpu", "memory", "ephemeral-storage"];

/// Resources of a container.
pub(super) fn requirements(errors: &mut Errors, own: &ResourceRequirements, path: &Path) {
    if let Some(limits) = &own.limits {
        let path = path.child("limits");
        amounts(errors, limits, &path);
        limits
            .keys()
            .for_each(|name| container_resource(errors, name, &path));
    }
    let Some(requests) = &own.requests else { return };
    let path = path.child("requests");
    amounts(errors, requests, &path);
    for (name, request) in requests {
        container_resource(errors, name, &path);
        let limit = own.limits.as_ref().and_then(|limits| limits.get(name));
        let parse = |quantity: &resource::Quantity| Quantity::from_api(quantity).ok();
        if let (Some(request), Some(limit)) = (parse(request), limit.and_then(parse))
            && request > limit
        {
            let detail = format!("must be less than or equal to {name} limit of {limit}");
            errors.push(FieldError::invalid(&path, request.to_string(), detail));
        }
    }
}

/// Every amount must be a quantity and not negative.
pub(super) fn amounts(errors: &mut Errors, amounts: &BTreeMap<String, resource::Quantity>, path: &Path) {
    for (name, amount) in amounts {
        let messages = names::qualified_name(name).into_iter();
        errors.extend(messages.map(|message| FieldError::invalid(&path.key(name), name, message)));
        quantity(errors, amount, || path.key(name));
    }
}

/// One amount.
pub(super) fn quantity(errors: &mut Errors, amount: &resource::Quantity, path: impl FnOnce() -> Path) {
    match Quantity::from_api(amount) {
        Ok(parsed) if !parsed.is_negative() => {}
        Ok(parsed) => errors.push(FieldError::invalid(&path(), parsed.to_string(), NOT_NEGATIVE)),
        Err(error) => errors.push(FieldError::invalid(&path(), &amount.0, error.to_string())),
    }
}

fn container_resource(errors: &mut Errors, name: &str, path: &Path) {
    if name.contains('/') || name.starts_with("hugepages-") || OF_CONTAINERS.contains(&name) {
        return;
    }
    for message in [
        "must be a standard resource type or fully qualified",
        "must be a standard resource for containers",
    ] {
        errors.push(FieldError::invalid(&path.key(name), name, message));
    }
}
