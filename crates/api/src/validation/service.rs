//! Services.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::check::{Errors, IMMUTABLE, form, one_of, one_of_or_none, text};
use super::rbac::go_strings;
use crate::field_error::{FieldError, Path};
use crate::names;

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const POLICIES: &[&str] = &["Cluster", "Local"];
/// Longest time that a client may stick to an endpoint, in seconds.
const AFFINITY_MAX_SECONDS: i32 = 86_400;

/// Mistakes in a Service, outside its metadata.
pub fn service(service: &Service) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &service.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = Vec::new();
    let kind = text(&spec.type_);
    let is_headless = text(&spec.cluster_ip) == "None";
    let ports = spec.ports.as_deref().unwrap_or_default();
    if ports.is_empty() && !is_headless && kind != "ExternalName" {
        errors.push(FieldError::required(&path.child("ports"), ""));
    }
    if is_headless && matches!(kind, "NodePort" | "LoadBalancer") {
        let detail = format!("may not be set to 'None' for {kind} services");
        errors.push(FieldError::invalid(
            &path.child("clusterIPs").index(0),
            "None",
            detail,
        ));
    }
    if kind == "ExternalName" {
        external_name(&mut errors, spec, &path);
    }
    for index in 0..ports.len() {
        port(&mut errors, ports, index, &path.child("ports").index(index));
    }
    if let Some(selector) = &spec.selector {
        errors.extend(super::labels(selector, &path.child("selector")));
    }
    one_of(&mut errors, &path, "type", &spec.type_, TYPES);
    affinity(&mut errors, spec, &path);
    addresses(&mut errors, spec, &path);
    families(&mut errors, spec, &path);
    by_type(&mut errors, spec, &path);
    one_of_or_none(
        &mut errors,
        &path,
        "internalTrafficPolicy",
        &spec.internal_traffic_policy,
        POLICIES,
    );
    one_of_or_none(
        &mut errors,
        &path,
        "externalTrafficPolicy",
        &spec.external_traffic_policy,
        POLICIES,
    );
    errors
}

fn external_name(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    let ip = text(&spec.cluster_ip);
    if !ip.is_empty() {
        let detail = "may not be set for ExternalName services";
        errors.push(FieldError::forbidden(&path.child("clusterIPs"), detail));
    }
    match text(&spec.external_name) {
        "" => errors.push(FieldError::required(&path.child("externalName"), "")),
        name => {
            let messages = names::subdomain(name.trim_end_matches('.'));
            form(errors, path, "externalName", name, messages);
        }
    }
}

fn port(errors: &mut Errors, ports: &[ServicePort], index: usize, path: &Path) {
    let Some((own, others)) = ports.get(index).zip(ports.get(..index)) else {
        return;
    };
    match text(&own.name) {
        "" if ports.len() > 1 => errors.push(FieldError::required(&path.child("name"), "")),
        "" => {}
        name => {
            form(errors, path, "name", name, names::label(name));
            if others.iter().any(|other| text(&other.name) == name) {
                errors.push(FieldError::duplicate(&path.child("name"), name));
            }
        }
    }
    let message = names::port_number(own.port);
    errors.extend(message.map(|message| FieldError::invalid(&path.child("port"), own.port, message)));
    one_of(errors, path, "protocol", &own.protocol, &["SCTP", "TCP", "UDP"]);
    let target_path = path.child("targetPort");
    match &own.target_port {
        None => {}
        Some(IntOrString::Int(number)) => {
            let message = names::port_number(*number);
            errors.extend(message.map(|message| FieldError::invalid(&target_path, *number, message)));
        }
        Some(IntOrString::String(name)) => {
            let messages = names::port_name(name).into_iter();
            errors.extend(messages.map(|message| FieldError::invalid(&target_path, name, message)));
        }
    }
    let same = |other: &ServicePort| other.port == own.port && other.protocol == own.protocol;
    if others.iter().any(same) {
        let shown = crate::field_error::Value::json(own);
        errors.push(FieldError::duplicate(path, shown));
    }
    let node_port = own.node_port.unwrap_or(0);
    if node_port != 0 {
        let message = names::port_number(node_port);
        errors
            .extend(message.map(|message| FieldError::invalid(&path.child("nodePort"), node_port, message)));
    }
}

fn affinity(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    one_of(
        errors,
        path,
        "sessionAffinity",
        &spec.session_affinity,
        &["ClientIP", "None"],
    );
    let client = spec
        .session_affinity_config
        .as_ref()
        .and_then(|config| config.client_ip.as_ref());
    if let Some(seconds) = client.and_then(|client| client.timeout_seconds)
        && !(1..=AFFINITY_MAX_SECONDS).contains(&seconds)
    {
        let path = path
            .child("sessionAffinityConfig")
            .child("clientIP")
            .child("timeoutSeconds");
        let detail = format!("must be greater than 0 and less than {AFFINITY_MAX_SECONDS}");
        errors.push(FieldError::invalid(&path, seconds, detail));
    }
}

