//! What the endpoints of a Service should be, given its pods. Source: the pages on Services, EndpointSlices, and DNS for
//! Services and Pods of the Kubernetes documentation.

use std::collections::BTreeMap;

use super::Selected;
use crate::view::{
    Address, Conditions, Endpoint, EndpointPort, Hints, Pod, Service, Subset, TargetPort, TargetRef, Zone,
};

/// Addresses that Endpoints hold at most; the rest is in the slices alone.
pub(super) const MAX_ADDRESSES: usize = 1_000;

/// Endpoints by the ports that they share: a named port may have a number of its own on each pod.
pub(super) type Groups = BTreeMap<Vec<EndpointPort>, Vec<Endpoint>>;

/// The endpoints of slices.
pub(super) fn slices(selected: &Selected) -> Groups {
    let service = &selected.service;
    let mut groups = Groups::new();
    for (pod, zone) in &selected.pods {
        let Some(address) = address(pod) else { continue };
        let terminating = pod.meta.is_deleting();
        let conditions = Conditions {
            ready: Some(service.publish_not_ready || (pod.ready && !terminating)),
            serving: Some(pod.ready),
            terminating: Some(terminating),
        };
        let hints = zone.clone().filter(|_| service.prefers_close).map(|name| Hints {
            for_zones: vec![Zone { name }],
        });
        groups.entry(ports(service, pod)).or_default().push(Endpoint {
            addresses: vec![address],
            conditions,
            hostname: hostname(service, pod),
            node_name: node(pod),
            target_ref: Some(target(pod)),
            zone: zone.clone(),
            hints,
        });
    }
    groups
}

/// The subsets of Endpoints, and whether some addresses had to be left out.
pub(super) fn subsets(selected: &Selected) -> (Vec<Subset>, bool) {
    let service = &selected.service;
    let mut groups: BTreeMap<Vec<EndpointPort>, Subset> = BTreeMap::new();
    for (pod, _) in &selected.pods {
        let Some(ip) = address(pod) else { continue };
        if pod.meta.is_deleting() && !service.publish_not_ready {
            continue;
        }
        let ports = ports(service, pod);
        // Endpoints name an address without ports for Services that have none alone.
        if ports.is_empty() && !service.ports.is_empty() {
            continue;
        }
        let subset = groups.entry(ports).or_default();
        let addresses = if service.publish_not_ready || pod.ready {
            &mut subset.addresses
        } else {
            &mut subset.not_ready_addresses
        };
        addresses.push(Address {
            ip,
            hostname: hostname(service, pod),
            node_name: node(pod),
            target_ref: Some(target(pod)),
        });
    }
    let total: usize = groups
        .values()
        .map(|subset| subset.addresses.len() + subset.not_ready_addresses.len())
        .sum();
    let mut left = MAX_ADDRESSES;
    let mut subsets = Vec::with_capacity(groups.len());
    for (ports, mut subset) in groups {
        for addresses in [&mut subset.addresses, &mut subset.not_ready_addresses] {
            addresses.sort_by(|one, other| one.ip.cmp(&other.ip));
            addresses.truncate(left);
            left -= addresses.len();
        }
        subset.ports = ports;
        subsets.push(subset);
    }
    (subsets, total > MAX_ADDRESSES)
}

/// The address of a pod that can be an endpoint.
fn address(pod: &Pod) -> Option<Box<str>> {
    let ip = pod.ip.filter(|_| !pod.is_finished())?;
    Some(ip.to_string().into())
}

/// The Service's ports as they are on this pod; one that the pod does not name is left out.
fn ports(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let number = |port: &crate::view::ServicePort| match &port.target_port {
        TargetPort::Number(0) => Some(port.port),
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => {
            let named = pod.ports.iter().find(|own| {
                let protocol = if own.protocol.is_empty() {
                    "TCP"
                } else {
                    &own.protocol
                };
                own.name == *name && protocol == &*port.protocol
            });
            named.map(|own| own.container_port)
        }
    };
    let ports = service.ports.iter().filter_map(|port| {
        Some(EndpointPort {
            name: port.name.clone(),
            port: number(port)?,
            protocol: port.protocol.clone(),
            app_protocol: port.app_protocol.clone(),
        })
    });
    ports.collect()
}

/// A pod's own name below the Service's, where it asks for one.
fn hostname(service: &Service, pod: &Pod) -> Option<Box<str>> {
    let names = pod.names.as_ref()?;
    (names.subdomain == service.meta.name && !names.hostname.is_empty()).then(|| names.hostname.clone())
}

fn node(pod: &Pod) -> Option<Box<str>> {
    (!pod.node.is_empty()).then(|| pod.node.clone())
}

fn target(pod: &Pod) -> TargetRef {
    TargetRef {
        kind: "Pod".into(),
        namespace: pod.meta.namespace.clone(),
        name: pod.meta.name.clone(),
        uid: pod.meta.uid.clone(),
    }
}
