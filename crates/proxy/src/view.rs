//! Services and EndpointSlices, as far as traffic needs them.

use std::{net::Ipv4Addr, time::Duration};

use coracle_api::{ApiError, Labels, view::or_default};
use coracle_client::Object;
use coracle_runtime::{Key, Project};
use serde::{Deserialize, Deserializer};

/// The label by which a slice says whose it is.
const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";
/// How long a client stays with its endpoint where the Service does not say.
const DEFAULT_AFFINITY: u64 = 10_800;

/// What a port speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Connections.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
    /// Not carried here.
    Sctp,
}

impl Protocol {
    /// As the API writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<Box<str>>::deserialize(deserializer)?.unwrap_or_default();
        Ok(match &*text {
            "UDP" => Self::Udp,
            "SCTP" => Self::Sctp,
            _ => Self::Tcp,
        })
    }
}

/// A port of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort {
    /// Empty where it is the only one.
    #[serde(deserialize_with = "or_default")]
    pub name: Box<str>,
    /// What it speaks.
    pub protocol: Protocol,
    /// Its number at the Service's own addresses.
    #[serde(deserialize_with = "or_default")]
    pub port: u16,
    /// Its number at every node; 0 where it has none.
    #[serde(deserialize_with = "or_default")]
    pub node_port: u16,
}

/// What kind of Service it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Type {
    /// An address inside the cluster.
    #[default]
    ClusterIp,
    /// And a port of every node.
    NodePort,
    /// And an address outside.
    LoadBalancer,
    /// Another name for something outside.
    ExternalName,
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceView {
    /// metadata.name
    pub name: Box<str>,
    /// metadata.namespace
    pub namespace: Box<str>,
    /// metadata.uid
    pub uid: Box<str>,
    /// spec.type
    pub kind: Type,
    /// Which pods are its endpoints.
    pub selector: Labels,
    /// Its address; `None` where it is headless or only a name.
    pub cluster_ip: Option<Ipv4Addr>,
    /// Its ports.
    pub ports: Box<[ServicePort]>,
    /// What it is another name for.
    pub external_name: Box<str>,
    /// Addresses that lead to it without anybody's doing.
    pub external_ips: Box<[Ipv4Addr]>,
    /// The addresses that a load balancer gave it.
    pub load_balancer_ips: Box<[Ipv4Addr]>,
    /// The address that it asks a load balancer for.
    pub wanted_ip: Option<Ipv4Addr>,
    /// Which load balancer it wants; empty for the cluster's own.
    pub load_balancer_class: Box<str>,
    /// Who may use its load balancer; empty for everybody.
    pub source_ranges: Box<[Box<str>]>,
    /// A client stays with its endpoint for so long.
    pub affinity: Option<Duration>,
    /// Traffic from inside stays on its node.
    pub internal_local: bool,
    /// Traffic from outside stays on the node that it came to.
    pub external_local: bool,
    /// It is being deleted.
    pub deleting: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Json {
    metadata: MetaJson,
    #[serde(deserialize_with = "or_default")]
    spec: SpecJson,
    #[serde(deserialize_with = "or_default")]
    status: StatusJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MetaJson {
    name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    namespace: Box<str>,
    #[serde(deserialize_with = "or_default")]
    uid: Box<str>,
    #[serde(deserialize_with = "or_default")]
    labels: Labels,
    #[serde(deserialize_with = "or_default")]
    deletion_timestamp: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    #[serde(rename = "type", deserialize_with = "or_default")]
    kind: Box<str>,
    #[serde(deserialize_with = "or_default")]
    selector: Labels,
    #[serde(rename = "clusterIP", deserialize_with = "or_default")]
    cluster_ip: Box<str>,
    #[serde(deserialize_with = "or_default")]
    ports: Box<[ServicePort]>,
    #[serde(deserialize_with = "or_default")]
    external_name: Box<str>,
    #[serde(rename = "externalIPs", deserialize_with = "or_default")]
    external_ips: Vec<Box<str>>,
    #[serde(rename = "loadBalancerIP", deserialize_with = "or_default")]
    load_balancer_ip: Box<str>,
    #[serde(deserialize_with = "or_default")]
    load_balancer_class: Box<str>,
    #[serde(deserialize_with = "or_default")]
    load_balancer_source_ranges: Box<[Box<str>]>,
    #[serde(deserialize_with = "or_default")]
    session_affinity: Box<str>,
    #[serde(deserialize_with = "or_default")]
    session_affinity_config: AffinityJson,
    #[serde(deserialize_with = "or_default")]
    internal_traffic_policy: Box<str>,
    #[serde(deserialize_with = "or_default")]
    external_traffic_policy: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AffinityJson {
    #[serde(rename = "clientIP", deserialize_with = "or_default")]
    client_ip: ClientIpJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClientIpJson {
    timeout_seconds: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StatusJson {
    #[serde(deserialize_with = "or_default")]
    load_balancer: BalancerJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BalancerJson {
    #[serde(deserialize_with = "or_default")]
    ingress: Vec<IngressJson>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct IngressJson {
    #[serde(deserialize_with = "or_default")]
    ip: Box<str>,
}

impl Project for ServiceView {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        } = object.read()?;
        let ips = |texts: Vec<Box<str>>| texts.iter().filter_map(|text| text.parse().ok()).collect();
        let timeout = spec.session_affinity_config.client_ip.timeout_seconds;
        let affinity = Duration::from_secs(timeout.unwrap_or(DEFAULT_AFFINITY));
        Ok(Self {
            name: metadata.name,
            namespace: metadata.namespace,
            uid: metadata.uid,
            kind: match &*spec.kind {
                "NodePort" => Type::NodePort,
                "LoadBalancer" => Type::LoadBalancer,
                "ExternalName" => Type::ExternalName,
                _ => Type::ClusterIp,
            },
            selector: spec.selector,
            cluster_ip: spec.cluster_ip.parse().ok(),
            ports: spec.ports,
            external_name: spec.external_name,
            external_ips: ips(spec.external_ips),
            load_balancer_ips: ips(status
                .load_balancer
                .ingress
                .into_iter()
                .map(|own| own.ip)
                .collect()),
            wanted_ip: spec.load_balancer_ip.parse().ok(),
            load_balancer_class: spec.load_balancer_class,
            source_ranges: spec.load_balancer_source_ranges,
            affinity: (&*spec.session_affinity == "ClientIP").then_some(affinity),
            internal_local: &*spec.internal_traffic_policy == "Local",
            external_local: &*spec.external_traffic_policy == "Local",
            deleting: !metadata.deletion_timestamp.is_empty(),
        })
    }
}

impl ServiceView {
    /// Its name among Services.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::new(&self.namespace, &self.name)
    }

    /// Whether pods with these labels are its endpoints.
    #[must_use]
    pub fn selects(&self, labels: &Labels) -> bool {
        !self.selector.is_empty()
            && self
                .selector
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value))
    }
}

/// A port of all endpoints of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SlicePort {
    /// That of the Service's port.
    #[serde(deserialize_with = "or_default")]
    pub name: Box<str>,
    /// Its number.
    #[serde(deserialize_with = "or_default")]
    pub port: u16,
    /// What it speaks.
    pub protocol: Protocol,
}

/// One endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Where it is.
    pub ip: Option<Ipv4Addr>,
    /// Its own name below the Service's; empty where it has none.
    pub hostname: Box<str>,
    /// The node that it is on; empty where it is on none.
    pub node: Box<str>,
    /// The zones whose traffic it is meant for; empty for all.
    pub zones: Box<[Box<str>]>,
    /// It takes new connections.
    pub ready: bool,
    /// It answers, perhaps while it ends.
    pub serving: bool,
    /// It is ending.
    pub terminating: bool,
}

