//! The cluster that is measured, and what its processes cost.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use coracle_client::GrpcClient;
use coracle_service::{Env, Shutdown};

use crate::{
    args::Name,
    cluster::Cluster,
    commands::nodes_ready,
    supervisor::{
        ProcessStatus, Settings, Supervisor,
        control::{self, Answer, Ask},
    },
};

const START_TIMEOUT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);
/// Of /proc/PID/stat's times; fixed by the kernel's interface.
const TICKS_PER_SECOND: f64 = 100.0;

pub struct Host {
    cluster: Cluster,
    server: String,
    start_time: Duration,
    supervisor: Option<Arc<Supervisor>>,
    running: Vec<ProcessStatus>,
}

impl Host {
    /// A running cluster.
    pub async fn running(name: &str, data_dir: Option<PathBuf>, env: &Env) -> anyhow::Result<Self> {
        let cluster = Cluster::new(&Name {
            name: name.to_owned(),
            data_dir,
        })?;
        let Answer::Processes { server, processes } = control::ask(&cluster, &Ask::Status).await? else {
            bail!("ask the supervisor: it gave another answer; is it of the same version?")
        };
        let _ = env;
        Ok(Self {
            cluster,
            server,
            start_time: Duration::ZERO,
            supervisor: None,
            running: processes,
        })
    }

    /// A cluster of its own, in a temporary directory.
    pub async fn throwaway(nodes: u32, env: &Env) -> anyhow::Result<Self> {
        let name = format!("bench-{}", std::process::id());
        let dir = std::env::temp_dir().join(format!("coracle-{name}"));
        let cluster = Cluster::new(&Name {
            name,
            data_dir: Some(dir),
        })?;
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            any_port: false,
            nodes: Some(nodes),
            san: Vec::new(),
            set: vec!["node.max-pods=500".to_owned()],
            dashboard: false,
        };
        let clock = &env.transport_clock;
        let began = clock.monotonic();
        let supervisor = Supervisor::start(cluster.clone(), &settings, env.clone(), Shutdown::new()).await?;
        let ready = clock.timeout(START_TIMEOUT, async {
            let server = supervisor
                .server()
                .await
                .context("the cluster ended while it started")?;
            let api = cluster.client(&server, env)?;
            while nodes_ready(&api)
                .await
                .map_or(true, |(_, ready)| ready < nodes as usize)
                || supervisor
                    .status()
                    .iter()
                    .any(|process| process.health != "ready")
            {
                clock.sleep(POLL).await;
            }
            anyhow::Ok(server)
        });
        let server = match ready.await.context("start a throwaway cluster in time").flatten() {
            Ok(server) => server,
            Err(error) => {
                supervisor.stop().await;
                return Err(error);
            }
        };
        Ok(Self {
            cluster,
            server,
            start_time: began.elapsed(),
            supervisor: Some(supervisor),
            running: Vec::new(),
        })
    }

    pub fn start_time(&self) -> Duration {
        self.start_time
    }

    /// A client over a connection of its own.
    pub fn client(&self, env: &Env) -> anyhow::Result<GrpcClient> {
        self.cluster.client(&self.server, env)
    }

    fn processes(&self) -> Vec<ProcessStatus> {
        self.supervisor
            .as_ref()
            .map_or_else(|| self.running.clone(), |supervisor| supervisor.status())
    }

    /// Proportional set size of each process in bytes, and of all together.
    pub fn memory(&self) -> anyhow::Result<Vec<(String, u64)>> {
        let mut rows = Vec::new();
        for process in self.processes() {
            rows.push((process.name, pss(process.pid)?));
        }
        let total = rows.iter().map(|(_, bytes)| bytes).sum();
        rows.push(("all processes".to_owned(), total));
        Ok(rows)
    }

    /// CPU time that all processes have used so far, in seconds.
    pub fn cpu(&self) -> anyhow::Result<Vec<(String, f64)>> {
        self.processes()
            .into_iter()
            .map(|process| Ok((process.name, cpu(process.pid)?)))
            .collect()
    }

    /// Ends the cluster where it is a throwaway one.
    pub async fn end(self) {
        if let Some(supervisor) = self.supervisor {
            supervisor.stop().await;
            let _ = std::fs::remove_dir_all(&self.cluster.dir);
        }
    }
}

fn pss(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .with_context(|| format!("find Pss in {path}"))?;
    let kilobytes: u64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .with_context(|| format!("read {path}"))?;
    Ok(kilobytes * 1024)
}

fn cpu(pid: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let after_name = text.rsplit_once(')').with_context(|| format!("read {path}"))?.1;
    // Fields 14 and 15 of the file, counted from 1; the name was field 2.
    let ticks = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<f64>().unwrap_or(0.0));
    Ok(ticks.sum::<f64>() / TICKS_PER_SECOND)
}
