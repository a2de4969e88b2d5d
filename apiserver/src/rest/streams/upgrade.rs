//! Which protocol a client asks to change to, and the change itself.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequestParts, ws::WebSocketUpgrade},
    response::Response,
};
use coracle_api::{ApiError, Reason};
use coracle_service::BoxIo;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_PROTOCOL, UPGRADE},
    request::Parts,
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::{Door, remote::Remote, socket, spdy};

/// The name of the framing, as clients ask for it.
const SPDY: &str = "SPDY/3.1";
/// In which a client of [`SPDY`] says what it speaks above it.
const PROTOCOL_HEADER: &str = "x-stream-protocol-version";
/// The largest WebSocket message.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// What commands are carried by: over WebSocket, and over [`SPDY`].
pub(super) const REMOTE_PROTOCOLS: Protocols = Protocols {
    socket: &["v5.channel.k8s.io", "v4.channel.k8s.io"],
    spdy: &["v4.channel.k8s.io"],
};
/// What connections to pods are carried by.
pub(super) const FORWARD_PROTOCOLS: Protocols = Protocols {
    socket: &[TUNNEL, "v4.channel.k8s.io"],
    spdy: &["portforward.k8s.io"],
};
/// [`SPDY`] inside of WebSocket.
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// What is spoken, the best first.
#[derive(Clone, Copy)]
pub(super) struct Protocols {
    socket: &'static [&'static str],
    spdy: &'static [&'static str],
}

/// A change of protocol that a client asked for.
pub(super) enum Upgrade {
    /// To WebSocket, with this protocol above it.
    Socket(Box<WebSocketUpgrade>, &'static str),
    /// To [`SPDY`], with this protocol above it.
    Spdy(OnUpgrade, &'static str),
}

impl Upgrade {
    /// Reads what the client asks for.
    ///
    /// # Errors
    /// Bad request where it asks for nothing; forbidden where nothing that it speaks is spoken here.
    pub(super) async fn of(parts: &mut Parts, protocols: Protocols) -> Result<Self, ApiError> {
        let wanted = listed(&parts.headers, UPGRADE.as_str());
        if wanted
            .iter()
            .any(|wanted| wanted.eq_ignore_ascii_case("websocket"))
        {
            let offered = listed(&parts.headers, SEC_WEBSOCKET_PROTOCOL.as_str());
            let chosen = chosen(protocols.socket, &offered)?;
            let upgrade = WebSocketUpgrade::from_request_parts(parts, &())
                .await
                .map_err(|error| ApiError::bad_request(error.to_string()))?;
            return Ok(Self::Socket(Box::new(upgrade), chosen));
        }
        if wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(SPDY)) {
            let chosen = chosen(protocols.spdy, &listed(&parts.headers, PROTOCOL_HEADER))?;
            let on_upgrade = parts.extensions.remove::<OnUpgrade>();
            let on_upgrade =
                on_upgrade.ok_or_else(|| ApiError::bad_request("this connection cannot be upgraded"))?;
            return Ok(Self::Spdy(on_upgrade, chosen));
        }
        Err(ApiError::bad_request("Upgrade request required"))
    }

    /// Whether a connection is carried as frames of [`SPDY`].
    pub(super) fn is_framed(&self) -> bool {
        match self {
            Self::Socket(_, chosen) => *chosen == TUNNEL,
            Self::Spdy(..) => true,
        }
    }

    /// Changes, and carries a command's streams.
    pub(super) fn serve(self, door: &Arc<Door>, remote: Remote) -> Response {
        match self {
            Self::Socket(upgrade, chosen) => {
                let shutdown = door.shutdown.clone();
                socketed(*upgrade, chosen).on_upgrade(move |socket| async move {
                    shutdown.guard(socket::serve(socket, remote)).await;
                })
            }
            Self::Spdy(..) => self.framed(door, move |io, env| spdy::serve(io, remote, env)),
        }
    }

    /// Changes to frames, which `serve` reads and writes.
    pub(super) fn framed<F>(
        self,
        door: &Arc<Door>,
        serve: impl FnOnce(BoxIo, coracle_service::Env) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (shutdown, env) = (door.shutdown.clone(), door.env.clone());
        match self {
            Self::Socket(upgrade, chosen) => {
                let serve = move |socket| async move {
                    let (io, carry) = socket::bytes(socket);
                    let served = async {
                        tokio::join!(carry, serve(io, env));
                    };
                    shutdown.guard(served).await;
                };
                socketed(*upgrade, chosen).on_upgrade(serve)
            }
            Self::Spdy(on_upgrade, chosen) => {
                env.clone().spawn.task("streams", async move {
                    match on_upgrade.await {
                        Ok(upgraded) => {
                            let io: BoxIo = Box::new(TokioIo::new(upgraded));
                            shutdown.guard(serve(io, env)).await;
                        }
                        Err(error) => tracing::debug!(%error, "change protocol"),
                    }
                });
                switching(chosen)
            }
        }
    }

    /// Changes to WebSocket; `None` where the client asked for frames alone.
    pub(super) fn into_socket(self) -> Option<WebSocketUpgrade> {
        match self {
            Self::Socket(upgrade, chosen) => Some(socketed(*upgrade, chosen)),
            Self::Spdy(..) => None,
        }
    }
}

fn socketed(upgrade: WebSocketUpgrade, chosen: &'static str) -> WebSocketUpgrade {
    upgrade.protocols([chosen]).max_message_size(MAX_MESSAGE_BYTES)
}

fn switching(chosen: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(SPDY));
    headers.insert(PROTOCOL_HEADER, HeaderValue::from_static(chosen));
    response
}

/// The values of a header, also where several stand in one.
fn listed(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(|value| value.trim().to_owned())
        .collect()
}

/// The best protocol of those that both sides speak.
fn chosen(known: &'static [&'static str], offered: &[String]) -> Result<&'static str, ApiError> {
    let found = known
        .iter()
        .find(|known| offered.iter().any(|offered| offered == *known));
    found.copied().ok_or_else(|| {
        let message =
            format!("unable to negotiate protocol: client supports {offered:?}, server accepts {known:?}");
        ApiError::new(Reason::Forbidden, message)
    })
}