fn addresses(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    const FORM: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    let ip = text(&spec.cluster_ip);
    if !matches!(ip, "" | "None") && ip.parse::<IpAddr>().is_err() {
        errors.push(FieldError::invalid(&path.child("clusterIPs").index(0), ip, FORM));
    }
    for (index, ip) in spec.external_ips.iter().flatten().enumerate() {
        if ip.parse::<IpAddr>().is_err() {
            errors.push(FieldError::invalid(
                &path.child("externalIPs").index(index),
                ip,
                FORM,
            ));
        }
    }
}

fn families(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    const FAMILIES: &[&str] = &["IPv4", "IPv6"];
    let at = path.child("ipFamilies");
    let families = spec.ip_families.as_deref().unwrap_or_default();
    for (index, family) in families.iter().enumerate() {
        if !FAMILIES.contains(&family.as_str()) {
            errors.push(FieldError::not_supported(&at.index(index), family, FAMILIES));
        } else if families
            .get(..index)
            .is_some_and(|before| before.contains(family))
        {
            errors.push(FieldError::duplicate(&at.index(index), family));
        }
    }
    one_of_or_none(
        errors,
        path,
        "ipFamilyPolicy",
        &spec.ip_family_policy,
        &["PreferDualStack", "RequireDualStack", "SingleStack"],
    );
    let first = spec.cluster_ips.as_ref().and_then(|ips| ips.first());
    if let Some(first) = first.filter(|first| *first != text(&spec.cluster_ip)) {
        let detail = "first value must match `clusterIP`";
        errors.push(FieldError::invalid(
            &path.child("clusterIPs"),
            go_strings(std::slice::from_ref(first)),
            detail,
        ));
    }
}

/// What only Services of some types have.
fn by_type(errors: &mut Errors, spec: &ServiceSpec, path: &Path) {
    let kind = text(&spec.type_);
    let is_balanced = kind == "LoadBalancer";
    let only_balanced = [
        (
            "loadBalancerSourceRanges",
            spec.load_balancer_source_ranges
                .as_ref()
                .is_some_and(|own| !own.is_empty()),
        ),
        (
            "allocateLoadBalancerNodePorts",
            spec.allocate_load_balancer_node_ports.is_some(),
        ),
        ("loadBalancerClass", spec.load_balancer_class.is_some()),
    ];
    for (field, _) in only_balanced.iter().filter(|(_, is_set)| *is_set && !is_balanced) {
        let detail = "may only be used when `type` is 'LoadBalancer'";
        errors.push(FieldError::forbidden(&path.child(field), detail));
    }
    if matches!(kind, "ClusterIP" | "ExternalName") {
        for (index, port) in spec.ports.iter().flatten().enumerate() {
            if port.node_port.is_some_and(|port| port != 0) {
                let detail = format!("may not be used when `type` is '{kind}'");
                let path = path.child("ports").index(index).child("nodePort");
                errors.push(FieldError::forbidden(&path, detail));
            }
        }
    }
    let policy = text(&spec.external_traffic_policy);
    let has_external_ips = spec.external_ips.as_ref().is_some_and(|own| !own.is_empty());
    let is_external =
        matches!(kind, "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && has_external_ips);
    if !policy.is_empty() && !is_external {
        let detail = "may only be set for externally-accessible services";
        errors.push(FieldError::invalid(
            &path.child("externalTrafficPolicy"),
            policy,
            detail,
        ));
    }
    let health = spec.health_check_node_port.unwrap_or(0);
    if health != 0 && !(is_balanced && policy == "Local") {
        let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        errors.push(FieldError::invalid(
            &path.child("healthCheckNodePort"),
            health,
            detail,
        ));
    }
    let mut given = std::collections::BTreeSet::new();
    for (index, port) in spec.ports.iter().flatten().enumerate() {
        let number = port.node_port.unwrap_or(0);
        if number != 0 && !given.insert((number, text(&port.protocol))) {
            let path = path.child("ports").index(index).child("nodePort");
            errors.push(FieldError::duplicate(&path, number));
        }
    }
}

/// Mistakes in the change of a Service: an address that was given out stays.
pub fn service_update(new: &Service, old: &Service) -> Vec<FieldError> {
    let mut errors = service(new);
    if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
        let (own, had) = (text(&new.cluster_ip), text(&old.cluster_ip));
        let has_address = |spec: &ServiceSpec| text(&spec.type_) != "ExternalName";
        if own != had && !had.is_empty() && has_address(new) && has_address(old) {
            let path = Path::new("spec").child("clusterIPs").index(0);
            errors.push(FieldError::invalid(&path, own, IMMUTABLE));
        }
    }
    errors
}
