//! A cluster's place on disk: its data directory, what is remembered there, and the administrator's credentials.

use std::path::{Path, PathBuf};

use anyhow::Context;
use coracle_client::{GrpcClient, join::Token};
use coracle_service::{Env, Identity, pki};
use serde::{Deserialize, Serialize};

use crate::args::Name;

/// What `up` remembers of a cluster between runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// Nodes, by index; removed ones leave a gap.
    pub nodes: Vec<u32>,
    /// Slices of the loopback ranges.
    pub slices: Vec<u32>,
    /// Where the apiserver listened last.
    pub server: String,
    /// The kubeconfig that the cluster was merged into.
    pub kubeconfig: Option<PathBuf>,
    /// The context that was current before.
    pub previous_context: Option<String>,
}

/// A cluster, running or not.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub name: String,
    pub dir: PathBuf,
}

impl Cluster {
    /// The cluster that the flags name.
    ///
    /// # Errors
    /// Where the name is no DNS label, or the platform has no data home.
    pub fn new(name: &Name) -> anyhow::Result<Self> {
        let valid = !name.name.is_empty()
            && name.name.len() <= 40
            && name
                .name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        anyhow::ensure!(
            valid,
            "use cluster name {:?}: it must be at most 40 lower case letters, digits and dashes",
            name.name
        );
        let dir = match &name.data_dir {
            Some(dir) => std::path::absolute(dir).context("find data directory")?,
            None => data_home()?.join("coracle").join(&name.name),
        };
        Ok(Self {
            name: name.name.clone(),
            dir,
        })
    }

    /// The name of its kubeconfig entries.
    pub fn context(&self) -> String {
        if self.name == "default" {
            "coracle".to_owned()
        } else {
            format!("coracle-{}", self.name)
        }
    }

    /// The data directory of one process.
    pub fn process_dir(&self, process: &str) -> PathBuf {
        self.dir.join(process)
    }

    /// Where the supervisor listens.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("supervisor.sock")
    }

    /// A process's log.
    pub fn log(&self, process: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{process}.log"))
    }

    /// The join token's file.
    pub fn token_file(&self) -> PathBuf {
        self.dir.join("token")
    }

    /// Reads the join token, or makes it.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn token(&self, env: &Env) -> anyhow::Result<Token> {
        let path = self.token_file();
        if path.exists() {
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            return Token::parse(&text).with_context(|| format!("read {}", path.display()));
        }
        let token = Token::generate(&env.random);
        pki::write_private(&path, token.to_string().as_bytes())?;
        Ok(token)
    }

    /// What is remembered; empty for a new cluster.
    ///
    /// # Errors
    /// Where the file is there and cannot be read.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        let path = self.dir.join("cluster.json");
        match std::fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json).with_context(|| {
                format!(
                    "read {}: delete it to let `coracle up` make it anew",
                    path.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Memory::default()),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// Remembers.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn remember(&self, memory: &Memory) -> anyhow::Result<()> {
        let json = serde_json::to_vec_pretty(memory).context("write cluster memory")?;
        Ok(pki::write_private(&self.dir.join("cluster.json"), &json)?)
    }

    /// The administrator's credentials, which the apiserver made at its first start.
    ///
    /// # Errors
    /// Where there are none yet.
    pub fn admin(&self) -> anyhow::Result<pki::Credentials> {
        // In a container the data directory is the apiserver's own.
        for dir in [self.process_dir("apiserver").join("pki"), self.dir.join("pki")] {
            if let Some(credentials) = pki::Credentials::load(&dir, "admin")? {
                return Ok(credentials);
            }
        }
        anyhow::bail!(
            "find the administrator's certificate of cluster {:?} below {}: start it with `coracle up`",
            self.name,
            self.dir.display()
        )
    }

    /// A client with the administrator's identity.
    ///
    /// # Errors
    /// Where the cluster was never started.
    pub fn client(&self, server: &str, env: &Env) -> anyhow::Result<GrpcClient> {
        let identity = Identity::from_credentials(&self.admin()?)?;
        GrpcClient::new(server, env, &identity).map_err(anyhow::Error::msg)
    }
}

/// `$XDG_DATA_HOME`, else `~/.local/share` (Linux) or `~/Library/Application Support` (macOS).
#[allow(
    clippy::disallowed_methods,
    reason = "the data home is the environment's to say"
)]
fn data_home() -> anyhow::Result<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    if let Some(home) = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .and_then(absolute)
    {
        return Ok(home);
    }
    let home = home_dir().context("find the data home: set HOME, or name a --data-dir")?;
    let below: &Path = Path::new(if cfg!(target_os = "macos") {
        "Library/Application Support"
    } else {
        ".local/share"
    });
    Ok(home.join(below))
}

/// `$HOME`.
#[allow(
    clippy::disallowed_methods,
    reason = "the home directory is the environment's to say"
)]
pub fn home_dir() -> Option<PathBuf> {
    std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}
