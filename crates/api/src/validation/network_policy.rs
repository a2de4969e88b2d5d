//! NetworkPolicies and EndpointSlices.

use std::collections::BTreeSet;
use std::net::IpAddr;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::check::{Errors, IMMUTABLE, form, one_of, text};
use super::selector::label_selector;
use crate::field_error::{FieldError, Path};
use crate::names;

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
const ADDRESS_TYPES: &[&str] = &["FQDN", "IPv4", "IPv6"];
const MAX_ENDPOINTS: usize = 1_000;
const MAX_ADDRESSES: usize = 100;
const MAX_PORTS: usize = 20_000;

/// Mistakes in a NetworkPolicy, outside its metadata.
pub fn network_policy(own: &NetworkPolicy) -> Vec<FieldError> {
    let path = Path::new("spec");
    let Some(spec) = &own.spec else {
        return vec![FieldError::required(&path, "")];
    };
    let mut errors = Vec::new();
    if let Some(selector) = &spec.pod_selector {
        errors.extend(label_selector(selector, &path.child("podSelector")));
    }
    for (index, rule) in spec.ingress.iter().flatten().enumerate() {
        let path = path.child("ingress").index(index);
        ports(&mut errors, rule.ports.as_deref(), &path.child("ports"));
        peers(&mut errors, rule.from.as_deref(), &path.child("from"));
    }
    for (index, rule) in spec.egress.iter().flatten().enumerate() {
        let path = path.child("egress").index(index);
        ports(&mut errors, rule.ports.as_deref(), &path.child("ports"));
        peers(&mut errors, rule.to.as_deref(), &path.child("to"));
    }
    let types = spec.policy_types.as_deref().unwrap_or_default();
    let path = path.child("policyTypes");
    if types.len() > 2 {
        let detail = "may not specify more than two policyTypes";
        errors.push(FieldError::invalid(&path, super::rbac::go_strings(types), detail));
        return errors;
    }
    for (index, own) in types.iter().enumerate() {
        if !matches!(own.as_str(), "Ingress" | "Egress") {
            errors.push(FieldError::not_supported(
                &path.index(index),
                own,
                &["Egress", "Ingress"],
            ));
        }
    }
    errors
}

fn ports(errors: &mut Errors, ports: Option<&[NetworkPolicyPort]>, path: &Path) {
    for (index, own) in ports.unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        if !PROTOCOLS.contains(&text(&own.protocol)) {
            errors.push(FieldError::not_supported(
                &path.child("protocol"),
                text(&own.protocol),
                PROTOCOLS,
            ));
        }
        match &own.port {
            None => {
                if own.end_port.is_some() {
                    let detail = "may not be specified when `port` is not specified";
                    errors.push(FieldError::invalid(
                        &path.child("endPort"),
                        own.end_port.unwrap_or(0),
                        detail,
                    ));
                }
            }
            Some(IntOrString::Int(number)) => {
                let message = names::port_number(*number);
                errors.extend(
                    message.map(|message| FieldError::invalid(&path.child("port"), *number, message)),
                );
                if let Some(end) = own.end_port.filter(|end| end < number) {
                    let detail = "must be greater than or equal to `port`";
                    errors.push(FieldError::invalid(&path.child("endPort"), end, detail));
                }
            }
            Some(IntOrString::String(name)) => {
                if let Some(end) = own.end_port {
                    let detail = "may not be specified when `port` is non-numeric";
                    errors.push(FieldError::invalid(&path.child("endPort"), end, detail));
                }
                form(errors, &path, "port", name, names::port_name(name));
            }
        }
    }
}

fn peers(errors: &mut Errors, peers: Option<&[NetworkPolicyPeer]>, path: &Path) {
    for (index, own) in peers.unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        for (field, selector) in [
            ("podSelector", &own.pod_selector),
            ("namespaceSelector", &own.namespace_selector),
        ] {
            let path = path.child(field);
            errors.extend(selector.iter().flat_map(|own| label_selector(own, &path)));
        }
        let has_selector = own.pod_selector.is_some() || own.namespace_selector.is_some();
        match &own.ip_block {
            None if !has_selector => {
                errors.push(FieldError::required(&path, "must specify a peer"));
            }
            None => {}
            Some(block) => {
                if has_selector {
                    let detail = "may not specify both ipBlock and another peer";
                    errors.push(FieldError::forbidden(&path, detail));
                }
                ip_block(errors, block, &path.child("ipBlock"));
            }
        }
    }
}

