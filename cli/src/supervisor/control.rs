//! The supervisor's socket: one JSON request a connection, answered by JSON lines.

use std::sync::Arc;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

use super::{ProcessStatus, Supervisor};
use crate::cluster::Cluster;

/// The longest request line.
const MAX_REQUEST: u64 = 64 << 10;

/// What can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    Status,
    /// A line per [`Progress`] until the caller hangs up, beginning with what has happened so far.
    Follow,
    Signal {
        process: String,
        signal: i32,
    },
    AddNodes {
        count: u32,
    },
    RemoveNode {
        node: String,
    },
    /// Answered by the end of the connection, when everything has ended.
    Stop,
}

/// One answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    Done,
    Processes {
        server: String,
        processes: Vec<ProcessStatus>,
    },
    Nodes {
        names: Vec<String>,
    },
    Progress(Progress),
    Failed {
        why: String,
    },
}

/// What happens to processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Progress {
    Listening { process: String, address: String },
    Ready { process: String },
    Died { process: String },
}

/// Listens on the cluster's socket.
///
/// # Errors
/// Where another supervisor listens there, or the socket cannot be made.
pub async fn listen(cluster: &Cluster) -> anyhow::Result<UnixListener> {
    let path = cluster.socket();
    if UnixStream::connect(&path).await.is_ok() {
        bail!(
            "start cluster {:?}: it is running already; see `coracle status`",
            cluster.name
        );
    }
    let _ = std::fs::remove_file(&path);
    UnixListener::bind(&path).with_context(|| {
        format!(
            "listen on {} (a socket's path has at most 107 bytes: choose a shorter --data-dir)",
            path.display()
        )
    })
}

/// Answers callers until shutdown.
pub fn serve(supervisor: Arc<Supervisor>, listener: UnixListener) {
    let (spawn, shutdown) = (supervisor.env.spawn, supervisor.shutdown.clone());
    spawn.task("control", async move {
        while let Some(Ok((stream, _))) = shutdown.guard(listener.accept()).await {
            let supervisor = Arc::clone(&supervisor);
            spawn.task("control-call", async move {
                if let Err(error) = answer(&supervisor, stream).await {
                    tracing::debug!(error = format!("{error:#}"), "control call ended");
                }
            });
        }
    });
}

async fn answer(supervisor: &Arc<Supervisor>, stream: UnixStream) -> anyhow::Result<()> {
    use tokio::io::AsyncReadExt;
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reading.take(MAX_REQUEST))
        .read_line(&mut line)
        .await?;
    let answer = match serde_json::from_str(&line) {
        Ok(Ask::Follow) => return follow(supervisor, &mut writing).await,
        Ok(ask) => act(supervisor, ask).await.unwrap_or_else(|error| Answer::Failed {
            why: format!("{error:#}"),
        }),
        Err(error) => Answer::Failed {
            why: format!("read request: {error}"),
        },
    };
    send(&mut writing, &answer).await
}

async fn act(supervisor: &Arc<Supervisor>, ask: Ask) -> anyhow::Result<Answer> {
    Ok(match ask {
        Ask::Status | Ask::Follow => Answer::Processes {
            server: supervisor.server.borrow().clone().unwrap_or_default(),
            processes: supervisor.status(),
        },
        Ask::Signal { process, signal } => {
            let signal = rustix::process::Signal::from_named_raw(signal).context("read signal")?;
            supervisor.signal(&process, signal)?;
            Answer::Done
        }
        Ask::AddNodes { count } => Answer::Nodes {
            names: supervisor.add_nodes(count).await?,
        },
        Ask::RemoveNode { node } => {
            supervisor.remove_node(&node).await?;
            Answer::Done
        }
        // The caller hears the end of the connection when everything has ended.
        Ask::Stop => {
            supervisor.shutdown.trigger();
            std::future::pending().await
        }
    })
}

async fn follow(supervisor: &Supervisor, writing: &mut (impl AsyncWriteExt + Unpin)) -> anyhow::Result<()> {
    let mut progress = supervisor.progress();
    for status in supervisor.status() {
        if !status.address.is_empty() {
            let event = Progress::Listening {
                process: status.name.clone(),
                address: status.address,
            };
            send(writing, &Answer::Progress(event)).await?;
        }
        if status.health == "ready" {
            send(
                writing,
                &Answer::Progress(Progress::Ready { process: status.name }),
            )
            .await?;
        }
    }
    while let Ok(event) = progress.recv().await {
        send(writing, &Answer::Progress(event)).await?;
    }
    Ok(())
}

async fn send(writing: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    writing.write_all(&line).await?;
    Ok(())
}

/// A call to a running supervisor.
pub struct Call {
    lines: tokio::io::Lines<BufReader<UnixStream>>,
}

impl Call {
    /// # Errors
    /// Where the cluster is not running.
    pub async fn start(cluster: &Cluster, ask: &Ask) -> anyhow::Result<Self> {
        let mut stream = UnixStream::connect(cluster.socket()).await.with_context(|| {
            format!(
                "reach cluster {:?}: it is not running; start it with `coracle up`",
                cluster.name
            )
        })?;
        let mut line = serde_json::to_vec(ask)?;
        line.push(b'\n');
        stream.write_all(&line).await.context("ask the supervisor")?;
        Ok(Self {
            lines: BufReader::new(stream).lines(),
        })
    }

    /// The next answer; `None` when there are no more.
    ///
    /// # Errors
    /// The supervisor's failure, or a connection that broke.
    pub async fn next(&mut self) -> anyhow::Result<Option<Answer>> {
        let Some(line) = self.lines.next_line().await.context("hear from the supervisor")? else {
            return Ok(None);
        };
        match serde_json::from_str(&line).context("read the supervisor's answer")? {
            Answer::Failed { why } => Err(anyhow::Error::msg(why)),
            answer => Ok(Some(answer)),
        }
    }
}

/// Asks and returns the one answer.
///
/// # Errors
/// As [`Call::start`] and [`Call::next`].
pub async fn ask(cluster: &Cluster, ask: &Ask) -> anyhow::Result<Answer> {
    let mut call = Call::start(cluster, ask).await?;
    call.next().await?.context("the supervisor hung up")
}
