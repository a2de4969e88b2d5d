//! Endpoints.

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints};

use super::check::{Errors, form, one_of, text};
use crate::field_error::{FieldError, Path};
use crate::names;

/// Mistakes in Endpoints, outside their metadata.
pub fn endpoints(endpoints: &Endpoints) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, subset) in endpoints.subsets.iter().flatten().enumerate() {
        endpoint_subset(&mut errors, subset, &Path::new("subsets").index(index));
    }
    errors
}

fn endpoint_subset(errors: &mut Errors, subset: &EndpointSubset, path: &Path) {
    let has = |list: &Option<Vec<EndpointAddress>>| list.as_ref().is_some_and(|list| !list.is_empty());
    if !has(&subset.addresses) && !has(&subset.not_ready_addresses) {
        let detail = "must specify `addresses` or `notReadyAddresses`";
        errors.push(FieldError::required(path, detail));
    }
    for (field, addresses) in [
        ("addresses", &subset.addresses),
        ("notReadyAddresses", &subset.not_ready_addresses),
    ] {
        for (index, own) in addresses.iter().flatten().enumerate() {
            address(errors, own, &path.child(field).index(index));
        }
    }
    let ports = subset.ports.as_deref().unwrap_or_default();
    for (index, own) in ports.iter().enumerate() {
        port(errors, own, ports.len() > 1, &path.child("ports").index(index));
    }
}

fn address(errors: &mut Errors, own: &EndpointAddress, path: &Path) {
    let at = path.child("ip");
    match own.ip.parse::<std::net::IpAddr>() {
        Err(_) => {
            let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            errors.push(FieldError::invalid(&at, &own.ip, detail));
        }
        Ok(ip) => {
            let is_link_local = match ip {
                std::net::IpAddr::V4(ip) => ip.is_link_local(),
                std::net::IpAddr::V6(ip) => ip.is_unicast_link_local(),
            };
            for (is_refused, detail) in [
                (ip.is_unspecified(), format!("may not be unspecified ({ip})")),
                (
                    is_link_local,
                    "may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned(),
                ),
            ] {
                if is_refused {
                    errors.push(FieldError::invalid(&at, &own.ip, detail));
                }
            }
        }
    }
    let hostname = text(&own.hostname);
    if !hostname.is_empty() {
        form(errors, path, "hostname", hostname, names::label(hostname));
    }
    let node = text(&own.node_name);
    if !node.is_empty() {
        form(errors, path, "nodeName", node, names::subdomain(node));
    }
}

fn port(errors: &mut Errors, own: &EndpointPort, needs_name: bool, path: &Path) {
    let name = text(&own.name);
    if needs_name && name.is_empty() {
        errors.push(FieldError::required(&path.child("name"), ""));
    } else if !name.is_empty() {
        form(errors, path, "name", name, names::label(name));
    }
    if let Some(message) = names::port_number(own.port) {
        errors.push(FieldError::invalid(&path.child("port"), own.port, message));
    }
    one_of(errors, path, "protocol", &own.protocol, &["SCTP", "TCP", "UDP"]);
}
