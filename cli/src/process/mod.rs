//! The processes of a cluster as subcommands: arguments as typed, turned into each component's `Config`.

pub mod apiserver;
pub mod controller_manager;
pub mod dashboard;
pub mod edge;
pub mod memory;
pub mod node;
pub mod scheduler;
pub mod storage;

use std::{net::Ipv4Addr, path::PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use coracle_client::join::{self, Role, Token};
use coracle_service::{Env, Identity, Shutdown, logging};
use tokio::signal::unix::{SignalKind, signal};

/// What every process takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Where this process keeps its data.
    #[arg(long, value_name = "DIR", env = "CORACLE_DATA_DIR")]
    pub data_dir: PathBuf,
    /// A file that holds the join token, ID.SECRET.
    #[arg(long, value_name = "FILE", env = "CORACLE_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// A log level, or directives such as `info,coracle_store=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "CORACLE_LOG")]
    pub log: String,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "CORACLE_LOG_FORMAT")]
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// What every process but the apiserver takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Member {
    /// The apiserver, HOST:PORT.
    #[arg(long, value_name = "HOST:PORT", env = "CORACLE_SERVER")]
    pub server: String,
    #[command(flatten)]
    pub common: Common,
}

impl Common {
    /// Starts logging, settles the process's limits and memory, and listens for signals.
    ///
    /// # Errors
    /// Where the log filter cannot be read.
    pub fn begin(&self) -> anyhow::Result<(Env, Shutdown)> {
        memory::use_small_pages();
        let format = match self.log_format {
            LogFormat::Text => logging::Format::Text,
            LogFormat::Json => logging::Format::Json,
        };
        logging::init(&self.log, format).map_err(anyhow::Error::msg)?;
        raise_file_limit();
        let shutdown = Shutdown::new();
        end_on_signals(&shutdown)?;
        std::fs::create_dir_all(&self.data_dir)
            .with_context(|| format!("make data directory {}", self.data_dir.display()))?;
        Ok((Env::host(), shutdown))
    }

    /// The join token; `None` where no file is named.
    ///
    /// # Errors
    /// Where the file cannot be read or holds no token.
    pub fn token(&self) -> anyhow::Result<Option<Token>> {
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("read join token {}", path.display()))?;
        Ok(Some(Token::parse(&text).with_context(|| {
            format!("read join token {}", path.display())
        })?))
    }
}

impl Member {
    /// Who this process is among others of its kind: made at its first start, and the same after a restart, so that
    /// a leader that died leads again without waiting for its own lease to run out.
    ///
    /// # Errors
    /// Where it cannot be kept in the data directory.
    pub fn instance(&self, env: &Env) -> anyhow::Result<String> {
        let path = self.common.data_dir.join("instance");
        match std::fs::read_to_string(&path) {
            Ok(instance) if !instance.is_empty() => return Ok(instance),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("read {}", path.display()));
            }
            _ => {}
        }
        let instance = format!("{}_{}", host_name().unwrap_or_default(), env.random.uuid());
        coracle_service::pki::write_private(&path, instance.as_bytes())?;
        Ok(instance)
    }

    /// Where the process's certificate is kept.
    pub fn pki(&self) -> PathBuf {
        self.common.data_dir.join("pki")
    }

    /// The identity kept in the data directory, or a new one got by joining.
    ///
    /// # Errors
    /// Where the cluster refuses, or the certificate cannot be kept.
    pub async fn identity(&self, role: &Role, env: &Env, shutdown: &Shutdown) -> anyhow::Result<Identity> {
        let token = self.common.token()?;
        let dir = self.pki();
        let joined = shutdown
            .guard(join::identity(&dir, &self.server, token.as_ref(), role, env))
            .await;
        Ok(joined.context("join cluster: asked to end before the apiserver answered")??)
    }
}

/// Reads `ADDRESS/PREFIX`.
pub fn parse_cidr(text: &str) -> Result<(Ipv4Addr, u8), String> {
    let parsed = text
        .split_once('/')
        .and_then(|(address, prefix)| Some((address.parse().ok()?, prefix.parse().ok()?)));
    match parsed {
        Some((address, prefix)) if prefix <= 32 => Ok((address, prefix)),
        _ => Err(format!("{text:?} is no IPv4 range such as 10.96.0.0/16")),
    }
}

/// The host's own name.
///
/// # Errors
/// Where it has none.
pub fn host_name() -> anyhow::Result<String> {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .to_lowercase();
    anyhow::ensure!(
        !name.is_empty(),
        "find the host's name: name the node with --node-name"
    );
    Ok(name)
}

/// Triggers `shutdown` on SIGTERM and SIGINT.
///
/// # Errors
/// Where the system refuses to deliver them.
pub fn end_on_signals(shutdown: &Shutdown) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let shutdown = shutdown.clone();
    Env::host().spawn.task("signals", async move {
        tokio::select! {
            biased;
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.trigger();
    });
    Ok(())
}

/// Raises the soft limit of open files to the hard one: every listening pod takes one.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "raise the limit of open files");
        }
    }
}
