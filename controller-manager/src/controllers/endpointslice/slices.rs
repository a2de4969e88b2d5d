//! From endpoints that should be to writes of slices that touch as few slices as they can: every node follows every
//! slice, so each write is sent to all of them.

use std::{collections::BTreeMap, sync::Arc};

use coracle_api::{Labels, Resource, kinds};
use coracle_runtime::{Key, Note, Plan, Step};
use serde_json::{Value, json};

use super::{HEADLESS_LABEL, MANAGED_BY, desired::Groups};
use crate::{
    view::{Endpoint, EndpointPort, EndpointSlice, Meta},
    world::SERVICE_NAME_LABEL,
    writes,
};

/// Who keeps the slices of Services with a selector.
pub(super) const SELECTOR: &str = "endpointslice-controller.k8s.io";
/// Who keeps the slices that mirror Endpoints.
pub(super) const MIRROR: &str = "endpointslicemirroring-controller.k8s.io";
/// Endpoints that a slice holds at most.
pub(super) const MAX_ENDPOINTS: usize = 100;

/// What is known of the slices of one Service.
pub(crate) struct Snapshot {
    pub(super) service: Key,
    /// Whom slices belong to.
    pub(super) owner: (&'static Resource, Meta),
    /// The labels that each should have.
    pub(super) labels: BTreeMap<Box<str>, Box<str>>,
    /// Those that are there.
    pub(super) present: Vec<Arc<EndpointSlice>>,
    /// What should be in them.
    pub(super) groups: Groups,
}

/// The slices of `present` that `manager` keeps.
pub(super) fn managed(mut present: Vec<Arc<EndpointSlice>>, manager: &str) -> Vec<Arc<EndpointSlice>> {
    present.retain(|slice| slice.meta.labels.get(MANAGED_BY) == Some(manager) && !slice.meta.is_deleting());
    present
}

/// The labels of a slice: those of its Service, and whose it is.
pub(super) fn labels(
    of_owner: &Labels,
    service: &str,
    manager: &str,
    headless: bool,
) -> BTreeMap<Box<str>, Box<str>> {
    let mut labels: BTreeMap<Box<str>, Box<str>> = of_owner
        .iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    labels.remove(HEADLESS_LABEL);
    labels.insert(SERVICE_NAME_LABEL.into(), service.into());
    labels.insert(MANAGED_BY.into(), manager.into());
    if headless {
        labels.insert(HEADLESS_LABEL.into(), "".into());
    }
    labels
}

/// The decisions, in order.
pub(super) fn plan(snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    let mut unused: Vec<&EndpointSlice> = Vec::new();
    let mut kept = 0;
    for slice in &snapshot.present {
        if !snapshot.groups.contains_key(&slice.ports) {
            unused.push(slice);
        }
    }
    for (ports, endpoints) in &snapshot.groups {
        let (own, spare) = place(snapshot, ports, endpoints, &mut plan);
        kept += own;
        unused.extend(spare);
    }
    // A Service without endpoints has one empty slice, so that whoever looks knows that it was looked after.
    let placeholder = (kept == 0).then(|| unused.pop());
    match placeholder {
        Some(Some(slice))
            if slice.endpoints.is_empty() && slice.ports.is_empty() && has_labels(snapshot, slice) => {}
        Some(Some(slice)) => update(snapshot, slice, &[], &[], &mut plan),
        Some(None) => create(snapshot, &[], &[], &mut plan),
        None => {}
    }
    for slice in unused {
        let write = writes::delete_now(kinds::ENDPOINT_SLICE, &slice.meta);
        step(snapshot, write, "Error deleting", &mut plan);
    }
    plan
}

/// Puts the endpoints of one set of ports into slices; answers how many slices hold them, and which are empty now.
fn place<'a>(
    snapshot: &'a Snapshot,
    ports: &[EndpointPort],
    endpoints: &[Endpoint],
    plan: &mut Plan,
) -> (usize, Vec<&'a EndpointSlice>) {
    let mut wanted: BTreeMap<&[Box<str>], &Endpoint> = endpoints
        .iter()
        .map(|endpoint| (endpoint.addresses.as_slice(), endpoint))
        .collect();
    let own = snapshot.present.iter().filter(|slice| slice.ports == ports);
    let mut slices: Vec<(&EndpointSlice, Vec<Endpoint>, bool)> = Vec::new();
    for slice in own {
        let stays: Vec<Endpoint> = slice
            .endpoints
            .iter()
            .filter_map(|endpoint| wanted.remove(endpoint.addresses.as_slice()).cloned())
            .collect();
        let changed = stays != slice.endpoints || !has_labels(snapshot, slice);
        slices.push((slice, stays, changed));
    }
    let mut rest: Vec<Endpoint> = wanted.into_values().cloned().collect();
    // Slices that are written anyway are filled first, then as few others as hold the rest.
    for (_, stays, _) in slices
        .iter_mut()
        .filter(|(_, stays, changed)| *changed && !stays.is_empty())
    {
        let room = MAX_ENDPOINTS.saturating_sub(stays.len()).min(rest.len());
        stays.extend(rest.drain(..room));
    }
    if rest.len() < MAX_ENDPOINTS
        && !rest.is_empty()
        && let Some((_, stays, changed)) = slices
            .iter_mut()
            .filter(|(_, stays, _)| stays.len() + rest.len() <= MAX_ENDPOINTS)
            .max_by_key(|(_, stays, _)| stays.len())
    {
        stays.append(&mut rest);
        *changed = true;
    }
    let (mut kept, mut spare) = (0, Vec::new());
    for (slice, stays, changed) in slices {
        if stays.is_empty() && !rest.is_empty() {
            let count = rest.len().min(MAX_ENDPOINTS);
            let stays: Vec<Endpoint> = rest.drain(..count).collect();
            update(snapshot, slice, ports, &stays, plan);
        } else if stays.is_empty() {
            spare.push(slice);
            continue;
        } else if changed {
            update(snapshot, slice, ports, &stays, plan);
        }
        kept += 1;
    }
    for chunk in rest.chunks(MAX_ENDPOINTS) {
        create(snapshot, ports, chunk, plan);
        kept += 1;
    }
    (kept, spare)
}

