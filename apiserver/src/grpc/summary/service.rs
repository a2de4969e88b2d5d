//! A Service's summary.

use coracle_api::ApiError;
use coracle_proto::v1 as pb;
use k8s_openapi::{
    api::core::v1::{LoadBalancerIngress, Service, ServicePort},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{Entry, labels, timestamp};

pub(super) fn summary(entry: &Entry) -> Result<pb::Service, ApiError> {
    let service: Service = coracle_api::object::typed(&entry.json).map_err(ApiError::internal)?;
    let spec = service.spec.unwrap_or_default();
    let balanced = service.status.and_then(|status| status.load_balancer?.ingress);
    let mut external = spec.external_ips.unwrap_or_default();
    external.extend(spec.external_name);
    external.extend(balanced.unwrap_or_default().into_iter().filter_map(address));
    Ok(pb::Service {
        namespace: entry.attributes.namespace.to_string(),
        name: entry.attributes.name.to_string(),
        uid: entry.attributes.uid.to_string(),
        revision: entry.revision,
        labels: labels(&entry.attributes.labels),
        r#type: spec.type_.unwrap_or_else(|| "ClusterIP".to_owned()),
        cluster_ip: spec.cluster_ip.unwrap_or_default(),
        external,
        ports: spec.ports.into_iter().flatten().map(port).collect(),
        selector: spec.selector.into_iter().flatten().collect(),
        created: timestamp(service.metadata.creation_timestamp.map(|time| time.0)),
    })
}

fn address(ingress: LoadBalancerIngress) -> Option<String> {
    ingress.ip.or(ingress.hostname)
}

fn port(port: ServicePort) -> pb::ServicePort {
    let target_port = match port.target_port {
        Some(IntOrString::Int(number)) => number.to_string(),
        Some(IntOrString::String(name)) => name,
        None => port.port.to_string(),
    };
    pb::ServicePort {
        name: port.name.unwrap_or_default(),
        protocol: port.protocol.unwrap_or_else(|| "TCP".to_owned()),
        port: port.port,
        target_port,
        node_port: port.node_port.unwrap_or_default(),
    }
}
