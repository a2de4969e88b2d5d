//! LimitRanger: what containers get where they ask for nothing, and what they, their pods and claims may ask for.

use coracle_api::Quantity;
use k8s_openapi::{
    api::core::v1::{Container, LimitRangeItem, PersistentVolumeClaim, Pod},
    apimachinery::pkg::api::resource,
};

use super::resources::{self, Amounts, Side};

/// Says on a pod what was added to it.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Gives containers the requests and limits of their namespace's defaults.
pub(super) fn complete_pod(limits: &[LimitRangeItem], pod: &mut Pod) {
    let defaults: Vec<&LimitRangeItem> = limits.iter().filter(|item| item.type_ == "Container").collect();
    if defaults.is_empty() {
        return;
    }
    let mut added = Vec::new();
    let spec = pod.spec.get_or_insert_default();
    for container in &mut spec.containers {
        complete(&defaults, container, "container", &mut added);
    }
    for container in spec.init_containers.iter_mut().flatten() {
        complete(&defaults, container, "init container", &mut added);
    }
    if !added.is_empty() {
        let text = format!("LimitRanger plugin set: {}", added.join("; "));
        pod.metadata
            .annotations
            .get_or_insert_default()
            .insert(ANNOTATION.to_owned(), text);
    }
}

fn complete(defaults: &[&LimitRangeItem], container: &mut Container, what: &str, added: &mut Vec<String>) {
    let name = container.name.clone();
    let own = container.resources.get_or_insert_default();
    let sides = [
        (&mut own.requests, Side::Requests, "request"),
        (&mut own.limits, Side::Limits, "limit"),
    ];
    for (list, side, word) in sides {
        let mut set = Vec::new();
        for item in defaults {
            let values = match side {
                Side::Requests => &item.default_request,
                Side::Limits => &item.default,
            };
            for (resource, amount) in values.iter().flatten() {
                let list = list.get_or_insert_default();
                if !list.contains_key(resource) {
                    list.insert(resource.clone(), amount.clone());
                    set.push(resource.clone());
                }
            }
        }
        if !set.is_empty() {
            set.sort_unstable();
            added.push(format!("{} {word} for {what} {name}", set.join(", ")));
        }
    }
}

/// Judges a pod and its containers.
pub(super) fn judge_pod(limits: &[LimitRangeItem], pod: &Pod) -> Result<(), String> {
    if limits.is_empty() {
        return Ok(());
    }
    let mut mistakes = Vec::new();
    let spec = pod.spec.as_ref();
    let containers = || {
        let own = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
        own.iter().chain(
            spec.and_then(|spec| spec.init_containers.as_ref())
                .into_iter()
                .flatten(),
        )
    };
    for item in limits {
        match item.type_.as_str() {
            "Container" => {
                for container in containers() {
                    let asked = Asked {
                        requests: resources::of_container(container, Side::Requests),
                        limits: resources::of_container(container, Side::Limits),
                    };
                    asked.judge(item, &mut mistakes);
                }
            }
            "Pod" => {
                let asked = Asked {
                    requests: resources::of_pod(pod, Side::Requests),
                    limits: resources::of_pod(pod, Side::Limits),
                };
                asked.judge(item, &mut mistakes);
            }
            _ => {}
        }
    }
    told(mistakes)
}

/// Judges a claim, which has requests alone.
pub(super) fn judge_claim(limits: &[LimitRangeItem], claim: &PersistentVolumeClaim) -> Result<(), String> {
    let mut mistakes = Vec::new();
    for item in limits.iter().filter(|item| item.type_ == "PersistentVolumeClaim") {
        let own = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
        let requests = own.and_then(|own| own.requests.as_ref());
        let asked = Asked {
            requests: requests.map(resources::read).unwrap_or_default(),
            limits: Amounts::new(),
        };
        asked.judge_min(item, &mut mistakes);
        for (resource, bound, text) in bounds(item.max.as_ref()) {
            let usage = format!("maximum {resource} usage per {} is {text}", item.type_);
            match asked.requests.get(resource) {
                None => mistakes.push(format!("{usage}.  No request is specified")),
                Some(own) if *own > bound => mistakes.push(format!("{usage}, but request is {own}")),
                Some(_) => {}
            }
        }
    }
    told(mistakes)
}

struct Asked {
    requests: Amounts,
    limits: Amounts,
}

impl Asked {
    fn judge(&self, item: &LimitRangeItem, mistakes: &mut Vec<String>) {
        self.judge_min(item, mistakes);
        for (resource, bound, text) in bounds(item.max.as_ref()) {
            let usage = format!("maximum {resource} usage per {} is {text}", item.type_);
            match (self.limits.get(resource), self.requests.get(resource)) {
                (None, _) => mistakes.push(format!("{usage}.  No limit is specified")),
                (Some(limit), _) if *limit > bound => mistakes.push(format!("{usage}, but limit is {limit}")),
                (_, Some(request)) if *request > bound => {
                    mistakes.push(format!("{usage}, but request is {request}"));
                }
                _ => {}
            }
        }
        for (resource, bound, text) in bounds(item.max_limit_request_ratio.as_ref()) {
            let most = format!(
                "{resource} max limit to request ratio per {} is {text}",
                item.type_
            );
            let present = |amounts: &Amounts| amounts.get(resource).copied().filter(|own| !own.is_zero());
            let (Some(request), Some(limit)) = (present(&self.requests), present(&self.limits)) else {
                let lacks = if present(&self.requests).is_none() {
                    "request"
                } else {
                    "limit"
                };
                mistakes.push(format!("{most}, but no {lacks} is specified or {lacks} is 0"));
                continue;
            };
            let ratio = as_f64(limit) / as_f64(request);
            if ratio * 1000.0 > as_f64(bound) {
                mistakes.push(format!("{most}, but provided ratio is {ratio:.6}"));
            }
        }
    }

    fn judge_min(&self, item: &LimitRangeItem, mistakes: &mut Vec<String>) {
        for (resource, bound, text) in bounds(item.min.as_ref()) {
            let usage = format!("minimum {resource} usage per {} is {text}", item.type_);
            match (self.requests.get(resource), self.limits.get(resource)) {
                (None, _) => mistakes.push(format!("{usage}.  No request is specified")),
                (Some(request), _) if *request < bound => {
                    mistakes.push(format!("{usage}, but request is {request}"));
                }
                (_, Some(limit)) if *limit < bound => mistakes.push(format!("{usage}, but limit is {limit}")),
                _ => {}
            }
        }
    }
}

type List = std::collections::BTreeMap<String, resource::Quantity>;

/// The resource, its bound, and the bound as it is written.
fn bounds(list: Option<&List>) -> impl Iterator<Item = (&str, Quantity, &str)> {
    list.into_iter()
        .flatten()
        .filter_map(|(name, text)| Some((name.as_str(), Quantity::from_api(text).ok()?, text.0.as_str())))
}

/// In thousandths.
#[allow(clippy::cast_precision_loss, reason = "a ratio for people")]
fn as_f64(quantity: Quantity) -> f64 {
    quantity.milli() as f64
}

/// Mistakes as upstream joins them.
fn told(mistakes: Vec<String>) -> Result<(), String> {
    match mistakes.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}
