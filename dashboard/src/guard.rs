//! Keeps other origins out: a page of another site cannot make this server act, nor read what it answers.
//!
//! Three checks, each of which would do against most attacks: the Host must be one of ours (against DNS rebinding),
//! whatever is more than a plain read must come from a page of this very origin, and the session's cookie is
//! SameSite=Strict. Every answer carries a Content-Security-Policy that allows no inline script.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use coracle_service::{Peer, serve::Plain};

use crate::run::Console;

/// What pages may load: this origin's files and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What this machine, and a container beside this one, call it by.
const LOCAL: [&str; 4] = ["localhost", "127.0.0.1", "[::1]", "dashboard"];

/// Which hosts and transports are answered.
#[derive(Clone, Debug)]
pub struct Guard {
    hosts: Vec<String>,
    is_plain_allowed: bool,
    port: u16,
}

impl Guard {
    /// For a server that listens on `address` and may be called by `hosts` too.
    #[must_use]
    pub fn new(address: SocketAddr, allow_plain: bool, hosts: Vec<String>) -> Self {
        let mut known = LOCAL.map(str::to_owned).to_vec();
        known.push(match address {
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        });
        known.extend(hosts);
        Self {
            hosts: known,
            is_plain_allowed: allow_plain || address.ip().is_loopback(),
            port: address.port(),
        }
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Why a request is refused; `None` where it is not.
    #[must_use]
    pub fn refusal(&self, asked: &Asked<'_>) -> Option<&'static str> {
        if asked.is_plain && !self.is_plain_allowed {
            return Some("this address is answered over https only");
        }
        let host = asked.host.rsplit_once(':').map_or(asked.host, |(host, port)| {
            if port.bytes().all(|b| b.is_ascii_digit()) {
                host
            } else {
                asked.host
            }
        });
        if !self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            return Some("the Host header names no address of this server");
        }
        // A program with a certificate of the cluster is no browser that another page could misuse.
        if asked.is_read || asked.is_member {
            return None;
        }
        let scheme = if asked.is_plain { "http" } else { "https" };
        let own = asked
            .origin
            .and_then(|origin| origin.strip_prefix(scheme)?.strip_prefix("://"));
        if own.is_none_or(|own| !own.eq_ignore_ascii_case(asked.host)) {
            return Some("the Origin header names another origin than this server's");
        }
        None
    }
}

/// What the guard looks at.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The Host header, or HTTP/2's authority.
    pub host: &'a str,
    /// The Origin header.
    pub origin: Option<&'a str>,
    /// A GET or HEAD that opens no WebSocket.
    pub is_read: bool,
    /// Came without TLS.
    pub is_plain: bool,
    /// The caller proved by certificate to be of this cluster.
    pub is_member: bool,
}

/// Refuses what the guard refuses, and adds the headers that every answer carries.
pub async fn check(State(console): State<Console>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let is_upgrade = headers.contains_key(header::UPGRADE) || request.method() == Method::CONNECT;
    let peer = request.extensions().get::<Arc<Peer>>();
    let asked = Asked {
        host: text(header::HOST).or(authority).unwrap_or_default(),
        origin: text(header::ORIGIN),
        is_read: matches!(*request.method(), Method::GET | Method::HEAD) && !is_upgrade,
        is_plain: request.extensions().get::<Plain>().is_some(),
        is_member: peer.is_some_and(|peer| !peer.is_anonymous()),
    };
    let mut response = match console.guard.refusal(&asked) {
        Some(why) => (StatusCode::FORBIDDEN, why).into_response(),
        None => next.run(request).await,
    };
    add_headers(response.headers_mut());
    response
}

fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_origins_are_kept_out() {
        let guard = Guard::new(SocketAddr::from(([127, 0, 0, 1], 8443)), false, Vec::new());
        let good = Asked {
            host: "127.0.0.1:8443",
            origin: Some("http://127.0.0.1:8443"),
            is_read: false,
            is_plain: true,
            is_member: false,
        };
        assert_eq!(guard.refusal(&good), None);
        assert_eq!(
            guard.refusal(&Asked {
                origin: None,
                is_read: true,
                ..good
            }),
            None
        );
        for (bad, word) in [
            (Asked { origin: None, ..good }, "Origin"),
            (
                Asked {
                    origin: Some("http://evil.example"),
                    ..good
                },
                "Origin",
            ),
            (
                Asked {
                    origin: Some("http://127.0.0.1:8444"),
                    ..good
                },
                "Origin",
            ),
            (
                Asked {
                    origin: Some("https://127.0.0.1:8443"),
                    ..good
                },
                "Origin",
            ),
            (
                Asked {
                    origin: Some("null"),
                    ..good
                },
                "Origin",
            ),
            (
                Asked {
                    host: "evil.example:8443",
                    is_read: true,
                    ..good
                },
                "Host",
            ),
            (
                Asked {
                    host: "",
                    is_read: true,
                    ..good
                },
                "Host",
            ),
        ] {
            let why = guard.refusal(&bad);
            assert!(why.is_some_and(|why| why.contains(word)), "{bad:?}: {why:?}");
        }
    }

    #[test]
    fn an_address_that_others_reach_is_answered_over_tls_only() {
        let address = SocketAddr::from(([0, 0, 0, 0], 8443));
        let asked = Asked {
            host: "127.0.0.1:8443",
            origin: None,
            is_read: true,
            is_plain: true,
            is_member: false,
        };
        assert!(Guard::new(address, false, Vec::new()).refusal(&asked).is_some());
        assert_eq!(Guard::new(address, true, Vec::new()).refusal(&asked), None);
        assert_eq!(
            Guard::new(address, false, Vec::new()).refusal(&Asked {
                is_plain: false,
                ..asked
            }),
            None
        );
    }
}
