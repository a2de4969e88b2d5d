//! `coracle run -- COMMAND`: a throwaway cluster around one command.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use coracle_service::{Env, Shutdown, pki::write_private};

use super::nodes_ready;
use crate::{
    args::{Name, Run},
    cluster::Cluster,
    kubeconfig, process,
    supervisor::{Settings, Supervisor},
};

/// How long the cluster may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
/// The code for a command that ended by a signal, on top of the signal's number, as shells have it.
const SIGNALLED: i32 = 128;

pub async fn run(args: Run) -> anyhow::Result<ExitCode> {
    let env = Env::host();
    let dir = TemporaryDir::new(&env)?;
    let name = format!("run-{}", std::process::id());
    let cluster = Cluster::new(&Name {
        name,
        data_dir: Some(dir.0.clone()),
    })?;
    let settings = Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        any_port: false,
        nodes: Some(args.nodes),
        san: Vec::new(),
        set: args.set,
        // Whoever wants to look on starts a cluster with `up`.
        dashboard: false,
    };
    let shutdown = Shutdown::new();
    process::end_on_signals(&shutdown)?;
    let supervisor = Supervisor::start(cluster.clone(), &settings, env.clone(), shutdown.clone()).await?;
    let outcome = shutdown
        .guard(with_cluster(
            &supervisor,
            &args.command,
            args.nodes as usize,
            &env,
        ))
        .await;
    supervisor.stop().await;
    // Interrupted: the code that a shell gives for SIGINT.
    outcome.unwrap_or(Ok(ExitCode::from(130)))
}

async fn with_cluster(
    supervisor: &Supervisor,
    command: &[String],
    nodes: usize,
    env: &Env,
) -> anyhow::Result<ExitCode> {
    let clock = &env.transport_clock;
    let cluster = supervisor.cluster();
    let started = clock.timeout(START_TIMEOUT, async {
        let server = supervisor
            .server()
            .await
            .context("the cluster ended while it started")?;
        let api = cluster.client(&server, env)?;
        while nodes_ready(&api).await.map_or(true, |(_, ready)| ready < nodes) {
            clock.sleep(POLL).await;
        }
        anyhow::Ok(server)
    });
    let server = started
        .await
        .context("start the cluster: it was not ready within 60 s")??;
    let path = cluster.dir.join("kubeconfig");
    let document = kubeconfig::document(&cluster.context(), &server, &cluster.admin()?);
    write_private(&path, kubeconfig::to_yaml(&document)?.as_bytes())?;
    let (program, arguments) = command.split_first().context("name a command to run")?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .env("KUBECONFIG", &path)
        .env("USE_EXISTING_CLUSTER", "true")
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("run {program}"))?;
    let status = child
        .wait()
        .await
        .with_context(|| format!("wait for {program}"))?;
    let signal = std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| SIGNALLED + signal);
    let code = status.code().or(signal).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// A directory that goes when this value does.
struct TemporaryDir(PathBuf);

impl TemporaryDir {
    fn new(env: &Env) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("coracle-{:08x}", env.random.next_u64() as u32));
        std::fs::create_dir(&dir).with_context(|| format!("make {}", dir.display()))?;
        Ok(Self(dir))
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
