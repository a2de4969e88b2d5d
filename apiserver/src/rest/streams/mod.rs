//! `exec`, `attach` and `portforward`: streams between a client and a container, through the container's node.
//!
//! Two ways to carry them: WebSocket (`socket`) and SPDY/3.1 framing (`spdy`), the latter also inside of a WebSocket.
//! Both become the same session here, which one gRPC stream to the node serves, with back-pressure all along: what the
//! client does not read is not taken from the node. When either side goes, the other is told and everything ends.

mod forward;
mod remote;
mod socket;
mod spdy;
mod upgrade;

use std::sync::Arc;

use axum::response::Response;
use coracle_api::{ApiError, kinds};
use coracle_proto::v1::{ExecOpen, node_service_client::NodeServiceClient};
use http::request::Parts;

use self::{remote::Remote, upgrade::Upgrade};
use super::{Door, logs::Place, query::Query};
use crate::registry::Target;

/// Answers a request for streams by changing the connection's protocol.
///
/// # Errors
/// Bad request where the options make no sense or the client asks for no change of protocol; not found; what the node
/// refuses.
pub(super) async fn respond(
    door: &Arc<Door>,
    target: &Target,
    part: &str,
    parts: &Parts,
    query: &Query,
) -> Result<Response, ApiError> {
    let mut parts = parts.clone();
    if part == "portforward" {
        let place = Place::of_pod(door, target).await?;
        return forward::respond(door, place, query, &mut parts).await;
    }
    let mut open = options(query, part)?;
    let place = Place::of_container(door, target, query).await?;
    open.namespace.clone_from(&target.namespace);
    open.pod.clone_from(&target.name);
    open.pod_uid = place.uid;
    open.container = place.container;
    let upgrade = Upgrade::of(&mut parts, upgrade::REMOTE_PROTOCOLS).await?;
    let client = NodeServiceClient::new(door.nodes.channel(&place.authority)?);
    let remote = Remote::open(client, open).await?;
    Ok(upgrade.serve(door, remote))
}

/// Reads the query as upstream's `PodExecOptions` and `PodAttachOptions`.
fn options(query: &Query, part: &str) -> Result<ExecOpen, ApiError> {
    let flag = |name| query.flag(name).unwrap_or(false);
    let attach = part == "attach";
    let command: Vec<String> = query.all("command").map(str::to_owned).collect();
    let (stdin, stdout, tty) = (flag("stdin"), flag("stdout"), flag("tty"));
    // A terminal has one screen.
    let stderr = flag("stderr") && !tty;
    if !(stdin || stdout || stderr) {
        let message = "you must specify at least one of stdin, stdout, stderr";
        return Err(ApiError::bad_request(message));
    }
    if !attach && command.is_empty() {
        let message = "you must specify at least one command for the container";
        return Err(ApiError::bad_request(message));
    }
    Ok(ExecOpen {
        command,
        attach,
        stdin,
        stdout,
        stderr,
        tty,
        ..ExecOpen::default()
    })
}

impl Place {
    /// A pod's node and address, for connections to it.
    pub(super) async fn of_pod(door: &Arc<Door>, target: &Target) -> Result<Self, ApiError> {
        let mut place = Self::find(door, target).await?;
        if place.ip.is_empty() {
            let message = format!("pod {} has no address yet", target.name);
            return Err(ApiError::bad_request(message));
        }
        place.container.clear();
        Ok(place)
    }

    /// A container's node.
    async fn of_container(door: &Arc<Door>, target: &Target, query: &Query) -> Result<Self, ApiError> {
        let asked = query.get("container").unwrap_or_default();
        let mut place = Self::find(door, target).await?;
        place.container = place.pod.container(&target.name, asked)?;
        Ok(place)
    }

    async fn find(door: &Arc<Door>, target: &Target) -> Result<Self, ApiError> {
        let entry = door.registry.get(target, "", None).await?;
        let mut place = Self::of(&entry.json, entry.attributes.uid.to_string())?;
        if place.node.is_empty() {
            let message = format!("pod {} does not have a host assigned", target.name);
            return Err(ApiError::bad_request(message));
        }
        let node = Target::new(kinds::NODE, "", &place.node);
        let node = door.registry.get(&node, "", None).await?;
        place.authority = super::authority(&node.json, &place.node)?;
        Ok(place)
    }
}
