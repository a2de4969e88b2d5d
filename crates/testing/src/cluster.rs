//! Starting, asking, breaking and ending a cluster.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use coracle_client::GrpcClient;
use coracle_service::{Clock, Env, Identity, pki::Credentials};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{binary::coracle_binary, kubectl, logs};

/// How long a cluster may take to start: generous, for a machine that runs many tests at once.
const START_TIMEOUT: Duration = Duration::from_secs(90);
/// How long its processes may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// What a test's cluster is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Nodes; a process each up to 10, then pools.
    pub nodes: u32,
    /// Flags of processes, as `coracle up --set` takes them: `component.flag=value`.
    pub set: Vec<String>,
    /// ERROR lines that contain one of these are expected.
    pub expected_errors: Vec<String>,
    /// Whether the dashboard runs, too.
    pub has_dashboard: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 3,
            set: Vec::new(),
            expected_errors: Vec::new(),
            has_dashboard: false,
        }
    }
}

/// One process, as `coracle status` shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Process {
    /// For example `apiserver` or `node-1`.
    pub name: String,
    /// 0 while it is not running.
    pub pid: u32,
    /// Of its main service.
    pub address: String,
    /// How often it was started again.
    pub restarts: u32,
    /// `starting`, `ready` or `down`.
    pub health: String,
}

/// A running cluster. Dropping it ends its processes and deletes its data.
pub struct Cluster {
    binary: PathBuf,
    dir: PathBuf,
    child: Child,
    options: Options,
    env: Env,
}

impl Cluster {
    /// Starts a cluster of three nodes.
    ///
    /// # Errors
    /// Where the binary is missing or the cluster does not become ready.
    pub async fn start() -> anyhow::Result<Self> {
        Self::with(Options::default()).await
    }

    /// Starts a cluster.
    ///
    /// # Errors
    /// Where the binary is missing or the cluster does not become ready.
    pub async fn with(options: Options) -> anyhow::Result<Self> {
        let env = Env::host();
        let binary = coracle_binary()?;
        let dir = std::env::temp_dir().join(format!("coracle-test-{:08x}", env.random.next_u64() as u32));
        std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        let child = launch(&binary, &dir, &options)?;
        let mut cluster = Self {
            binary,
            dir,
            child,
            options,
            env,
        };
        cluster.wait_ready().await?;
        let kubeconfig = cluster.run(&["kubeconfig"]).await?;
        std::fs::write(cluster.kubeconfig(), kubeconfig).context("write kubeconfig")?;
        Ok(cluster)
    }

    async fn wait_ready(&mut self) -> anyhow::Result<()> {
        let stderr = self.child.stderr.take().context("read the cluster's progress")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut seen = Vec::new();
        let ready = self.env.transport_clock.timeout(START_TIMEOUT, async {
            while let Ok(Some(line)) = lines.next_line().await {
                let done = line.contains(" is ready after ");
                seen.push(line);
                if done {
                    return true;
                }
            }
            false
        });
        let ready = ready.await.unwrap_or(false);
        if !ready {
            let processes = std::fs::read_dir(self.dir.join("logs"))
                .into_iter()
                .flatten()
                .flatten();
            let tails: Vec<String> = processes.map(|entry| tail(&entry.path())).collect();
            bail!(
                "start cluster: it said:\n{}\nand its logs end:\n{}",
                seen.join("\n"),
                tails.join("\n")
            );
        }
        // Whoever writes to a pipe that nobody reads blocks in the end.
        self.env.spawn.task("drain-progress", async move {
            while let Ok(Some(_)) = lines.next_line().await {}
        });
        Ok(())
    }

