//! Defaults of Services and Endpoints.

use k8s_openapi::api::core::v1::{Endpoints, Service, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::empty::{default_to, drop_blank, drop_empty, drop_zero};

/// How long a client sticks to an endpoint with session affinity, in seconds.
const AFFINITY_SECONDS: i32 = 10_800;

/// Sets the defaults of a Service. Addresses are given out elsewhere.
pub fn service(service: &mut Service) {
    let spec = service.spec.get_or_insert_default();
    drop_empty(&mut spec.selector);
    drop_empty(&mut spec.external_ips);
    drop_empty(&mut spec.ports);
    drop_blank(&mut spec.cluster_ip);
    drop_blank(&mut spec.external_name);
    default_to(&mut spec.session_affinity, "None");
    default_to(&mut spec.type_, "ClusterIP");
    affinity(spec);
    for port in spec.ports.iter_mut().flatten() {
        default_to(&mut port.protocol, "TCP");
        drop_blank(&mut port.name);
        drop_zero(&mut port.node_port);
        let is_unset = match &port.target_port {
            None | Some(IntOrString::Int(0)) => true,
            Some(IntOrString::String(name)) => name.is_empty(),
            Some(IntOrString::Int(_)) => false,
        };
        if is_unset {
            port.target_port = Some(IntOrString::Int(port.port));
        }
    }
    traffic(spec);
}

fn affinity(spec: &mut ServiceSpec) {
    match spec.session_affinity.as_deref() {
        Some("None") => spec.session_affinity_config = None,
        Some("ClientIP") => {
            let config = spec.session_affinity_config.get_or_insert_default();
            config
                .client_ip
                .get_or_insert_default()
                .timeout_seconds
                .get_or_insert(AFFINITY_SECONDS);
        }
        _ => {}
    }
}

fn traffic(spec: &mut ServiceSpec) {
    let has_external_ips = spec.external_ips.is_some();
    let kind = spec.type_.as_deref().unwrap_or_default();
    let is_balanced = kind == "LoadBalancer";
    if matches!(kind, "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && has_external_ips) {
        default_to(&mut spec.external_traffic_policy, "Cluster");
    }
    if spec.type_.as_deref() != Some("ExternalName") {
        default_to(&mut spec.internal_traffic_policy, "Cluster");
    }
    if is_balanced {
        spec.allocate_load_balancer_node_ports.get_or_insert(true);
    }
}

/// Sets the defaults of Endpoints.
pub fn endpoints(endpoints: &mut Endpoints) {
    drop_empty(&mut endpoints.subsets);
    for subset in endpoints.subsets.iter_mut().flatten() {
        drop_empty(&mut subset.addresses);
        drop_empty(&mut subset.not_ready_addresses);
        drop_empty(&mut subset.ports);
        for port in subset.ports.iter_mut().flatten() {
            default_to(&mut port.protocol, "TCP");
            drop_blank(&mut port.name);
        }
    }
}
