//! `proxy`: requests that the apiserver passes on to a pod, a Service or a node's agent, and their answers.
//!
//! The name in the path may say more than a name: `SCHEME:NAME:PORT`, where the port is a number or a name. Credentials of
//! the caller stay here. Answers come back as they are; changes of protocol (WebSocket) are passed on too.

use std::{io, sync::Arc};

use axum::{body::Body, response::Response};
use coracle_admission::Backends;
use coracle_api::{ApiError, Reason};
use coracle_service::{BoxIo, connect};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri,
    header::{self, HOST},
    request::Parts,
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::{Door, logs::Place};
use crate::{backends::ServiceBackends, dial, registry::Target};

/// Headers that are for one connection, and the caller's credentials.
const DROPPED: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
];
/// Where a pod listens that names no port.
const DEFAULT_PORT: u16 = 80;

/// Who is meant: `SCHEME:NAME:PORT`, `NAME:PORT` or `NAME`.
#[derive(Debug, PartialEq, Eq)]
struct Meant<'a> {
    scheme: &'a str,
    name: &'a str,
    port: &'a str,
}

impl<'a> Meant<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let (scheme, name, port) = match parts.as_slice() {
            [name] => ("http", *name, ""),
            [name, port] => ("http", *name, *port),
            ["", name, port] => ("http", *name, *port),
            [scheme, name, port] => (*scheme, *name, *port),
            _ => return None,
        };
        Some(Self { scheme, name, port }).filter(|meant| !meant.name.is_empty())
    }
}

/// Passes a request on and answers with what comes back.
///
/// # Errors
/// Not found; bad request for a name that says too much; service unavailable where nobody answers.
pub(super) async fn respond(
    door: &Arc<Door>,
    target: &Target,
    parts: &Parts,
    body: Body,
) -> Result<Response, ApiError> {
    let invalid = || ApiError::bad_request(format!("invalid proxy target {:?}", target.name));
    let meant = Meant::of(&target.name).ok_or_else(invalid)?;
    if meant.scheme != "http" {
        let message = format!(
            "proxy requests are passed on by http alone, not by {:?}",
            meant.scheme
        );
        return Err(ApiError::bad_request(message));
    }
    let found = Target::new(target.resource, &target.namespace, meant.name);
    let dialed = match target.resource.plural {
        "pods" => pod(door, &found, &meant).await?,
        "services" => service(door, &found, &meant).await?,
        _ => node(door, &found).await?,
    };
    let io = dialed.map_err(|error| unavailable(&error.to_string()))?;
    let passed_on = pass_on(door, io, parts, body, &found).await;
    passed_on.map_err(|error| unavailable(&error.to_string()))
}

fn unavailable(why: &str) -> ApiError {
    ApiError::new(
        Reason::ServiceUnavailable,
        format!("error trying to reach service: {why}"),
    )
}

async fn pod(door: &Arc<Door>, found: &Target, meant: &Meant<'_>) -> Result<io::Result<BoxIo>, ApiError> {
    let place = Place::of_pod(door, found).await?;
    let port = match meant.port {
        "" => place.pod.port("").unwrap_or(DEFAULT_PORT),
        asked => place
            .pod
            .port(asked)
            .ok_or_else(|| ApiError::bad_request(format!("pod {:?} has no port {asked:?}", meant.name)))?,
    };
    let channel = door.nodes.channel(&place.authority)?;
    let address = format!("{}:{port}", place.ip);
    Ok(dial::through(channel, &door.env, &place.node, &address).await)
}

async fn service(door: &Arc<Door>, found: &Target, meant: &Meant<'_>) -> Result<io::Result<BoxIo>, ApiError> {
    let entry = door.registry.get(found, "", None).await?;
    let service: k8s_openapi::api::core::v1::Service = serde_json::from_slice(&entry.json)
        .map_err(|failure| ApiError::internal(format!("read stored object: {failure}")))?;
    let ports = service.spec.and_then(|spec| spec.ports).unwrap_or_default();
    let number = match meant.port {
        "" => ports.first().map(|port| port.port),
        asked => ports
            .iter()
            .find(|port| port.name.as_deref() == Some(asked) || port.port.to_string() == asked)
            .map(|port| port.port),
    };
    let missing = || {
        unavailable(&format!(
            "no service port {:?} found for service {:?}",
            meant.port, meant.name
        ))
    };
    let number = number.ok_or_else(missing)?;
    let backends = ServiceBackends::new(&door.registry, door.nodes.clone(), &door.env);
    Ok(backends.dial(&found.namespace, meant.name, number).await)
}

