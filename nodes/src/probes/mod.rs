//! Probes: whether a container has started, lives, and is ready, asked over the network from the node's address, or by a
//! command, which is the manager's to run.
//!
//! Asking is done here; when to ask and what an answer means is the pod worker's.

mod grpc;
mod http;

use std::{io, net::Ipv4Addr, time::Duration};

use coracle_proxy::dial;
use coracle_service::Env;
use serde::Deserialize;

pub use self::http::HttpGet;
use crate::pods::view::{ContainerSpec, or_default};

/// A probe as the manifest has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeSpec {
    /// A request that must be answered with 200 to 399.
    pub http_get: Option<HttpGet>,
    /// A connection that must be taken.
    pub tcp_socket: Option<TcpSocket>,
    /// A command that must end with code 0.
    pub exec: Option<Command>,
    /// A health check by gRPC that must answer SERVING.
    pub grpc: Option<Grpc>,
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

/// A connection.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TcpSocket {
    /// Where to.
    pub port: PortRef,
}

/// A command in the container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Command {
    /// Its words; no shell reads them.
    #[serde(deserialize_with = "or_default")]
    pub command: Box<[String]>,
}

/// A health check of grpc.health.v1.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Grpc {
    /// Where to; a number.
    pub port: u16,
    /// Which service; empty for the whole server.
    #[serde(deserialize_with = "or_default")]
    pub service: Box<str>,
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

    /// What is asked; `None` where the probe names nothing.
    #[must_use]
    pub fn question(&self, container: &ContainerSpec) -> Option<Question> {
        Question::of(
            self.http_get.as_ref(),
            self.tcp_socket.as_ref(),
            self.exec.as_ref(),
            container,
        )
        .or_else(|| {
            let grpc = self.grpc.as_ref()?;
            Some(Question::Grpc {
                port: grpc.port,
                service: grpc.service.clone(),
            })
        })
    }
}

/// What to ask a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A request.
    Http(http::Request),
    /// A connection.
    Tcp {
        /// Where to.
        port: u16,
    },
    /// A health check.
    Grpc {
        /// Where to.
        port: u16,
        /// Which service.
        service: Box<str>,
    },
    /// A command, which the container's own shell runs.
    Command(Box<[String]>),
}

impl Question {
    /// The question of a probe or hook.
    #[must_use]
    pub fn of(
        http_get: Option<&HttpGet>,
        tcp_socket: Option<&TcpSocket>,
        exec: Option<&Command>,
        container: &ContainerSpec,
    ) -> Option<Self> {
        if let Some(exec) = exec {
            return Some(Self::Command(exec.command.clone()));
        }
        if let Some(get) = http_get {
            return Some(Self::Http(get.request(container)));
        }
        let port = tcp_socket?.port.number(container);
        Some(Self::Tcp { port })
    }

    /// Asks over the network. The error is the text that the event shows.
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
        let asking = async {
            match self {
                Self::Http(request) => request.ask(env, from, to).await,
                Self::Tcp { port } => dial(env, Some(from), to, *port)
                    .await
                    .map(drop)
                    .map_err(|error| refused(to, *port, &error)),
                Self::Grpc { port, service } => grpc::check(env, from, to, *port, service).await,
                // It is not the network's to answer.
                Self::Command(_) => Err("a command is not asked over the network".to_owned()),
            }
        };
        let clock = &env.cluster_clock;
        clock.timeout(timeout, asking).await.unwrap_or_else(|_| {
            let port = match self {
                Self::Http(request) => request.port,
                Self::Tcp { port } | Self::Grpc { port, .. } => *port,
                Self::Command(_) => 0,
            };
            Err(format!("no answer from {to}:{port} in {} s", timeout.as_secs()))
        })
    }
}

impl PortRef {
    fn number(&self, container: &ContainerSpec) -> u16 {
        match self {
            Self::Number(number) => *number,
            Self::Name(name) => {
                let named = container.ports.iter().find(|port| port.name == *name);
                named.map_or_else(|| name.parse().unwrap_or_default(), |port| port.container_port)
            }
        }
    }
}

fn refused(to: Ipv4Addr, port: u16, error: &io::Error) -> String {
    format!("dial tcp {to}:{port}: {error}")
}
