//! Probes and hooks by HTTP: a GET whose answer's status decides. Redirects are not followed: they count as success.

use std::{fmt, io, net::Ipv4Addr};

use coracle_service::{Env, Identity};
use http::{HeaderName, HeaderValue, header, uri::PathAndQuery};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{PortRef, dial};
use crate::pods::view::{ContainerSpec, or_default};

/// The most of an answer that is read.
const MAX_ANSWER_BYTES: u64 = 10 << 10;

/// A request as the manifest has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpGet {
    /// Its path.
    #[serde(deserialize_with = "or_default")]
    pub path: Box<str>,
    /// Where to.
    pub port: PortRef,
    /// The address to ask; the pod's own where empty.
    #[serde(deserialize_with = "or_default")]
    pub host: Box<str>,
    /// Whether it is asked by TLS.
    #[serde(deserialize_with = "or_default")]
    pub scheme: Scheme,
    /// What it says besides.
    #[serde(deserialize_with = "or_default")]
    pub http_headers: Box<[Header]>,
}

/// A line of a request's head.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Header {
    name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    value: Box<str>,
}

/// How a request travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Scheme {
    /// In plain text.
    #[default]
    #[serde(rename = "HTTP")]
    Http,
    /// By TLS; the certificate is not checked.
    #[serde(rename = "HTTPS")]
    Https,
}

/// A request to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    scheme: Scheme,
    /// Empty for the pod's own.
    host: Box<str>,
    pub(super) port: u16,
    path: Box<str>,
    headers: Box<[Header]>,
}

impl HttpGet {
    /// The request, its port looked up among the container's.
    #[must_use]
    pub fn request(&self, container: &ContainerSpec) -> Request {
        Request {
            scheme: self.scheme,
            host: self.host.clone(),
            port: self.port.number(container),
            path: match &*self.path {
                "" => "/".into(),
                rooted if rooted.starts_with('/') => rooted.into(),
                path => format!("/{path}").into(),
            },
            headers: self.http_headers.clone(),
        }
    }
}

impl Request {
    /// Asks; the error is the text that the event shows.
    pub(super) async fn ask(&self, env: &Env, from: Ipv4Addr, pod: Ipv4Addr) -> Result<(), String> {
        let to = match &*self.host {
            "" => pod,
            host => host
                .parse()
                .map_err(|_| format!("dial tcp: lookup {host}: a probe's host is an IPv4 address here"))?,
        };
        let url = Url { request: self, to };
        let head = self.head(to).map_err(|error| format!("Get \"{url}\": {error}"))?;
        let answer = self.exchange(env, from, to, &head).await;
        let answer = answer.map_err(|error| format!("Get \"{url}\": {error}"))?;
        let status = answer
            .split(|&byte| byte == b' ')
            .nth(1)
            .and_then(|code| std::str::from_utf8(code).ok());
        match status.and_then(|code| code.parse::<u16>().ok()) {
            Some(200..=399) => Ok(()),
            Some(code) => Err(format!("HTTP probe failed with statuscode: {code}")),
            None => Err(format!("Get \"{url}\": malformed HTTP response")),
        }
    }

    /// The head of the request. What the manifest says of a header stands instead of the default; an `Accept` without a
    /// value leaves it out.
    fn head(&self, to: Ipv4Addr) -> Result<String, http::Error> {
        let path: PathAndQuery = self.path.parse()?;
        let mut lines: Vec<(HeaderName, HeaderValue)> = vec![
            (
                header::HOST,
                HeaderValue::try_from(format!("{to}:{}", self.port))?,
            ),
            (header::USER_AGENT, HeaderValue::from_static("kube-probe/1.33")),
            (header::ACCEPT, HeaderValue::from_static("*/*")),
            (header::CONNECTION, HeaderValue::from_static("close")),
        ];
        let mut said = Vec::new();
        for Header { name, value } in &self.headers {
            let name = HeaderName::try_from(&**name)?;
            said.push((name, HeaderValue::try_from(&**value)?));
        }
        lines.retain(|(name, _)| said.iter().all(|(other, _)| other != name));
        said.retain(|(name, value)| name != header::ACCEPT || !value.is_empty());
        let mut head = format!("GET {path} HTTP/1.1\r\n");
        for (name, value) in lines.iter().chain(&said) {
            head += &format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
        }
        Ok(head + "\r\n")
    }