    /// The data directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A kubeconfig of the administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("test-kubeconfig")
    }

    /// Runs `coracle ARGUMENTS` on this cluster and returns its standard output.
    ///
    /// # Errors
    /// Where it fails; the message holds its standard error.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.binary)
            .args(arguments)
            .args(["--name", "test", "--data-dir"])
            .arg(&self.dir)
            .kill_on_drop(true)
            .output()
            .await
            .context("run coracle")?;
        if !output.status.success() {
            bail!(
                "coracle {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs the real kubectl as the administrator and returns its standard output.
    ///
    /// # Errors
    /// Where it fails; the message holds its standard error.
    pub async fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        kubectl::run(&self.kubeconfig(), &self.dir, arguments).await
    }

    /// Every process.
    ///
    /// # Errors
    /// Where the supervisor does not answer.
    pub async fn processes(&self) -> anyhow::Result<Vec<Process>> {
        serde_json::from_str(&self.run(&["status", "-o", "json"]).await?).context("read status")
    }

    /// One process.
    ///
    /// # Errors
    /// Where there is none of this name.
    pub async fn process(&self, name: &str) -> anyhow::Result<Process> {
        let found = self
            .processes()
            .await?
            .into_iter()
            .find(|process| process.name == name);
        found.with_context(|| format!("find process {name}"))
    }

    /// SIGKILL, to one process.
    ///
    /// # Errors
    /// Where it is not running.
    pub async fn kill(&self, process: &str) -> anyhow::Result<()> {
        self.run(&["kill", process]).await.map(drop)
    }

    /// The administrator's credentials.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn credentials(&self) -> anyhow::Result<Credentials> {
        let pki = self.dir.join("apiserver").join("pki");
        Credentials::load(&pki, "admin")?.context("find the administrator's certificate")
    }

    /// Where the apiserver listens, `HOST:PORT`.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn server(&self) -> anyhow::Result<String> {
        Ok(self.process("apiserver").await?.address)
    }

    /// A gRPC client of the administrator.
    ///
    /// # Errors
    /// Where the apiserver does not listen.
    pub async fn client(&self) -> anyhow::Result<GrpcClient> {
        let identity = Identity::from_credentials(&self.credentials()?)?;
        GrpcClient::new(&self.server().await?, &self.env, &identity).map_err(anyhow::Error::msg)
    }

    /// The environment that clients of a test dial from.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// Ends the cluster in good order and fails where it logged an error that the test did not expect.
    ///
    /// # Errors
    /// The unexpected ERROR lines.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.end().await;
        let unexpected: Vec<String> = logs::errors(&self.dir.join("logs"))
            .into_iter()
            .filter(|line| {
                !self
                    .options
                    .expected_errors
                    .iter()
                    .any(|expected| line.contains(expected))
            })
            .collect();
        if !unexpected.is_empty() {
            bail!("the cluster logged errors:\n{}", unexpected.join("\n"));
        }
        Ok(())
    }

    async fn end(&mut self) {
        self.signal_supervisor(rustix::process::Signal::TERM);
        if Clock::system()
            .timeout(STOP_TIMEOUT, self.child.wait())
            .await
            .is_err()
        {
            self.signal_supervisor(rustix::process::Signal::KILL);
            let _ = self.child.wait().await;
        }
    }

    fn signal_supervisor(&self, signal: rustix::process::Signal) {
        let pid = self
            .child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The kernel ends the other processes when the supervisor is gone.
        self.signal_supervisor(rustix::process::Signal::KILL);
        #[allow(
            clippy::disallowed_methods,
            reason = "a test's own look at its own environment"
        )]
        let keep = std::env::var_os("CORACLE_KEEP").is_some();
        if !keep {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

fn launch(binary: &Path, dir: &Path, options: &Options) -> anyhow::Result<Child> {
    Command::new(binary)
        .args(["up", "--foreground", "--no-kubeconfig", "--port=0", "--name=test"])
        .arg(format!("--nodes={}", options.nodes))
        .arg(format!("--data-dir={}", dir.display()))
        .args(options.set.iter().map(|set| format!("--set={set}")))
        .args((!options.has_dashboard).then_some("--no-dashboard"))
        .env_remove("KUBECONFIG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("run {}", binary.display()))
}

fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(15).collect();
    let lines: Vec<&str> = lines.into_iter().rev().collect();
    format!("{}:\n{}", path.display(), lines.join("\n"))
}