async fn node(door: &Arc<Door>, found: &Target) -> Result<io::Result<BoxIo>, ApiError> {
    let entry = door.registry.get(found, "", None).await?;
    let authority = super::authority(&entry.json, &found.name)?;
    let host = authority
        .rsplit_once(':')
        .map_or(&*authority, |(host, _)| host)
        .to_owned();
    Ok(connect::connect(&authority, &host, &door.env, door.nodes.identity()).await)
}

async fn pass_on(
    door: &Arc<Door>,
    io: BoxIo,
    parts: &Parts,
    body: Body,
    found: &Target,
) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
    let shutdown = door.shutdown.clone();
    let connection = connection.with_upgrades();
    door.env.spawn.task("proxy", async move {
        tokio::select! {
            biased;
            () = shutdown.wait() => {}
            // What went wrong is the answer's error too.
            _ = connection => {}
        }
    });
    let changes = parts.headers.get(header::UPGRADE).cloned();
    let mut headers = HeaderMap::new();
    for (name, value) in &parts.headers {
        if !DROPPED.contains(name) && name != HOST {
            headers.append(name, value.clone());
        }
    }
    headers.insert(HOST, HeaderValue::from_str(&found.name)?);
    if let Some(protocol) = &changes {
        headers.insert(header::UPGRADE, protocol.clone());
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    let mut request = Request::builder()
        .method(parts.method.clone())
        .uri(inner_path(&parts.uri))
        .body(body)?;
    *request.headers_mut() = headers;
    let mut response = sender.send_request(request).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let far = hyper::upgrade::on(&mut response);
        if let Some(near) = parts.extensions.get::<OnUpgrade>().cloned() {
            let shutdown = door.shutdown.clone();
            door.env.spawn.task("proxied stream", async move {
                if let (Ok(near), Ok(far)) = (near.await, far.await) {
                    let (mut near, mut far) = (TokioIo::new(near), TokioIo::new(far));
                    // Either side may end it at any time.
                    let _ = shutdown
                        .guard(tokio::io::copy_bidirectional(&mut near, &mut far))
                        .await;
                }
            });
        }
        return Ok(response.map(|_| Body::empty()));
    }
    let mut response = response.map(Body::new);
    for name in DROPPED {
        response.headers_mut().remove(name);
    }
    Ok(response)
}

/// What of the path follows `proxy`, and the query.
fn inner_path(uri: &Uri) -> String {
    let path = uri.path();
    let inner = path.split_once("/proxy").map_or("", |(_, inner)| inner);
    let inner = if inner.is_empty() { "/" } else { inner };
    match uri.query() {
        Some(query) => format!("{inner}?{query}"),
        None => inner.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_scheme_and_port() {
        let check = |text: &str, expected: Option<(&str, &str, &str)>| {
            let meant = Meant::of(text).map(|meant| (meant.scheme, meant.name, meant.port));
            assert_eq!(meant, expected, "{text}");
        };
        check("web", Some(("http", "web", "")));
        check("web:80", Some(("http", "web", "80")));
        check("https:web:443", Some(("https", "web", "443")));
        check("http:web:", Some(("http", "web", "")));
        check("a:b:c:d", None);
        check(":80", None);
    }

    #[test]
    fn the_path_behind_proxy_is_passed_on() {
        let check = |uri: &str, expected: &str| {
            assert_eq!(inner_path(&uri.parse().unwrap()), expected, "{uri}");
        };
        check("/api/v1/namespaces/d/pods/web/proxy", "/");
        check("/api/v1/namespaces/d/pods/web/proxy/a/b?c=d", "/a/b?c=d");
        check("/api/v1/namespaces/d/services/web:80/proxy/", "/");
        check("/api/v1/nodes/n/proxy/proxy/x", "/proxy/x");
    }
}
