//! `coracle up`: starts a cluster and waits until every node is Ready.

use std::{collections::BTreeSet, net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use coracle_service::{Clock, Env, Shutdown};
use tokio::process::Command;

use super::nodes_ready;
use crate::{
    args::Up,
    cluster::Cluster,
    kubeconfig,
    output::Progress,
    process,
    supervisor::{
        self, MAX_SINGLE_NODES, Settings, Supervisor,
        control::{Answer, Ask, Call, Progress as Event},
    },
};

/// How long a start may take before it is given up; the processes go on.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a supervisor that hung up may take to end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often the nodes are counted.
const POLL: Duration = Duration::from_millis(10);

pub async fn run(args: Up) -> anyhow::Result<()> {
    let env = Env::host();
    let cluster = Cluster::new(&args.cluster)?;
    let progress = Progress::new();
    let began = env.transport_clock.monotonic();
    if Call::start(&cluster, &Ask::Status).await.is_ok() {
        progress.line(&format!(
            "Cluster {:?} is running already; see `coracle status`.",
            cluster.name
        ));
        return Ok(());
    }
    refuse_platform()?;
    progress.line(&format!(
        "Starting cluster {:?} in {}",
        cluster.name,
        cluster.dir.display()
    ));
    if args.foreground {
        let shutdown = Shutdown::new();
        process::end_on_signals(&shutdown)?;
        let supervisor =
            Supervisor::start(cluster.clone(), &settings(&args), env.clone(), shutdown.clone()).await?;
        let ready = shutdown.guard(follow(&args, &cluster, &env, &progress)).await;
        if let Some(outcome) = ready {
            outcome?;
            finish(
                &args,
                &cluster,
                &progress,
                env.transport_clock.monotonic() - began,
            );
            shutdown.wait().await;
        }
        supervisor.stop().await;
        return Ok(());
    }
    let mut child = detach(&args, &cluster)?;
    let clock = &env.transport_clock;
    let followed = tokio::select! {
        biased;
        outcome = clock.timeout(START_TIMEOUT, follow(&args, &cluster, &env, &progress)) => Some(outcome),
        _ = child.wait() => None,
    };
    let outcome = match followed {
        Some(Ok(Ok(()))) => Ok(()),
        // A connection that broke may be the first to tell of a supervisor that is ending.
        Some(Ok(Err(broken))) => match clock.timeout(LAST_WORDS, child.wait()).await {
            Ok(_) => Err(last_words(&cluster)),
            Err(_) => Err(broken),
        },
        Some(Err(_)) => bail!(
            "start cluster {:?}: not every node was Ready within {} s; see `coracle status` and the logs in {}",
            cluster.name,
            START_TIMEOUT.as_secs(),
            cluster.dir.join("logs").display()
        ),
        None => Err(last_words(&cluster)),
    };
    outcome?;
    finish(&args, &cluster, &progress, clock.monotonic() - began);
    Ok(())
}

/// Why the supervisor ended, as its log says.
fn last_words(cluster: &Cluster) -> anyhow::Error {
    let log = std::fs::read_to_string(cluster.log("supervisor")).unwrap_or_default();
    let why = log.lines().rev().find_map(|line| line.strip_prefix("error: "));
    anyhow::Error::msg(why.unwrap_or("the supervisor ended").to_owned())
}

fn settings(args: &Up) -> Settings {
    Settings {
        listen: SocketAddr::new(args.listen, args.port),
        // A user who names a port means it.
        any_port: args.port == 6443,
        nodes: args.nodes,
        san: args.san.clone(),
        set: args.set.clone(),
        dashboard: !args.no_dashboard,
    }
}

/// Starts the supervisor as a process of its own session, which stays when the terminal closes.
fn detach(args: &Up, cluster: &Cluster) -> anyhow::Result<tokio::process::Child> {
    std::fs::create_dir_all(cluster.dir.join("logs"))
        .with_context(|| format!("make data directory {}", cluster.dir.display()))?;
    let log = cluster.log("supervisor");
    let log = std::fs::File::create(&log).with_context(|| format!("open log {}", log.display()))?;
    let settings = settings(args);
    let mut command = Command::new(std::env::current_exe().context("find this program")?);
    command
        .arg("supervise")
        .arg(format!("--name={}", cluster.name))
        .arg(format!("--data-dir={}", cluster.dir.display()))
        .arg(format!("--listen={}", settings.listen))
        .args(settings.any_port.then_some("--any-port"))
        .args(settings.nodes.map(|nodes| format!("--nodes={nodes}")))
        .args(settings.san.iter().map(|name| format!("--san={name}")))
        .args(settings.set.iter().map(|set| format!("--set={set}")))
        .args((!settings.dashboard).then_some("--no-dashboard"))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    new_session(&mut command);
    command.spawn().context("start the supervisor")
}

#[allow(unsafe_code, reason = "a hook between fork and exec has no safe form")]
fn new_session(command: &mut Command) {
    // SAFETY: the hook makes one system call, which is safe between fork and exec.
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(drop).map_err(std::io::Error::from));
    }
}

