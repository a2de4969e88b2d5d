//! Defaults of Ingresses, IngressClasses, NetworkPolicies and EndpointSlices.

use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{
    Ingress, IngressBackend, IngressClass, NetworkPolicy, NetworkPolicyPort,
};

use super::empty::{default_to, drop_blank, drop_empty, drop_zero};

/// Tidies an Ingress.
pub fn ingress(own: &mut Ingress) {
    let spec = own.spec.get_or_insert_default();
    drop_empty(&mut spec.rules);
    drop_empty(&mut spec.tls);
    drop_blank(&mut spec.ingress_class_name);
    spec.default_backend.iter_mut().for_each(backend);
    for rule in spec.rules.iter_mut().flatten() {
        drop_blank(&mut rule.host);
        for path in rule.http.iter_mut().flat_map(|http| &mut http.paths) {
            drop_blank(&mut path.path);
            backend(&mut path.backend);
        }
    }
    for tls in spec.tls.iter_mut().flatten() {
        drop_empty(&mut tls.hosts);
        drop_blank(&mut tls.secret_name);
    }
}

fn backend(own: &mut IngressBackend) {
    if let Some(port) = own.service.as_mut().and_then(|service| service.port.as_mut()) {
        drop_blank(&mut port.name);
        drop_zero(&mut port.number);
    }
}

/// Sets the scope of an IngressClass's parameters.
pub fn ingress_class(own: &mut IngressClass) {
    let spec = own.spec.get_or_insert_default();
    if let Some(parameters) = &mut spec.parameters {
        default_to(&mut parameters.scope, "Cluster");
    }
}

/// Sets the policy types and protocols of a NetworkPolicy.
pub fn network_policy(own: &mut NetworkPolicy) {
    let spec = own.spec.get_or_insert_default();
    spec.pod_selector.get_or_insert_default();
    drop_empty(&mut spec.policy_types);
    for rule in spec.ingress.iter_mut().flatten() {
        drop_empty(&mut rule.from);
        policy_ports(&mut rule.ports);
    }
    for rule in spec.egress.iter_mut().flatten() {
        drop_empty(&mut rule.to);
        policy_ports(&mut rule.ports);
    }
    if spec.policy_types.is_none() {
        let mut types = vec!["Ingress".to_owned()];
        if spec.egress.as_ref().is_some_and(|rules| !rules.is_empty()) {
            types.push("Egress".to_owned());
        }
        spec.policy_types = Some(types);
    }
    drop_empty(&mut spec.ingress);
    drop_empty(&mut spec.egress);
}

fn policy_ports(ports: &mut Option<Vec<NetworkPolicyPort>>) {
    drop_empty(ports);
    for port in ports.iter_mut().flatten() {
        default_to(&mut port.protocol, "TCP");
    }
}

/// Sets the names and protocols of an EndpointSlice's ports.
pub fn endpoint_slice(own: &mut EndpointSlice) {
    for port in own.ports.iter_mut().flatten() {
        port.name.get_or_insert_default();
        default_to(&mut port.protocol, "TCP");
    }
    for endpoint in &mut own.endpoints {
        drop_empty(&mut endpoint.deprecated_topology);
        endpoint.conditions.get_or_insert_default();
    }
}
