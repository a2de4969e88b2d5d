//! Probes: whether a container has started, lives, and is ready, asked over the network from the node's address.
//!
//! Asking is done here; when to ask and what an answer means is the pod worker's.

use std::{io, net::Ipv4Addr, time::Duration};

use coracle_proxy::dial;
use coracle_service::Env;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pods::view::{ContainerSpec, or_default};

/// The most of an answer that is read.
const MAX_ANSWER_BYTES: u64 = 10 << 10;

/// A probe as the manifest has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeSpec {
    /// A request that must be answered with 200 to 399.
    pub http_get: Option<HttpGet>,
    /// A connection that must be taken.
    pub tcp_socket: Option<TcpSocket>,
    /// Seconds from the container's start to the first time.
    #[serde(deserialize_with = "or_default")]
    pub initial_delay_seconds: u32,
    /// Seconds from one time to the next; 10 where unset.
    #[serde(deserialize_with = "or_default")]
    pub period_seconds: u32,
    /// Seconds for an answer; 1 where unset.
    #[serde(deserialize_with = "or_default")]
    pub timeout_seconds: u32,
    /// Successes in a row that count as success; 1 where unset.
    #[serde(deserialize_with = "or_default")]
    pub success_threshold: u32,
    /// Failures in a row that count as failure; 3 where unset.
    #[serde(deserialize_with = "or_default")]
    pub failure_threshold: u32,
}

/// A request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct HttpGet {
    /// Its path.
    #[serde(deserialize_with = "or_default")]
    pub path: Box<str>,
    /// Where to.
    pub port: PortRef,
}

/// A connection.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TcpSocket {
    /// Where to.
    pub port: PortRef,
}

/// A port by number or by name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum PortRef {
    /// Its number.
    Number(u16),
    /// The name of one of the container's ports, or its number as text.
    Name(Box<str>),
}

impl Default for PortRef {
    fn default() -> Self {
        Self::Number(0)
    }
}

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProbeKind {
    /// Holds the others back until it succeeded once.
    Startup,
    /// Restarts the container.
    Liveness,
    /// Gives the pod traffic.
    Readiness,
}

impl ProbeKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Startup, Self::Liveness, Self::Readiness];

    /// As messages say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }

    /// The container's probe of this kind.
    #[must_use]
    pub fn of(self, container: &ContainerSpec) -> Option<&ProbeSpec> {
        match self {
            Self::Startup => container.startup_probe.as_deref(),
            Self::Liveness => container.liveness_probe.as_deref(),
            Self::Readiness => container.readiness_probe.as_deref(),
        }
    }
}

impl ProbeSpec {
    /// How long after one time the next is.
    #[must_use]
    pub fn period(&self) -> Duration {
        Duration::from_secs(u64::from(if self.period_seconds == 0 {
            10
        } else {
            self.period_seconds
        }))
    }

    /// How long after the container's start the first is.
    #[must_use]
    pub fn initial_delay(&self) -> Duration {
        Duration::from_secs(u64::from(self.initial_delay_seconds))
    }

    /// How long an answer may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout_seconds.max(1)))
    }

    /// What is asked; `None` where this kind of question is not supported.
    #[must_use]
    pub fn question(&self, container: &ContainerSpec) -> Option<Question> {
        let (port, path) = match (&self.http_get, &self.tcp_socket) {
            (Some(get), _) => (
                &get.port,
                Some(if get.path.is_empty() {
                    "/".into()
                } else {
                    get.path.clone()
                }),
            ),
            (None, Some(tcp)) => (&tcp.port, None),
            (None, None) => return None,
        };
        let number = match port {
            PortRef::Number(number) => *number,
            PortRef::Name(name) => {
                let named = container.ports.iter().find(|port| port.name == *name);
                named.map_or_else(|| name.parse().unwrap_or_default(), |port| port.container_port)
            }
        };
        Some(Question { port: number, path })
    }
}

/// What to ask a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    port: u16,
    /// `None` where a connection is enough.
    path: Option<Box<str>>,
}

impl Question {
    /// Asks. The error is the text that the event shows.
    ///
    /// # Errors
    /// What went wrong, in upstream's words.
    pub async fn ask(
        &self,
        env: &Env,
        from: Ipv4Addr,
        to: Ipv4Addr,
        timeout: Duration,
    ) -> Result<(), String> {
        let clock = &env.cluster_clock;
        match clock.timeout(timeout, self.ask_forever(env, from, to)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(format!(
                "no answer from {to}:{} in {} s",
                self.port,
                timeout.as_secs()
            )),
        }
    }

    async fn ask_forever(&self, env: &Env, from: Ipv4Addr, to: Ipv4Addr) -> Result<(), String> {
        let failed = |error: io::Error| format!("dial tcp {to}:{}: {error}", self.port);
        let mut io = dial(env, Some(from), to, self.port).await.map_err(failed)?;
        let Some(path) = &self.path else { return Ok(()) };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {to}:{}\r\nUser-Agent: kube-probe/1.33\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            self.port
        );
        io.write_all(request.as_bytes()).await.map_err(failed)?;
        let mut answer = Vec::new();
        io.take(MAX_ANSWER_BYTES)
            .read_to_end(&mut answer)
            .await
            .map_err(failed)?;
        let status = answer
            .split(|&byte| byte == b' ')
            .nth(1)
            .and_then(|code| std::str::from_utf8(code).ok());
        match status.and_then(|code| code.parse::<u16>().ok()) {
            Some(200..=399) => Ok(()),
            Some(code) => Err(format!("HTTP probe failed with statuscode: {code}")),
            None => Err(format!("{to}:{} did not answer with HTTP", self.port)),
        }
    }
}