/// An EndpointSlice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SliceView {
    /// Whose it is.
    pub namespace: Box<str>,
    /// The Service's name; empty where it is nobody's.
    pub service: Box<str>,
    /// The ports of all its endpoints.
    pub ports: Box<[SlicePort]>,
    /// Where the Service leads.
    pub endpoints: Box<[Endpoint]>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SliceJson {
    metadata: MetaJson,
    #[serde(deserialize_with = "or_default")]
    ports: Box<[SlicePort]>,
    #[serde(deserialize_with = "or_default")]
    endpoints: Vec<EndpointJson>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EndpointJson {
    #[serde(deserialize_with = "or_default")]
    addresses: Vec<Box<str>>,
    #[serde(deserialize_with = "or_default")]
    conditions: ConditionsJson,
    #[serde(deserialize_with = "or_default")]
    hostname: Box<str>,
    #[serde(deserialize_with = "or_default")]
    node_name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    hints: HintsJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConditionsJson {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HintsJson {
    #[serde(deserialize_with = "or_default")]
    for_zones: Vec<ZoneJson>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ZoneJson {
    name: Box<str>,
}

impl From<EndpointJson> for Endpoint {
    fn from(json: EndpointJson) -> Self {
        // As the API has it: what is not known counts as ready, and as serving where it is ready.
        let ready = json.conditions.ready.unwrap_or(true);
        Self {
            ip: json.addresses.first().and_then(|address| address.parse().ok()),
            hostname: json.hostname,
            node: json.node_name,
            zones: json.hints.for_zones.into_iter().map(|zone| zone.name).collect(),
            ready,
            serving: json.conditions.serving.unwrap_or(ready),
            terminating: json.conditions.terminating.unwrap_or(false),
        }
    }
}

impl Project for SliceView {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let json: SliceJson = object.read()?;
        Ok(Self {
            namespace: json.metadata.namespace,
            service: json
                .metadata
                .labels
                .get(SERVICE_NAME_LABEL)
                .unwrap_or_default()
                .into(),
            ports: json.ports,
            endpoints: json.endpoints.into_iter().map(Into::into).collect(),
        })
    }
}

impl SliceView {
    /// The key of its Service.
    #[must_use]
    pub fn service_key(&self) -> Key {
        Key::new(&self.namespace, &self.service)
    }
}
