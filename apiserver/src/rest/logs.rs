//! `pods/log`: finds the container and its node, and passes on what the node streams, as it comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use coracle_api::{ApiError, FieldError, Path, Reason, kinds, time};
use coracle_proto::v1::LogsRequest;
use coracle_proto::v1::node_service_client::NodeServiceClient;
use coracle_service::{Env, Identity, connect};
use futures::{StreamExt, TryStreamExt, future};
use http::StatusCode;
use parking_lot::Mutex;
use serde::Deserialize;
use tonic::Code;
use tonic::transport::Channel;

use super::query::Query;
use super::{Door, error};
use crate::registry::Target;

#[cfg(test)]
mod tests;

/// Channels to nodes that are kept open; beyond it all are dropped and dialed anew when needed.
const MAX_CHANNELS: usize = 1_024;
/// Where a node does not say on which port its agent listens.
const DEFAULT_PORT: u16 = 10_250;

/// The way to the agents of the nodes. Clones share their channels.
#[derive(Clone)]
pub(crate) struct Nodes {
    env: Env,
    identity: Identity,
    channels: Arc<Mutex<BTreeMap<String, Channel>>>,
}

impl Nodes {
    /// No channels yet; `identity` is shown to the nodes.
    pub(crate) fn new(env: Env, identity: Identity) -> Self {
        Self {
            env,
            identity,
            channels: Arc::default(),
        }
    }

    /// What is shown to the nodes.
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A channel to the agent of a node, whose object is `json`.
    ///
    /// # Errors
    /// Internal, where the object does not say where the agent is.
    pub(crate) fn to(&self, name: &str, json: &[u8]) -> Result<Channel, ApiError> {
        self.channel(&read::<Node>(json)?.authority(name)?)
    }

    /// A channel to the agent at `authority`, which is dialed when it is first used.
    pub(crate) fn channel(&self, authority: &str) -> Result<Channel, ApiError> {
        let mut channels = self.channels.lock();
        if let Some(channel) = channels.get(authority) {
            return Ok(channel.clone());
        }
        if channels.len() >= MAX_CHANNELS {
            channels.clear();
        }
        let channel = connect::channel(authority, &self.env, &self.identity).map_err(ApiError::internal)?;
        channels.insert(authority.to_owned(), channel.clone());
        Ok(channel)
    }
}

/// Answers with the log of a container of the pod `target`.
///
/// # Errors
/// Not found; bad request where the container is not named well enough or the node has no such log; internal where
/// the node cannot be reached.
pub(crate) async fn respond(door: &Arc<Door>, target: &Target, query: &Query) -> Result<Response, ApiError> {
    let mut request = options(target, query)?;
    let entry = door.registry.get(target, "", None).await?;
    let pod: Pod = read(&entry.json)?;
    request.container = pod.container(&target.name, &request.container)?;
    request.pod_uid = entry.attributes.uid.to_string();
    if pod.spec.node_name.is_empty() {
        // A pod that is nowhere has nothing to say, which is no mistake of the client's.
        return Ok(error::text(StatusCode::NO_CONTENT, ""));
    }
    let node_target = Target::new(kinds::NODE, "", &pod.spec.node_name);
    let node: Node = read(&door.registry.get(&node_target, "", None).await?.json)?;
    let authority = node.authority(&pod.spec.node_name)?;
    let url = format!(
        "https://{authority}/containerLogs/{}/{}/{}",
        request.namespace, request.pod, request.container
    );
    let mut client = NodeServiceClient::new(door.nodes.channel(&authority)?);
    let log = client
        .logs(request)
        .await
        .map_err(|status| from_node(&url, &status))?
        .into_inner();
    let shutdown = door.shutdown.clone();
    let ended = async move { shutdown.wait().await };
    let bytes = log
        .map_ok(|message| message.data)
        .map_err(|status| std::io::Error::other(status.message().to_owned()))
        .take_until(Box::pin(ended))
        .try_filter(|data| future::ready(!data.is_empty()));
    Ok(error::respond(
        StatusCode::OK,
        "text/plain",
        Body::from_stream(bytes),
    ))
}

fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(json)
        .map_err(|failure| ApiError::internal(format!("read stored object: {failure}")))
}

/// Reads the query as upstream's `PodLogOptions`.
fn options(target: &Target, query: &Query) -> Result<LogsRequest, ApiError> {
    let since_time = query.get("sinceTime").unwrap_or_default();
    let request = LogsRequest {
        namespace: target.namespace.clone(),
        pod: target.name.clone(),
        pod_uid: String::new(),
        container: query.get("container").unwrap_or_default().to_owned(),
        previous: query.flag("previous").unwrap_or(false),
        follow: query.flag("follow").unwrap_or(false),
        timestamps: query.flag("timestamps").unwrap_or(false),
        tail_lines: query.number("tailLines")?,
        since_seconds: query.number("sinceSeconds")?,
        limit_bytes: query.number("limitBytes")?,
        since_time: since_time.to_owned(),
    };
    let mut mistakes = Vec::new();
    let mut at_least = |name: &str, value: Option<i64>, least: i64, why: &str| {
        if let Some(value) = value.filter(|value| *value < least) {
            mistakes.push(FieldError::invalid(&Path::new(name), value, why));
        }
    };
    at_least(
        "tailLines",
        request.tail_lines,
        0,
        "must be greater than or equal to 0",
    );
    at_least("sinceSeconds", request.since_seconds, 1, "must be greater than 0");
    at_least("limitBytes", request.limit_bytes, 1, "must be greater than 0");
    if !since_time.is_empty() {
        if request.since_seconds.is_some() {
            let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
            mistakes.push(FieldError::forbidden(&Path::root(), why));
        }
        if time::parse(since_time).is_none() {
            let why = "must be a time in RFC 3339 form";
            mistakes.push(FieldError::invalid(&Path::new("sinceTime"), since_time, why));
        }
    }
    if mistakes.is_empty() {
        Ok(request)
    } else {
        Err(ApiError::invalid_kind(
            "",
            "PodLogOptions",
            &target.name,
            mistakes,
        ))
    }
}