fn ip_block(errors: &mut Errors, own: &IPBlock, path: &Path) {
    const FORM: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    if own.cidr.is_empty() {
        return errors.push(FieldError::required(&path.child("cidr"), ""));
    }
    let Some(outer) = Cidr::parse(&own.cidr) else {
        return errors.push(FieldError::invalid(&path.child("cidr"), &own.cidr, FORM));
    };
    for (index, except) in own.except.iter().flatten().enumerate() {
        let path = path.child("except").index(index);
        match Cidr::parse(except) {
            None => errors.push(FieldError::invalid(&path, except, FORM)),
            Some(inner) if !inner.is_within(&outer) => {
                let detail = "must be a strict subset of `cidr`";
                errors.push(FieldError::invalid(&path, except, detail));
            }
            Some(_) => {}
        }
    }
}

/// A network: its address as a number of 128 bits, and how many of them are fixed.
struct Cidr {
    is_v4: bool,
    bits: u128,
    length: u32,
}

impl Cidr {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let length: u32 = length.parse().ok()?;
        let (is_v4, bits, most) = match address.parse().ok()? {
            IpAddr::V4(address) => (true, u128::from(u32::from(address)) << 96, 32),
            IpAddr::V6(address) => (false, u128::from(address), 128),
        };
        (length <= most).then_some(Self { is_v4, bits, length })
    }

    /// Whether this is a smaller part of `outer`.
    fn is_within(&self, outer: &Self) -> bool {
        let differs = (self.bits ^ outer.bits).leading_zeros() < outer.length;
        self.is_v4 == outer.is_v4 && self.length > outer.length && !differs
    }
}

/// Mistakes in an EndpointSlice, outside its metadata. Loopback addresses, which upstream refuses, are where pods of
/// a cluster on one machine live.
pub fn endpoint_slice(own: &EndpointSlice) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let kind = own.address_type.as_str();
    let known = Some(own.address_type.clone());
    one_of(&mut errors, &Path::root(), "addressType", &known, ADDRESS_TYPES);
    let path = Path::new("endpoints");
    if own.endpoints.len() > MAX_ENDPOINTS {
        errors.push(FieldError::too_many(&path, own.endpoints.len(), MAX_ENDPOINTS));
        return errors;
    }
    for (index, own) in own.endpoints.iter().enumerate() {
        endpoint(&mut errors, own, kind, &path.index(index));
    }
    slice_ports(&mut errors, own, &Path::new("ports"));
    errors
}

fn endpoint(errors: &mut Errors, own: &Endpoint, kind: &str, path: &Path) {
    let at = path.child("addresses");
    if own.addresses.is_empty() {
        errors.push(FieldError::required(&at, "must contain at least 1 address"));
    } else if own.addresses.len() > MAX_ADDRESSES {
        errors.push(FieldError::too_many(&at, own.addresses.len(), MAX_ADDRESSES));
    }
    for (index, address) in own.addresses.iter().enumerate() {
        let at = at.index(index);
        match (kind, address.parse::<IpAddr>()) {
            ("IPv4", Ok(IpAddr::V4(_))) | ("IPv6", Ok(IpAddr::V6(_))) => {}
            ("IPv4", _) => {
                errors.push(FieldError::invalid(&at, address, "must be a valid IPv4 address"));
            }
            ("IPv6", _) => {
                errors.push(FieldError::invalid(&at, address, "must be a valid IPv6 address"));
            }
            _ => {
                let messages = names::subdomain(address.trim_end_matches('.')).into_iter();
                errors.extend(messages.map(|message| FieldError::invalid(&at, address, message)));
            }
        }
    }
    if let Some(node) = &own.node_name {
        form(errors, path, "nodeName", node, names::subdomain(node));
    }
    if let Some(host) = &own.hostname {
        form(errors, path, "hostname", host, names::label(host));
    }
}

fn slice_ports(errors: &mut Errors, own: &EndpointSlice, path: &Path) {
    let ports = own.ports.as_deref().unwrap_or_default();
    if ports.len() > MAX_PORTS {
        return errors.push(FieldError::too_many(path, ports.len(), MAX_PORTS));
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = text(&port.name);
        if !name.is_empty() {
            form(errors, &path, "name", name, names::label(name));
        }
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(&path.child("name"), name));
        }
        one_of(errors, &path, "protocol", &port.protocol, PROTOCOLS);
        if let Some(number) = port.port {
            let message = names::port_number(number);
            errors.extend(message.map(|message| FieldError::invalid(&path.child("port"), number, message)));
        }
    }
}

/// Mistakes in the change of an EndpointSlice: the type of its addresses stands for ever.
pub fn endpoint_slice_update(new: &EndpointSlice, old: &EndpointSlice) -> Vec<FieldError> {
    let mut errors = endpoint_slice(new);
    if new.address_type != old.address_type {
        errors.push(FieldError::invalid(
            &Path::new("addressType"),
            &new.address_type,
            IMMUTABLE,
        ));
    }
    errors
}
