//! One process of the real binary without a supervisor: for what happens at its start, where a supervisor would only
//! try again.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use coracle_service::{Env, pki::Credentials};
use coracle_testing::coracle_binary;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

use crate::access::Access;

/// How long a process may take to be ready, or to refuse.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A folder below the system's temporary one, gone on drop.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one.
    ///
    /// # Errors
    /// The system's.
    pub fn new(env: &Env) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("coracle-test-{:08x}", env.random.next_u64() as u32));
        std::fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Copies a folder with everything in it.
///
/// # Errors
/// The system's.
pub fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Runs `coracle ARGUMENTS` until it ends.
///
/// # Errors
/// Where it cannot be started or does not end in time.
pub async fn coracle(env: &Env, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(coracle_binary()?);
    command
        .args(arguments)
        .env_remove("KUBECONFIG")
        .env_remove("CORACLE_DATA_DIR")
        .stdin(Stdio::null());
    let output = command.kill_on_drop(true).output();
    Ok(env
        .transport_clock
        .timeout(START_TIMEOUT, output)
        .await
        .context("wait for coracle to end")??)
}

/// An apiserver by itself.
pub struct Apiserver {
    child: Child,
    dir: PathBuf,
    server: String,
}

impl Apiserver {
    /// Starts one on a data directory and waits until it is ready.
    ///
    /// # Errors
    /// What it said on standard error where it refused.
    pub async fn start(env: &Env, dir: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(coracle_binary()?);
        command
            .args(["apiserver", "--listen=127.0.0.1:0", "--data-dir"])
            .arg(dir);
        command
            .env_remove("CORACLE_TOKEN_FILE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .kill_on_drop(true)
            .spawn()
            .context("run coracle apiserver")?;
        let mut stderr = child.stderr.take().context("read its log")?;
        let said = tokio::spawn(async move {
            let mut said = String::new();
            let _ = stderr.read_to_string(&mut said).await;
            said
        });
        let stdout = child.stdout.take().context("read its announcements")?;
        let listening = env
            .transport_clock
            .timeout(START_TIMEOUT, listening(stdout))
            .await;
        match listening.context("wait for the apiserver")? {
            Some(server) => Ok(Self {
                child,
                dir: dir.to_owned(),
                server,
            }),
            None => bail!("{}", said.await.context("read its log")?.trim()),
        }
    }

    /// The administrator's access.
    ///
    /// # Errors
    /// Where the credentials cannot be read.
    pub fn access(&self, env: &Env) -> anyhow::Result<Access> {
        let credentials = Credentials::load(&self.dir.join("pki"), "admin")?;
        Access::new(
            &self.server,
            env,
            &credentials.context("find the administrator's certificate")?,
        )
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// The system's.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// SIGTERM, and waits until it has ended.
    ///
    /// # Errors
    /// Where it does not end well.
    pub async fn end(mut self) -> anyhow::Result<()> {
        let pid = self
            .child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.context("find the apiserver")?, rustix::process::Signal::TERM)?;
        let status = self.child.wait().await?;
        ensure!(status.success(), "the apiserver ended with {status}");
        Ok(())
    }
}

/// Reads announcements until the process is ready; where it listens, or nothing where it ended before.
async fn listening(stdout: impl tokio::io::AsyncRead + Unpin) -> Option<String> {
    let mut lines = BufReader::new(stdout).lines();
    let mut server = None;
    while let Ok(Some(line)) = lines.next_line().await {
        let announcement: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        match announcement["event"].as_str() {
            Some("listening") => server = announcement["address"].as_str().map(str::to_owned),
            Some("ready") => return server,
            _ => {}
        }
    }
    None
}