    async fn exchange(&self, env: &Env, from: Ipv4Addr, to: Ipv4Addr, head: &str) -> Result<Vec<u8>, String> {
        let refused = |error: io::Error| super::refused(to, self.port, &error);
        let mut io = dial(env, Some(from), to, self.port).await.map_err(refused)?;
        if self.scheme == Scheme::Https {
            let identity = Identity::unverified().map_err(|error| error.to_string())?;
            io = identity
                .http1()
                .connect(io, &to.to_string())
                .await
                .map_err(|error| match error.kind() {
                    io::ErrorKind::InvalidData => {
                        "http: server gave HTTP response to HTTPS client".to_owned()
                    }
                    _ => format!("tls: {error}"),
                })?;
        }
        io.write_all(head.as_bytes()).await.map_err(refused)?;
        let mut answer = Vec::new();
        // An end without TLS's farewell is an end all the same.
        let end = io.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await;
        match end {
            Err(error) if answer.is_empty() => Err(refused(error)),
            _ => Ok(answer),
        }
    }
}

/// Where a request goes, as errors say it.
struct Url<'a> {
    request: &'a Request,
    to: Ipv4Addr,
}

impl fmt::Display for Url<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.request.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let (port, path) = (self.request.port, &self.request.path);
        write!(out, "{scheme}://{}:{port}{path}", self.to)
    }
}

#[cfg(test)]
mod tests {
    use coracle_service::pki::{Authority, Subject};
    use serde_json::{Value, json};

    use super::*;

    fn request(get: Value) -> Request {
        let get: HttpGet = serde_json::from_value(get).unwrap();
        get.request(&ContainerSpec::default())
    }

    fn head(get: Value) -> Result<String, http::Error> {
        request(get).head(Ipv4Addr::LOCALHOST)
    }

    #[test]
    fn a_request_says_what_the_manifest_says() {
        assert_eq!(
            head(json!({"port": 80})).unwrap(),
            "GET / HTTP/1.1\r\nhost: 127.0.0.1:80\r\nuser-agent: kube-probe/1.33\r\naccept: */*\r\n\
             connection: close\r\n\r\n"
        );
        let headers = json!([{"name": "Host", "value": "eva.example"}, {"name": "Accept", "value": ""},
            {"name": "X-Probe", "value": "a"}, {"name": "X-Probe", "value": "b"}]);
        assert_eq!(
            head(json!({"port": 80, "path": "ready?a=b", "httpHeaders": headers})).unwrap(),
            "GET /ready?a=b HTTP/1.1\r\nuser-agent: kube-probe/1.33\r\nconnection: close\r\nhost: eva.example\r\n\
             x-probe: a\r\nx-probe: b\r\n\r\n"
        );
    }

    #[test]
    fn nothing_is_smuggled_into_a_head() {
        assert!(head(json!({"port": 80, "path": "/a b"})).is_err());
        assert!(head(json!({"port": 80, "path": "/\r\nX: y"})).is_err());
        assert!(head(json!({"port": 80, "httpHeaders": [{"name": "A", "value": "b\r\nC: d"}]})).is_err());
        assert!(head(json!({"port": 80, "httpHeaders": [{"name": "A:", "value": "b"}]})).is_err());
    }

    /// Takes one connection, with the identity or without, and answers 204 to whoever says hello.
    async fn answer_once(env: &Env, identity: Option<Identity>) -> u16 {
        let mut listener = env.network.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        env.spawn.task("server", async move {
            let (mut io, _) = listener.accept().await.unwrap();
            if let Some(identity) = identity {
                (io, _) = identity.accept(io).await.unwrap();
            }
            let mut head = [0; 4];
            let _ = io.read_exact(&mut head).await;
            let _ = io.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            let _ = io.shutdown().await;
        });
        port
    }

    #[tokio::test]
    async fn a_server_is_asked_by_tls_whatever_its_certificate() {
        let env = Env::host();
        let now = env.cluster_clock.now();
        let subject = Subject {
            user: "web".to_owned(),
            server_names: vec!["elsewhere".to_owned()],
            ..Subject::default()
        };
        let issued = Authority::create("test", now).unwrap().issue(&subject, now);
        let identity = Identity::from_credentials(&issued.unwrap()).unwrap();
        let ask = async |port: u16| {
            let request = request(json!({"port": port, "scheme": "HTTPS"}));
            request.ask(&env, Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST).await
        };
        let port = answer_once(&env, Some(identity)).await;
        assert_eq!(ask(port).await, Ok(()));
        let port = answer_once(&env, None).await;
        let text = ask(port).await.unwrap_err();
        assert!(
            text.ends_with("http: server gave HTTP response to HTTPS client"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_host_that_is_no_address_is_told() {
        let request = request(json!({"port": 80, "host": "eva"}));
        let asked = request
            .ask(&Env::host(), Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST)
            .await;
        assert_eq!(
            asked.unwrap_err(),
            "dial tcp: lookup eva: a probe's host is an IPv4 address here"
        );
    }
}