/// Prints steps until every node is Ready.
async fn follow(args: &Up, cluster: &Cluster, env: &Env, progress: &Progress) -> anyhow::Result<()> {
    let clock = &env.transport_clock;
    let began = clock.monotonic();
    let mut call = connect(cluster, clock).await?;
    let mut waiting: BTreeSet<&str> = ["apiserver", "storage", "scheduler", "controller-manager"].into();
    let mut server = String::new();
    while !waiting.is_empty() {
        let Some(Answer::Progress(event)) = call.next().await? else {
            bail!("the supervisor ended")
        };
        match event {
            Event::Listening { process, address } if process == "apiserver" => server = address,
            Event::Ready { process } if waiting.remove(process.as_str()) => {
                progress.step(&step(&process, &server, args), clock.monotonic() - began);
            }
            Event::Died { process } if waiting.contains(process.as_str()) => {
                let log = std::fs::read_to_string(cluster.log(&process)).unwrap_or_default();
                if let Some(why) = log.lines().rev().find_map(|line| line.strip_prefix("error: ")) {
                    progress.line(&format!(" ✗ {process}: {why}"));
                }
            }
            _ => {}
        }
    }
    let listen: SocketAddr = server.parse().context("read the apiserver's address")?;
    let server = supervisor::dialable(listen).to_string();
    merge(args, cluster, &server, clock).await?;
    let api = cluster.client(&server, env)?;
    let wanted = cluster.memory()?.nodes.len();
    loop {
        let (_, ready) = nodes_ready(&api).await.unwrap_or((0, 0));
        if ready >= wanted {
            break;
        }
        clock.sleep(POLL).await;
    }
    let how = if wanted as u32 > MAX_SINGLE_NODES {
        ", in pools"
    } else {
        ""
    };
    progress.step(&format!("Nodes Ready: {wanted}{how}"), clock.monotonic() - began);
    Ok(())
}

fn step(process: &str, server: &str, args: &Up) -> String {
    match process {
        "apiserver" => {
            let moved = server
                .rsplit(':')
                .next()
                .is_some_and(|port| args.port != 0 && port != args.port.to_string());
            let note = if moved {
                format!(" (port {} is busy)", args.port)
            } else {
                String::new()
            };
            format!("API server at https://{server}{note}")
        }
        "storage" => "Volume service".to_owned(),
        "scheduler" => "Scheduler".to_owned(),
        _ => "Controllers".to_owned(),
    }
}

/// Waits for the supervisor's socket.
async fn connect(cluster: &Cluster, clock: &Clock) -> anyhow::Result<Call> {
    let deadline = clock.monotonic() + START_TIMEOUT;
    loop {
        match Call::start(cluster, &Ask::Follow).await {
            Ok(call) => return Ok(call),
            Err(error) if clock.monotonic() > deadline => return Err(error),
            Err(_) => clock.sleep(Duration::from_millis(2)).await,
        }
    }
}

async fn merge(args: &Up, cluster: &Cluster, server: &str, clock: &Clock) -> anyhow::Result<()> {
    let Some(path) = kubeconfig::chosen(&args.kubeconfig) else {
        return Ok(());
    };
    let path = std::path::absolute(&path).unwrap_or(path);
    let previous = kubeconfig::merge(&path, &cluster.context(), server, &cluster.admin()?, clock).await?;
    let mut memory = cluster.memory()?;
    memory.kubeconfig = Some(path);
    // A restart finds this cluster's own context current, which is nothing to go back to.
    if previous.is_some() {
        memory.previous_context = previous;
    }
    cluster.remember(&memory)
}

fn finish(args: &Up, cluster: &Cluster, progress: &Progress, took: Duration) {
    progress.line(&format!(
        "Cluster {:?} is ready after {} ms.",
        cluster.name,
        took.as_millis()
    ));
    let mut name = if cluster.name == "default" {
        String::new()
    } else {
        format!(" --name {}", cluster.name)
    };
    if let Some(dir) = &args.cluster.data_dir {
        name.push_str(&format!(" --data-dir {}", dir.display()));
    }
    let context = if args.kubeconfig.none {
        String::new()
    } else {
        format!(" --context {}", cluster.context())
    };
    if !has_kubectl() {
        progress
            .line("kubectl is not on the PATH: https://kubernetes.io/docs/tasks/tools/ says how to get it.");
        progress.line(&format!(
            "Without it, gRPC works: coracle credentials{name} --out creds"
        ));
        return;
    }
    if args.kubeconfig.none {
        progress.line(&format!(
            "Next: coracle kubeconfig{name} > kubeconfig && kubectl --kubeconfig kubeconfig get nodes"
        ));
    } else {
        progress.line(&format!("Next: kubectl{context} get nodes"));
    }
    if !args.no_dashboard {
        progress.line(&format!("Dashboard: coracle dashboard{name}"));
    }
}

#[allow(clippy::disallowed_methods, reason = "the PATH is the environment's to say")]
fn has_kubectl() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join("kubectl").is_file())
}

fn refuse_platform() -> anyhow::Result<()> {
    if cfg!(target_os = "linux") {
        return Ok(());
    }
    bail!(
        "start a cluster on {}: run it under WSL2 or with docker compose",
        std::env::consts::OS
    )
}
