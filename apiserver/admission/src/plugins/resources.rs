//! What a pod asks for and may use in all: the sum of its containers, or the largest of those that run before them.
//!
//! Source: "Sidecar containers" and "Pod overhead" of the Kubernetes documentation, on effective requests.

use std::collections::BTreeMap;

use coracle_api::Quantity;
use k8s_openapi::{
    api::core::v1::{Container, Pod},
    apimachinery::pkg::api::resource,
};

/// Amounts by the name of the resource.
pub type Amounts = BTreeMap<String, Quantity>;

/// Which side of a container's resources is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What it asks for.
    Requests,
    /// What it may use.
    Limits,
}

/// The amounts of one container.
#[must_use]
pub fn of_container(container: &Container, side: Side) -> Amounts {
    let own = container.resources.as_ref();
    let list = own.and_then(|own| match side {
        Side::Requests => own.requests.as_ref(),
        Side::Limits => own.limits.as_ref(),
    });
    list.map(read).unwrap_or_default()
}

/// Reads a list of quantities; what is not one counts as nothing.
#[must_use]
pub fn read(list: &BTreeMap<String, resource::Quantity>) -> Amounts {
    list.iter()
        .filter_map(|(name, quantity)| Some((name.clone(), Quantity::from_api(quantity).ok()?)))
        .collect()
}

/// The amounts of a whole pod, overhead included.
#[must_use]
pub fn of_pod(pod: &Pod, side: Side) -> Amounts {
    let Some(spec) = &pod.spec else {
        return Amounts::new();
    };
    let mut total = Amounts::new();
    for container in &spec.containers {
        add(&mut total, &of_container(container, side));
    }
    // Containers that start before the others and stay count beside them; the rest run one at a time, beside those
    // that stayed before them.
    let (mut staying, mut peak) = (Amounts::new(), Amounts::new());
    for container in spec.init_containers.iter().flatten() {
        let own = of_container(container, side);
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut staying, &own);
            raise(&mut peak, &staying);
        } else {
            let mut at_once = staying.clone();
            add(&mut at_once, &own);
            raise(&mut peak, &at_once);
        }
    }
    add(&mut total, &staying);
    raise(&mut total, &peak);
    let overhead = spec.overhead.as_ref().map(read).unwrap_or_default();
    match side {
        Side::Requests => add(&mut total, &overhead),
        // A limit that nobody set stays unset.
        Side::Limits => {
            for (name, amount) in overhead {
                total.entry(name).and_modify(|own| *own += amount);
            }
        }
    }
    total
}

/// Adds amounts.
pub fn add(total: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        *total.entry(name.clone()).or_insert(Quantity::ZERO) += *amount;
    }
}

fn raise(total: &mut Amounts, least: &Amounts) {
    for (name, amount) in least {
        let own = total.entry(name.clone()).or_insert(*amount);
        if *own < *amount {
            *own = *amount;
        }
    }
}