fn has_labels(snapshot: &Snapshot, slice: &EndpointSlice) -> bool {
    slice.meta.labels.len() == snapshot.labels.len()
        && snapshot
            .labels
            .iter()
            .all(|(key, value)| slice.meta.labels.get(key) == Some(value))
}

fn create(snapshot: &Snapshot, ports: &[EndpointPort], endpoints: &[Endpoint], plan: &mut Plan) {
    let (resource, owner) = &snapshot.owner;
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": format!("{}-", snapshot.service.name()),
            "labels": snapshot.labels,
            "ownerReferences": [writes::owner_reference(resource, owner)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    });
    let json = slice.to_string().into();
    let write = writes::create(kinds::ENDPOINT_SLICE, snapshot.service.namespace(), json);
    step(snapshot, write, "Error creating", plan);
}

fn update(
    snapshot: &Snapshot,
    slice: &EndpointSlice,
    ports: &[EndpointPort],
    endpoints: &[Endpoint],
    plan: &mut Plan,
) {
    let mut body = json!({"endpoints": endpoints, "ports": ports});
    if !has_labels(snapshot, slice) {
        let gone = slice
            .meta
            .labels
            .iter()
            .filter(|(key, _)| !snapshot.labels.contains_key(*key));
        let gone = gone.map(|(key, _)| (key.to_owned(), Value::Null));
        let labels = snapshot
            .labels
            .iter()
            .map(|(key, value)| (key.to_string(), json!(value)));
        body["metadata"] = json!({"labels": labels.chain(gone).collect::<serde_json::Map<_, _>>()});
    }
    let write = writes::patch_exactly(kinds::ENDPOINT_SLICE, &slice.meta, &body);
    step(snapshot, write, "Error updating", plan);
}

fn step(snapshot: &Snapshot, write: coracle_client::Write, what: &str, plan: &mut Plan) {
    let (resource, owner) = &snapshot.owner;
    let message = format!(
        "{what} Endpoint Slices for Service {}: {{error}}",
        snapshot.service
    );
    plan.steps.push(Step {
        write,
        then: None,
        otherwise: Some(Note::warning(
            owner.reference(resource),
            "FailedToUpdateEndpointSlices",
            message,
        )),
    });
}
