//! Services: what of the spec follows from its type. Addresses and ports are given out in `registry::addresses`.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::core::v1::{LoadBalancerStatus, Service, ServiceSpec, ServiceStatus};

use super::{Field, Strategy, text};

pub(super) struct ServiceStrategy;

impl Strategy for ServiceStrategy {
    type Kind = Service;

    fn resource(&self) -> &'static Resource {
        kinds::SERVICE
    }

    fn prepare_create(&self, object: &mut Service) {
        object.status = Some(empty_status());
    }

    fn prepare_update(&self, new: &mut Service, old: &Service) {
        new.status.clone_from(&old.status);
        let (new, old) = (new.spec.get_or_insert_default(), old.spec.as_ref());
        if let Some(old) = old {
            keep_given_out(new, old);
            drop_what_the_type_has_not(new, old);
        }
    }

    fn prepare_status_update(&self, new: &mut Service, old: &Service) {
        new.spec.clone_from(&old.spec);
    }

    fn fields(&self, object: &Service) -> Vec<Field> {
        let spec = object.spec.as_ref();
        vec![
            (
                "spec.clusterIP",
                text(spec.and_then(|spec| spec.cluster_ip.as_ref())),
            ),
            ("spec.type", text(spec.and_then(|spec| spec.type_.as_ref()))),
        ]
    }
}

fn empty_status() -> ServiceStatus {
    ServiceStatus {
        load_balancer: Some(LoadBalancerStatus::default()),
        conditions: None,
    }
}

pub(in crate::registry) fn has_cluster_ip(spec: &ServiceSpec) -> bool {
    spec.type_.as_deref() != Some("ExternalName")
}

pub(in crate::registry) fn has_node_ports(spec: &ServiceSpec) -> bool {
    match spec.type_.as_deref() {
        Some("NodePort") => true,
        Some("LoadBalancer") => spec.allocate_load_balancer_node_ports.unwrap_or(true),
        _ => false,
    }
}

/// A client that leaves out what was given out to the Service means to keep it.
fn keep_given_out(new: &mut ServiceSpec, old: &ServiceSpec) {
    if has_cluster_ip(new) && has_cluster_ip(old) && new.cluster_ip.as_deref().unwrap_or_default().is_empty()
    {
        new.cluster_ip.clone_from(&old.cluster_ip);
        new.cluster_ips.clone_from(&old.cluster_ips);
    }
    if !has_node_ports(new) || !has_node_ports(old) {
        return;
    }
    let mut old_ports = old.ports.clone().unwrap_or_default();
    let asked: Vec<i32> = new
        .ports
        .iter()
        .flatten()
        .filter_map(|port| port.node_port)
        .collect();
    old_ports.retain(|port| port.node_port.is_some_and(|given| !asked.contains(&given)));
    for port in new
        .ports
        .iter_mut()
        .flatten()
        .filter(|port| port.node_port.unwrap_or(0) == 0)
    {
        let same = |old: &k8s_openapi::api::core::v1::ServicePort| {
            old.port == port.port && old.protocol == port.protocol
        };
        if let Some(at) = old_ports.iter().position(same) {
            port.node_port = old_ports.swap_remove(at).node_port;
        }
    }
}

/// Whoever only changes the type means to lose what the new type has not. What was written anew is kept, and refused
/// by validation.
fn drop_what_the_type_has_not(new: &mut ServiceSpec, old: &ServiceSpec) {
    if !has_cluster_ip(new) && new.cluster_ip == old.cluster_ip {
        new.cluster_ip = None;
        new.cluster_ips = None;
        new.ip_families = None;
        new.ip_family_policy = None;
    }
    let is_balanced = |spec: &ServiceSpec| spec.type_.as_deref() == Some("LoadBalancer");
    if !is_balanced(new) && is_balanced(old) {
        drop_same(
            &mut new.allocate_load_balancer_node_ports,
            &old.allocate_load_balancer_node_ports,
        );
        drop_same(&mut new.load_balancer_class, &old.load_balancer_class);
    }
    if !has_node_ports(new) && !is_balanced(new) {
        let had: Vec<Option<i32>> = old.ports.iter().flatten().map(|port| port.node_port).collect();
        for port in new.ports.iter_mut().flatten() {
            if had.contains(&port.node_port) {
                port.node_port = None;
            }
        }
        drop_same(&mut new.health_check_node_port, &old.health_check_node_port);
        let is_external = new.external_ips.as_ref().is_some_and(|own| !own.is_empty());
        if !is_external {
            drop_same(&mut new.external_traffic_policy, &old.external_traffic_policy);
        }
    }
}

fn drop_same<T: PartialEq>(new: &mut Option<T>, old: &Option<T>) {
    if new == old {
        *new = None;
    }
}
