//! What a simulated container runs: a small built-in program in place of a Linux process.
//!
//! A [`Program`] looks at how it was invoked and says what it will do as a [`Run`]. It starts nothing itself: waiting
//! costs a timer and serving costs a task per port, and both are the runtime's, so that a program that does nothing
//! costs nothing.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use coracle_service::{Clock, Env};
use futures::future::BoxFuture;

use super::{life::Life, serving::Service};
use crate::{logs::Log, network::pod::PodNetwork, pods::view::HostAlias, volumes::Files};

/// The pod that a program runs in, as the program may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodIdentity {
    /// metadata.name
    pub name: Box<str>,
    /// metadata.namespace
    pub namespace: Box<str>,
    /// metadata.uid
    pub uid: Arc<str>,
    /// spec.nodeName
    pub node: Arc<str>,
    /// status.podIP
    pub ip: Ipv4Addr,
    /// What `hostname` answers.
    pub hostname: Box<str>,
    /// spec.subdomain; empty for none.
    pub subdomain: Box<str>,
    /// spec.hostAliases
    pub host_aliases: Box<[HostAlias]>,
    /// Whom the pod asks for names.
    pub name_server: Option<IpAddr>,
}

/// How a program is started.
pub struct Invocation {
    /// The pod.
    pub pod: Arc<PodIdentity>,
    /// The image's repository and tag, for example `nginx` and `1.14.2`.
    pub image: (Box<str>, Box<str>),
    /// What follows the program's name.
    pub arguments: Vec<String>,
    /// The container's environment.
    pub env: Vec<(String, String)>,
    /// The ports that the image's configuration exposes.
    pub ports: &'static [u16],
    /// The container's file system.
    pub files: Arc<Files>,
    /// The container's log.
    pub log: Arc<Log>,
    /// The cluster's time.
    pub clock: Clock,
    /// The node's surroundings.
    pub surroundings: Env,
    /// How the pod reaches out.
    pub network: Arc<dyn PodNetwork>,
    /// Its processes and its end.
    pub life: Arc<Life>,
    /// Whether its main command reads what is typed.
    pub stdin: bool,
    /// Whether its input ends when the first who is attached goes.
    pub stdin_once: bool,
    /// Whether its main command has a terminal.
    pub tty: bool,
}

impl Invocation {
    /// The value of an environment variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of `--name VALUE`, `--name=VALUE`, or the same with one dash.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        let mut arguments = self.arguments.iter();
        while let Some(argument) = arguments.next() {
            let Some(rest) = argument.trim_start_matches('-').strip_prefix(name) else {
                continue;
            };
            if !argument.starts_with('-') {
                continue;
            }
            if let Some(value) = rest.strip_prefix('=') {
                return Some(value);
            }
            if rest.is_empty() {
                return arguments.next().map(String::as_str);
            }
        }
        None
    }

    /// Whether `--name` is among the arguments.
    #[must_use]
    pub fn has_flag(&self, name: &str) -> bool {
        self.arguments
            .iter()
            .any(|argument| argument.strip_prefix("--") == Some(name))
    }

    /// The ports to listen on: `--port`, else `PORT`, else the image's.
    ///
    /// # Errors
    /// [`Usage`] where a port is not a number of 1 to 65535.
    pub fn listen_ports(&self) -> Result<Vec<u16>, Usage> {
        let Some(text) = self.option("port").or_else(|| self.variable("PORT")) else {
            return Ok(self.ports.to_vec());
        };
        text.split(',')
            .map(|port| match port.trim().parse() {
                Ok(port) if port != 0 => Ok(port),
                _ => Err(Usage(format!("{port:?} is not a port"))),
            })
            .collect()
    }
}

/// Arguments that a program cannot make sense of: it prints this and exits with code 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage(pub String);

/// What a program will do.
pub enum Run {
    /// Wait for the signal to end.
    Idle,
    /// Step by step.
    Script(Vec<Step>),
    /// Until this is done; it answers the code. It is dropped when the container ends.
    Task(BoxFuture<'static, i32>),
    /// Answer connections on ports of the pod's address.
    Serve {
        /// All of them, or the program fails.
        ports: Vec<u16>,
        /// Who answers.
        service: Arc<dyn Service>,
    },
}

/// A step of a script; after the last the program exits with code 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write a line to the log.
    Print(String),
    /// Do nothing for a while.
    Wait(Duration),
    /// Do nothing any more.
    Forever,
    /// Exit with this code.
    Exit(u8),
}

/// A built-in program.
pub trait Program: Send + Sync {
    /// What commands and the catalog call it.
    fn name(&self) -> &'static str;

    /// What it will do.
    ///
    /// # Errors
    /// [`Usage`] where its arguments make no sense.
    fn start(&self, invocation: Arc<Invocation>) -> Result<Run, Usage>;
}

/// Reads a duration as `sleep` does: seconds with an optional fraction, and an optional suffix `s`, `m`, `h` or `d`, or
/// `ms`; `infinity` is [`Step::Forever`].
///
/// # Errors
/// [`Usage`] where it is none.
pub fn wait(text: &str) -> Result<Step, Usage> {
    if matches!(text, "infinity" | "inf") {
        return Ok(Step::Forever);
    }
    let bad = || Usage(format!("invalid time interval {text:?}"));
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[number.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(bad()),
    };
    let seconds = number.parse::<f64>().map_err(|_| bad())? * unit;
    Duration::try_from_secs_f64(seconds)
        .map(Step::Wait)
        .map_err(|_| bad())
}
