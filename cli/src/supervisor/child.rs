//! One supervised process: started, listened to, started again.
//!
//! The first restart comes at once; only a process that died before it was ready waits, 100 ms doubling to 10 s.

use std::{
    process::Stdio,
    sync::{Arc, Weak},
    time::Duration,
};

use anyhow::Context;
use coracle_service::{Clock, Shutdown};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use super::{Supervisor, control::Progress, plan::Spec};

/// Waits before starting a process again that died before it was ready.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LAST_BACKOFF: Duration = Duration::from_secs(10);

/// A process as `status` shows it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ProcessStatus {
    pub name: String,
    /// 0 while it is not running.
    pub pid: u32,
    /// Of its main service; empty where it has none or does not listen yet.
    pub address: String,
    /// How often it was started again.
    pub restarts: u32,
    /// `starting`, `ready` or `down`.
    pub health: String,
}

/// A supervised process.
pub struct Child {
    status: Arc<Mutex<ProcessStatus>>,
    stop: Shutdown,
    done: tokio::task::JoinHandle<()>,
}

impl Child {
    /// Starts it and keeps it running.
    ///
    /// # Errors
    /// Where its log cannot be opened.
    pub fn start(spec: Spec, supervisor: &Arc<Supervisor>) -> anyhow::Result<Self> {
        open_log(&spec)?;
        let status = Arc::new(Mutex::new(ProcessStatus {
            name: spec.name.clone(),
            health: "starting".to_owned(),
            ..ProcessStatus::default()
        }));
        let stop = Shutdown::new();
        let keeper = Keeper {
            spec,
            status: Arc::clone(&status),
            stop: stop.clone(),
            supervisor: Arc::downgrade(supervisor),
        };
        let clock = supervisor.env.transport_clock.clone();
        let done = supervisor.env.spawn.task("child", keeper.run(clock));
        Ok(Self { status, stop, done })
    }

    pub fn status(&self) -> ProcessStatus {
        self.status.lock().clone()
    }

    /// # Errors
    /// Where it is not running.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let status = self.status.lock();
        let pid = Pid::from_raw(i32::try_from(status.pid).unwrap_or(0))
            .with_context(|| format!("signal {}: it is not running at the moment", status.name))?;
        rustix::process::kill_process(pid, signal).with_context(|| format!("signal {}", status.name))
    }

    /// Asks it to end, and kills it after `timeout`.
    pub async fn stop(self, timeout: Duration) {
        self.stop.trigger();
        // A frozen process must thaw to hear that it shall end.
        let _ = self.signal(Signal::CONT);
        let _ = self.signal(Signal::TERM);
        let mut done = self.done;
        if Clock::system().timeout(timeout, &mut done).await.is_err() {
            let pid = self.status.lock().pid;
            if let Some(pid) = Pid::from_raw(i32::try_from(pid).unwrap_or(0)) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
            let _ = done.await;
        }
    }
}

/// A line of a process's standard output.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Announcement {
    Listening { service: String, address: String },
    Ready,
}

struct Keeper {
    spec: Spec,
    status: Arc<Mutex<ProcessStatus>>,
    stop: Shutdown,
    supervisor: Weak<Supervisor>,
}

impl Keeper {
    async fn run(self, clock: Clock) {
        let mut backoff = FIRST_BACKOFF;
        while !self.stop.is_triggered() {
            let was_ready = match self.run_once().await {
                Ok(was_ready) => was_ready,
                Err(error) => {
                    tracing::error!(
                        process = self.spec.name,
                        error = format!("{error:#}"),
                        "run process"
                    );
                    false
                }
            };
            {
                let mut status = self.status.lock();
                status.pid = 0;
                status.health = "down".to_owned();
                status.restarts += 1;
            }
            if self.stop.is_triggered() {
                return;
            }
            self.tell(|name| Progress::Died { process: name });
            if was_ready {
                backoff = FIRST_BACKOFF;
            } else {
                self.stop.guard(clock.sleep(backoff)).await;
                backoff = (backoff * 2).min(LAST_BACKOFF);
            }
        }
    }

    /// Runs it until it ends; tells whether it was ready.
    async fn run_once(&self) -> anyhow::Result<bool> {
        let binary = std::env::current_exe().context("find this program")?;
        let mut command = Command::new(binary);
        command
            .args(&self.spec.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(open_log(&self.spec)?);
        command.kill_on_drop(true);
        end_with_parent(&mut command);
        let mut child = command
            .spawn()
            .with_context(|| format!("start {}", self.spec.name))?;
        {
            let mut status = self.status.lock();
            status.pid = child.id().unwrap_or_default();
            status.health = "starting".to_owned();
        }
        if self.stop.is_triggered() {
            // Asked to end between two runs: the signal found no process.
            child.kill().await.context("end process")?;
            return Ok(false);
        }
        if let Some(stdout) = child.stdout.take() {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(announcement) = serde_json::from_str(&line) {
                    self.heard(announcement);
                }
            }
        }
        let status = child.wait().await.context("wait for process")?;
        tracing::info!(process = self.spec.name, %status, "process ended");
        Ok(self.status.lock().health == "ready")
    }

    fn heard(&self, announcement: Announcement) {
        match announcement {
            Announcement::Listening { service, address } => {
                self.status.lock().address.clone_from(&address);
                if service == "apiserver" {
                    self.apiserver_listens(&address);
                }
                self.tell(|process| Progress::Listening { process, address });
            }
            Announcement::Ready => {
                "ready".clone_into(&mut self.status.lock().health);
                self.tell(|process| Progress::Ready { process });
            }
        }
    }

    fn apiserver_listens(&self, address: &str) {
        let Some(supervisor) = self.supervisor.upgrade() else {
            return;
        };
        let Ok(listen) = address.parse() else { return };
        let server = super::dialable(listen).to_string();
        if let Err(error) = supervisor.remember(|memory| memory.server.clone_from(&server)) {
            tracing::error!(error = format!("{error:#}"), "remember the apiserver's address");
        }
        supervisor.server.send_replace(Some(server));
    }

    fn tell(&self, progress: impl FnOnce(String) -> Progress) {
        if let Some(supervisor) = self.supervisor.upgrade() {
            // Nobody listening is the usual case.
            let _ = supervisor.events.send(progress(self.spec.name.clone()));
        }
    }
}

fn open_log(spec: &Spec) -> anyhow::Result<std::fs::File> {
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&spec.log)
        .with_context(|| format!("open log {}", spec.log.display()))
}

/// Lets the kernel end the child when the supervisor dies, however it dies; and at once, since a stopped child would
/// keep any other signal for later, and its addresses with it.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "a hook between fork and exec has no safe form")]
fn end_with_parent(command: &mut Command) {
    // SAFETY: the hook makes one system call, which is safe between fork and exec.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(std::io::Error::from)
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent(_command: &mut Command) {}
