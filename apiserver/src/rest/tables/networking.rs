//! Ingresses, IngressClasses, NetworkPolicies and EndpointSlices.

use coracle_api::object::BuiltIn;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{
    Ingress, IngressClass, IngressClassParametersReference, IngressStatus, NetworkPolicy,
};

use super::{AGE, Column, NAME, Printer, typed};

pub(super) static INGRESS: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Class", "The class that serves it."),
        Column::text("Hosts", "The hosts that it answers for."),
        Column::text("Address", "Where it is reached."),
        Column::text("Ports", "The ports that it is reached at."),
        AGE,
    ],
    cells: |json, now| {
        let own = Ingress::parse(json)?;
        let annotations = own.metadata.annotations.as_ref();
        let older = annotations.and_then(|all| all.get("kubernetes.io/ingress.class"));
        let spec = own.spec.unwrap_or_default();
        let hosts = spec.rules.iter().flatten().filter_map(|rule| rule.host.clone());
        let hosts: Vec<String> = hosts.filter(|host| !host.is_empty()).collect();
        let is_secure = spec.tls.is_some_and(|tls| !tls.is_empty());
        Ok(vec![
            typed::name(&own.metadata),
            typed::text(spec.ingress_class_name.as_ref().or(older), "<none>"),
            typed::some_of(&hosts, "*"),
            addresses(own.status.unwrap_or_default()).into(),
            (if is_secure { "80, 443" } else { "80" }).into(),
            typed::age(&own.metadata, now),
        ])
    },
};

fn addresses(status: IngressStatus) -> String {
    let points = status
        .load_balancer
        .and_then(|own| own.ingress)
        .unwrap_or_default();
    let mut addresses: Vec<String> = points
        .into_iter()
        .filter_map(|own| own.ip.or(own.hostname))
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses.join(",")
}

pub(super) static INGRESS_CLASS: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Controller", "The controller that serves the class."),
        Column::text("Parameters", "The object with its parameters."),
        AGE,
    ],
    cells: |json, now| {
        let own = IngressClass::parse(json)?;
        let spec = own.spec.unwrap_or_default();
        let parameters = spec.parameters.map(parameters);
        Ok(vec![
            typed::name(&own.metadata),
            typed::text(spec.controller.as_ref(), ""),
            typed::text(parameters.as_ref(), "<none>"),
            typed::age(&own.metadata, now),
        ])
    },
};

fn parameters(own: IngressClassParametersReference) -> String {
    let mut text = own.kind;
    if let Some(group) = own.api_group.filter(|group| !group.is_empty()) {
        text = format!("{text}.{group}");
    }
    format!("{text}/{}", own.name)
}

pub(super) static NETWORK_POLICY: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Pod-Selector", "The pods that it holds for."),
        AGE,
    ],
    cells: |json, now| {
        let own = NetworkPolicy::parse(json)?;
        let spec = own.spec.unwrap_or_default();
        Ok(vec![
            typed::name(&own.metadata),
            typed::selector(spec.pod_selector.as_ref()),
            typed::age(&own.metadata, now),
        ])
    },
};

pub(super) static ENDPOINT_SLICE: Printer = Printer {
    columns: &[
        NAME,
        Column::text("AddressType", "What kind of addresses they are."),
        Column::text("Ports", "The ports of every endpoint."),
        Column::text("Endpoints", "The addresses of the endpoints."),
        AGE,
    ],
    cells: |json, now| {
        let own = EndpointSlice::parse(json)?;
        let ports = own.ports.iter().flatten();
        let ports = ports.map(|port| port.port.map_or("*".to_owned(), |port| port.to_string()));
        let ports: Vec<String> = ports.collect();
        let addresses: Vec<String> = own.endpoints.into_iter().flat_map(|own| own.addresses).collect();
        Ok(vec![
            typed::name(&own.metadata),
            own.address_type.into(),
            typed::some_of(&ports, "<unset>"),
            typed::some_of(&addresses, "<unset>"),
            typed::age(&own.metadata, now),
        ])
    },
};