/// Where a pod runs, and what of it streams need to know.
pub(super) struct Place {
    /// The pod.
    pub(super) pod: Pod,
    /// Its name.
    pub(super) name: String,
    /// Its UID.
    pub(super) uid: String,
    /// Its node; empty where it has none.
    pub(super) node: String,
    /// Where the agent of the node is.
    pub(super) authority: String,
    /// Its address; empty where it has none.
    pub(super) ip: String,
    /// The container that is meant.
    pub(super) container: String,
}

impl Place {
    /// What the pod's object tells.
    ///
    /// # Errors
    /// Internal, where it is none.
    pub(super) fn of(json: &[u8], uid: String) -> Result<Self, ApiError> {
        let pod: Pod = read(json)?;
        Ok(Self {
            name: pod.metadata.name.clone(),
            uid,
            node: pod.spec.node_name.clone(),
            authority: String::new(),
            ip: pod.status.pod_ip.clone(),
            container: String::new(),
            pod,
        })
    }
}

/// What a node's refusal means for the client.
pub(super) fn from_node(url: &str, status: &tonic::Status) -> ApiError {
    match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            ApiError::bad_request(status.message())
        }
        Code::NotFound => ApiError::new(Reason::NotFound, status.message()),
        _ => ApiError::new(
            Reason::InternalError,
            format!("Get \"{url}\": {}", status.message()),
        ),
    }
}

/// A pod, as far as its streams depend on it.
#[derive(Deserialize)]
pub(super) struct Pod {
    #[serde(default)]
    metadata: PodMetadata,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PodStatus {
    #[serde(rename = "podIP")]
    pod_ip: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PodMetadata {
    name: String,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: String,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    ephemeral_containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    name: String,
    #[serde(default)]
    ports: Vec<Port>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    #[serde(default)]
    name: String,
    container_port: u16,
}

fn names(containers: &[Container]) -> String {
    containers
        .iter()
        .map(|container| container.name.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

impl Pod {
    /// The number of a port by name or number; the first that a container names where `asked` is empty.
    pub(super) fn port(&self, asked: &str) -> Option<u16> {
        let mut ports = self.spec.containers.iter().flat_map(|container| &container.ports);
        match asked {
            "" => ports.next().map(|port| port.container_port),
            asked => asked.parse().ok().or_else(|| {
                ports
                    .find(|port| port.name == asked)
                    .map(|port| port.container_port)
            }),
        }
    }

    /// The container that is meant.
    pub(super) fn container(&self, pod: &str, asked: &str) -> Result<String, ApiError> {
        let PodSpec {
            containers,
            init_containers,
            ephemeral_containers,
            ..
        } = &self.spec;
        let is_there = |name: &str| {
            containers
                .iter()
                .chain(init_containers)
                .chain(ephemeral_containers)
                .any(|one| one.name == name)
        };
        if !asked.is_empty() {
            return if is_there(asked) {
                Ok(asked.to_owned())
            } else {
                Err(ApiError::bad_request(format!(
                    "container {asked} is not valid for pod {pod}"
                )))
            };
        }
        if let [only] = containers.as_slice() {
            return Ok(only.name.clone());
        }
        if let Some(default) = self
            .metadata
            .annotations
            .get("kubectl.kubernetes.io/default-container")
            && is_there(default)
        {
            return Ok(default.clone());
        }
        let mut message = format!(
            "a container name must be specified for pod {pod}, choose one of: [{}]",
            names(containers)
        );
        if !init_containers.is_empty() {
            message.push_str(&format!(
                " or one of the init containers: [{}]",
                names(init_containers)
            ));
        }
        Err(ApiError::bad_request(message))
    }
}

/// Where the agent of a node listens, read from the Node object.
///
/// # Errors
/// Internal, where the node has no address.
pub(crate) fn authority(node: &[u8], name: &str) -> Result<String, ApiError> {
    read::<Node>(node)?.authority(name)
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct NodeStatus {
    addresses: Vec<Address>,
    daemon_endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Endpoints {
    kubelet_endpoint: Endpoint,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Endpoint {
    #[serde(rename = "Port")]
    port: u16,
}

impl Node {
    /// Where the node's agent listens.
    fn authority(&self, name: &str) -> Result<String, ApiError> {
        let found = self
            .status
            .addresses
            .iter()
            .find(|address| address.kind == "InternalIP");
        let Some(Address { address, .. }) = found else {
            return Err(ApiError::internal(format!(
                "no preferred addresses found for node {name}"
            )));
        };
        let port = match self.status.daemon_endpoints.kubelet_endpoint.port {
            0 => DEFAULT_PORT,
            port => port,
        };
        Ok(if address.contains(':') {
            format!("[{address}]:{port}")
        } else {
            format!("{address}:{port}")
        })
    }
}
