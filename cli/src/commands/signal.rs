//! `coracle kill`, `stop` and `cont`: signals, for experiments.

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    args,
    cluster::Cluster,
    output::Progress,
    supervisor::control::{self, Ask},
};

pub async fn run(args: &args::Signal, signal: Signal) -> anyhow::Result<()> {
    if args.own {
        return signal_container(signal);
    }
    let process = args
        .process
        .clone()
        .context("name a process; `coracle status` lists them")?;
    let cluster = Cluster::new(&args.cluster)?;
    control::ask(
        &cluster,
        &Ask::Signal {
            process: process.clone(),
            signal: signal.as_raw(),
        },
    )
    .await?;
    Progress::new().line(&format!("Sent {} to {process}", name(signal)));
    Ok(())
}

fn name(signal: Signal) -> &'static str {
    if signal == Signal::KILL {
        "SIGKILL"
    } else if signal == Signal::STOP {
        "SIGSTOP"
    } else {
        "SIGCONT"
    }
}

/// Signals the child of this container's process 1 that runs this program. Process 1 itself takes no signal from
/// inside, which is why the containers run with `init: true`.
fn signal_container(signal: Signal) -> anyhow::Result<()> {
    let own = std::process::id();
    let ours = std::fs::read_link("/proc/self/exe").context("find this program")?;
    for entry in std::fs::read_dir("/proc").context("list processes")?.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        let same_program = std::fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == ours);
        if pid == 1 || pid.unsigned_abs() == own || !same_program || parent(&entry.path()) != Some(1) {
            continue;
        }
        let target = Pid::from_raw(pid).context("read process id")?;
        return kill_process(target, signal).with_context(|| format!("signal process {pid}"));
    }
    anyhow::bail!(
        "find this container's process: --self works only in a container that runs with `init: true`"
    )
}

/// Field 4 of /proc/PID/stat, after the name in parentheses.
fn parent(process: &std::path::Path) -> Option<i32> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
