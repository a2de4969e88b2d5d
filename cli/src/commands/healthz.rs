//! `coracle healthz`: asks one process for its health, or the supervisor for everybody's.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use coracle_service::{Env, Identity};

use super::fetch;
use crate::{
    args::Healthz,
    cluster::Cluster,
    output, process,
    supervisor::control::{self, Answer, Ask},
};

const TIMEOUT: Duration = Duration::from_secs(5);

pub async fn run(args: &Healthz) -> anyhow::Result<ExitCode> {
    let (healthy, report) = match &args.address {
        Some(address) => ask_process(address).await?,
        None => ask_supervisor(&Cluster::new(&args.cluster)?).await?,
    };
    output::data(&report);
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn ask_process(address: &str) -> anyhow::Result<(bool, String)> {
    let env = Env::host();
    // ":PORT" is this host's own address, where a node listens.
    let address = match address.strip_prefix(':') {
        Some(port) => format!("{}:{port}", process::host_name()?),
        None => address.to_owned(),
    };
    // Health is not secret, and a container asks itself: there is nothing to verify.
    let url = format!("https://{address}/readyz")
        .parse()
        .with_context(|| format!("read address {address:?}"))?;
    let request = fetch::Call {
        url,
        method: http::Method::GET,
        body: String::new(),
        identity: Identity::unverified()?,
    };
    let answer = env
        .transport_clock
        .timeout(TIMEOUT, fetch::call(request, &env))
        .await
        .with_context(|| format!("ask {address}: no answer within {} s", TIMEOUT.as_secs()))??;
    Ok((
        answer.status().is_success(),
        format!("{}\n", String::from_utf8_lossy(answer.body()).trim_end()),
    ))
}

async fn ask_supervisor(cluster: &Cluster) -> anyhow::Result<(bool, String)> {
    let Answer::Processes { processes, .. } = control::ask(cluster, &Ask::Status).await? else {
        bail!("ask the supervisor: it gave another answer; is it of the same version?")
    };
    let unwell: Vec<String> = processes
        .iter()
        .filter(|process| process.health != "ready")
        .map(|process| format!("{} is {}\n", process.name, process.health))
        .collect();
    Ok(if unwell.is_empty() {
        (true, "ok\n".to_owned())
    } else {
        (false, unwell.concat())
    })
}
